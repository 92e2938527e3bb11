//! get in every format, selectors, watches, describe.

use super::{Kubectl, normal};
use serde_json::Value;

/// A namespace with two config maps, a secret, a deployment and a service.
fn furnished(namespace: &str) -> Kubectl {
    let kubectl = Kubectl::new(namespace);
    for line in [
        "create configmap alpha --from-literal=a=1 --from-literal=b=2",
        "create configmap beta",
        "create secret generic password --from-literal=p=secret",
        "create deployment web --image=nginx:1 --replicas=3",
        "create service clusterip web --tcp=80:8080",
    ] {
        kubectl.ok(line);
    }
    kubectl.ok("label cm alpha app=a tier=front");
    kubectl
}

#[test]
fn get_prints_tables() {
    let kubectl = furnished("read-tables");
    for (line, rows) in [
        ("get cm", &["NAME DATA AGE", "alpha 2 <age>", "beta 0 <age>"][..]),
        ("get configmap/alpha", &["NAME DATA AGE", "alpha 2 <age>"]),
        ("get cm alpha beta --no-headers", &["alpha 2 <age>", "beta 0 <age>"]),
        (
            "get cm --show-labels",
            &["NAME DATA AGE LABELS", "alpha 2 <age> app=a,tier=front", "beta 0 <age> <none>"],
        ),
        ("get cm -L tier", &["NAME DATA AGE TIER", "alpha 2 <age> front", "beta 0 <age>"]),
        ("get cm --sort-by=.data.a", &["NAME DATA AGE", "beta 0 <age>", "alpha 2 <age>"]),
        ("get secrets", &["NAME TYPE DATA AGE", "password Opaque 1 <age>"]),
        ("get deploy", &["NAME READY UP-TO-DATE AVAILABLE AGE", "web 0/3 0 0 <age>"]),
        (
            "get deploy -o wide",
            &[
                "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR",
                "web 0/3 0 0 <age> nginx nginx:1 app=web",
            ],
        ),
        ("get ns read-tables", &["NAME STATUS AGE", "read-tables Active <age>"]),
        (
            "get cm,deploy web alpha --ignore-not-found",
            &[
                "NAME DATA AGE",
                "configmap/alpha 2 <age>",
                "",
                "NAME READY UP-TO-DATE AVAILABLE AGE",
                "deployment.apps/web 0/3 0 0 <age>",
            ],
        ),
        ("get cm none --ignore-not-found", &[]),
        ("get cm --chunk-size=1", &["NAME DATA AGE", "alpha 2 <age>", "beta 0 <age>"]),
    ] {
        assert_eq!(kubectl.table(line), rows, "{line}");
    }
    let service = kubectl.table("get svc -o wide");
    assert_eq!(service[0], "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR");
    let columns: Vec<_> = service[1].split(' ').collect();
    assert_eq!(
        (&columns[..2], &columns[3..]),
        (&["web", "ClusterIP"][..], &["<none>", "80/TCP", "<age>", "app=web"][..])
    );
    let all = kubectl.ok("get all");
    assert!(all.contains("service/web") && all.contains("deployment.apps/web"), "{all}");
}

