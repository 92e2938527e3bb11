use super::*;
use chainplate_apimachinery::Value;

fn parsed(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}

fn leases() -> Value {
    let resource = Resource {
        name: "leases",
        kind: "Lease",
        namespaced: true,
        verbs: &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        returns_deleted: false,
    };
    let resources = [(resource, Vec::new())];
    parsed(&v3(&GroupVersion { group: "coordination.k8s.io", version: "v1", resources: &resources }))
}

#[test]
fn schemas_tell_type_default_and_how_to_merge() {
    let document = leases();
    let meta = &document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"];
    let finalizers = &meta["properties"]["finalizers"];
    assert_eq!(finalizers["items"]["type"], "string");
    assert_eq!(finalizers["x-kubernetes-list-type"], "set");
    assert_eq!(finalizers["x-kubernetes-patch-strategy"], "merge");
    let owner = &document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference"];
    assert_eq!(owner["properties"]["name"]["default"], "");
    assert_eq!(owner["x-kubernetes-map-type"], "atomic");
}

#[test]
fn options_are_of_the_group_version_too() {
    let document = leases();
    let options = &document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"];
    let kinds = options["x-kubernetes-group-version-kind"].as_array().unwrap();
    assert_eq!(kinds.len(), 2);
    assert_eq!(kinds[1]["group"], "coordination.k8s.io");
}

#[test]
fn parameters_that_all_operations_share_are_said_once() {
    let document = leases();
    let path = &document["paths"]["/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"];
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&path["parameters"]), ["namespace", "pretty"]);
    assert_eq!(names(&path["post"]["parameters"]), ["dryRun", "fieldManager", "fieldValidation"]);
    assert_eq!(path["post"]["operationId"], "createCoordinationV1NamespacedLease");
}

#[test]
fn small_documents_parse() {
    for document in [group(""), group("apps"), groups(), version()] {
        let document = parsed(&document);
        assert_eq!(document["openapi"], "3.0.0");
        assert_eq!(document["paths"].as_object().unwrap().len(), 1);
    }
}
