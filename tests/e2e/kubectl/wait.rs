//! wait --for.

use super::Kubectl;

#[test]
fn wait_ends_when_the_state_is_reached() {
    let kubectl = Kubectl::new("wait-for");
    kubectl.ok("create deployment web --image=nginx");
    kubectl.ok("create cm a --from-literal=k=1");
    kubectl.ok("create cm b");
    let condition =
        r#"{"status": {"conditions": [{"type": "Available", "status": "True"}], "observedGeneration": 1}}"#;
    for (target, change, said) in [
        (
            "deploy/web --for=condition=Available",
            format!("patch deploy web --subresource=status --type=merge -p '{condition}'"),
            "deployment.apps/web condition met",
        ),
        (
            "cm/a --for=jsonpath='{.data.k}'=2",
            "patch cm a -p '{\"data\": {\"k\": \"2\"}}'".into(),
            "configmap/a condition met",
        ),
        (
            "cm a b --for=jsonpath='{.metadata.labels.x}'",
            "label cm a b x=y".into(),
            "configmap/b condition met",
        ),
        // It says nothing if the object was gone before it looked.
        ("cm/a --for=delete", "delete cm a".into(), ""),
        ("cm/c --for=create", "create cm c".into(), "configmap/c condition met"),
    ] {
        let wait = kubectl.start(&format!("wait {target} --timeout=60s"));
        kubectl.ok(&change);
        let (well, printed) = wait.end();
        assert!(well && printed.contains(said), "{target}: {printed}");
    }
    assert_eq!(kubectl.ok("wait cm/none --for=delete"), "");
}

#[test]
fn rollout_status_follows_the_deployment() {
    let kubectl = Kubectl::new("wait-rollout");
    kubectl.ok("create deployment web --image=nginx --replicas=2");
    let rollout = kubectl.start("rollout status deploy/web --timeout=60s");
    assert!(rollout.line("Waiting for deployment").contains("spec update to be observed"));
    let status = |ready: u8| {
        let status = format!(
            r#"{{"status": {{"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": {ready}, "availableReplicas": {ready}}}}}"#
        );
        kubectl.ok(&format!("patch deploy web --subresource=status --type=merge -p '{status}'"));
    };
    status(1);
    assert!(rollout.line("1 of 2 updated replicas are available").starts_with("Waiting"));
    status(2);
    rollout.line("deployment \"web\" successfully rolled out");
    assert!(rollout.end().0);
}

#[test]
fn wait_gives_up_in_time() {
    let kubectl = Kubectl::new("wait-timeout");
    kubectl.ok("create cm a");
    for (target, said) in [
        ("cm/a --for=condition=Ready", "timed out waiting for the condition on configmaps/a"),
        ("cm/a --for=delete", "timed out waiting for the condition on configmaps/a"),
        ("cm/none --for=condition=Ready", "configmaps \"none\" not found"),
    ] {
        let failed = kubectl.fails(&format!("wait {target} --timeout=1s"));
        assert!(failed.contains(said), "{target}: {failed}");
    }
}
