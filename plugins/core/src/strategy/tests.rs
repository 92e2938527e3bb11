use super::*;
use crate::{resources, server::Config};
use serde_json::json;

#[test]
fn descriptors_say_what_the_table_says() {
    for resource in resources::all() {
        let descriptor = descriptor(resource);
        assert_eq!(descriptor.verbs.len(), resource.verbs.len(), "{}", resource.name);
        assert_eq!(descriptor.has_status(), resource.has_status());
    }
    let pods = descriptor(resources::find("", "v1", "pods").unwrap());
    assert!(pods.graceful_deletion && pods.returns_deleted_object);
    assert_eq!(pods.subresource("binding").unwrap().form, SubresourceForm::Custom);
    assert!(pods.validates_whole_on_update && pods.told_group.is_none());
    let deployments = descriptor(resources::find("apps", "v1", "deployments").unwrap());
    assert!(!deployments.validates_whole_on_update);
    let events = descriptor(resources::find("events.k8s.io", "v1", "events").unwrap());
    assert_eq!(events.told_group.as_deref(), Some(""));
    assert_eq!(pods.subresource("resize").unwrap().form, SubresourceForm::Whole);
}

#[test]
fn a_pod_that_runs_nowhere_goes_at_once() {
    let grace = |pod: Value, asked: Option<i64>| {
        let mut options = DeleteOptions { grace_period_seconds: asked, ..DeleteOptions::default() };
        assert!(pod_grace(&pod, &mut options));
        options.grace_period_seconds
    };
    let spec = json!({ "nodeName": "n", "terminationGracePeriodSeconds": 30 });
    assert_eq!(grace(json!({ "spec": { "terminationGracePeriodSeconds": 30 } }), None), Some(0));
    assert_eq!(grace(json!({ "spec": spec }), None), Some(30));
    assert_eq!(grace(json!({ "spec": spec }), Some(5)), Some(5));
    assert_eq!(grace(json!({ "spec": spec }), Some(-1)), Some(1));
    assert_eq!(grace(json!({ "spec": spec, "status": { "phase": "Failed" } }), None), Some(0));
}

#[test]
fn a_namespace_is_held_by_the_finalizers_of_its_spec() {
    let mut namespace = json!({ "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } });
    assert!(delete::namespace_is_held(&namespace));
    delete::terminate_namespace(&mut namespace);
    assert_eq!(namespace["status"]["phase"], "Terminating");
    assert!(!delete::namespace_is_held(&json!({ "spec": {} })));
}

#[test]
fn scales_are_read_from_and_written_to_the_workload() {
    let strategy = BuiltIn::new(
        resources::find("apps", "v1", "deployments").unwrap(),
        Rc::new(Shared::new(Config::read(&json!({})).unwrap())),
    );
    let mut object = json!({
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "a" } } }, "status": { "replicas": 1 },
    });
    let view = strategy.view("scale", &object).unwrap();
    assert_eq!(view, json!({ "spec": { "replicas": 2 }, "status": { "replicas": 1, "selector": "app=a" } }));
    strategy.set_from_view("scale", &mut object, &json!({ "spec": { "replicas": 5 } })).unwrap();
    assert_eq!(object["spec"]["replicas"], 5);
    assert_eq!(strategy.validate_view("scale", &json!({ "spec": { "replicas": -1 } })).len(), 1);
}
