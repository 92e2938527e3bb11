//! The same flows on resources that a definition made.

use super::Kubectl;
use serde_json::{Value, json};

/// A namespace and a definition of widgets in the group `<namespace>.example.com`.
struct Widgets {
    kubectl: Kubectl,
    group: String,
}

impl Widgets {
    fn new(namespace: &str) -> Self {
        let widgets = Self { kubectl: Kubectl::new(namespace), group: format!("{namespace}.example.com") };
        let created = widgets.kubectl.ok_with("apply -f -", &widgets.definition().to_string());
        let name = format!("customresourcedefinition.apiextensions.k8s.io/widgets.{}", widgets.group);
        assert_eq!(created, format!("{name} created\n"));
        let waited = widgets.kubectl.ok(&format!("wait --for=condition=Established {name} --timeout=30s"));
        assert_eq!(waited, format!("{name} condition met\n"));
        widgets
    }

    fn definition(&self) -> Value {
        let schema = json!({
            "type": "object",
            "required": ["spec"],
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["size"],
                    "properties": {
                        "size": {"type": "integer", "minimum": 1, "maximum": 10},
                        "colour": {"type": "string", "enum": ["red", "blue"], "default": "blue"},
                        "replicas": {"type": "integer", "default": 1},
                    },
                },
                "status": {
                    "type": "object",
                    "properties": {
                        "phase": {"type": "string"},
                        "replicas": {"type": "integer"},
                        "conditions": {"type": "array", "items": {
                            "type": "object",
                            "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                        }},
                    },
                },
            },
        });
        let version = |name: &str, storage: bool| {
            json!({
                "name": name, "served": true, "storage": storage,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            })
        };
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{}", self.group)},
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
                "versions": [version("v1", true), version("v1beta1", false)],
            },
        })
    }

    fn widget(&self, name: &str, spec: Value) -> String {
        json!({"apiVersion": format!("{}/v1", self.group), "kind": "Widget", "metadata": {"name": name}, "spec": spec}).to_string()
    }

    /// A resource or object of the group: other tests have widgets, too.
    fn of(&self, name: &str) -> String {
        format!("widgets.{}{name}", self.group)
    }

    fn apply(&self, name: &str, spec: Value) -> String {
        self.kubectl.ok_with("apply -f -", &self.widget(name, spec))
    }
}

