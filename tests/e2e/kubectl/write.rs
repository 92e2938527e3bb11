//! create, apply, replace, edit, delete.

use super::Kubectl;

#[test]
fn create_makes_objects_of_many_kinds() {
    let kubectl = Kubectl::new("write-create");
    for (line, said) in [
        ("create configmap c --from-literal=k=v", "configmap/c"),
        ("create secret generic s --from-literal=k=v", "secret/s"),
        ("create secret docker-registry d --docker-username=u --docker-password=p", "secret/d"),
        ("create deployment d --image=nginx --port=80", "deployment.apps/d"),
        ("create service clusterip a --tcp=80", "service/a"),
        ("create service nodeport b --tcp=80", "service/b"),
        ("create service externalname c --external-name=example.com", "service/c"),
        ("create serviceaccount s", "serviceaccount/s"),
        ("create job j --image=busybox", "job.batch/j"),
        ("create cronjob c --image=busybox --schedule='*/5 * * * *'", "cronjob.batch/c"),
        ("create job k --from=cronjob/c", "job.batch/k"),
        ("create role r --verb=get --resource=pods", "role.rbac.authorization.k8s.io/r"),
        ("create rolebinding r --role=r --user=u", "rolebinding.rbac.authorization.k8s.io/r"),
        (
            "create clusterrole write-create --verb=get --resource=nodes",
            "clusterrole.rbac.authorization.k8s.io/write-create",
        ),
        (
            "create clusterrolebinding write-create --clusterrole=write-create --group=g",
            "clusterrolebinding.rbac.authorization.k8s.io/write-create",
        ),
        ("create quota q --hard=pods=5", "resourcequota/q"),
        ("create poddisruptionbudget p --selector=app=d --min-available=1", "poddisruptionbudget.policy/p"),
        ("create priorityclass write-create --value=5", "priorityclass.scheduling.k8s.io/write-create"),
        ("create ingress i --rule=example.com/=a:80", "ingress.networking.k8s.io/i"),
    ] {
        assert_eq!(kubectl.ok(line), format!("{said} created\n"), "{line}");
    }
    for (line, said) in [
        ("run p --image=busybox", "pod/p created\n"),
        ("expose deployment d", "service/d exposed\n"),
        ("autoscale deployment d --max=3", "horizontalpodautoscaler.autoscaling/d autoscaled\n"),
        ("create cm never --dry-run=client", "configmap/never created (dry run)\n"),
        ("create cm never --dry-run=server", "configmap/never created (server dry run)\n"),
    ] {
        assert_eq!(kubectl.ok(line), said, "{line}");
    }
    assert!(kubectl.fails("get cm never").contains("NotFound"));
    assert_eq!(
        kubectl.fails("create cm c"),
        "error: failed to create configmap: configmaps \"c\" already exists\n"
    );
    assert!(kubectl.fails("create cm x -n nowhere").contains("namespaces \"nowhere\" not found"));
    let generated = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}"#;
    let made = kubectl.ok_with("create -f -", generated);
    assert!(
        made.starts_with("configmap/made-") && made.len() == "configmap/made-12345 created\n".len(),
        "{made}"
    );
}

#[test]
fn apply_creates_changes_and_leaves_what_is_the_same() {
    let kubectl = Kubectl::new("write-apply");
    let maps = |value| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{k: '{value}', gone{value}: x}}\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b}}\ndata: {{k: same}}\n"
        )
    };
    let apply = |document: &str| kubectl.ok_with("apply -f -", document);
    assert_eq!(apply(&maps(1)), "configmap/a created\nconfigmap/b created\n");
    assert_eq!(apply(&maps(1)), "configmap/a unchanged\nconfigmap/b unchanged\n");
    assert_eq!(apply(&maps(2)), "configmap/a configured\nconfigmap/b unchanged\n");
    assert_eq!(kubectl.value("cm a", "{.data}"), r#"{"gone2":"x","k":"2"}"#);

    let deployment = |image: &str, sidecar: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  \
             template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - {{name: web, image: {image}}}\n{sidecar}"
        )
    };
    let sidecar = "      - {name: log, image: fluent}\n";
    assert_eq!(apply(&deployment("nginx:1", sidecar)), "deployment.apps/web created\n");
    assert_eq!(apply(&deployment("nginx:1", sidecar)), "deployment.apps/web unchanged\n");
    kubectl.ok("scale deploy web --replicas=4");
    assert_eq!(apply(&deployment("nginx:2", "")), "deployment.apps/web configured\n");
    let images = "{.spec.template.spec.containers[*].image} {.spec.replicas}";
    assert_eq!(kubectl.value("deploy web", images), "nginx:2 4", "what was not applied stays");

    let last = kubectl.ok("apply view-last-applied cm/b");
    assert!(last.contains("k: same"), "{last}");
    assert!(kubectl.ok_with("diff -f -", &maps(2)).is_empty());
    let changes = kubectl.run("diff -f -", &maps(3)).stdout;
    let changes = String::from_utf8(changes).unwrap();
    assert!(changes.contains("+  gone3: x\n+  k: \"3\"\n"), "{changes}");
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad}\n";
    let said = kubectl.fails_with("apply -f -", bad);
    assert!(
        said.contains("The ConfigMap \"Bad\" is invalid: metadata.name: Invalid value: \"Bad\""),
        "{said}"
    );
    let wrong = "apiVersion: nowhere.example.com/v1\nkind: Nothing\nmetadata: {name: a}\n";
    assert!(kubectl.fails_with("apply -f -", wrong).contains("no matches for kind \"Nothing\""));
}

