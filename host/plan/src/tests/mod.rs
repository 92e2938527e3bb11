//! Plans over a store in memory.

mod reads;
mod watches;

use super::*;
use bytes::Bytes;
use chainplate_storage::{Key, Options};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

pub(crate) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
pub(crate) const METADATA: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
pub(crate) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Transforms: `served` sets an apiVersion and copies spec to content, `rows` makes a cell of the name.
#[derive(Default)]
pub(crate) struct Dummy {
    calls: AtomicUsize,
}

impl Transformer for Dummy {
    fn transform<'a>(
        &'a self,
        transform: &'a TransformRef,
        objects: Vec<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Bytes>, Status>> + Send + 'a>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let one = |json: Bytes| {
                let mut value: Value = serde_json::from_slice(&json).expect("an object");
                match transform.name.as_str() {
                    "served" => {
                        value["apiVersion"] =
                            String::from_utf8_lossy(&transform.argument).into_owned().into();
                        value["content"] = value["spec"].take();
                        Ok(value.to_string().into())
                    }
                    "rows" => {
                        Ok(json!({"cells": [value["metadata"]["name"]], "conditions": []}).to_string().into())
                    }
                    _ => Err(Status::internal("no such transform")),
                }
            };
            objects.into_iter().map(one).collect()
        })
    }
}

pub(crate) struct Host {
    pub(crate) store: Store,
    pub(crate) transformer: Arc<Dummy>,
    pub(crate) shutdown: tokio::sync::watch::Sender<bool>,
}

impl Host {
    pub(crate) async fn new() -> Self {
        let options =
            Options { history_events: 1000, history_age: Duration::from_secs(600), ..Options::default() };
        Self {
            store: Store::open(options).await.expect("a store in memory"),
            transformer: Arc::default(),
            shutdown: tokio::sync::watch::Sender::new(false),
        }
    }

    pub(crate) async fn create(&self, name: &str, labels: &Value) -> Revision {
        self.create_in("ns", name, labels).await
    }

    pub(crate) async fn create_in(&self, namespace: &str, name: &str, labels: &Value) -> Revision {
        let value = object(namespace, name, labels, 1);
        let made = self.store.create(key(namespace, name), value, None).await;
        made.expect("made").revision()
    }

    pub(crate) async fn update(&self, name: &str, labels: &Value, size: u32) -> Revision {
        let value = object("ns", name, labels, size);
        self.store.update(key("ns", name), value, None, None).await.expect("updated").revision()
    }

    pub(crate) async fn delete(&self, name: &str) -> Revision {
        self.store.delete(key("ns", name), None).await.expect("deleted").revision()
    }

    pub(crate) async fn run(&self, plan: Plan, query: &str, accept: &str) -> Response<Body> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("a header"));
        }
        self.run_with(plan, query, &headers).await
    }

    pub(crate) async fn run_with(&self, plan: Plan, query: &str, headers: &HeaderMap) -> Response<Body> {
        let name = match &plan {
            Plan::Get { name, .. } => name.clone(),
            _ => {
                let selected =
                    query.split('&').find_map(|pair| pair.strip_prefix("fieldSelector=metadata.name%3D"));
                selected.and_then(|name| name.split(',').next()).unwrap_or_default().to_owned()
            }
        };
        let info = RequestInfo {
            is_resource: true,
            verb: if query.contains("watch=1") { Verb::Watch } else { Verb::List },
            method: "get".into(),
            path: String::new(),
            api_prefix: "apis".into(),
            group: "example.com".into(),
            version: "v1".into(),
            namespace: "ns".into(),
            resource: "things".into(),
            subresource: String::new(),
            name,
            parts: Vec::new(),
        };
        let context = Context {
            store: &self.store,
            info: &info,
            query,
            headers,
            shutdown: self.shutdown.subscribe(),
            min_watch_timeout: Duration::from_secs(1800),
        };
        let transformer: Arc<dyn Transformer> = self.transformer.clone();
        execute(Execution { plan, headers: Vec::new(), transformer }, &context).await
    }

    pub(crate) async fn text(&self, plan: Plan, query: &str, accept: &str) -> (u16, String) {
        let response = self.run(plan, query, accept).await;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        (code, String::from_utf8(body.to_vec()).expect("text"))
    }

    pub(crate) async fn json(&self, plan: Plan, query: &str, accept: &str) -> (u16, Value) {
        let (code, text) = self.text(plan, query, accept).await;
        (code, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}")))
    }
}

pub(crate) use chainplate_storage::Revision;

pub(crate) fn key(namespace: &str, name: &str) -> Key {
    Key::new("example.com/things", Some(namespace), name)
}

fn object(namespace: &str, name: &str, labels: &Value, size: u32) -> Bytes {
    let metadata = json!({
        "name": name, "namespace": namespace, "labels": labels, "creationTimestamp": "2026-01-02T03:04:05Z",
    });
    let head = r#"{"kind":"Thing","apiVersion":"example.com/v1","metadata":"#;
    format!(r#"{head}{metadata},"spec":{{"size":{size},"on":true}}}}"#).into()
}

/// A built-in type.
pub(crate) fn things() -> Collection {
    Collection {
        group: "example.com".into(),
        version: "v1".into(),
        resource: "things".into(),
        kind: "Thing".into(),
        list_kind: "ThingList".into(),
        namespaced: true,
        storage_prefix: "example.com/things".into(),
        items_with_type_meta: false,
        field_labels: vec![
            FieldLabel {
                label: "spec.size".into(),
                path: vec!["spec".into(), "size".into()],
                default: String::new(),
            },
            FieldLabel {
                label: "spec.off".into(),
                path: vec!["spec".into(), "off".into()],
                default: "no".into(),
            },
        ],
        columns: vec![Column {
            name: "Name".into(),
            type_: "string".into(),
            format: "name".into(),
            description: "the \"name\"".into(),
            priority: 0,
        }],
        rows: None,
        conversion: None,
    }
}

pub(crate) fn list(collection: Collection) -> Plan {
    Plan::List { collection: Arc::new(collection), namespace: Some("ns".into()) }
}

pub(crate) fn get(collection: Collection, name: &str) -> Plan {
    Plan::Get { collection: Arc::new(collection), namespace: Some("ns".into()), name: name.into() }
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["metadata"]["name"].as_str())
        .collect()
}

pub(crate) fn transform(name: &str, argument: &'static str) -> Option<TransformRef> {
    Some(TransformRef { name: name.into(), argument: argument.into() })
}
