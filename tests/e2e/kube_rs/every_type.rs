//! Every built-in type, as objects whose types are only known from discovery.

use super::{Cluster, code, of, soon};
use crate::support::Server;
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Discovery, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent,
        WatchParams,
    },
    discovery::{ApiCapabilities, Scope, verbs},
    runtime::{conditions, wait::await_condition},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
};

/// An object of a type; the round trip of the Python client takes the same ones.
#[derive(Deserialize)]
struct Entry {
    object: Value,
    /// A strategic merge patch for it.
    patch: Option<Value>,
    /// What the patch leads to, where that is not the patch itself.
    patched: Option<Value>,
}

impl Entry {
    /// The type of the object, for messages.
    fn what(&self) -> String {
        let text = |key: &str| self.object[key].as_str().unwrap().to_owned();
        format!("{} {}", text("apiVersion"), text("kind"))
    }
}

/// A type under test.
struct Kind<'a> {
    api: Api<DynamicObject>,
    resource: &'a ApiResource,
    entry: &'a Entry,
    /// The type, for messages.
    what: &'a str,
    name: String,
    collection: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_lives_and_dies() {
    // A server of its own: definitions and services of APIs change what discovery tells others.
    let cluster = Cluster::on(Arc::new(Server::start(&[])), "every-type").await;
    let account: ServiceAccount = of(json!({"metadata": {"name": "default"}}));
    if let Err(error) = cluster.api::<ServiceAccount>().create(&PostParams::default(), &account).await {
        assert_eq!(code(&error), 409, "a controller of the server may be faster: {error}");
    }
    let entries: Vec<Entry> =
        serde_json::from_str(include_str!("../../support/minimal_objects.json")).unwrap();
    let mut entries: BTreeMap<String, Entry> =
        entries.into_iter().map(|entry| (entry.what(), entry)).collect();
    let discovery = Discovery::new(cluster.client.clone()).run().await.unwrap();
    // The versions of a type share their objects, so they take turns.
    let mut plurals: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for group in discovery.groups() {
        for (resource, capabilities) in
            group.versions().flat_map(|version| group.versioned_resources(version))
        {
            if [verbs::CREATE, verbs::GET, verbs::DELETE]
                .iter()
                .all(|verb| capabilities.supports_operation(verb))
            {
                let what = format!("{} {}", resource.api_version, resource.kind);
                let entry = entries.remove(&what).unwrap_or_else(|| panic!("there is no object of {what}"));
                plurals.entry(resource.plural.clone()).or_default().push((
                    what,
                    resource,
                    capabilities,
                    entry,
                ));
            }
        }
    }
    assert!(entries.is_empty(), "not served: {:?}", entries.keys());

    stream::iter(plurals.values()).for_each_concurrent(4, |types| lives(&cluster, types)).await;
}

/// A type as discovery tells of it, with an object.
type Found = (String, ApiResource, ApiCapabilities, Entry);

/// Takes types through their lives, one after the other.
async fn lives(cluster: &Cluster, types: &[Found]) {
    for (what, resource, capabilities, entry) in types {
        let client = cluster.client.clone();
        let api = if capabilities.scope == Scope::Namespaced {
            Api::namespaced_with(client, &cluster.namespace, resource)
        } else {
            Api::all_with(client, resource)
        };
        let name = entry.object["metadata"]["name"].as_str().unwrap_or("every-type").to_owned();
        let collection = capabilities.supports_operation(verbs::DELETE_COLLECTION);
        Kind { api, resource, entry, what, name, collection }.lives().await;
    }
}

