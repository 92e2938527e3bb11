use super::*;
use std::io::Read as _;

fn status(accept: &str, user_agent: &str) -> (Response<Body>, Status) {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_str(user_agent).expect("a header"));
    if !accept.is_empty() {
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("a header"));
    }
    let status = Status::not_found("", "configmaps", "absent").with_retry_after(3);
    (status_response(&status, &headers), status)
}

async fn body(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.expect("a body").to_bytes().to_vec())
        .expect("text")
}

#[tokio::test]
async fn a_status_is_told_in_what_the_client_reads() {
    let plain = Status::not_found("", "configmaps", "absent");
    // The lengths that the reference answers with.
    assert_eq!(body(status_response_for(&plain, &HeaderMap::new(), "")).await.len(), 192);
    assert_eq!(body(status_response_for(&plain, &HeaderMap::new(), "pretty=true")).await.len(), 239);
    let (response, _) = status("", "curl/8.0");
    assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    assert!(body(response).await.contains("\n  \"code\": 404"));
    let (response, _) = status("application/yaml", "");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/yaml");
    assert!(body(response).await.starts_with("apiVersion: v1\ncode: 404\n"));
    // Nothing that is accepted: laid out JSON.
    let (response, _) = status(TABLE, "");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert!(body(response).await.starts_with("{\n  \"apiVersion\": \"v1\","));
}

