//! Which paths there are, and which operations on them.

use super::{
    GroupVersion, Resource, Subresource,
    definitions::Definitions,
    json::Json,
    operations::{self, ACCEPTED, Body, CREATED, OK, Operation, PATCHES, Parameter, Payload, Produces},
};

/// The paths of a group-version.
pub(super) fn group_version(json: &mut Json, definitions: &mut Definitions<'_>, served: &GroupVersion<'_>) {
    let base = match served.group {
        "" => format!("/api/{}", served.version),
        group => format!("/apis/{group}/{}", served.version),
    };
    let title = format!("{}{}", camel(served.group), capital(served.version));
    let tag = format!("{}_{}", uncapital(&camel(served.group)), served.version);
    let resources = operations::discovery(
        definitions,
        "APIResourceList",
        format!("get{title}APIResources"),
        "get available resources",
    );
    operations::write(json, &format!("{base}/"), &tag, &[resources]);
    let mut writer = Writer { json, definitions, served, base: &base, title: &title, tag: &tag };
    for (resource, subresources) in served.resources {
        writer.resource(resource);
        for sub in subresources {
            writer.subresource(resource, sub);
        }
    }
    for (resource, _) in served.resources {
        writer.watches(resource);
    }
}

/// The path of a group.
pub(super) fn group(json: &mut Json, definitions: &mut Definitions<'_>, group: &str) {
    let camel = camel(group);
    let (path, kind, id, text) = match group {
        "" => ("/api/".into(), "APIVersions", "getCoreAPIVersions".into(), "get available API versions"),
        group => (
            format!("/apis/{group}/"),
            "APIGroup",
            format!("get{camel}APIGroup"),
            "get information of a group",
        ),
    };
    let operation = operations::discovery(definitions, kind, id, text);
    operations::write(json, &path, &uncapital(&camel), &[operation]);
}

/// The path of all groups.
pub(super) fn groups(json: &mut Json, definitions: &mut Definitions<'_>) {
    let operation = operations::discovery(
        definitions,
        "APIGroupList",
        "getAPIVersions".into(),
        "get available API versions",
    );
    operations::write(json, "/apis/", "apis", &[operation]);
}

/// The path of the server's version.
pub(super) fn version(json: &mut Json, definitions: &mut Definitions<'_>) {
    let operation = Operation {
        method: "get",
        id: "getCodeVersion".into(),
        description: "get the version information for this server".into(),
        parameters: Vec::new(),
        body: None,
        codes: &[OK],
        payload: Payload::Reference(definitions.named("io.k8s.apimachinery.pkg.version.Info")),
        produces: Produces::Json,
        action: "",
        kind: Default::default(),
    };
    operations::write(json, "/version/", "version", &[operation]);
}

/// `rbac.authorization.k8s.io` → `RbacAuthorization`, nothing → `Core` (`endpoints/openapi/openapi.go`).
fn camel(group: &str) -> String {
    let group = group.strip_suffix(".k8s.io").unwrap_or(group);
    if group.is_empty() {
        return "Core".into();
    }
    group.split(['.', '-']).map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn uncapital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// `a` or `an`.
fn article(noun: &str) -> &'static str {
    if noun.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" }
}

struct Writer<'a, 'b> {
    json: &'a mut Json,
    definitions: &'a mut Definitions<'b>,
    served: &'a GroupVersion<'a>,
    base: &'a str,
    /// `AppsV1`.
    title: &'a str,
    tag: &'a str,
}

/// What the operations of one path have in common.
struct Place<'a> {
    path: String,
    /// Parameters of the path.
    parameters: Vec<Parameter>,
    /// `NamespacedDeploymentScale`: what follows the group and version in the names of operations.
    noun: String,
    kind: (&'a str, &'a str, &'a str),
    /// The resource's own kind, and the subresource.
    of: (&'a str, &'a str),
}

impl Writer<'_, '_> {
    fn path(&mut self, path: &str, operations: &[Operation]) {
        operations::write(self.json, path, self.tag, operations);
    }

    fn place<'a>(&self, resource: &Resource<'a>, sub: Option<&Subresource<'a>>) -> Place<'a>
    where
        Self: 'a,
    {
        let scope = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
        let mut place = Place {
            path: format!("{}/{scope}{}", self.base, resource.name),
            parameters: Vec::new(),
            noun: format!("{}{}", if resource.namespaced { "Namespaced" } else { "" }, resource.kind),
            kind: (self.served.group, self.served.version, resource.kind),
            of: (resource.kind, ""),
        };
        if resource.namespaced {
            place.parameters.push(Parameter::namespace());
        }
        if let Some(sub) = sub {
            place.path = format!("{}/{{name}}/{}", place.path, sub.name);
            place.parameters.push(Parameter::name(resource.kind));
            place.noun.push_str(&capital(sub.name));
            place.kind = (sub.group, sub.version, sub.kind);
            place.of.1 = sub.name;
        }
        place
    }

