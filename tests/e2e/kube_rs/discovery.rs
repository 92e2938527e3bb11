//! Discovery, and objects of types that are only known from it.

use super::{Cluster, watching::Note};
use kube::{
    Api, CustomResourceExt, Discovery, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
    discovery::{self, Scope, verbs},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn discovery_finds_the_types_either_way() {
    let cluster = Cluster::new("discovery").await;
    cluster.define(Note::crd()).await;
    let plain = Discovery::new(cluster.client.clone()).run().await.unwrap();
    let aggregated = Discovery::new(cluster.client.clone()).run_aggregated().await.unwrap();
    for found in [&plain, &aggregated] {
        for (group, version, kind, plural, namespaced) in [
            ("", "v1", "Pod", "pods", true),
            ("", "v1", "Node", "nodes", false),
            ("apps", "v1", "Deployment", "deployments", true),
            ("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
            ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
            ("apiregistration.k8s.io", "v1", "APIService", "apiservices", false),
            ("watching.example.com", "v1", "Note", "notes", true),
        ] {
            let (resource, capabilities) =
                found.resolve_gvk(&GroupVersionKind::gvk(group, version, kind)).expect(kind);
            assert_eq!(resource.plural, plural);
            assert_eq!(capabilities.scope == Scope::Namespaced, namespaced, "{kind}");
            for verb in
                [verbs::CREATE, verbs::GET, verbs::LIST, verbs::WATCH, verbs::PATCH, verbs::DELETE_COLLECTION]
            {
                assert!(capabilities.supports_operation(verb), "{kind} {verb}");
            }
        }
        assert_eq!(found.get("apps").unwrap().preferred_version(), Some("v1"));
        assert_eq!(found.get("autoscaling").unwrap().preferred_version(), Some("v2"));
    }
    let names = |found: &Discovery| {
        found.groups_alphabetical().iter().map(|group| group.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&plain).iter().filter(|name| name.ends_with("k8s.io")).count(),
        names(&aggregated).iter().filter(|name| name.ends_with("k8s.io")).count()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_handled_without_their_types() {
    let cluster = Cluster::new("discovery-dynamic").await;
    for (group, version, kind, rest) in [
        ("", "v1", "ConfigMap", json!({"data": {"k": "v"}})),
        ("coordination.k8s.io", "v1", "Lease", json!({"spec": {"holderIdentity": "me"}})),
    ] {
        let kinds = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) = discovery::pinned_kind(&cluster.client, &kinds).await.unwrap();
        assert_eq!(
            (capabilities.scope, &resource),
            (Scope::Namespaced, &ApiResource::from_gvk(&kinds)),
            "{kind}"
        );
        let api: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
        let object = DynamicObject::new("a", &resource).data(rest.clone());
        api.patch("a", &PatchParams::apply("test"), &Patch::Apply(&object)).await.unwrap();
        let list = api.list(&ListParams::default()).await.unwrap();
        let stored = list.items.iter().find(|object| object.name_any() == "a").unwrap();
        for (field, value) in rest.as_object().unwrap() {
            assert_eq!(&stored.data[field], value, "{kind}");
        }
    }
}
