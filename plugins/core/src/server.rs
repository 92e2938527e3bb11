//! The server component: from a request to the resource it names.

use crate::{
    bootstrap, conversion, discovery, fields, printers, resources,
    resources::{Resource, Storage},
    reviews,
    strategy::BuiltIn,
    virtuals,
};
use chainplate_sdk::{
    Collection, GroupVersion, Outcome, Plugin, Request, Response, Server,
    apimachinery::{Status, Value, request::Verb},
    publication, registry, router,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

/// Group, version and resource.
type Gvr = (&'static str, &'static str, &'static str);

/// The configuration of the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `serviceClusterIPRange`: one CIDR, or two of different families, parted by a comma.
    pub service_ranges: Vec<crate::allocator::Cidr>,
    /// `advertiseAddress`: where clients in the cluster reach this server; none leaves the `kubernetes` Service
    /// without endpoints.
    pub advertise_address: Option<IpAddr>,
    /// `securePort`: the port there.
    pub secure_port: u16,
    /// `eventTTLSeconds`: how long Events are kept, in seconds.
    pub event_ttl: u32,
    /// `apiAudiences`: what tokens for this server are made for, `--api-audiences`.
    pub api_audiences: Vec<String>,
    /// `serviceAccountMaxTokenExpirationSeconds`: the longest life of a token, in seconds; 0 for no limit of its own.
    pub max_token_expiration: i64,
    /// `serviceAccountExtendTokenExpiration`: whether tokens of projected volumes live for a year.
    pub extend_token_expiration: bool,
}

/// What upstream's `--service-cluster-ip-range` is without a flag.
const DEFAULT_RANGE: &str = "10.0.0.0/24";
/// What upstream's `--secure-port` is without a flag.
const DEFAULT_PORT: u16 = 6443;
/// What upstream's `--event-ttl` is without a flag, in seconds.
const DEFAULT_EVENT_TTL: u32 = 3600;
/// What the host's `--api-audiences` is without a flag.
const DEFAULT_AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

impl Config {
    /// Reads the component's configuration.
    ///
    /// # Errors
    /// What is wrong, and what would do.
    pub fn read(config: &Value) -> Result<Self, String> {
        let text = |name: &str| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let ranges = text("serviceClusterIPRange").unwrap_or(DEFAULT_RANGE);
        let service_ranges: Vec<crate::allocator::Cidr> = ranges
            .split(',')
            .map(|range| {
                range.trim().parse().map_err(|why| format!("serviceClusterIPRange: {range:?} {why}"))
            })
            .collect::<Result<_, String>>()?;
        let families = service_ranges.iter().filter(|range| range.is_ipv4()).count();
        if service_ranges.len() > 2 || (service_ranges.len() == 2 && families != 1) {
            return Err("serviceClusterIPRange: give one CIDR, or two of different IP families".into());
        }
        let advertise_address = text("advertiseAddress")
            .map(|address| {
                address.parse().map_err(|_| format!("advertiseAddress: {address:?} is not an IP address"))
            })
            .transpose()?;
        let given = |name: &str| config.get(name).filter(|value| !value.is_null());
        let secure_port = match given("securePort") {
            None => DEFAULT_PORT,
            Some(port) => port
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("securePort: {port} is not a port between 1 and 65535"))?,
        };
        let event_ttl = match given("eventTTLSeconds") {
            None => DEFAULT_EVENT_TTL,
            Some(seconds) => seconds
                .as_u64()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .ok_or_else(|| format!("eventTTLSeconds: {seconds} is no number of seconds below 2^32"))?,
        };
        let api_audiences = match given("apiAudiences") {
            None => vec![DEFAULT_AUDIENCE.to_owned()],
            Some(audiences) => serde_json::from_value(audiences.clone())
                .map_err(|_| format!("apiAudiences: {audiences} is no list of texts"))?,
        };
        let max_token_expiration = match given("serviceAccountMaxTokenExpirationSeconds") {
            None => 0,
            Some(seconds) => seconds.as_i64().filter(|seconds| *seconds >= 0).ok_or_else(|| {
                format!("serviceAccountMaxTokenExpirationSeconds: {seconds} is no number of seconds")
            })?,
        };
        let extend_token_expiration = match given("serviceAccountExtendTokenExpiration") {
            None => true,
            Some(extend) => extend.as_bool().ok_or_else(|| {
                format!("serviceAccountExtendTokenExpiration: {extend} is neither true nor false")
            })?,
        };
        Ok(Self {
            service_ranges,
            advertise_address,
            secure_port,
            event_ttl,
            api_audiences,
            max_token_expiration,
            extend_token_expiration,
        })
    }
}