impl Kind<'_> {
    async fn lives(&self) {
        let (api, what, name) = (&self.api, self.what, self.name.as_str());
        let version = self.ok(api.list(&ListParams::default()).await).metadata.resource_version.unwrap();
        let only = WatchParams::default().fields(&format!("metadata.name={name}"));
        let mut events = pin!(self.ok(api.watch(&only, &version).await));

        let object = self.object();
        let created = self.ok(api.create(&PostParams::default(), &of(object.clone())).await);
        holds(&object, &created, what);
        let uid = created.uid().unwrap();
        let again = api.create(&PostParams::default(), &of(object.clone())).await.unwrap_err();
        assert_eq!(code(&again), 409, "{what}: {again}");
        // A definition is written by the server, too, until it is served.
        let settled = |object: Option<&DynamicObject>| {
            object.is_some_and(|object| {
                let conditions = object.data["status"]["conditions"].as_array();
                self.resource.kind != "CustomResourceDefinition"
                    || conditions.is_some_and(|conditions| conditions.len() >= 2)
            })
        };
        soon(await_condition(api.clone(), name, settled)).await.unwrap();
        let read = self.ok(api.get(name).await);
        holds(&object, &read, what);
        if self.resource.kind != "CustomResourceDefinition" {
            assert_eq!(read, created, "{what}");
        }
        let mut versions = vec![created.resource_version(), read.resource_version()];

        let selected = ListParams::default().labels("round-trip=rust");
        let listed = self.ok(api.list(&selected).await);
        assert_eq!(listed.items.len(), 1, "{what}: listed");
        assert_eq!(listed.items[0].data, read.data, "{what}: listed");
        assert_eq!(listed.items[0].metadata, read.metadata, "{what}: listed");

        for change in self.changes() {
            versions.push(self.ok(change.apply(api, name, what).await).resource_version());
        }
        let mut read = self.ok(api.get(name).await);
        assert_eq!(Some(&read.resource_version()), versions.last(), "{what}: the last write is read");
        read.annotations_mut().insert("replaced".into(), "1".into());
        let replaced = self.ok(api.replace(name, &PostParams::default(), &read).await);
        assert_eq!(replaced.annotations()["replaced"], "1", "{what}");
        versions.push(replaced.resource_version());
        let stale = api.replace(name, &PostParams::default(), &read).await.unwrap_err();
        assert_eq!(code(&stale), 409, "{what}: {stale}");

        self.ok(api.delete(name, &DeleteParams::background().grace_period(0)).await);
        self.gone(&uid).await;
        let missing = api.get(name).await.unwrap_err();
        assert_eq!(code(&missing), 404, "{what}: {missing}");

        let mut seen = vec![];
        loop {
            let (kind, object) = match soon(events.next()).await {
                Some(Ok(WatchEvent::Added(object))) => ("added", object),
                Some(Ok(WatchEvent::Modified(object))) => ("modified", object),
                Some(Ok(WatchEvent::Deleted(object))) => ("deleted", object),
                Some(Ok(WatchEvent::Bookmark(_))) => continue,
                other => panic!("{what}: watched {other:?} after {seen:?}"),
            };
            seen.push((kind, object.resource_version()));
            if kind == "deleted" {
                break;
            }
        }
        assert_eq!(seen[0], ("added", created.resource_version()), "{what}: watched {seen:?}");
        assert!(seen[1..seen.len() - 1].iter().all(|(kind, _)| *kind == "modified"), "{what}: {seen:?}");
        let seen: BTreeSet<_> = seen.into_iter().map(|(_, version)| version).collect();
        let missed: Vec<_> = versions.iter().filter(|version| !seen.contains(*version)).collect();
        assert!(missed.is_empty(), "{what}: the watch lacks {missed:?}");

        if self.collection {
            let apply = PatchParams::apply("round-trip");
            let created = self.ok(api.patch(name, &apply, &Patch::Apply(&object)).await);
            holds(&object, &created, what);
            let delete = DeleteParams::background().grace_period(0);
            self.ok(api.delete_collection(&delete, &selected).await);
            self.gone(&created.uid().unwrap()).await;
        }
    }

    /// The object with its name and a label to find it by.
    fn object(&self) -> Value {
        let mut object = self.entry.object.clone();
        object["metadata"]["name"] = self.name.as_str().into();
        object["metadata"]["labels"] = json!({"round-trip": "rust"});
        object
    }

    /// Each way to patch, and what it must lead to.
    fn changes(&self) -> Vec<Change> {
        let note = |value: Value| json!({"metadata": {"annotations": {"note": value}}});
        let mut applied = note("4".into());
        applied["apiVersion"] = self.entry.object["apiVersion"].clone();
        applied["kind"] = self.entry.object["kind"].clone();
        applied["metadata"]["name"] = self.name.as_str().into();
        let operations = json!([{"op": "replace", "path": "/metadata/annotations/note", "value": "3"}]);
        let forced = PatchParams::apply("round-trip").force();
        let mut changes = vec![
            Change::new(Patch::Strategic(note("1".into())), note("1".into())),
            Change::new(Patch::Merge(note("2".into())), note("2".into())),
            Change::new(Patch::Json(serde_json::from_value(operations).unwrap()), note("3".into())),
            Change { params: forced, ..Change::new(Patch::Apply(applied), note("4".into())) },
        ];
        if let Some(patch) = &self.entry.patch {
            let patched = self.entry.patched.as_ref().unwrap_or(patch).clone();
            changes.push(Change::new(Patch::Strategic(patch.clone()), patched));
        }
        changes
    }

    /// Waits until a deleted object is gone; takes away what waits for a controller that nothing runs here.
    async fn gone(&self, uid: &str) {
        let kind = self.resource.kind.as_str();
        if ["PersistentVolume", "PersistentVolumeClaim", "VolumeAttributesClass"].contains(&kind) {
            let released = json!({"metadata": {"finalizers": null}});
            self.ok(self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(released)).await);
        } else if kind == "Namespace"
            && let Some(mut object) = self.ok(self.api.get_opt(&self.name).await)
        {
            object.data["spec"]["finalizers"] = json!([]);
            let params = PostParams::default();
            let finalized = self.api.replace_subresource("finalize", &self.name, &params, &object).await;
            if let Err(error) = finalized {
                assert!([404, 409].contains(&code(&error)), "a controller may be faster: {error}");
            }
        }
        soon(await_condition(self.api.clone(), &self.name, conditions::is_deleted(uid))).await.unwrap();
    }

    /// What a call answered.
    fn ok<T>(&self, result: kube::Result<T>) -> T {
        result.unwrap_or_else(|error| panic!("{}: {error}", self.what))
    }
}

