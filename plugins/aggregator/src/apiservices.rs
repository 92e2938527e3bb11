//! APIService objects (`kube-aggregator/pkg/apis/apiregistration`), and those of local group-versions, which the server
//! keeps itself (`kube-aggregator/pkg/controllers/autoregister`).

use chainplate_apimachinery::{
    Status, Value,
    field::{self, Path},
    generate_name,
    managed_fields::{self, Set},
    names, object, table, time,
};
use chainplate_sdk::{
    Collection, Column, GroupVersion,
    registry::{Context, Descriptor, Malformed, Manager, Strategy, Subresource, fields},
};
use chainplate_types::TypeRef;
use serde_json::json;

pub(crate) const GROUP: &str = "apiregistration.k8s.io";
pub(crate) const VERSION: &str = "v1";
pub(crate) const RESOURCE: &str = "apiservices";
const KIND: &str = "APIService";
const STORAGE_PREFIX: &str = "apiregistration.k8s.io/apiservices";
/// Above every other group, as upstream's `/apis` has it.
pub(crate) const GROUP_PRIORITY_MINIMUM: i32 = 20_000;
pub(crate) const VERSION_PRIORITY: i32 = 18;

/// Marks the objects that the server keeps itself.
const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// The transform that makes rows.
pub(crate) const ROWS: &str = "apiservices/rows";

/// The group's `APIVersionDiscovery`.
pub(crate) fn discovery() -> Value {
    let kind = json!({ "group": "", "version": "", "kind": KIND });
    json!({
        "version": VERSION,
        "freshness": "Current",
        "resources": [{
            "resource": RESOURCE,
            "responseKind": kind,
            "scope": "Cluster",
            "singularResource": "apiservice",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "categories": ["api-extensions"],
            "storageVersionHash": "InPBPD7+PqM=",
            "subresources": [{ "subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"] }],
        }],
    })
}

/// Opens the collection with its columns.
pub(crate) fn open() -> Result<Collection, Status> {
    let collection = Collection::open(GROUP, VERSION, RESOURCE, KIND, false, STORAGE_PREFIX)?;
    let of_metadata = |member: &str| {
        let metadata = chainplate_types::named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
        metadata.and_then(|shape| shape.member(member)).map_or("", |field| field.description()).to_owned()
    };
    let column = |name: &str, format: &str, description: String| Column {
        name: name.into(),
        type_: "string".into(),
        format: format.into(),
        description,
        priority: 0,
    };
    let columns = [
        column("Name", "name", of_metadata("name")),
        column("Service", "", "The reference to the service that hosts this API endpoint.".into()),
        column("Available", "", "Whether this service is available.".into()),
        column("Age", "", of_metadata("creationTimestamp")),
    ];
    collection.set_table(&columns, ROWS, &[]);
    Ok(collection)
}

/// The cells of one object.
pub(crate) fn row(bytes: &[u8]) -> Vec<u8> {
    let object: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let service = match object.pointer("/spec/service") {
        Some(Value::Object(_)) => {
            format!("{}/{}", text("/spec/service/namespace"), text("/spec/service/name"))
        }
        _ => "Local".to_owned(),
    };
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let available = conditions.into_iter().flatten().find(|it| it.get("type") == Some(&"Available".into()));
    let available = match available {
        None => "Unknown".to_owned(),
        Some(condition) => {
            let of = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
            if of("status") == "True" {
                "True".to_owned()
            } else {
                format!("{} ({})", of("status"), of("reason"))
            }
        }
    };
    let created = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    json!([object::name(&object), service, available, table::age(created, time::now())])
        .to_string()
        .into_bytes()
}

/// How APIServices differ from other objects.
#[derive(Debug)]
pub(crate) struct ApiServices {
    descriptor: Descriptor,
    shape: Option<TypeRef>,
}

impl ApiServices {
    pub(crate) fn new() -> Self {
        let mut descriptor = Descriptor::new(GROUP, VERSION, RESOURCE, KIND, false);
        descriptor.subresources = vec![Subresource::STATUS].into();
        descriptor.name_rule = names::path_segment;
        descriptor.strategic_merge = true;
        Self { descriptor, shape: chainplate_types::lookup(GROUP, VERSION, KIND) }
    }
}

