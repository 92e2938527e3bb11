//! patch, label, annotate, scale, set, rollout and their like.

use super::Kubectl;

#[test]
fn patch_takes_its_three_forms() {
    let kubectl = Kubectl::new("change-patch");
    kubectl.ok("create deployment web --image=nginx:1");
    let containers = "{range .spec.template.spec.containers[*]}{.name}={.image} {end}";
    for (kind, patch, said, path, value) in [
        ("merge", r#"{"spec": {"replicas": 2}}"#, "patched", "{.spec.replicas}", "2"),
        ("merge", r#"{"spec": {"replicas": 2}}"#, "patched (no change)", "{.spec.replicas}", "2"),
        (
            "strategic",
            r#"{"spec": {"template": {"spec": {"containers": [{"name": "log", "image": "fluent"}]}}}}"#,
            "patched",
            containers,
            "log=fluent nginx=nginx:1 ",
        ),
        (
            "strategic",
            r#"{"spec": {"template": {"spec": {"containers": [{"name": "log", "$patch": "delete"}]}}}}"#,
            "patched",
            containers,
            "nginx=nginx:1 ",
        ),
        (
            "json",
            r#"[{"op": "test", "path": "/spec/replicas", "value": 2}, {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:2"}]"#,
            "patched",
            containers,
            "nginx=nginx:2 ",
        ),
        (
            "json",
            r#"[{"op": "add", "path": "/metadata/labels/a~1b", "value": "c"}]"#,
            "patched",
            "{.metadata.labels.a/b}",
            "c",
        ),
        (
            "merge",
            r#"{"metadata": {"labels": {"a/b": null}}}"#,
            "patched",
            "{.metadata.labels}",
            r#"{"app":"web"}"#,
        ),
    ] {
        let line = format!("patch deploy web --type={kind} -p '{patch}'");
        assert_eq!(kubectl.ok(&line), format!("deployment.apps/web {said}\n"), "{line}");
        assert_eq!(kubectl.value("deploy web", path), value, "{line}");
    }
    for (kind, patch, said) in [
        (
            "json",
            r#"[{"op": "test", "path": "/spec/replicas", "value": 7}]"#,
            "the server rejected our request due to an error in our request",
        ),
        (
            "merge",
            r#"{"spec": {"replicas": -1}}"#,
            "The Deployment \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "merge",
            r#"{"metadata": {"resourceVersion": "1"}}"#,
            "Operation cannot be fulfilled on deployments.apps \"web\"",
        ),
    ] {
        let failed = kubectl.fails(&format!("patch deploy web --type={kind} -p '{patch}'"));
        assert!(failed.contains(said), "{patch}: {failed}");
    }
    assert!(kubectl.fails("patch cm none -p '{}'").contains("configmaps \"none\" not found"));
    kubectl.ok("patch deploy web --subresource=status --type=merge -p '{\"status\": {\"replicas\": 2}, \"spec\": {\"replicas\": 9}}'");
    assert_eq!(kubectl.value("deploy web", "{.status.replicas} {.spec.replicas}"), "2 2");
}

#[test]
fn labels_and_annotations_are_set_changed_and_removed() {
    let kubectl = Kubectl::new("change-labels");
    kubectl.ok("create cm a");
    kubectl.ok("create cm b");
    for (verb, map) in [("label", "labels"), ("annotate", "annotations")] {
        let done = if verb == "label" { "labeled" } else { "annotated" };
        let path = format!("{{.metadata.{map}}}");
        for (change, said, left) in [
            ("cm a app=x", format!("configmap/a {done}\n"), r#"{"app":"x"}"#),
            ("cm a app=y tier=z --overwrite", format!("configmap/a {done}\n"), r#"{"app":"y","tier":"z"}"#),
            (
                "cm --all tier=all --overwrite",
                format!("configmap/a {done}\nconfigmap/b {done}\n"),
                r#"{"app":"y","tier":"all"}"#,
            ),
            (
                "cm a app-",
                if verb == "label" {
                    "configmap/a unlabeled\n".to_owned()
                } else {
                    "configmap/a annotated\n".to_owned()
                },
                r#"{"tier":"all"}"#,
            ),
        ] {
            assert_eq!(kubectl.ok(&format!("{verb} {change}")), said, "{verb} {change}");
            assert_eq!(kubectl.value("cm a", &path), left, "{verb} {change}");
        }
        let refused = kubectl.fails(&format!("{verb} cm a tier=other"));
        assert!(refused.contains("'tier' already has a value (all)"), "{refused}");
        assert_eq!(kubectl.ok(&format!("{verb} cm a --list")), "tier=all\n");
    }
    assert_eq!(kubectl.ok("label cm -l tier=all more=1"), "configmap/a labeled\nconfigmap/b labeled\n");
    let labels = format!(r#"{{"metadata": {{"labels": {{"long": "{}"}}}}}}"#, "x".repeat(64));
    let refused = kubectl.fails(&format!("patch cm a -p '{labels}'"));
    assert!(refused.contains("metadata.labels: Invalid value") && refused.contains("63"), "{refused}");
}

#[test]
fn scale_goes_through_the_subresource() {
    let kubectl = Kubectl::new("change-scale");
    kubectl.ok("create deployment web --image=nginx");
    assert_eq!(kubectl.ok("scale deploy web --replicas=3"), "deployment.apps/web scaled\n");
    assert_eq!(
        kubectl.ok("scale deploy/web --current-replicas=3 --replicas=5"),
        "deployment.apps/web scaled\n"
    );
    assert!(
        kubectl
            .fails("scale deploy/web --current-replicas=3 --replicas=7")
            .contains("Expected replicas to be 3, was 5")
    );
    assert_eq!(kubectl.value("deploy web --subresource=scale", "{.kind} {.spec.replicas}"), "Scale 5");
    assert_eq!(kubectl.value("deploy web", "{.spec.replicas} {.metadata.generation}"), "5 3");
}

#[test]
fn set_and_rollout_change_the_template() {
    let kubectl = Kubectl::new("change-set");
    kubectl.ok("create deployment web --image=nginx:1");
    let template = "{.spec.template.spec.containers[0]";
    for (line, said, path, value) in [
        ("set image deploy/web nginx=nginx:2", "deployment.apps/web image updated", ".image}", "nginx:2"),
        ("set env deploy/web A=1", "deployment.apps/web env updated", ".env[0].value}", "1"),
        (
            "set resources deploy/web --limits=cpu=100m,memory=64Mi",
            "deployment.apps/web resource requirements updated",
            ".resources.limits}",
            r#"{"cpu":"100m","memory":"64Mi"}"#,
        ),
    ] {
        assert_eq!(kubectl.ok(line), format!("{said}\n"), "{line}");
        assert_eq!(kubectl.value("deploy web", &format!("{template}{path}")), value, "{line}");
    }
    for (line, said, path) in [
        (
            "rollout restart deploy/web",
            "deployment.apps/web restarted",
            "{.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}",
        ),
        ("rollout pause deploy/web", "deployment.apps/web paused", "{.spec.paused}"),
    ] {
        assert_eq!(kubectl.ok(line), format!("{said}\n"));
        assert_ne!(kubectl.value("deploy web", path), "", "{line}");
    }
    assert_eq!(kubectl.ok("rollout resume deploy/web"), "deployment.apps/web resumed\n");
    assert_eq!(kubectl.ok("rollout history deploy/web"), "deployment.apps/web \nNo rollout history found.\n");
}

#[test]
fn nodes_are_cordoned_and_tainted() {
    let kubectl = Kubectl::new("change-node");
    let node = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "change-node"}}"#;
    assert_eq!(kubectl.ok_with("create -f -", node), "node/change-node created\n");
    for (line, said) in [
        ("cordon change-node", "node/change-node cordoned\n"),
        ("taint node change-node a=b:NoExecute", "node/change-node tainted\n"),
        ("taint node change-node a-", "node/change-node untainted\n"),
        ("uncordon change-node", "node/change-node uncordoned\n"),
    ] {
        assert_eq!(kubectl.ok(line), said, "{line}");
    }
    assert_eq!(
        kubectl.table("get node change-node --no-headers")[0].split(' ').collect::<Vec<_>>()[..2],
        ["change-node", "Unknown"]
    );
}