#[tokio::test]
async fn one_object_is_read_in_every_form() {
    let host = Host::new().await;
    let revision = host.create("a", &json!({"x": "y"})).await.to_string();
    let (code, text) = host.text(get(things(), "a"), "", "").await;
    assert_eq!(code, 200);
    assert!(
        text.starts_with(r#"{"kind":"Thing","apiVersion":"example.com/v1","metadata":{"resourceVersion":""#)
    );
    assert!(text.ends_with("}\n"));
    let (_, metadata) = host.json(get(things(), "a"), "", METADATA).await;
    assert_eq!(metadata["kind"], "PartialObjectMetadata");
    assert_eq!(metadata["metadata"]["name"], "a");
    assert_eq!(metadata.get("spec"), None);
    let (_, table) = host.json(get(things(), "a"), "", TABLE).await;
    assert_eq!(table["metadata"], json!({"resourceVersion": revision}));
    assert_eq!(table["columnDefinitions"][1]["name"], "Created At");
    assert_eq!(table["rows"][0]["cells"], json!(["a", "2026-01-02T03:04:05Z"]));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let (_, table) = host.json(get(things(), "a"), "includeObject=Object", TABLE).await;
    assert_eq!(table["rows"][0]["object"]["spec"]["size"], 1);
    let (_, table) = host.json(get(things(), "a"), "includeObject=None", TABLE).await;
    assert_eq!(table["rows"][0]["object"], Value::Null);
    let with_rows = Collection { rows: transform("rows", ""), ..things() };
    let (_, table) = host.json(get(with_rows, "a"), "", TABLE).await;
    assert_eq!(table["columnDefinitions"].as_array().map(Vec::len), Some(1));
    assert_eq!(table["rows"][0]["cells"], json!(["a"]));
    assert_eq!(table["rows"][0]["conditions"], json!([]));
    let (_, yaml) = host.text(get(things(), "a"), "", "application/yaml").await;
    assert!(yaml.starts_with("apiVersion: example.com/v1\nkind: Thing\nmetadata:\n"), "{yaml}");
    let (_, pretty) = host.text(get(things(), "a"), "pretty=1", "").await;
    assert!(pretty.starts_with("{\n  \"kind\": \"Thing\",\n"));
}

#[tokio::test]
async fn an_object_that_was_stored_under_another_version_gets_another_head() {
    let host = Host::new().await;
    host.create("a", &json!({})).await;
    let other = || Collection { version: "v2".into(), ..things() };
    let (_, value) = host.json(get(other(), "a"), "", "").await;
    assert_eq!(value["apiVersion"], "example.com/v2");
    let converted = Collection { conversion: transform("served", "example.com/v2"), ..other() };
    let (_, value) = host.json(get(converted, "a"), "", "").await;
    assert_eq!((&value["apiVersion"], &value["content"]["size"]), (&json!("example.com/v2"), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_say_why() {
    let host = Host::new().await;
    let revision = host.create("a", &json!({})).await;
    let message = async |plan: Plan, query: &str, accept: &str| {
        let (code, value) = host.json(plan, query, accept).await;
        (code, value["message"].as_str().unwrap_or_default().to_owned(), value["reason"].clone())
    };
    let (code, text, _) = message(get(things(), "b"), "", "").await;
    assert_eq!((code, text.as_str()), (404, "things.example.com \"b\" not found"));
    let (code, text, reason) = message(get(things(), "a"), "resourceVersion=abc", "").await;
    assert_eq!(
        (code, text.as_str()),
        (500, "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax")
    );
    assert_eq!(reason, Value::Null);
    let (code, value) = host.json(get(things(), "a"), "resourceVersion=900", "").await;
    assert_eq!(
        (code, &value["message"]),
        (504, &json!(format!("Timeout: Too large resource version: 900, current: {revision}")))
    );
    assert_eq!(value["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(value["details"]["retryAfterSeconds"], 1);
    let (code, ..) = message(list(things()), "resourceVersion=900", "").await;
    assert_eq!(code, 504);
    let (code, text, _) = message(get(things(), "a"), "", &format!("{METADATA_LIST},application/json")).await;
    assert_eq!(
        (code, text.as_str()),
        (
            406,
            "you requested PartialObjectMetadataList, but the requested object is not a list (*example.Thing)"
        )
    );
    let (code, text, _) = message(list(things()), "", METADATA).await;
    assert_eq!(
        (code, text.as_str()),
        (406, "you requested PartialObjectMetadata, but the requested object is a list (*example.ThingList)")
    );
    let (code, text, _) = message(get(things(), "a"), "includeObject=Some", TABLE).await;
    assert_eq!(code, 400);
    assert!(
        text.ends_with("Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty"),
        "{text}"
    );
    let (code, text, _) = message(get(things(), "a"), "", "application/*").await;
    assert_eq!(code, 406);
    assert!(text.starts_with("406: Not Acceptable\n\n"));
    let custom = Collection { items_with_type_meta: true, ..things() };
    let (code, ..) = message(get(custom, "a"), "", "application/*").await;
    assert_eq!(code, 200);
    let broken = Collection { conversion: transform("none", ""), ..things() };
    let (code, text, _) = message(list(broken), "", "").await;
    assert_eq!((code, text.as_str()), (500, "Internal error occurred: no such transform"));
}

#[tokio::test]
async fn field_labels_are_checked() {
    let host = Host::new().await;
    let fault = async |collection: Collection, query: &str| {
        let (code, value) = host.json(list(collection), query, "").await;
        assert_eq!(code, 400);
        value["message"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(fault(things(), "fieldSelector=spec.x%3D1").await, "field label not supported: spec.x");
    let bare = Collection { field_labels: Vec::new(), ..things() };
    assert_eq!(
        fault(bare, "fieldSelector=spec.x%3D1").await,
        "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    );
}

#[tokio::test]
async fn lists_look_like_their_type() {
    let host = Host::new().await;
    let custom = || Collection { items_with_type_meta: true, ..things() };
    let (_, text) = host.text(list(things()), "", "").await;
    assert_eq!(
        text,
        "{\"kind\":\"ThingList\",\"apiVersion\":\"example.com/v1\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}\n"
    );
    let (_, text) = host.text(list(custom()), "", "").await;
    assert_eq!(
        text,
        "{\"kind\":\"ThingList\",\"apiVersion\":\"example.com/v1\",\"metadata\":{\"resourceVersion\":\"1\",\"continue\":\"\"},\"items\":[]}\n"
    );
    let (_, text) = host.text(list(custom()), "", TABLE).await;
    assert!(text.ends_with("\"rows\":null}\n"));
    let with_rows = || Collection { rows: transform("rows", ""), ..things() };
    let (_, text) = host.text(list(with_rows()), "", TABLE).await;
    assert!(text.ends_with("\"rows\":[]}\n"), "{text}");
    let revision = host.create("a", &json!({})).await;
    host.create("b", &json!({})).await;
    let (_, value) = host.json(list(things()), "", "").await;
    assert_eq!(value["items"][0].get("kind"), None);
    assert_eq!(value["items"][0]["metadata"]["resourceVersion"], revision.to_string());
    let (_, value) = host.json(list(custom()), "", "").await;
    assert_eq!(value["items"][1]["kind"], "Thing");
    let (_, value) = host.json(list(custom()), "", METADATA_LIST).await;
    assert_eq!(value["kind"], "PartialObjectMetadataList");
    assert_eq!(value["items"][0]["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(value["metadata"].get("continue"), None);
    let (_, value) = host.json(list(with_rows()), "limit=1", TABLE).await;
    assert_eq!(value["rows"][0]["cells"], json!(["a"]));
    assert_eq!(value["metadata"]["remainingItemCount"], 1);
    let converted = Collection { conversion: transform("served", "example.com/v1"), ..things() };
    let (_, value) = host.json(list(converted), "", "").await;
    assert_eq!(names(&value), ["a", "b"]);
    assert_eq!(value["items"][1]["content"]["size"], 1);
    assert_eq!(value["items"][1].get("apiVersion"), None);
}

#[tokio::test]
async fn pages_are_one_snapshot() {
    let host = Host::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        host.create(name, &json!({})).await;
    }
    let (_, first) = host.json(list(things()), "limit=2", "").await;
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(3)));
    host.create("bb", &json!({})).await;
    host.delete("d").await;
    let next = |page: &Value| {
        format!("limit=2&continue={}", page["metadata"]["continue"].as_str().expect("a token"))
    };
    let (_, second) = host.json(list(things()), &next(&first), "").await;
    assert_eq!((names(&second), &second["metadata"]["remainingItemCount"]), (vec!["c", "d"], &json!(1)));
    let (_, third) = host.json(list(things()), &next(&second), "").await;
    assert_eq!((names(&third), third["metadata"].get("continue")), (vec!["e"], None));
    assert_eq!(first["metadata"]["resourceVersion"], third["metadata"]["resourceVersion"]);

    // All namespaces: tokens hold the namespace.
    host.create_in("ns-b", "z", &json!({})).await;
    let all = || Plan::List { collection: Arc::new(things()), namespace: None };
    let (_, page) = host.json(all(), "limit=1", "").await;
    assert_eq!(names(&page), ["z"]);
    let (_, page) = host.json(all(), &next(&page), "").await;
    assert_eq!(names(&page), ["a", "b"]);

    host.store.compact(host.store.revision()).await.expect("compacted");
    let (code, gone) = host.json(list(things()), &next(&first), "").await;
    assert_eq!((code, &gone["reason"]), (410, &json!("Expired")));
    let (code, rest) = host.json(list(things()), &next(&gone), "").await;
    assert_eq!((code, names(&rest)), (200, vec!["bb", "c"]));
    let revision = first["metadata"]["resourceVersion"].as_str().expect("a revision");
    let (code, gone) = host
        .json(list(things()), &format!("resourceVersion={revision}&resourceVersionMatch=Exact"), "")
        .await;
    assert_eq!(
        (code, &gone["message"]),
        (410, &json!("The resourceVersion for the provided list is too old."))
    );
}

#[tokio::test]
async fn selectors_narrow_lists_and_their_pages() {
    let host = Host::new().await;
    for (name, colour) in
        [("a", "red"), ("b", "blue"), ("c", "red"), ("d", "blue"), ("e", "red"), ("f", "red")]
    {
        host.create(name, &json!({"colour": colour})).await;
    }
    host.update("c", &json!({"colour": "red"}), 7).await;
    let (_, first) = host.json(list(things()), "limit=2&labelSelector=colour%3Dred", "").await;
    assert_eq!((names(&first), first["metadata"].get("remainingItemCount")), (vec!["a", "c"], None));
    let token = first["metadata"]["continue"].as_str().expect("a token");
    let query = format!("limit=2&labelSelector=colour%3Dred&continue={token}");
    let (_, second) = host.json(list(things()), &query, "").await;
    assert_eq!((names(&second), second["metadata"].get("continue")), (vec!["e", "f"], None));
    let (_, one) = host.json(list(things()), "limit=1&fieldSelector=metadata.name%3De", "").await;
    assert_eq!((names(&one), one["metadata"].get("continue")), (vec!["e"], None));
    for (selector, want) in [
        ("spec.size%3D7", vec!["c"]),
        ("spec.size!%3D1", vec!["c"]),
        ("spec.off%3Dno,metadata.name!%3Da,spec.size%3D1", vec!["b", "d", "e", "f"]),
        ("metadata.namespace%3Dother", vec![]),
        ("metadata.name%3Dc,spec.size%3D1", vec![]),
    ] {
        let (_, value) = host.json(list(things()), &format!("fieldSelector={selector}"), "").await;
        assert_eq!(names(&value), want, "{selector}");
    }
    // With a conversion, fields are those of the served object.
    let mut served = Collection { conversion: transform("served", "example.com/v1"), ..things() };
    served.field_labels[0].path = vec!["content".into(), "size".into()];
    let (_, value) = host.json(list(served), "limit=5&fieldSelector=spec.size%3D7", "").await;
    assert_eq!((names(&value), &value["items"][0]["content"]["size"]), (vec!["c"], &json!(7)));
}

#[tokio::test]
async fn a_long_list_is_streamed_and_compressed() {
    let host = Host::new().await;
    let padding = "x".repeat(60);
    for index in 0..1500 {
        host.create(&format!("n{index:04}"), &json!({"a": padding, "b": padding})).await;
    }
    let response = host.run(list(things()), "", "").await;
    assert_eq!(response.headers().get(header::CONTENT_LENGTH), None);
    let mut body = response.into_body();
    let mut text = Vec::new();
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        let data = frame.expect("a frame").into_data().expect("data");
        assert!(data.len() < 80 * 1024);
        frames += 1;
        text.extend_from_slice(&data);
    }
    assert!(frames > 3);
    let value: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(value["items"].as_array().map(Vec::len), Some(1500));

    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("deflate, gzip"));
    let response = host.run_with(list(things()), "", &headers).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let compressed = response.into_body().collect().await.expect("a body").to_bytes();
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut plain).expect("gzip");
    assert_eq!(plain, text);
    let response = host.run_with(list(things()), "limit=5", &headers).await;
    assert_eq!(response.headers().get(header::CONTENT_ENCODING), None);
}

#[tokio::test]
async fn metadata_and_status_have_protobuf() {
    const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
    let host = Host::new().await;
    host.create("a", &json!({})).await;
    for (plan, accept, code) in [
        (get(things(), "a"), METADATA, 200),
        (list(things()), METADATA_LIST, 200),
        (get(things(), "a"), "application/json", 406),
        (get(things(), "none"), METADATA, 404),
    ] {
        let accept = accept.replace("application/json", PROTOBUF);
        let response = host.run(plan, "", &accept).await;
        assert_eq!(response.status(), code, "{accept}");
        let raw = code == 404;
        let media_type = if raw { "application/json" } else { PROTOBUF };
        assert_eq!(response.headers()[header::CONTENT_TYPE], media_type, "{accept}");
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(bytes.starts_with(b"k8s\0"), !raw);
    }
    let json = Bytes::from_static(br#"{"kind":"Status","apiVersion":"v1","status":"Success"}"#);
    let response = host.run(Plan::Document { code: 200, json }, "", PROTOBUF).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], PROTOBUF);
}

#[tokio::test]
async fn built_in_types_have_protobuf() {
    const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
    let host = Host::new().await;
    for name in ["a", "b"] {
        host.create(name, &json!({"app": "x"})).await;
    }
    let pods = Collection {
        group: String::new(),
        kind: "Pod".into(),
        list_kind: "PodList".into(),
        items_with_type_meta: false,
        ..things()
    };
    for (plan, query, kind) in [
        (get(pods.clone(), "a"), "", "Pod"),
        (list(pods.clone()), "", "PodList"),
        (list(pods.clone()), "limit=1", "PodList"),
    ] {
        let response = host.run(plan, query, PROTOBUF).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROTOBUF);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let value = chainplate_types::protobuf::decode(&body, ("", "")).expect("a document");
        assert_eq!(value["kind"], kind);
        let first = if kind == "Pod" { &value } else { &value["items"][0] };
        assert_eq!(first["metadata"]["name"], "a");
        assert_eq!(first["metadata"]["labels"]["app"], "x");
    }
}

#[tokio::test]
async fn documents_have_tables_in_resources() {
    let host = Host::new().await;
    let scale = r#"{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"a","resourceVersion":"7"},"spec":{"replicas":3},"status":{"replicas":2}}"#;
    let (_, table) = host.json(Plan::Document { code: 200, json: scale.into() }, "", TABLE).await;
    assert_eq!(table["metadata"]["resourceVersion"], "7");
    assert_eq!(table["columnDefinitions"][1]["name"], "Desired");
    assert_eq!(table["rows"][0]["cells"], json!(["a", 3, 2, "<unknown>"]));
    let (_, yaml) = host.text(Plan::Document { code: 200, json: scale.into() }, "", "application/yaml").await;
    assert!(yaml.starts_with("apiVersion: autoscaling/v1\nkind: Scale\n"));
    let (_, status) =
        host.json(Plan::Document { code: 200, json: r#"{"kind":"Status"}"#.into() }, "", TABLE).await;
    assert_eq!(status, json!({"kind": "Status"}));
}

#[tokio::test]
async fn a_list_of_removed_objects_has_every_form() {
    let host = Host::new().await;
    let removed = |collection: Collection| {
        let item = json!({"kind": "Thing", "apiVersion": "example.com/v1", "metadata": {"name": "a"}, "spec": {"size": 1}});
        let list = json!({"kind": "ThingList", "apiVersion": "example.com/v1", "metadata": {"resourceVersion": "7"}, "items": [item]});
        Plan::Unsaved { code: 200, collection: Arc::new(collection), json: list.to_string().into() }
    };
    let (code, list) = host.json(removed(things()), "", "application/json").await;
    assert_eq!(
        (code, &list["kind"], &list["metadata"]["resourceVersion"]),
        (200, &json!("ThingList"), &json!("7"))
    );
    assert_eq!(list["items"], json!([{"metadata": {"name": "a"}, "spec": {"size": 1}}]));
    let custom = Collection { items_with_type_meta: true, ..things() };
    let (_, list) = host.json(removed(custom), "", "application/json").await;
    assert_eq!(list["items"][0]["kind"], "Thing");
    let collection = Collection { rows: transform("rows", ""), ..things() };
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let (_, table) = host.json(removed(collection), "includeObject=None", accept).await;
    assert_eq!((&table["kind"], &table["rows"][0]["cells"]), (&json!("Table"), &json!(["a"])));
    let accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let (_, list) = host.json(removed(things()), "", accept).await;
    assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
}