impl Strategy for ApiServices {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn decode(&self, document: &mut Value, strict: Option<&mut Vec<String>>) -> Result<(), String> {
        let shape = self.shape.ok_or("APIService is missing from the table of types")?;
        let unknown = chainplate_types::decode(shape, document)?;
        if let Some(strict) = strict {
            strict.extend(unknown);
        }
        Ok(())
    }

    fn decode_protobuf(&self, body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
        chainplate_types::protobuf::decode(body, default)
    }

    fn default(&self, object: &mut Value) {
        let service = object.pointer_mut("/spec/service").and_then(Value::as_object_mut);
        if let Some(service) = service.filter(|service| !service.contains_key("port")) {
            service.insert("port".into(), 443.into());
        }
        if let Some(shape) = self.shape {
            chainplate_types::complete(shape, object);
        }
    }

    fn validate(&self, context: &Context<'_>, object: &Value) -> Vec<field::Error> {
        if context.subresource == "status" { validate_status(object) } else { validate(object) }
    }

    fn prepare_for_create(&self, _context: &Context<'_>, object: &mut Value) {
        let local = object.pointer("/spec/service").is_none_or(Value::is_null);
        if local && let Some(map) = object.as_object_mut() {
            map.insert("status".into(), json!({ "conditions": [available(&time::format(time::now()))] }));
        }
    }

    fn prepare_for_update(&self, context: &Context<'_>, object: &mut Value, old: &Value) {
        if context.subresource != "status" {
            return;
        }
        let Some(metadata) = object::metadata_mut(object) else { return };
        for member in ["labels", "annotations", "finalizers", "ownerReferences"] {
            match old.pointer(&format!("/metadata/{member}")) {
                Some(value) => metadata.insert(member.into(), value.clone()),
                None => metadata.remove(member),
            };
        }
    }

    fn track(&self, manager: &Manager<'_>, old: Option<&Value>, object: &mut Value) {
        self.managed(manager.subresource, |context| fields::track(context, manager, old, object));
    }

    fn apply(
        &self,
        manager: &Manager<'_>,
        force: bool,
        current: Option<&Value>,
        patch: Value,
    ) -> Result<Value, Status> {
        let what = format!("{GROUP}/{VERSION}, Kind={KIND}");
        self.managed(manager.subresource, |context| {
            fields::apply(context, &what, manager, force, current, &patch)
        })
        .ok_or_else(Status::unknown_resource)?
    }

    fn strategic_merge(&self, object: &mut Value, patch: Value) -> Result<(), Status> {
        let shape = self.shape.ok_or_else(Status::unknown_resource)?;
        fields::strategic_merge(shape, object, patch)
    }
}

