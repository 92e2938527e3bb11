//! Typed clients: create, read, write, delete.

use super::{Cluster, code, map, of, soon};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::{CronJob, Job},
        coordination::v1::Lease,
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        rbac::v1::{Role, RoleBinding},
    },
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    runtime::{conditions, wait::await_condition},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::Debug;

/// Takes an object of a type through its life; what was stored first.
async fn lives<K>(cluster: &Cluster, mut object: Value) -> K
where
    K: Resource<Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + Send
        + 'static,
    K::DynamicType: Default,
{
    object["metadata"]["name"] = "a".into();
    let api: Api<K> = cluster.api();
    let what = K::kind(&K::DynamicType::default()).into_owned();
    let created = api
        .create(&PostParams::default(), &of(object))
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(created.uid().is_some() && created.resource_version().is_some(), "{what}");
    let mut read = api.get("a").await.unwrap();
    assert_eq!(read.meta(), created.meta(), "{what}");
    read.labels_mut().insert("app".into(), "x".into());
    let replaced = api.replace("a", &PostParams::default(), &read).await.unwrap();
    assert_ne!(replaced.resource_version(), created.resource_version(), "{what}");
    let stale = api.replace("a", &PostParams::default(), &read).await.unwrap_err();
    assert_eq!(code(&stale), 409, "{what}");
    let note = json!({"metadata": {"annotations": {"note": "merged"}}});
    let merged = api.patch("a", &PatchParams::default(), &Patch::Merge(&note)).await.unwrap();
    assert_eq!(merged.annotations()["note"], "merged", "{what}");
    let note = json!({"metadata": {"annotations": {"other": "strategic"}}});
    let merged = api.patch("a", &PatchParams::default(), &Patch::Strategic(&note)).await.unwrap();
    let notes = merged.annotations();
    assert_eq!((notes["note"].as_str(), notes["other"].as_str()), ("merged", "strategic"), "{what}");
    let listed = api.list(&ListParams::default().labels("app=x")).await.unwrap();
    assert_eq!(listed.items.len(), 1, "{what}");
    api.delete("a", &DeleteParams::background().grace_period(0)).await.unwrap();
    if api.get_opt("a").await.unwrap().is_some() {
        // Claims are protected until a controller finds them unused.
        let released = json!({"metadata": {"finalizers": null}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(&released)).await.unwrap();
    }
    let uid = created.uid().unwrap();
    soon(await_condition(api, "a", conditions::is_deleted(&uid))).await.unwrap();
    created
}

#[tokio::test(flavor = "multi_thread")]
async fn built_in_types_live_and_die() {
    let cluster = Cluster::new("typed-lives").await;
    let template = json!({
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let job = json!({"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}});
    let selector = json!({"matchLabels": {"app": "x"}});
    let deployment: Deployment =
        lives(&cluster, json!({"spec": {"selector": selector, "template": template}})).await;
    assert_eq!(deployment.spec.unwrap().replicas, Some(1), "defaulted");
    lives::<DaemonSet>(&cluster, json!({"spec": {"selector": selector, "template": template}})).await;
    lives::<StatefulSet>(
        &cluster,
        json!({"spec": {"selector": selector, "serviceName": "s", "template": template}}),
    )
    .await;
    lives::<Pod>(&cluster, json!({"spec": template["spec"]})).await;
    lives::<Job>(&cluster, json!({"spec": {"template": job}})).await;
    lives::<CronJob>(
        &cluster,
        json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": job}}}}),
    )
    .await;
    let service: Service = lives(&cluster, json!({"spec": {"ports": [{"port": 80}]}})).await;
    assert!(service.spec.unwrap().cluster_ip.is_some(), "allocated");
    let secret: Secret = lives(&cluster, json!({"stringData": {"k": "v"}})).await;
    assert_eq!(secret.data.unwrap()["k"].0, b"v");
    lives::<ConfigMap>(&cluster, json!({"data": {"k": "v"}, "binaryData": {"b": "AAE="}})).await;
    lives::<ServiceAccount>(&cluster, json!({})).await;
    lives::<PersistentVolumeClaim>(
        &cluster,
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    )
    .await;
    lives::<Lease>(&cluster, json!({"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}})).await;
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    lives::<Ingress>(&cluster, json!({"spec": {"defaultBackend": backend}})).await;
    lives::<NetworkPolicy>(&cluster, json!({"spec": {"podSelector": {}}})).await;
    lives::<Role>(&cluster, json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}))
        .await;
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"});
    lives::<RoleBinding>(
        &cluster,
        json!({"roleRef": role, "subjects": [{"kind": "ServiceAccount", "name": "a"}]}),
    )
    .await;
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"});
    lives::<HorizontalPodAutoscaler>(&cluster, json!({"spec": {"scaleTargetRef": target, "maxReplicas": 3}}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_statuses_with_reasons() {
    let cluster = Cluster::new("typed-errors").await;
    let api: Api<ConfigMap> = cluster.api();
    let default = PostParams::default();
    let first = api.create(&default, &map("a", "1")).await.unwrap();
    api.replace("a", &default, &map("a", "2")).await.unwrap();
    let conflict = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again";
    for (error, code, reason, message) in [
        (api.replace("a", &default, &first).await.unwrap_err(), 409, "Conflict", conflict),
        (
            api.create(&default, &map("a", "3")).await.unwrap_err(),
            409,
            "AlreadyExists",
            "configmaps \"a\" already exists",
        ),
        (api.get("none").await.unwrap_err(), 404, "NotFound", "configmaps \"none\" not found"),
        (
            api.delete("none", &DeleteParams::default()).await.unwrap_err(),
            404,
            "NotFound",
            "configmaps \"none\" not found",
        ),
    ] {
        let kube::Error::Api(status) = error else { panic!("{error}") };
        assert_eq!((status.code, status.reason.as_str(), status.message.as_str()), (code, reason, message));
        assert_eq!(status.details.as_ref().unwrap().kind, "configmaps");
    }
    assert!(api.get_opt("none").await.unwrap().is_none());
    let other = Preconditions { uid: Some("another".into()), resource_version: None };
    let refused = api.delete("a", &DeleteParams::default().preconditions(other)).await.unwrap_err();
    assert_eq!(code(&refused), 409);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    assert_eq!(api.create(&dry, &map("dry", "1")).await.unwrap().name_any(), "dry");
    assert!(api.get_opt("dry").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_come_in_four_forms() {
    let cluster = Cluster::new("typed-patches").await;
    let api: Api<ConfigMap> = cluster.api();
    let apply = |key: &str, value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {key: value}});
    let (mine, yours) = (PatchParams::apply("mine"), PatchParams::apply("yours"));
    api.patch("a", &mine, &Patch::Apply(apply("k", "1"))).await.unwrap();
    api.patch("a", &yours, &Patch::Apply(apply("other", "1"))).await.unwrap();
    let refused = api.patch("a", &yours, &Patch::Apply(apply("k", "2"))).await.unwrap_err();
    assert!(
        refused.to_string().contains("conflict with \"mine\": .data.k") && code(&refused) == 409,
        "{refused}"
    );
    let forced = api.patch("a", &yours.force(), &Patch::Apply(apply("k", "2"))).await.unwrap();
    assert_eq!(json!(forced.data), json!({"k": "2"}), "taken over, and what is applied no more is gone");
    let default = PatchParams::default();
    api.patch("a", &default, &Patch::Merge(json!({"data": {"m": "1", "k": null}}))).await.unwrap();
    api.patch("a", &default, &Patch::Strategic(json!({"data": {"s": "1"}}))).await.unwrap();
    let steps = of(
        json!([{"op": "test", "path": "/data/m", "value": "1"}, {"op": "move", "from": "/data/m", "path": "/data/n"}]),
    );
    let patched = api.patch("a", &default, &Patch::Json::<()>(steps)).await.unwrap();
    assert_eq!(json!(patched.data), json!({"n": "1", "s": "1"}));
    let meta = api
        .patch_metadata("a", &default, &Patch::Merge(json!({"metadata": {"labels": {"l": "1"}}})))
        .await
        .unwrap();
    assert_eq!(meta.labels()["l"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_chosen_from_and_paged() {
    let cluster = Cluster::new("typed-lists").await;
    let api: Api<ConfigMap> = cluster.api();
    for index in 0..7 {
        let mut object = map(&format!("c{index}"), "v");
        object.labels_mut().insert("odd".into(), (index % 2 == 1).to_string());
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let names = |items: &[ConfigMap]| items.iter().map(ResourceExt::name_any).collect::<Vec<_>>().join(" ");
    for (params, chosen) in [
        (ListParams::default(), "c0 c1 c2 c3 c4 c5 c6"),
        (ListParams::default().match_any(), "c0 c1 c2 c3 c4 c5 c6"),
        (ListParams::default().labels("odd=true"), "c1 c3 c5"),
        (ListParams::default().labels("odd in (false),app notin (c0)"), "c2 c4 c6"),
        (ListParams::default().fields("metadata.name=c4"), "c4"),
        (ListParams::default().labels("odd=false").fields("metadata.name!=c4"), "c0 c2 c6"),
    ] {
        assert_eq!(names(&api.list(&params).await.unwrap().items), chosen, "{params:?}");
    }
    let (mut params, mut pages, mut left) = (ListParams::default().limit(3), vec![], vec![]);
    loop {
        let page = api.list(&params).await.unwrap();
        pages.push(names(&page.items));
        left.push(page.metadata.remaining_item_count);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
        // What comes later is not in the snapshot that is paged through.
        api.create(&PostParams::default(), &map(&format!("c9{}", pages.len()), "v")).await.unwrap();
    }
    assert_eq!(
        (pages, left),
        (vec!["c0 c1 c2".into(), "c3 c4 c5".into(), "c6".into()], vec![Some(4), Some(1), None])
    );
    let metadata = api.list_metadata(&ListParams::default().labels("odd=true")).await.unwrap();
    assert_eq!(metadata.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["c1", "c3", "c5"]);
    let all = Api::<ConfigMap>::all(cluster.client.clone());
    let everywhere = all.list(&ListParams::default().fields("metadata.namespace=typed-lists")).await.unwrap();
    assert_eq!(everywhere.items.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_take_one_or_a_collection_and_heed_finalizers() {
    let cluster = Cluster::new("typed-deletes").await;
    let api: Api<ConfigMap> = cluster.api();
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &map(name, "v")).await.unwrap();
    }
    let mut held = map("held", "v");
    held.finalizers_mut().push("example.com/hold".into());
    api.create(&PostParams::default(), &held).await.unwrap();
    let done = api.delete("a", &DeleteParams::default()).await.unwrap().right().expect("a Status");
    assert!(done.is_success());
    let going = api.delete("held", &DeleteParams::background()).await.unwrap().left().expect("the object");
    assert!(going.metadata.deletion_timestamp.is_some());
    let selected = ListParams::default().labels("app=b");
    api.delete_collection(&DeleteParams::default(), &selected).await.unwrap();
    let names = async || {
        let list = api.list(&ListParams::default()).await.unwrap();
        list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["c", "held"]);
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    assert_eq!(names().await, ["held"]);
    let released = json!({"metadata": {"finalizers": null}});
    api.patch("held", &PatchParams::default(), &Patch::Merge(&released)).await.unwrap();
    assert_eq!(names().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_scale_are_written_apart() {
    let cluster = Cluster::new("typed-status").await;
    let api: Api<Deployment> = cluster.api();
    let spec = json!({
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    });
    let default = PatchParams::default();
    api.create(
        &PostParams::default(),
        &of(json!({"metadata": {"name": "a"}, "spec": spec, "status": {"replicas": 9}})),
    )
    .await
    .unwrap();
    assert_eq!(api.get_status("a").await.unwrap().status.unwrap_or_default().replicas, None);
    let both = json!({"spec": {"replicas": 5}, "status": {"replicas": 2}});
    let written = api.patch_status("a", &default, &Patch::Merge(&both)).await.unwrap();
    assert_eq!((written.spec.unwrap().replicas, written.status.unwrap().replicas), (Some(1), Some(2)));
    let written = api
        .patch("a", &default, &Patch::Merge(json!({"spec": {"replicas": 3}, "status": {"replicas": 7}})))
        .await
        .unwrap();
    assert_eq!((written.spec.unwrap().replicas, written.status.unwrap().replicas), (Some(3), Some(2)));
    assert_eq!(written.metadata.generation, Some(2));
    let mut scale = api.get_scale("a").await.unwrap();
    assert_eq!((scale.spec.clone().unwrap().replicas, scale.status.clone().unwrap().replicas), (Some(3), 2));
    scale.spec.get_or_insert_default().replicas = Some(6);
    api.replace_scale("a", &PostParams::default(), &scale).await.unwrap();
    let scaled =
        api.patch_scale("a", &default, &Patch::Merge(json!({"spec": {"replicas": 7}}))).await.unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(7));
    assert_eq!(api.get("a").await.unwrap().spec.unwrap().replicas, Some(7));
}