    fn resource(&mut self, resource: &Resource<'_>) {
        let has = |verb: &str| resource.verbs.contains(&verb);
        let mut place = self.place(resource, None);
        let mut operations = Vec::new();
        if has("deletecollection") {
            operations.extend(self.delete(&place, true, resource.returns_deleted));
        }
        if has("list") {
            operations.extend(self.list(&place, ""));
        }
        if has("create") {
            operations.extend(self.create(&place));
        }
        self.path(&place.path, &operations);
        place.path.push_str("/{name}");
        place.parameters.push(Parameter::name(resource.kind));
        let operations = self.item(&place, resource.verbs, resource.returns_deleted);
        self.path(&place.path, &operations);
        if resource.namespaced && has("list") {
            let all = Place {
                path: format!("{}/{}", self.base, resource.name),
                parameters: Vec::new(),
                noun: resource.kind.into(),
                ..place
            };
            let operations: Vec<_> = self.list(&all, "ForAllNamespaces").into_iter().collect();
            self.path(&all.path, &operations);
        }
    }

    fn subresource(&mut self, resource: &Resource<'_>, sub: &Subresource<'_>) {
        let mut place = self.place(resource, Some(sub));
        if sub.kind.ends_with("Options") {
            let proxy = sub.kind.ends_with("ProxyOptions");
            let operations = self.connect(&place, proxy, "");
            self.path(&place.path, &operations);
            if proxy {
                place.path.push_str("/{path}");
                place.parameters.push(Parameter::path());
                let operations = self.connect(&place, proxy, "WithPath");
                self.path(&place.path, &operations);
            }
            return;
        }
        let mut operations = self.item(&place, sub.verbs, false);
        if sub.verbs.contains(&"create") {
            operations.extend(self.create(&place));
        }
        self.path(&place.path, &operations);
    }

    /// The paths below `watch/`, which upstream still serves.
    fn watches(&mut self, resource: &Resource<'_>) {
        if !resource.verbs.contains(&"watch") {
            return;
        }
        let (watch, kind) = (format!("{}/watch", self.base), resource.kind);
        let mut place = self.place(resource, None);
        let rest = place.path.strip_prefix(self.base).unwrap_or_default().to_owned();
        if resource.namespaced {
            let path = format!("{watch}/{}", resource.name);
            let operation =
                self.watch(&place, "watchlist", format!("{kind}ListForAllNamespaces"), Vec::new());
            self.path(&path, &[operation]);
        }
        let noun = format!("{}List", place.noun);
        let operation = self.watch(&place, "watchlist", noun, place.parameters.clone());
        self.path(&format!("{watch}{rest}"), &[operation]);
        place.parameters.push(Parameter::name(kind));
        let operation = self.watch(&place, "watch", place.noun.clone(), place.parameters.clone());
        self.path(&format!("{watch}{rest}/{{name}}"), &[operation]);
    }

    fn watch(
        &mut self,
        place: &Place<'_>,
        action: &'static str,
        noun: String,
        mut parameters: Vec<Parameter>,
    ) -> Operation {
        parameters.push(Parameter::pretty());
        parameters.extend(Parameter::options("ListOptions", &[]));
        let what = if action == "watch" { "one" } else { "all" };
        Operation {
            parameters,
            payload: Payload::Reference(self.definitions.meta("WatchEvent")),
            produces: Produces::Streams,
            id: format!("watch{}{noun}", self.title),
            description: format!(
                "watch {what} of kind {}; deprecated: list with 'watch' does the same",
                place.of.0
            ),
            ..self.operation(place, "get", "watch", action, None)
        }
    }

    /// What most operations on a place have.
    fn operation(
        &self,
        place: &Place<'_>,
        method: &'static str,
        verb: &str,
        action: &'static str,
        payload: Option<String>,
    ) -> Operation {
        let mut parameters = place.parameters.clone();
        parameters.push(Parameter::pretty());
        let (kind, sub) = place.of;
        let description = match (verb, sub) {
            ("create", "") => format!("create {} {kind}", article(kind)),
            ("create", sub) => format!("create {sub} of {} {kind}", article(kind)),
            ("read", "") => format!("read the specified {kind}"),
            ("read", sub) => format!("read {sub} of the specified {kind}"),
            ("replace", "") => format!("replace the specified {kind}"),
            ("replace", sub) => format!("replace {sub} of the specified {kind}"),
            ("patch", "") => format!("partially update the specified {kind}"),
            ("patch", sub) => format!("partially update {sub} of the specified {kind}"),
            ("delete", "") => format!("delete {} {kind}", article(kind)),
            ("delete", sub) => format!("delete {sub} of {} {kind}", article(kind)),
            ("deletecollection", _) => format!("delete collection of {kind}"),
            _ => format!("list or watch objects of kind {kind}"),
        };
        Operation {
            method,
            id: format!("{verb}{}{}", self.title, place.noun),
            description,
            parameters,
            body: None,
            codes: &[OK],
            payload: payload.map_or(Payload::Text, Payload::Reference),
            produces: Produces::Objects,
            action,
            kind: (place.kind.0.into(), place.kind.1.into(), place.kind.2.into()),
        }
    }