/// What strategies and subresources share: the configuration, and collections that were opened once.
#[derive(Debug)]
pub struct Shared {
    /// The configuration.
    pub config: Config,
    collections: RefCell<BTreeMap<Gvr, Rc<Collection>>>,
}

impl Shared {
    /// Nothing opened yet.
    pub fn new(config: Config) -> Self {
        Self { config, collections: RefCell::default() }
    }

    /// The family of the cluster's first service range.
    pub fn ip_family(&self) -> &'static str {
        match self.config.service_ranges.first() {
            Some(range) if !range.is_ipv4() => "IPv6",
            _ => "IPv4",
        }
    }

    /// Where clients find this server; empty when nobody said.
    pub fn address(&self) -> String {
        let port = self.config.secure_port;
        self.config
            .advertise_address
            .map(|address| SocketAddr::new(address, port).to_string())
            .unwrap_or_default()
    }

    /// The stored objects of a resource, opened on the first call.
    ///
    /// # Errors
    /// 403 without a grant; 404 for a resource that is not stored.
    pub fn collection(&self, resource: &'static Resource) -> Result<Rc<Collection>, Status> {
        let key = (resource.group, resource.version, resource.name);
        if let Some(collection) = self.collections.borrow().get(&key) {
            return Ok(collection.clone());
        }
        let prefix = resource.storage_prefix().ok_or_else(Status::unknown_resource)?;
        let collection = Rc::new(open(resource, prefix)?);
        if resource.kind == "Event" {
            collection.set_ttl(self.config.event_ttl);
        }
        self.collections.borrow_mut().insert(key, collection.clone());
        Ok(collection)
    }

    /// Objects that stand for node ports that are taken; served nowhere.
    ///
    /// # Errors
    /// 403 without a grant for `ranges/servicenodeports`.
    pub(crate) fn node_ports(&self) -> Result<Rc<Collection>, Status> {
        const KIND: &str = "NodePortAllocation";
        const NAME: &str = "nodeportallocations";
        let key = ("", "v1", NAME);
        if let Some(collection) = self.collections.borrow().get(&key) {
            return Ok(collection.clone());
        }
        let opened = Rc::new(Collection::open("", "v1", NAME, KIND, false, "ranges/servicenodeports")?);
        self.collections.borrow_mut().insert(key, opened.clone());
        Ok(opened)
    }

    /// The stored objects of a resource by its names.
    ///
    /// # Errors
    /// As [`collection`](Shared::collection).
    pub fn named(&self, group: &str, version: &str, name: &str) -> Result<Rc<Collection>, Status> {
        let resource = resources::find(group, version, name).ok_or_else(Status::unknown_resource)?;
        self.collection(resource)
    }
}

fn open(resource: &'static Resource, prefix: &str) -> Result<Collection, Status> {
    let collection = Collection::open(
        resource.group,
        resource.version,
        resource.name,
        resource.kind,
        resource.namespaced,
        prefix,
    )?;
    collection.set_list_kind(&resource.list_kind());
    collection.set_item_type_meta(false);
    let labels = fields::labels(resource);
    if !labels.is_empty() {
        collection.set_field_labels(&labels);
    }
    if let Some(columns) = printers::columns(resource) {
        collection.set_table(&columns, printers::TRANSFORM, printers::argument(resource).as_bytes());
    }
    if conversion::is_needed(resource) {
        collection.set_conversion(conversion::TRANSFORM, resource.api_version().as_bytes());
    }
    Ok(collection)
}