#[test]
fn get_prints_objects_in_every_format() {
    let kubectl = furnished("read-formats");
    for (line, printed) in [
        ("get cm -o name", "configmap/alpha\nconfigmap/beta\n"),
        ("get deploy,svc -o name", "deployment.apps/web\nservice/web\n"),
        ("get cm -o jsonpath='{.items[*].metadata.name}'", "alpha beta"),
        ("get cm alpha -o jsonpath='{.data}'", r#"{"a":"1","b":"2"}"#),
        ("get secret password -o go-template='{{.data.p | base64decode}}'", "secret"),
        ("get cm -o go-template='{{range .items}}{{.metadata.name}};{{end}}'", "alpha;beta;"),
        ("get deploy web -o jsonpath-as-json='{.spec.replicas}'", "[\n    3\n]\n"),
    ] {
        assert_eq!(kubectl.ok(line), printed, "{line}");
    }
    let columns = kubectl.table("get cm -o custom-columns=NAME:.metadata.name,A:.data.a");
    assert_eq!(columns, ["NAME A", "alpha 1", "beta <none>"]);
    let list = kubectl.json("get cm");
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&"List".into(), 2));
    let one = kubectl.json("get cm alpha");
    assert_eq!(
        (&one["apiVersion"], &one["kind"], &one["data"]["b"]),
        (&"v1".into(), &"ConfigMap".into(), &"2".into())
    );
    assert_eq!(one["metadata"].get("managedFields"), None);
    let yaml = kubectl.ok("get cm alpha -o yaml");
    assert!(
        yaml.starts_with("apiVersion: v1\ndata:\n  a: \"1\"\n  b: \"2\"\nkind: ConfigMap\nmetadata:\n"),
        "{yaml}"
    );
    let owners = kubectl.ok("get cm alpha -o yaml --show-managed-fields");
    assert!(owners.contains("manager: kubectl-create") && owners.contains("f:data:"), "{owners}");
}

#[test]
fn selectors_choose_by_label_and_field() {
    let kubectl = furnished("read-selectors");
    for (flags, names) in [
        ("-l app=a", "alpha"),
        ("-l app!=a", "beta"),
        ("-l 'app in (a, b),tier'", "alpha"),
        ("-l '!app'", "beta"),
        ("-l app=a,tier=back", ""),
        ("--field-selector metadata.name=beta", "beta"),
        ("--field-selector metadata.name!=beta", "alpha"),
        ("-A --field-selector metadata.namespace=read-selectors,metadata.name=alpha", "alpha"),
    ] {
        assert_eq!(
            kubectl.ok(&format!("get cm {flags} -o jsonpath='{{.items[*].metadata.name}}'")),
            names,
            "{flags}"
        );
    }
    assert_eq!(
        kubectl.table("get cm -A --field-selector metadata.namespace=read-selectors"),
        ["NAMESPACE NAME DATA AGE", "read-selectors alpha 2 <age>", "read-selectors beta 0 <age>"]
    );
    assert_eq!(kubectl.ok("get secrets --field-selector type=Opaque -o name"), "secret/password\n");
    assert!(
        kubectl
            .fails("get cm --field-selector data.a=1")
            .contains("\"data.a\" is not a known field selector")
    );
    assert!(kubectl.fails("get cm -l 'a in'").contains("unable to parse requirement"));
}

#[test]
fn what_is_not_there_is_told_in_the_known_words() {
    let kubectl = Kubectl::new("read-missing");
    let empty = kubectl.run("get cm", "");
    assert!(empty.status.success());
    assert_eq!(String::from_utf8_lossy(&empty.stderr), "No resources found in read-missing namespace.\n");
    for (line, said) in [
        ("get cm none", "Error from server (NotFound): configmaps \"none\" not found\n"),
        ("get deploy none", "Error from server (NotFound): deployments.apps \"none\" not found\n"),
        ("get ns none", "Error from server (NotFound): namespaces \"none\" not found\n"),
        ("get unknowns", "error: the server doesn't have a resource type \"unknowns\"\n"),
        ("delete cm none", "Error from server (NotFound): configmaps \"none\" not found\n"),
        (
            "get --raw /nowhere",
            "Error from server (NotFound): the server could not find the requested resource\n",
        ),
    ] {
        assert_eq!(kubectl.fails(line), said, "{line}");
    }
}

#[test]
fn a_watch_shows_each_change() {
    let kubectl = Kubectl::new("read-watch");
    kubectl.ok("create cm first");
    let table = kubectl.start("get cm -w");
    let names = kubectl.start("get cm --watch-only -o name");
    let events = kubectl.start("get cm -w --output-watch-events --no-headers");
    assert_eq!(table.line("NAME"), "NAME DATA AGE");
    assert_eq!(table.line("first"), "first 0 <age>");
    assert_eq!(events.line("first"), "ADDED first 0 <age>");
    kubectl.ok("create cm second --from-literal=a=1");
    assert_eq!(table.line("second"), "second 1 <age>");
    assert_eq!(events.line("second"), "ADDED second 1 <age>");
    kubectl.ok("patch cm second --type=merge -p '{\"data\": {\"b\": \"2\"}}'");
    assert_eq!(table.line("second"), "second 2 <age>");
    assert_eq!(events.line("second"), "MODIFIED second 2 <age>");
    kubectl.ok("delete cm second");
    assert_eq!(events.line("second"), "DELETED second 2 <age>");
    // When this one began is not known: it shows changes until it has shown one.
    for n in 0.. {
        kubectl.ok(&format!("label cm first n={n} --overwrite"));
        if names.lines.try_recv().is_ok_and(|line| line.starts_with("configmap/")) {
            break;
        }
    }
}