    fn reference(&mut self, place: &Place<'_>, list: bool) -> Option<String> {
        let (group, version, kind) = place.kind;
        self.definitions.kind(group, version, kind, list)
    }

    fn list(&mut self, place: &Place<'_>, suffix: &str) -> Option<Operation> {
        let payload = self.reference(place, true)?;
        let mut operation = self.operation(place, "get", "list", "list", Some(payload));
        operation.id.push_str(suffix);
        operation.parameters.extend(Parameter::options("ListOptions", &[]));
        operation.produces = Produces::Streams;
        Some(operation)
    }

    fn create(&mut self, place: &Place<'_>) -> Option<Operation> {
        let reference = self.reference(place, false)?;
        let body = Body { reference: reference.clone(), media_types: &["*/*"], required: true };
        let mut operation = self.operation(place, "post", "create", "post", Some(reference));
        operation.parameters.extend(Parameter::options("CreateOptions", &[]));
        Some(Operation { body: Some(body), codes: &[OK, CREATED, ACCEPTED], ..operation })
    }

    fn delete(&mut self, place: &Place<'_>, collection: bool, returned: bool) -> Option<Operation> {
        let status = self.definitions.meta("Status");
        let payload = if returned && !collection { self.reference(place, false)? } else { status };
        let (verb, action, codes): (_, _, &[_]) = if collection {
            ("deletecollection", "deletecollection", &[OK])
        } else {
            ("delete", "delete", &[OK, ACCEPTED])
        };
        let mut operation = self.operation(place, "delete", verb, action, Some(payload));
        operation.parameters.extend(Parameter::options("DeleteOptions", &[]));
        if collection {
            operation.id = format!("delete{}Collection{}", self.title, place.noun);
            let listed = Parameter::options("ListOptions", &["watch", "allowWatchBookmarks"]);
            operation.parameters.extend(listed);
        }
        let reference = self.definitions.meta("DeleteOptions");
        let body = Body { reference, media_types: &["*/*"], required: false };
        Some(Operation { body: Some(body), codes, ..operation })
    }

    /// GET, PUT, PATCH and DELETE of one object, or of a part of it.
    fn item(&mut self, place: &Place<'_>, verbs: &[&str], returned: bool) -> Vec<Operation> {
        let mut operations = Vec::new();
        let Some(reference) = self.reference(place, false) else { return operations };
        let has = |verb: &str| verbs.contains(&verb);
        if has("delete") {
            operations.extend(self.delete(place, false, returned));
        }
        if has("get") {
            let mut operation = self.operation(place, "get", "read", "get", Some(reference.clone()));
            if place.of == ("Pod", "log") {
                operation.parameters.extend(Parameter::options("PodLogOptions", &[]));
                operation.payload = Payload::Text;
                operation.produces = Produces::Logs;
            }
            operations.push(operation);
        }
        if has("patch") {
            let patch = self.definitions.meta("Patch");
            let mut operation = self.operation(place, "patch", "patch", "patch", Some(reference.clone()));
            operation.parameters.extend(Parameter::options("PatchOptions", &[]));
            operation.body = Some(Body { reference: patch, media_types: PATCHES, required: true });
            operation.codes = &[OK, CREATED];
            operations.push(operation);
        }
        if has("update") {
            let mut operation = self.operation(place, "put", "replace", "put", Some(reference.clone()));
            operation.parameters.extend(Parameter::options("UpdateOptions", &[]));
            operation.body = Some(Body { reference, media_types: &["*/*"], required: true });
            operation.codes = &[OK, CREATED];
            operations.push(operation);
        }
        operations
    }

    /// Streams and proxies: the kind is the struct that stands in the query.
    fn connect(&mut self, place: &Place<'_>, proxy: bool, suffix: &str) -> Vec<Operation> {
        let methods: &[&'static str] = if proxy {
            &["delete", "get", "head", "options", "patch", "post", "put"]
        } else {
            &["get", "post"]
        };
        let (kind, sub) = place.of;
        let mut parameters = place.parameters.clone();
        parameters.extend(Parameter::options(place.kind.2, &[]));
        let operation = |method: &'static str| Operation {
            id: format!("connect{}{}{}{suffix}", self.title, capital(method), place.noun),
            description: format!("connect {} requests to {sub} of {kind}", method.to_uppercase()),
            parameters: parameters.clone(),
            produces: Produces::Anything,
            ..self.operation(place, method, "connect", "connect", None)
        };
        methods.iter().map(|method| operation(method)).collect()
    }
}
