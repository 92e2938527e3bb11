//! Watches, watchers and reflectors over built-in and custom types.

use super::{Cluster, map, of, soon};
use crate::support::Server;
use futures_util::{Stream, StreamExt, stream::FuturesUnordered};
use k8s_openapi::{NamespaceResourceScope, api::core::v1::ConfigMap};
use kube::{
    Api, CustomResource, CustomResourceExt, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, reflector, watcher},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    pin::pin,
};

/// A custom type.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, JsonSchema)]
#[kube(group = "watching.example.com", version = "v1", kind = "Note", namespaced)]
pub(super) struct NoteSpec {
    text: Option<String>,
}

/// The next event that is no bookmark, in short.
async fn next<K: Resource + Debug>(
    events: &mut (impl Stream<Item = kube::Result<WatchEvent<K>>> + Unpin),
) -> String {
    loop {
        match soon(events.next()).await.unwrap().unwrap() {
            WatchEvent::Added(object) => return format!("added {}", object.name_any()),
            WatchEvent::Modified(object) => return format!("modified {}", object.name_any()),
            WatchEvent::Deleted(object) => return format!("deleted {}", object.name_any()),
            WatchEvent::Error(status) => return format!("error {}", status.code),
            WatchEvent::Bookmark(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_of_changes_from_a_version_on() {
    let cluster = Cluster::new("watching-plain").await;
    let api: Api<ConfigMap> = cluster.api();
    api.create(&PostParams::default(), &map("before", "1")).await.unwrap();
    let version = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    api.create(&PostParams::default(), &map("a", "1")).await.unwrap();
    let params = WatchParams::default();
    let mut late = pin!(api.watch(&params, &version).await.unwrap());
    assert_eq!(next(&mut late).await, "added a", "what happened since the version");
    let mut chosen = pin!(api.watch(&WatchParams::default().labels("app=b"), &version).await.unwrap());
    let mut metadata = pin!(api.watch_metadata(&params, &version).await.unwrap());
    assert_eq!(next(&mut metadata).await, "added a");
    let change = json!({"data": {"k": "2"}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
    api.patch("a", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
    api.create(&PostParams::default(), &map("b", "1")).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let relabel = json!({"metadata": {"labels": {"app": "c"}}});
    api.patch("b", &PatchParams::default(), &Patch::Merge(&relabel)).await.unwrap();
    for event in ["modified a", "added b", "deleted a", "modified b"] {
        assert_eq!(next(&mut late).await, event);
        assert_eq!(next(&mut metadata).await, event);
    }
    for event in ["added b", "deleted b"] {
        assert_eq!(next(&mut chosen).await, event, "an object that leaves the selection is deleted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_with_initial_events_marks_their_end() {
    let cluster = Cluster::new("watching-initial").await;
    let api: Api<ConfigMap> = cluster.api();
    for name in ["a", "b"] {
        api.create(&PostParams::default(), &map(name, "1")).await.unwrap();
    }
    let mut events = pin!(api.watch(&WatchParams::streaming_lists(), "").await.unwrap());
    assert_eq!(next(&mut events).await, "added a");
    assert_eq!(next(&mut events).await, "added b");
    let WatchEvent::Bookmark(mark) = soon(events.next()).await.unwrap().unwrap() else {
        panic!("a bookmark")
    };
    assert_eq!(mark.metadata.annotations["k8s.io/initial-events-end"], "true");
}

/// Follows a collection with a reflector until it holds what was written.
async fn reflects<K>(
    api: Api<K>,
    config: watcher::Config,
    object: impl Fn(&str, &str) -> K,
    read: impl Fn(&K) -> Option<String>,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    for index in 0..5 {
        api.create(&PostParams::default(), &object(&format!("o{index}"), "1")).await.unwrap();
    }
    let (reader, writer) = reflector::store::<K>();
    let mut stream = pin!(reflector(writer, watcher(api.clone(), config)).default_backoff());
    let held = || {
        let state = reader.state().into_iter();
        state.map(|object| (object.name_any(), read(&object))).collect::<BTreeMap<_, _>>()
    };
    let mut wanted: BTreeMap<_, _> =
        (0..5).map(|index| (format!("o{index}"), Some("1".to_owned()))).collect();
    let mut until = async |wanted: &BTreeMap<String, Option<String>>| {
        while held() != *wanted {
            soon(stream.next()).await.unwrap().unwrap();
        }
    };
    until(&wanted).await;
    api.delete("o1", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &object("o9", "9")).await.unwrap();
    let mut changed = api.get("o2").await.unwrap();
    changed.meta_mut().labels.get_or_insert_default().insert("changed".into(), "yes".into());
    api.replace("o2", &PostParams::default(), &changed).await.unwrap();
    wanted.remove("o1");
    wanted.insert("o9".into(), Some("9".into()));
    until(&wanted).await;
    let label = |object: &K| object.labels().contains_key("changed");
    while !reader.state().iter().any(|object| label(object)) {
        soon(stream.next()).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflectors_follow_built_in_and_custom_types() {
    let lists = Cluster::new("watching-lists").await;
    let streams = Cluster::new("watching-streams").await;
    lists.define(Note::crd()).await;
    let note = |name: &str, text: &str| Note::new(name, NoteSpec { text: Some(text.into()) });
    for (cluster, config) in [
        (&lists, watcher::Config::default().page_size(2)),
        (&streams, watcher::Config::default().streaming_lists()),
    ] {
        reflects::<ConfigMap>(cluster.api(), config.clone(), map, |map| map.data.as_ref()?.get("k").cloned())
            .await;
        reflects::<Note>(cluster.api(), config, note, |note| note.spec.text.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_may_ask_for_metadata_alone() {
    let cluster = Cluster::new("watching-metadata").await;
    let api: Api<ConfigMap> = cluster.api();
    api.create(&PostParams::default(), &map("a", "1")).await.unwrap();
    let metadata: Api<PartialObjectMeta<ConfigMap>> = cluster.api();
    let mut stream = pin!(watcher(metadata, watcher::Config::default()).applied_objects());
    let seen = soon(stream.next()).await.unwrap().unwrap();
    assert_eq!((seen.name_any(), seen.labels()["app"].as_str()), ("a".into(), "a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_type_is_pruned_and_read_back() {
    let cluster = Cluster::new("watching-custom").await;
    cluster.define(Note::crd()).await;
    let api: Api<Note> = cluster.api();
    let note = Note::new("a", NoteSpec { text: Some("hello".into()) });
    api.create(&PostParams::default(), &note).await.unwrap();
    let unknown = json!({"spec": {"unknown": 1}});
    let patched = api.patch("a", &PatchParams::default(), &Patch::Merge(&unknown)).await.unwrap();
    assert_eq!((patched.spec.text.as_deref(), patched.metadata.generation), (Some("hello"), Some(1)));
    let wrong: Value = json!({"spec": {"text": 5}});
    let refused = api.patch("a", &PatchParams::default(), &Patch::Merge(&wrong)).await.unwrap_err();
    assert_eq!(super::code(&refused), 422);
    let applied = json!({"apiVersion": "watching.example.com/v1", "kind": "Note", "metadata": {"name": "b"}, "spec": {"text": "applied"}});
    let applied: Note = api.patch("b", &PatchParams::apply("test"), &Patch::Apply(applied)).await.unwrap();
    assert_eq!(of::<Value>(json!(applied.spec)), json!({"text": "applied"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_misses_nothing_while_many_write() {
    let cluster = Cluster::new("watching-many").await;
    let api: Api<ConfigMap> = cluster.api();
    let version = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = pin!(api.watch(&WatchParams::default(), &version).await.unwrap());
    let default = PostParams::default();
    let writers: FuturesUnordered<_> = (0..16)
        .map(async |writer| {
            for index in 0..20 {
                api.create(&default, &map(&format!("w{writer}-{index}"), "v")).await.unwrap();
            }
        })
        .collect();
    let writing = writers.collect::<()>();
    let reading = async {
        let (mut last, mut seen) = (0, BTreeSet::new());
        while seen.len() < 16 * 20 {
            if let WatchEvent::Added(object) = soon(events.next()).await.unwrap().unwrap() {
                let version: u64 = object.resource_version().unwrap().parse().unwrap();
                assert!(version > last, "in order");
                assert!(seen.insert(object.name_any()), "{} came twice", object.name_any());
                last = version;
            }
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reflector_goes_on_after_a_crash_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_in(directory.path(), &[]);
    let api = Api::<ConfigMap>::default_namespaced(server.client().await);
    for name in ["a", "b"] {
        api.create(&PostParams::default(), &map(name, "1")).await.unwrap();
    }
    let (reader, writer) = reflector::store::<ConfigMap>();
    let mut stream =
        pin!(reflector(writer, watcher(api.clone(), watcher::Config::default())).default_backoff());
    let mut until = async |names: &[&str]| {
        while reader.state().iter().map(|map| map.name_any()).collect::<BTreeSet<_>>()
            != names.iter().map(ToString::to_string).collect()
        {
            // It tells of the connection that was lost.
            let _ = soon(stream.next()).await.unwrap();
        }
    };
    until(&["a", "b"]).await;
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    server.signal("KILL");
    server.wait();
    let server = Server::start_in(directory.path(), &[&format!("--secure-port={port}")]);
    let api = Api::<ConfigMap>::default_namespaced(server.client().await);
    api.delete("a", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &map("c", "1")).await.unwrap();
    until(&["b", "c"]).await;
}
