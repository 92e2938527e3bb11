//! Controllers: they reach a fixed point, own children, clean up, and tell of it.

use super::{Cluster, map, soon};
use futures_util::StreamExt;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Event as CoreEvent},
    events::v1::Event as NewEvent,
};
use kube::{
    Api, CustomResource, CustomResourceExt, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{
        Controller, conditions,
        controller::Action,
        events::{Event, EventType, Recorder},
        finalizer,
        wait::await_condition,
        watcher,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, JsonSchema)]
#[kube(
    group = "controller.example.com",
    version = "v1",
    kind = "Counter",
    namespaced,
    status = "CounterStatus"
)]
pub(super) struct CounterSpec {
    number: i64,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CounterStatus {
    doubled: i64,
    observed_generation: i64,
}

/// What the reconciler works with.
struct Context {
    cluster: Cluster,
    /// How often each object was looked at.
    reconciled: Mutex<BTreeMap<String, u32>>,
}

impl Context {
    /// Writes the status and a child, every time anew.
    async fn reconcile(&self, counter: &Counter) -> Result<Action, kube::Error> {
        let name = counter.name_any();
        *self.reconciled.lock().unwrap().entry(name.clone()).or_default() += 1;
        let mut child = map(&name, &counter.spec.number.to_string());
        child.metadata.owner_references = counter.controller_owner_ref(&()).map(|owner| vec![owner]);
        let apply = PatchParams::apply("counter").force();
        self.cluster.api::<ConfigMap>().patch(&name, &apply, &Patch::Apply(&child)).await?;
        let status = CounterStatus {
            doubled: counter.spec.number * 2,
            observed_generation: counter.metadata.generation.unwrap_or_default(),
        };
        let status = json!({"status": status});
        self.cluster
            .api::<Counter>()
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(Action::await_change())
    }

    fn count(&self, name: &str) -> u32 {
        self.reconciled.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

fn doubled(value: i64) -> impl Fn(Option<&Counter>) -> bool {
    move |counter| {
        let generation = counter.and_then(|counter| counter.metadata.generation);
        let status = counter.and_then(|counter| counter.status.as_ref());
        status.is_some_and(|status| status.doubled == value && Some(status.observed_generation) == generation)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_reaches_a_fixed_point() {
    let cluster = Cluster::new("controller-fixed").await;
    cluster.define(Counter::crd()).await;
    let (counters, maps): (Api<Counter>, Api<ConfigMap>) = (cluster.api(), cluster.api());
    let context = Arc::new(Context { cluster, reconciled: Mutex::default() });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let controller = Controller::new(counters.clone(), watcher::Config::default())
        .owns(maps.clone(), watcher::Config::default().labels("app"))
        .graceful_shutdown_on(async { stopped.await.unwrap_or_default() });
    let run = tokio::spawn({
        let context = context.clone();
        let reconcile =
            async |counter: Arc<Counter>, context: Arc<Context>| context.reconcile(&counter).await;
        let errors = |_, error: &kube::Error, _| panic!("{error}");
        controller
            .run(move |counter, context| Box::pin(reconcile(counter, context)), errors, context)
            .for_each(async |_| {})
    });

    let counter = |name: &str, number| Counter::new(name, CounterSpec { number });
    counters.create(&PostParams::default(), &counter("a", 21)).await.unwrap();
    soon(await_condition(counters.clone(), "a", doubled(42))).await.unwrap();
    counters
        .patch("a", &PatchParams::default(), &Patch::Merge(json!({"spec": {"number": 4}})))
        .await
        .unwrap();
    let settled = soon(await_condition(counters.clone(), "a", doubled(8))).await.unwrap().unwrap();

    // A child that goes comes back.
    let child = maps.get("a").await.unwrap();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let back = |map: Option<&ConfigMap>| map.is_some_and(|map| map.uid() != child.uid());
    let back = soon(await_condition(maps.clone(), "a", back)).await.unwrap().unwrap();
    assert_eq!(back.data.unwrap()["k"], "4");

    // Others come and settle; had writes without a change made events, the first would never rest.
    for (name, number) in [("b", 1), ("c", 2), ("d", 3)] {
        counters.create(&PostParams::default(), &counter(name, number)).await.unwrap();
        soon(await_condition(counters.clone(), name, doubled(number * 2))).await.unwrap();
    }
    let still = counters.get("a").await.unwrap();
    assert_eq!(still.resource_version(), settled.resource_version());
    assert!(context.count("a") < 20, "{} times", context.count("a"));
    stop.send(()).unwrap();
    soon(run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_cleans_up_before_the_object_goes() {
    let cluster = Cluster::new("controller-finalizer").await;
    let api: Api<ConfigMap> = cluster.api();
    api.create(&PostParams::default(), &map("a", "1")).await.unwrap();
    let done = Mutex::new(vec![]);
    let reconcile = async || {
        let object = Arc::new(api.get("a").await.unwrap());
        let note = async |event: finalizer::Event<ConfigMap>| {
            done.lock().unwrap().push(match event {
                finalizer::Event::Apply(_) => "apply",
                finalizer::Event::Cleanup(_) => "cleanup",
            });
            Ok::<_, kube::Error>(Action::await_change())
        };
        finalizer(&api, "example.com/clean", object, note).await.unwrap();
    };
    reconcile().await;
    assert_eq!(api.get("a").await.unwrap().finalizers(), ["example.com/clean"]);
    reconcile().await;
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let uid = api.get("a").await.unwrap().uid().unwrap();
    reconcile().await;
    soon(await_condition(api.clone(), "a", conditions::is_deleted(&uid))).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["apply", "cleanup"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_recorded_and_counted() {
    let cluster = Cluster::new("controller-events").await;
    let api: Api<ConfigMap> = cluster.api();
    let object = api.create(&PostParams::default(), &map("a", "1")).await.unwrap();
    let recorder = Recorder::new(cluster.client.clone(), "example.com/test".into());
    let event = Event {
        type_: EventType::Warning,
        reason: "Broken".into(),
        note: Some("it broke".into()),
        action: "Look".into(),
        secondary: None,
    };
    for _ in 0..3 {
        recorder.publish(&event, &object.object_ref(&())).await.unwrap();
    }
    let new = cluster.api::<NewEvent>().list(&ListParams::default()).await.unwrap().items;
    let [new] = new.as_slice() else { panic!("one event: {new:?}") };
    assert_eq!((new.note.as_deref(), new.series.as_ref().unwrap().count), (Some("it broke"), 3));
    let chosen = ListParams::default().fields("involvedObject.name=a,reason=Broken,type=Warning");
    let core = cluster.api::<CoreEvent>().list(&chosen).await.unwrap().items;
    let [core] = core.as_slice() else { panic!("one event: {core:?}") };
    assert_eq!(
        (core.message.as_deref(), core.involved_object.uid.as_ref()),
        (Some("it broke"), object.uid().as_ref())
    );
    assert_eq!(core.reporting_component.as_deref(), Some("example.com/test"));
}