#[test]
fn server_side_apply_owns_fields_and_tells_of_conflicts() {
    let kubectl = Kubectl::new("write-ssa");
    let map =
        |value| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{k: '{value}'}}\n");
    let apply = "apply --server-side";
    assert_eq!(kubectl.ok_with(&format!("{apply} -f -"), &map(1)), "configmap/a serverside-applied\n");
    let said = kubectl.fails_with(&format!("{apply} --field-manager=other -f -"), &map(2));
    assert!(said.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .data.k"), "{said}");
    kubectl.ok_with(&format!("{apply} --field-manager=other --force-conflicts -f -"), &map(2));
    assert_eq!(kubectl.value("cm a", "{.data.k}"), "2");
}

#[test]
fn replace_puts_the_whole_object() {
    let kubectl = Kubectl::new("write-replace");
    kubectl.ok("create cm a --from-literal=k=1 --from-literal=old=x");
    let map = |version: &str, value: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "a", "resourceVersion": "{version}"}}, "data": {{"k": "{value}"}}}}"#
        )
    };
    let version = kubectl.value("cm a", "{.metadata.resourceVersion}");
    let replace = "replace -f -";
    assert_eq!(kubectl.ok_with(replace, &map("", "2")), "configmap/a replaced\n");
    assert_eq!(kubectl.value("cm a", "{.data}"), r#"{"k":"2"}"#);
    let stale = kubectl.fails_with(replace, &map(&version, "3"));
    assert!(stale.contains("(Conflict)") && stale.contains("the object has been modified"), "{stale}");
    let id = kubectl.value("cm a", "{.metadata.uid}");
    let forced = kubectl.ok_with("replace --force -f -", &map("", "4"));
    assert!(forced.ends_with("configmap/a replaced\n"), "{forced}");
    assert_ne!(kubectl.value("cm a", "{.metadata.uid}"), id);
    let missing = map("", "1").replace("\"a\"", "\"b\"");
    assert!(kubectl.fails_with(replace, &missing).contains("configmaps \"b\" not found"));
}

#[test]
fn edit_sends_what_the_editor_changed() {
    let kubectl = Kubectl::new("write-edit");
    kubectl.ok("create cm a --from-literal=k=before");
    kubectl.ok("create deployment web --image=nginx:1");
    let edit = |what: &str, script: &str| {
        let mut command = kubectl.command(&format!("edit {what}"));
        let output = command.env("KUBE_EDITOR", format!("sed -i {script}")).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (what, script, said, path, value) in [
        ("cm a", "s/before/after/", "configmap/a edited\n", "{.data.k}", "after"),
        (
            "deploy web",
            "s/nginx:1/nginx:2/",
            "deployment.apps/web edited\n",
            "{.spec.template.spec.containers[0].image}",
            "nginx:2",
        ),
        ("deploy web --output-patch", "s/replicas:.1/replicas:\\ 2/", "", "{.spec.replicas}", "2"),
    ] {
        let printed = edit(what, script);
        assert!(printed.contains(said), "{what}: {printed}");
        assert_eq!(kubectl.value(what.trim_end_matches(" --output-patch"), path), value, "{what}");
    }
    assert!(edit("cm a", "s/nothing/else/").is_empty(), "nothing to do");
}

#[test]
fn delete_takes_one_some_or_all() {
    let kubectl = Kubectl::new("write-delete");
    for name in ["a", "b", "c", "d", "e"] {
        kubectl.ok(&format!("create cm {name}"));
    }
    kubectl.ok("label cm b c app=x");
    for (line, said, left) in [
        ("delete cm a", "configmap \"a\" deleted\n", "b c d e"),
        ("delete cm -l app=x", "configmap \"b\" deleted\nconfigmap \"c\" deleted\n", "d e"),
        ("delete cm d --dry-run=server", "configmap \"d\" deleted (server dry run)\n", "d e"),
        ("delete cm/d --wait=true -o name", "configmap/d\n", "e"),
        ("delete cm none --ignore-not-found", "", "e"),
        ("delete cm --all --now", "configmap \"e\" deleted\n", ""),
    ] {
        assert_eq!(kubectl.ok(line), said, "{line}");
        assert_eq!(kubectl.value("cm", "{.items[*].metadata.name}"), left, "{line}");
    }
    assert_eq!(kubectl.ok("delete cm --all"), "No resources found\n");
}

#[test]
fn delete_waits_for_finalizers() {
    let kubectl = Kubectl::new("write-finalizers");
    let map = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["example.com/wait"]}}"#;
    kubectl.ok_with("create -f -", map);
    assert!(kubectl.fails("delete cm a --timeout=1s").contains("timed out waiting for the condition"));
    assert_ne!(kubectl.value("cm a", "{.metadata.deletionTimestamp}"), "");
    let delete = kubectl.start("delete cm a --wait --timeout=60s");
    assert!(delete.line("deleted").contains("\"a\""));
    kubectl.ok("patch cm a --type=json -p '[{\"op\": \"remove\", \"path\": \"/metadata/finalizers/0\"}]'");
    let (well, said) = delete.end();
    assert!(well, "{said}");
    assert!(kubectl.fails("get cm a").contains("NotFound"));
}

#[test]
fn a_namespace_that_is_deleted_takes_no_more_objects() {
    let kubectl = Kubectl::new("write-namespace");
    assert_eq!(
        kubectl.ok("delete ns write-namespace --wait=false"),
        "namespace \"write-namespace\" deleted\n"
    );
    assert_eq!(kubectl.table("get ns write-namespace --no-headers"), ["write-namespace Terminating <age>"]);
    let said = kubectl.fails("create cm a");
    assert!(said.contains("forbidden") && said.contains("because it is being terminated"), "{said}");
}
