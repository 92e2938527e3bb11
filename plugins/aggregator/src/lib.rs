//! The aggregator, outermost server of the chain: discovery and OpenAPI of everything that is served, and APIService
//! objects. Local requests are delegated.

mod apiservices;
mod discovery;
mod openapi;

use apiservices::ApiServices;
use chainplate_sdk::{
    Collection, GroupVersion, Outcome, Plugin, Request, Server,
    apimachinery::{Status, Value},
    publication, registry, router, tasks, telemetry,
};
use discovery::Discovery;
use openapi::OpenApi;
use serde::Deserialize;
use std::cell::{Cell, RefCell};

/// The server.
#[derive(Debug)]
pub struct Aggregator {
    discovery: RefCell<Discovery>,
    openapi: RefCell<OpenApi>,
    strategy: ApiServices,
    collection: RefCell<Option<std::rc::Rc<Collection>>>,
    /// The generation of publications that the APIService objects follow, as far as this instance knows.
    registered: Cell<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Configuration {
    /// What `/api` tells clients as the server's address.
    server_address: String,
}

/// The task that makes APIService objects follow what is published.
const REGISTER: &str = "register";

impl Plugin for Aggregator {
    const NAME: &'static str = "kube-aggregator";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        let configuration: Configuration =
            serde_json::from_value(config).map_err(|error| error.to_string())?;
        Ok(Self {
            discovery: RefCell::new(Discovery::new(configuration.server_address)),
            openapi: RefCell::default(),
            strategy: ApiServices::new(),
            collection: RefCell::default(),
            registered: Cell::new(0),
        })
    }

    fn prepare(&self) -> Result<(), String> {
        for path in ["/api", "/api/*", "/apis", "/apis/*", "/apis/*/*"] {
            router::claim_exact(path);
        }
        router::claim("/apis/apiregistration.k8s.io");
        router::claim_exact("/openapi/v2");
        router::claim("/openapi/v3");
        let own = GroupVersion {
            group: apiservices::GROUP.into(),
            version: apiservices::VERSION.into(),
            discovery: apiservices::discovery().to_string().into_bytes(),
            group_priority_minimum: apiservices::GROUP_PRIORITY_MINIMUM,
            version_priority: apiservices::VERSION_PRIORITY,
            ..GroupVersion::default()
        };
        publication::publish(&[own]).map_err(|status| status.to_string())
    }

    fn post_start(&self) -> Result<(), String> {
        self.register()
    }
}

impl Server for Aggregator {
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        if info.is_resource && info.group == apiservices::GROUP {
            if info.version != apiservices::VERSION {
                return Ok(Outcome::Delegate);
            }
            if info.resource != apiservices::RESOURCE {
                return Err(Status::unknown_resource());
            }
            // Objects that follow publications are made when somebody looks, if the task has not come to it yet.
            if self.registered.get() != publication::generation()
                && let Err(why) = self.register()
            {
                telemetry::log(telemetry::Level::Warn, &format!("APIServices are not up to date: {why}"));
            }
            return registry::handle(request, &self.strategy, &*self.collection()?);
        }
        let generation = publication::generation();
        if self.registered.replace(generation) != generation {
            tasks::schedule(REGISTER, 0);
        }
        if info.path.starts_with("/openapi/") {
            return self.openapi.borrow_mut().answer(request);
        }
        self.discovery.borrow_mut().answer(request)
    }

    fn transform(&self, name: &str, _argument: &[u8], objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        match name {
            apiservices::ROWS => Ok(objects.iter().map(|object| apiservices::row(object)).collect()),
            _ => Err(Status::internal(format_args!("the aggregator has no transform {name:?}"))),
        }
    }

    fn run_task(&self, task: &str) -> Result<(), String> {
        match task {
            REGISTER => self.register(),
            _ => Err(format!("the aggregator has no task {task:?}")),
        }
    }
}

impl Aggregator {
    /// The collection of APIServices, opened at the first use.
    fn collection(&self) -> Result<std::rc::Rc<Collection>, Status> {
        if let Some(there) = &*self.collection.borrow() {
            return Ok(std::rc::Rc::clone(there));
        }
        let opened = std::rc::Rc::new(apiservices::open()?);
        self.collection.replace(Some(std::rc::Rc::clone(&opened)));
        Ok(opened)
    }

    /// Makes an APIService for each published group-version that has none, and removes those of local ones that are gone.
    fn register(&self) -> Result<(), String> {
        let generation = publication::generation();
        let text = |status: Status| status.to_string();
        let collection = self.collection().map_err(text)?;
        let published = publication::all().map_err(text)?;
        apiservices::register(&self.strategy, &collection, &published).map_err(text)?;
        self.registered.set(generation);
        Ok(())
    }
}

chainplate_sdk::export!(Aggregator);