/// The core API server.
#[derive(Debug)]
pub struct Core {
    shared: Rc<Shared>,
    strategies: RefCell<BTreeMap<Gvr, Rc<BuiltIn>>>,
}

impl Core {
    fn strategy(&self, resource: &'static Resource) -> Rc<BuiltIn> {
        let key = (resource.group, resource.version, resource.name);
        self.strategies
            .borrow_mut()
            .entry(key)
            .or_insert_with(|| Rc::new(BuiltIn::new(resource, self.shared.clone())))
            .clone()
    }

    /// Answers what is not about a resource: discovery documents, for a chain without an aggregator in front.
    fn document(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        let Some(document) = discovery::legacy(&info.path, &self.shared.address()) else {
            return if discovery::is_ours(&info.path) {
                Err(Status::unknown_resource())
            } else {
                Ok(Outcome::Delegate)
            };
        };
        if info.method != "get" {
            return Err(Status::method_not_allowed());
        }
        Ok(Response::document(200, document.to_string().as_bytes()).into())
    }
}

impl Plugin for Core {
    const NAME: &'static str = "core";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        let shared = Rc::new(Shared::new(Config::read(&config)?));
        Ok(Self { shared, strategies: RefCell::default() })
    }

    fn prepare(&self) -> Result<(), String> {
        router::claim("/api");
        let mut documents = Vec::with_capacity(resources::GROUP_VERSIONS.len());
        for gv in resources::GROUP_VERSIONS {
            if !gv.group.is_empty() {
                router::claim(&format!("/apis/{}", gv.group));
            }
            documents.push(GroupVersion {
                group: gv.group.to_owned(),
                version: gv.version.to_owned(),
                discovery: discovery::document(gv.group, gv.version).to_string().into_bytes(),
                group_priority_minimum: gv.group_priority_minimum,
                version_priority: gv.version_priority,
                ..GroupVersion::default()
            });
        }
        publication::publish(&documents).map_err(|status| format!("publishing the built-in groups: {status}"))
    }

    fn post_start(&self) -> Result<(), String> {
        bootstrap::run(&self.shared).map_err(|status| status.to_string())
    }
}

impl Server for Core {
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        if !info.is_resource {
            return self.document(request);
        }
        if !resources::is_group(&info.group) {
            return Ok(Outcome::Delegate);
        }
        let resource = resources::find(&info.group, &info.version, &info.resource)
            .ok_or_else(Status::unknown_resource)?;
        if resource.storage == Storage::Virtual {
            return match resource.group {
                "" => virtuals::handle(&self.shared, resource, request),
                _ => reviews::handle(&self.shared, resource, request),
            };
        }
        if resource.namespaced && info.namespace.is_empty() && !matches!(info.verb, Verb::List | Verb::Watch)
        {
            // Across all namespaces one can look, but not touch.
            return Err(if info.name.is_empty() {
                Status::method_not_allowed()
            } else {
                Status::unknown_resource()
            });
        }
        if !resource.rules.deprecation.is_empty() {
            request.warn(resource.rules.deprecation);
        }
        let collection = self.shared.collection(resource)?;
        registry::handle(request, &*self.strategy(resource), &collection)
    }

    fn openapi_v3(&self, group: &str, version: &str) -> Option<Vec<u8>> {
        crate::types::openapi(group, version)
    }

    fn transform(&self, name: &str, argument: &[u8], objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        match name {
            printers::TRANSFORM => printers::rows(argument, &objects),
            conversion::TRANSFORM => conversion::transform(argument, &objects),
            _ => Err(Status::internal(format_args!("core has no transform {name:?}"))),
        }
    }
}