impl ApiServices {
    /// Runs `then` with what managed fields must know of APIServices.
    fn managed<T>(
        &self,
        subresource: &str,
        then: impl FnOnce(&managed_fields::Context<'_, TypeRef>) -> T,
    ) -> Option<T> {
        let shape = self.shape?;
        let mut reset = Set::new();
        reset.insert(&[if subresource.is_empty() { "f:status" } else { "f:spec" }]);
        let convert = managed_fields::one_version;
        let empty = chainplate_types::empty(shape);
        let context = managed_fields::Context { shape, empty: &empty, reset: &reset, convert: &convert };
        Some(then(&context))
    }
}

/// Local APIServices are always available.
fn available(now: &str) -> Value {
    json!({
        "type": "Available",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "Local",
        "message": "Local APIServices are always available",
    })
}

fn validate(object: &Value) -> Vec<field::Error> {
    let mut errors = Vec::new();
    let spec = Path::Root.child("spec");
    let text = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| object.pointer(key).and_then(Value::as_i64).unwrap_or_default();
    let (group, version) = (text("/spec/group"), text("/spec/version"));
    let wanted = format!("{version}.{group}");
    if object::name(object) != wanted {
        let metadata = Path::Root.child("metadata");
        let detail = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.push(field::Error::invalid(&metadata.child("name"), object::name(object), detail));
    }
    if group.is_empty() && version != "v1" {
        let detail = "only v1 may have an empty group and it better be legacy kube";
        errors.push(field::Error::required(&spec.child("group"), detail));
    }
    if !group.is_empty() {
        for why in names::dns1123_subdomain(group) {
            errors.push(field::Error::invalid(&spec.child("group"), group, why));
        }
    }
    for why in names::dns1035_label(version) {
        errors.push(field::Error::invalid(&spec.child("version"), version, why));
    }
    for (name, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let value = number(&format!("/spec/{name}"));
        if !(1..=most).contains(&value) {
            let detail = format!("must be positive and less than {most}");
            errors.push(field::Error::invalid(&spec.child(name), value, detail));
        }
    }
    let insecure = object.pointer("/spec/insecureSkipTLSVerify") == Some(&Value::Bool(true));
    let bundle = text("/spec/caBundle");
    if object.pointer("/spec/service").is_none_or(Value::is_null) {
        if !bundle.is_empty() {
            let bytes = format!("{} bytes", bundle.len() / 4 * 3);
            let detail = "local APIServices may not have a caBundle";
            errors.push(field::Error::invalid(&spec.child("caBundle"), bytes, detail));
        }
        if insecure {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(field::Error::invalid(&spec.child("insecureSkipTLSVerify"), true, detail));
        }
        return errors;
    }
    let service = spec.child("service");
    for name in ["namespace", "name"] {
        if text(&format!("/spec/service/{name}")).is_empty() {
            errors.push(field::Error::required(&service.child(name), ""));
        }
    }
    let port = number("/spec/service/port");
    if !(1..=65_535).contains(&port) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.push(field::Error::invalid(&service.child("port"), port, detail));
    }
    if insecure && !bundle.is_empty() {
        let detail = "may not be true if caBundle is present";
        errors.push(field::Error::invalid(&spec.child("insecureSkipTLSVerify"), true, detail));
    }
    errors
}

fn validate_status(object: &Value) -> Vec<field::Error> {
    let mut errors = Vec::new();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let (status, values) = (Path::Root.child("status"), ["True", "False", "Unknown"]);
    let list = status.child("conditions");
    for (index, condition) in conditions.into_iter().flatten().enumerate() {
        let value = condition.get("status").and_then(Value::as_str).unwrap_or_default();
        if !values.contains(&value) {
            errors.push(field::Error::not_supported(&list.index(index).child("status"), value, &values));
        }
    }
    errors
}