/// A patch, and what the object holds after it.
struct Change {
    patch: Patch<Value>,
    params: PatchParams,
    after: Value,
}

impl Change {
    fn new(patch: Patch<Value>, after: Value) -> Self {
        Self { patch, params: PatchParams::default(), after }
    }

    /// Patches twice: the second time nothing is written.
    async fn apply(&self, api: &Api<DynamicObject>, name: &str, what: &str) -> kube::Result<DynamicObject> {
        let first = api.patch(name, &self.params, &self.patch).await?;
        let what = format!("{what}, {:?}", self.patch);
        holds(&self.after, &first, &what);
        let second = api.patch(name, &self.params, &self.patch).await?;
        assert_eq!(second.resource_version(), first.resource_version(), "{what}: nothing changes");
        Ok(first)
    }
}

/// An object holds what was sent.
fn holds(sent: &Value, got: &DynamicObject, what: &str) {
    if let Some(difference) = lacks(sent, &serde_json::to_value(got).unwrap(), "") {
        panic!("{what}: {difference}");
    }
}

/// Where an answer lacks what was sent; null is nothing.
fn lacks(sent: &Value, got: &Value, path: &str) -> Option<String> {
    match (sent, got) {
        (Value::Object(sent), Value::Object(got)) => {
            sent.iter().find_map(|(key, value)| match got.get(key) {
                Some(got) => lacks(value, got, &format!("{path}.{key}")),
                None if value.is_null() => None,
                None => Some(format!("{path}.{key}: {value} is missing")),
            })
        }
        (Value::Array(sent), Value::Array(got)) if sent.len() == got.len() => {
            let pairs = sent.iter().zip(got).enumerate();
            pairs.into_iter().find_map(|(index, (sent, got))| lacks(sent, got, &format!("{path}[{index}]")))
        }
        _ if sent == got => None,
        _ => Some(format!("{path}: {sent} became {got}")),
    }
}
