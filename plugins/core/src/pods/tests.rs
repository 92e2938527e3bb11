use super::*;

fn old() -> Value {
    json!({
        "metadata": { "name": "p", "labels": { "a": "b" } },
        "spec": { "containers": [{ "name": "c", "image": "i", "resources": { "limits": { "cpu": "1" } } }] },
        "status": { "phase": "Pending", "qosClass": "Burstable" },
    })
}

#[test]
fn ephemeral_containers_are_all_that_their_subresource_changes() {
    let mut new = old();
    new["metadata"]["labels"]["not"] = "taken".into();
    new["spec"]["containers"][0]["image"] = "other".into();
    new["spec"]["ephemeralContainers"] = json!([{ "name": "dbg" }]);
    prepare_update("ephemeralcontainers", &mut new, &old());
    let mut want = old();
    want["spec"]["ephemeralContainers"] = json!([{ "name": "dbg" }]);
    assert_eq!(new, want);
}

#[test]
fn resources_are_all_that_a_resize_changes() {
    let mut new = old();
    new["spec"]["containers"][0]["image"] = "other".into();
    new["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "2".into();
    new["spec"]["activeDeadlineSeconds"] = 5.into();
    prepare_update("resize", &mut new, &old());
    let mut want = old();
    want["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "2".into();
    assert_eq!(new, want);
}

#[test]
fn a_status_without_a_class_keeps_the_one_there_is() {
    let mut new = old();
    new["status"] = json!({ "phase": "Running" });
    prepare_update("status", &mut new, &old());
    assert_eq!(new["status"], json!({ "phase": "Running", "qosClass": "Burstable" }));
}

#[test]
fn the_time_of_a_condition_changes_with_its_status() {
    let mut status = Map::new();
    set_condition(&mut status, "PodScheduled", "False", "1");
    set_condition(&mut status, "PodScheduled", "False", "2");
    assert_eq!(status["conditions"][0]["lastTransitionTime"], "1");
    set_condition(&mut status, "PodScheduled", "True", "3");
    assert_eq!(status["conditions"][0]["lastTransitionTime"], "3");
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1);
}