/// Makes the APIService of each published group-version that has none, and removes the automanaged ones of group-versions
/// that are published no more.
pub(crate) fn register(
    strategy: &ApiServices,
    collection: &Collection,
    published: &[GroupVersion],
) -> Result<(), Status> {
    let name_of = |item: &GroupVersion| format!("{}.{}", item.version, item.group);
    for item in published.iter().filter(|item| item.group != GROUP || item.version != VERSION) {
        let name = name_of(item);
        if collection.get(None, &name).is_none() {
            let object = local(strategy, item, &name);
            match collection.create(None, &name, &object::encode(&object)) {
                Err(status) if status.reason() != "AlreadyExists" => return Err(status),
                _ => {}
            }
        }
    }
    let mut after = None;
    loop {
        let page = collection.page(None, AUTOMANAGED, "", 500, after.as_deref())?;
        for item in page.items {
            let object: Value = serde_json::from_slice(&item.value()).map_err(Status::internal)?;
            let name = object::name(&object);
            if !published.iter().any(|item| name_of(item) == name) {
                match collection.delete(None, name, item.revision()) {
                    // Somebody changed or removed it meanwhile: the next run sees.
                    Err(status) if !matches!(status.reason(), "Conflict" | "NotFound") => return Err(status),
                    _ => {}
                }
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// How long the APIService of a group-version is looked after: that of a custom resource always, of others from the start
/// (`pkg/controlplane/controller/crdregistration`, `kube-aggregator/pkg/controllers/autoregister`).
fn managed(item: &GroupVersion) -> &'static str {
    let is_custom = item.publisher.starts_with("apiextensions") && item.group != "apiextensions.k8s.io";
    if is_custom { "true" } else { "onstart" }
}

fn local(strategy: &ApiServices, item: &GroupVersion, name: &str) -> Value {
    let now = time::format(time::now());
    let mut spec = json!({
        "version": item.version,
        "groupPriorityMinimum": item.group_priority_minimum,
        "versionPriority": item.version_priority,
    });
    if !item.group.is_empty() {
        spec["group"] = item.group.as_str().into();
    }
    let mut object = json!({
        "kind": KIND,
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": { "name": name, "labels": { AUTOMANAGED: managed(item) } },
        "spec": spec,
        "status": { "conditions": [available(&now)] },
    });
    let manager =
        Manager { name: "chainplate", api_version: "apiregistration.k8s.io/v1", subresource: "", time: &now };
    strategy.track(&manager, None, &mut object);
    if let Some(metadata) = object::metadata_mut(&mut object) {
        metadata.insert("uid".into(), generate_name::uid().into());
        metadata.insert("creationTimestamp".into(), now.into());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(group: &str, version: &str, spec: Value) -> Value {
        let mut object = json!({
            "kind": KIND, "apiVersion": "apiregistration.k8s.io/v1",
            "metadata": { "name": format!("{version}.{group}") },
            "spec": { "group": group, "version": version, "groupPriorityMinimum": 1, "versionPriority": 1 },
        });
        object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        object
    }

    #[test]
    fn priorities_and_the_service_are_validated() {
        let remote =
            json!({ "service": { "namespace": "", "name": "", "port": 443 }, "groupPriorityMinimum": 0 });
        let texts: Vec<String> =
            validate(&service("g.example.com", "v1", remote)).iter().map(|e| e.to_string()).collect();
        assert_eq!(
            texts,
            [
                "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
                "spec.service.namespace: Required value",
                "spec.service.name: Required value",
            ]
        );
        let local = json!({ "insecureSkipTLSVerify": true });
        assert_eq!(validate(&service("g.example.com", "v1", local)).len(), 1);
    }

    #[test]
    fn local_services_follow_what_is_published() {
        chainplate_sdk::native::reset();
        let (strategy, collection) = (ApiServices::new(), open().unwrap());
        let item = |group: &str| GroupVersion {
            group: group.into(),
            version: "v1".into(),
            group_priority_minimum: 1000,
            version_priority: 100,
            ..GroupVersion::default()
        };
        assert_eq!(managed(&item("")), "onstart");
        let by = |group| GroupVersion { publisher: "apiextensions".into(), ..item(group) };
        assert_eq!(
            (managed(&by("a.example.com")), managed(&by("apiextensions.k8s.io"))),
            ("true", "onstart")
        );
        register(&strategy, &collection, &[item(""), item("a.example.com")]).unwrap();
        assert!(collection.get(None, "v1.").is_some());
        let created = collection.get(None, "v1.a.example.com").unwrap().revision();
        register(&strategy, &collection, &[item(""), item("a.example.com")]).unwrap();
        assert_eq!(collection.get(None, "v1.a.example.com").unwrap().revision(), created);
    }

    #[test]
    fn a_row_tells_whose_the_service_is_and_whether_it_is_available() {
        let mut object = service("g.example.com", "v1", json!({}));
        assert!(
            String::from_utf8(row(object.to_string().as_bytes())).unwrap().contains("\"Local\",\"Unknown\"")
        );
        object["status"] =
            json!({ "conditions": [{ "type": "Available", "status": "False", "reason": "Gone" }] });
        object["spec"]["service"] = json!({ "namespace": "n", "name": "s" });
        assert!(
            String::from_utf8(row(object.to_string().as_bytes()))
                .unwrap()
                .contains("\"n/s\",\"False (Gone)\"")
        );
    }
}