#[test]
fn a_definition_is_listed_with_its_names() {
    let widgets = Widgets::new("custom-names");
    let kubectl = &widgets.kubectl;
    assert_eq!(
        kubectl.table("api-resources --api-group=custom-names.example.com --no-headers"),
        ["widgets wd custom-names.example.com/v1 true Widget"]
    );
    let versions = kubectl.ok("api-versions");
    assert!(
        versions.contains("custom-names.example.com/v1\ncustom-names.example.com/v1beta1\n"),
        "{versions}"
    );
    let table = kubectl.table(&format!("get crd {}", widgets.of("")));
    assert_eq!(table[0], "NAME CREATED AT");
    let conditions = "{.status.conditions[*].type} {.status.acceptedNames.kind} {.status.storedVersions}";
    let status = kubectl.value(&format!("crd {}", widgets.of("")), conditions);
    assert_eq!(status, r#"NamesAccepted Established Widget ["v1"]"#);
    assert!(kubectl.ok(&format!("describe crd {}", widgets.of(""))).contains("Established"));
}

#[test]
fn custom_resources_are_applied_read_and_deleted() {
    let widgets = Widgets::new("custom-flow");
    let kubectl = &widgets.kubectl;
    let all = widgets.of("");
    assert_eq!(widgets.apply("a", json!({"size": 1})), "widget.custom-flow.example.com/a created\n");
    assert_eq!(widgets.apply("a", json!({"size": 1})), "widget.custom-flow.example.com/a unchanged\n");
    assert_eq!(widgets.apply("a", json!({"size": 2})), "widget.custom-flow.example.com/a configured\n");
    widgets.apply("b", json!({"size": 3, "colour": "red"}));
    for (line, rows) in [
        (format!("get {all}"), &["NAME SIZE PHASE AGE", "a 2 <age>", "b 3 <age>"][..]),
        (format!("get {all} -o wide"), &["NAME SIZE PHASE COLOUR AGE", "a 2 blue <age>", "b 3 red <age>"]),
        (format!("get {all} --no-headers a"), &["a 2 <age>"]),
        (
            format!("get {all} -o name"),
            &["widget.custom-flow.example.com/a", "widget.custom-flow.example.com/b"],
        ),
        (format!("get {all} -o custom-columns=N:.metadata.name,S:.spec.size"), &["N S", "a 2", "b 3"]),
        (format!("get {all} --field-selector metadata.name=b --no-headers"), &["b 3 <age>"]),
    ] {
        assert_eq!(kubectl.table(&line), rows, "{line}");
    }
    let old = kubectl.json(&format!("get widgets.v1beta1.{} a", widgets.group));
    assert_eq!(
        (&old["apiVersion"], &old["spec"]["colour"]),
        (&"custom-flow.example.com/v1beta1".into(), &"blue".into())
    );

    let watch = kubectl.start(&format!("get {all} -w --no-headers"));
    watch.line("b 3");
    for (line, said) in [
        (format!("label {all} a app=x"), "widget.custom-flow.example.com/a labeled\n"),
        (format!("annotate {all} a note=x"), "widget.custom-flow.example.com/a annotated\n"),
        (
            format!("patch {all} a --type=merge -p '{{\"spec\": {{\"size\": 4}}}}'"),
            "widget.custom-flow.example.com/a patched\n",
        ),
        (
            format!(
                "patch {all} a --type=json -p '[{{\"op\": \"replace\", \"path\": \"/spec/size\", \"value\": 5}}]'"
            ),
            "widget.custom-flow.example.com/a patched\n",
        ),
        (format!("scale {} --replicas=3", widgets.of("/a")), "widget.custom-flow.example.com/a scaled\n"),
    ] {
        assert_eq!(kubectl.ok(&line), said, "{line}");
    }
    assert_eq!(watch.line("a 5"), "a 5 <age>");
    assert_eq!(
        kubectl.value(&format!("{all} -l app=x"), "{.items[*].spec}"),
        r#"{"colour":"blue","replicas":3,"size":5}"#
    );
    let replaced = kubectl.ok_with("replace -f -", &widgets.widget("b", json!({"size": 9})));
    assert_eq!(replaced, "widget.custom-flow.example.com/b replaced\n");
    let mut edit = kubectl.command(&format!("edit {all} b"));
    assert!(edit.env("KUBE_EDITOR", r"sed -i s/size:.9/size:\ 8/").status().unwrap().success());
    assert_eq!(kubectl.value(&widgets.of("/b"), "{.spec.size}"), "8");
    let described = kubectl.ok(&format!("describe {all} b"));
    assert!(described.contains("Kind:") && described.contains("Size:"), "{described}");

    let mut gone = kubectl.ok(&format!("delete {all} -l app=x"));
    gone.push_str(&kubectl.ok(&format!("delete {all} --all")));
    assert_eq!(
        gone,
        "widget.custom-flow.example.com \"a\" deleted\nwidget.custom-flow.example.com \"b\" deleted\n"
    );
    assert_eq!(kubectl.ok(&format!("get {all} -o name")), "");
}

#[test]
fn what_the_schema_forbids_is_told_with_its_causes() {
    let widgets = Widgets::new("custom-schema");
    for (spec, said) in [
        (
            json!({"size": "big"}),
            "The Widget \"bad\" is invalid: spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"\n",
        ),
        (
            json!({"size": 0, "colour": "green"}),
            "The Widget \"bad\" is invalid: \n\
             * spec.colour: Unsupported value: \"green\": supported values: \"red\", \"blue\"\n\
             * spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1\n",
        ),
        (json!({}), "The Widget \"bad\" is invalid: spec.size: Required value\n"),
    ] {
        let failed = widgets.kubectl.fails_with("create -f -", &widgets.widget("bad", spec.clone()));
        let (mut failed, mut said): (Vec<_>, Vec<_>) = (failed.lines().collect(), said.lines().collect());
        failed.sort_unstable();
        said.sort_unstable();
        assert_eq!(failed, said, "{spec}");
    }
    let unknown = widgets.widget("good", json!({"size": 1, "unknown": "pruned"}));
    let said = widgets.kubectl.fails_with("apply -f -", &unknown);
    assert!(said.contains("unknown field \"spec.unknown\""), "{said}");
    widgets.kubectl.ok_with("apply --validate=ignore -f -", &unknown);
    assert_eq!(
        widgets.kubectl.value(&widgets.of("/good"), "{.spec}"),
        r#"{"colour":"blue","replicas":1,"size":1}"#
    );
    let name = widgets.of("/good");
    let said =
        widgets.kubectl.fails(&format!("patch {name} --type=merge -p '{{\"spec\": {{\"size\": 11}}}}'"));
    assert!(
        said.contains("spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"),
        "{said}"
    );
}

#[test]
fn status_is_written_apart_from_the_rest() {
    let widgets = Widgets::new("custom-status");
    let kubectl = &widgets.kubectl;
    widgets.apply("a", json!({"size": 1}));
    let name = widgets.of("/a");
    let patch = r#"{"spec": {"size": 7}, "status": {"phase": "Ready", "replicas": 4, "conditions": [{"type": "Ready", "status": "True"}]}}"#;
    let wait = kubectl.start(&format!("wait {name} --for=condition=Ready --timeout=60s"));
    kubectl.ok(&format!("patch {name} --subresource=status --type=merge -p '{patch}'"));
    let (well, said) = wait.end();
    assert!(well && said.contains("condition met"), "{said}");
    assert_eq!(kubectl.value(&name, "{.spec.size} {.status.phase} {.metadata.generation}"), "1 Ready 1");
    kubectl.ok(&format!("patch {name} --type=merge -p '{}'", patch.replace("Ready", "Lost")));
    assert_eq!(kubectl.value(&name, "{.spec.size} {.status.phase} {.metadata.generation}"), "7 Ready 2");
    assert_eq!(kubectl.table(&format!("get {} --no-headers", widgets.of(""))), ["a 7 Ready <age>"]);
    let scale = kubectl.json(&format!("get {name} --subresource=scale"));
    let replicas = (&scale["spec"]["replicas"], &scale["status"]["replicas"]);
    assert_eq!((&scale["kind"], replicas), (&"Scale".into(), (&1.into(), &4.into())));
}

#[test]
fn a_definition_that_goes_takes_its_objects_along() {
    let widgets = Widgets::new("custom-gone");
    let kubectl = &widgets.kubectl;
    widgets.apply("a", json!({"size": 1}));
    let watch = kubectl.start(&format!("get {} -w --output-watch-events --no-headers", widgets.of("")));
    watch.line("ADDED a");
    let deleted = kubectl.ok(&format!("delete crd {}", widgets.of("")));
    assert_eq!(
        deleted,
        "customresourcedefinition.apiextensions.k8s.io \"widgets.custom-gone.example.com\" deleted\n"
    );
    assert_eq!(watch.line("DELETED"), "DELETED a 1 <age>");
    assert!(kubectl.fails("get --raw /apis/custom-gone.example.com/v1/widgets").contains("NotFound"));
    kubectl.ok_with("apply -f -", &widgets.definition().to_string());
    kubectl.ok(&format!("wait --for=condition=Established crd/{} --timeout=30s", widgets.of("")));
    assert_eq!(
        kubectl.ok(&format!("get {} -o name", widgets.of(""))),
        "",
        "the old objects do not come back"
    );
}

#[test]
fn a_definition_with_faults_is_refused() {
    let kubectl = Kubectl::new("custom-faults");
    let widgets = Widgets { kubectl, group: "custom-faults.example.com".into() };
    for (pointer, value, said) in [
        ("/metadata/name", json!("other.example.com"), "must be spec.names.plural+\".\"+spec.group"),
        ("/spec/versions/0/storage", json!(false), "must have exactly one version marked as storage version"),
        (
            "/spec/versions/0/schema/openAPIV3Schema/type",
            json!("string"),
            "spec.versions[0].schema.openAPIV3Schema.type",
        ),
        ("/spec/scope", json!("Everywhere"), "spec.scope: Unsupported value: \"Everywhere\""),
    ] {
        let mut definition = widgets.definition();
        *definition.pointer_mut(pointer).unwrap() = value;
        let failed = widgets.kubectl.fails_with("create -f -", &definition.to_string());
        assert!(
            failed.contains("The CustomResourceDefinition") && failed.contains(said),
            "{pointer}: {failed}"
        );
    }
    assert!(widgets.kubectl.fails(&format!("get crd {}", widgets.of(""))).contains("NotFound"));
}
