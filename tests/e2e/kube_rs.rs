//! kube-rs against the server: typed clients, watchers, controllers, discovery.

mod controller;
mod discovery;
mod every_type;
mod typed;
mod watching;

use crate::support::{SOON, Server};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
    runtime::{conditions, wait::await_condition},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{future::Future, sync::Arc};

/// A client of a server, shared unless the test brings its own, and a namespace of one test.
struct Cluster {
    client: Client,
    namespace: String,
    _server: Arc<Server>,
}

impl Cluster {
    async fn new(namespace: &str) -> Self {
        Self::on(Server::shared(), namespace).await
    }

    async fn on(server: Arc<Server>, namespace: &str) -> Self {
        let cluster = Self { client: server.client().await, namespace: namespace.into(), _server: server };
        let made = of::<Namespace>(json!({"metadata": {"name": namespace}}));
        Api::all(cluster.client.clone()).create(&PostParams::default(), &made).await.unwrap();
        cluster
    }

    /// The objects of a type in the namespace.
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a definition and waits until it is served.
    async fn define(&self, definition: CustomResourceDefinition) {
        let api = Api::<CustomResourceDefinition>::all(self.client.clone());
        let name = definition.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("test"), &Patch::Apply(definition)).await.unwrap();
        soon(await_condition(api, &name, conditions::is_crd_established())).await.unwrap();
    }
}

/// An object from JSON.
fn of<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn map(name: &str, key: &str) -> ConfigMap {
    of(json!({"metadata": {"name": name, "labels": {"app": name}}, "data": {"k": key}}))
}

/// What should happen soon, or the test fails.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future).await.expect("it takes too long")
}

/// The code of the Status that an error holds.
fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("no Status: {other}"),
    }
}
