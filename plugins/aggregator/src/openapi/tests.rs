use super::*;
use chainplate_sdk::{GroupVersion, apimachinery::request::RequestInfo, native};

const DOCUMENT: &str = r##"{"info": {"version": "1"}, "paths": {"/p": {"get": {"operationId": "p"}}}, "components": {"schemas": {"com.example.v1.Thing": {"type": "object", "default": {}}}}}"##;

fn published() -> OpenApi {
    native::reset();
    let item = |group: &str, publisher: &str| GroupVersion {
        group: group.into(),
        version: "v1".into(),
        publisher: publisher.into(),
        openapi_v3: Some(DOCUMENT.into()),
        openapi_v3_hash: "ABC".into(),
        ..GroupVersion::default()
    };
    let all = [item("", "core"), item("apps", "core"), item(CUSTOM, "crds"), item("example.com", "crds")];
    publication::publish(&all).unwrap();
    OpenApi::default()
}

fn ask(
    openapi: &mut OpenApi,
    path: &str,
    query: &str,
    headers: &[(&str, &str)],
) -> (u16, String, Vec<u8>, String) {
    let info = RequestInfo::parse("GET", path, query).unwrap();
    let request = headers
        .iter()
        .fold(Request::new(info, query), |request, (name, value)| request.with_header(name, value));
    let Outcome::Respond(response) = openapi.answer(&request).unwrap() else { panic!("delegated") };
    let header = |wanted: &str| {
        let found = response.headers().iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let native::Plan::Bytes(code, media_type, body) = response.plan() else { panic!("no bytes") };
    let told = header(if *code == 301 { "location" } else { "etag" });
    (*code, media_type.clone(), body.clone(), told)
}

#[test]
fn the_index_has_versions_groups_and_what_is_around_them() {
    let (code, media_type, body, _) = ask(&mut published(), "/openapi/v3", "", &[]);
    assert_eq!((code, media_type.as_str()), (200, "text/plain; charset=utf-8"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    let paths: Vec<&String> = body["paths"].as_object().unwrap().keys().collect();
    let wanted = [
        "api",
        "api/v1",
        "apis",
        "apis/apiextensions.k8s.io",
        "apis/apiextensions.k8s.io/v1",
        "apis/apps",
        "apis/apps/v1",
        "apis/example.com/v1",
        "version",
    ];
    assert_eq!(paths, wanted);
    assert_eq!(body["paths"]["apis/apps/v1"]["serverRelativeURL"], "/openapi/v3/apis/apps/v1?hash=ABC");
}

#[test]
fn documents_are_found_by_path_and_hash() {
    let mut openapi = published();
    let (code, _, body, etag) = ask(&mut openapi, "/openapi/v3/apis/apps/v1", "hash=ABC", &[]);
    assert_eq!((code, body.as_slice(), etag.as_str()), (200, DOCUMENT.as_bytes(), "\"ABC\""));
    let (code, _, _, location) = ask(&mut openapi, "/openapi/v3/apis/apps/v1", "hash=OLD", &[]);
    assert_eq!((code, location.as_str()), (301, "/openapi/v3/apis/apps/v1?hash=ABC"));
    let unchanged = [("if-none-match", "\"ABC\"")];
    assert_eq!(ask(&mut openapi, "/openapi/v3/apis/apps/v1", "", &unchanged).0, 304);
    assert_eq!(ask(&mut openapi, "/openapi/v3/version", "", &[]).0, 200);
    let (code, media_type, body, _) = ask(&mut openapi, "/openapi/v3/apis/nothing/v1", "", &[]);
    assert_eq!((code, media_type.as_str(), body.len()), (404, "", 0));
    assert_eq!(ask(&mut openapi, "/openapi/v3/version", "", &[("accept", "text/html")]).0, 406);
}

#[test]
fn version_2_is_made_of_all_documents_in_json_or_protobuf() {
    let mut openapi = published();
    let (code, media_type, body, etag) = ask(&mut openapi, "/openapi/v2", "", &[]);
    assert_eq!((code, media_type.as_str()), (200, JSON));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["swagger"], &body["info"]["version"]), (&json!("2.0"), &json!(documents::RELEASE)));
    assert_eq!(body["definitions"]["com.example.v1.Thing"], json!({"type": "object"}));
    assert_eq!(body["paths"]["/p"]["get"]["operationId"], "p");
    assert_eq!(ask(&mut openapi, "/openapi/v2", "", &[("if-none-match", &etag)]).0, 304);
    for asked in ASKED_PROTOBUF {
        let accept = format!("text/html,application/{asked}");
        let (code, media_type, body, other) = ask(&mut openapi, "/openapi/v2", "", &[("accept", &accept)]);
        assert_eq!((code, media_type.as_str()), (200, PROTOBUF));
        assert!(body.starts_with(b"\x0a\x032.0") && other != etag);
    }
    assert_eq!(ask(&mut openapi, "/openapi/v2", "", &[("accept", "text/html")]).0, 406);
}