#[test]
fn a_watch_with_selectors_shows_only_what_they_choose() {
    let kubectl = furnished("read-watch-selected");
    let chosen = kubectl.start("get cm -l app=a -w -o name");
    let named = kubectl.start("get cm beta -w --no-headers");
    assert_eq!(chosen.line("configmap/"), "configmap/alpha");
    assert_eq!(named.line("beta"), "beta 0 <age>");
    kubectl.ok("create cm gamma");
    kubectl.ok("label cm beta app=a");
    assert_eq!(chosen.line("configmap/"), "configmap/beta");
    assert_eq!(named.line(""), "beta 0 <age>");
}

#[test]
fn describe_tells_of_the_object_and_its_surroundings() {
    let kubectl = furnished("read-describe");
    let node: Value = serde_json::json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "read-describe"},
        "spec": {"taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}]},
    });
    kubectl.ok_with("create -f -", &node.to_string());
    kubectl.ok("run pod --image=busybox --env=A=1 --labels=app=web");
    let event = serde_json::json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "pulled", "namespace": "read-describe"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "pod", "namespace": "read-describe", "uid": kubectl.value("pod pod", "{.metadata.uid}")},
        "reason": "Pulled", "message": "Image is here", "type": "Normal", "count": 1, "source": {"component": "test"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    });
    kubectl.ok_with("create -f -", &event.to_string());
    for (what, rows) in [
        (
            "cm alpha",
            &[
                "Name: alpha",
                "Namespace: read-describe",
                "Labels: app=a",
                "tier=front",
                "Data",
                "a:",
                "Events: <none>",
            ][..],
        ),
        ("secret password", &["Type: Opaque", "p: 6 bytes"]),
        (
            "deploy web",
            &[
                "Selector: app=web",
                "Replicas: 3 desired | 0 updated | 0 total | 0 available | 0 unavailable",
                "StrategyType: RollingUpdate",
                "RollingUpdateStrategy: 25% max unavailable, 25% max surge",
                "Image: nginx:1",
            ],
        ),
        (
            "svc web",
            &["Selector: app=web", "Type: ClusterIP", "TargetPort: 8080/TCP", "Session Affinity: None"],
        ),
        (
            "ns read-describe",
            &["Name: read-describe", "Status: Active", "No resource quota.", "No LimitRange resource."],
        ),
        (
            "node read-describe",
            &[
                "Name: read-describe",
                "Taints: dedicated=x:NoSchedule",
                "node.kubernetes.io/not-ready:NoSchedule",
                "Unschedulable: false",
            ],
        ),
        ("pod pod", &["Node: <none>", "Status: Pending", "Image: busybox", "A: 1", "QoS Class: BestEffort"]),
    ] {
        let text = kubectl.ok(&format!("describe {what}"));
        let said = normal(&text);
        for row in rows {
            assert!(said.iter().any(|line| line.trim() == *row), "{what}: {row}\n{text}");
        }
    }
    let pod = kubectl.ok("describe pod pod");
    assert!(pod.contains("Pulled") && pod.contains("Image is here"), "{pod}");
    let events = kubectl.table("get events");
    assert_eq!(events[0], "LAST SEEN TYPE REASON OBJECT MESSAGE");
    assert!(events[1].ends_with("Normal Pulled pod/pod Image is here"), "{events:?}");
    assert!(kubectl.ok("events --for pod/pod").contains("Image is here"));
}
