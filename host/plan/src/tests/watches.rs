use super::*;

struct Events {
    body: Body,
    pending: Vec<u8>,
}

impl Events {
    async fn open(host: &Host, plan: Plan, query: &str, accept: &str) -> Self {
        let response = host.run(plan, &format!("watch=1&{query}"), accept).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        Self { body: response.into_body(), pending: Vec::new() }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("an event"));
            }
            self.pending
                .extend_from_slice(&self.body.frame().await?.expect("a frame").into_data().expect("data"));
        }
    }

    /// The type, the name and the revision of the next event.
    async fn brief(&mut self) -> (String, String, Revision) {
        let event = self.next().await.expect("an event");
        let metadata = &event["object"]["metadata"];
        (
            event["type"].as_str().expect("a type").to_owned(),
            metadata["name"].as_str().unwrap_or_default().to_owned(),
            metadata["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default(),
        )
    }
}

fn brief(kind: &str, name: &str, revision: Revision) -> (String, String, Revision) {
    (kind.into(), name.into(), revision)
}

#[tokio::test]
async fn a_watch_from_the_present_tells_what_is_there_and_what_comes() {
    let host = Host::new().await;
    let a = host.create("a", &json!({})).await;
    host.create_in("other", "x", &json!({})).await;
    let b = host.create("b", &json!({})).await;
    for query in ["", "resourceVersion=0"] {
        let mut events = Events::open(&host, list(things()), query, "").await;
        assert_eq!(events.brief().await, brief("ADDED", "a", a));
        assert_eq!(events.brief().await, brief("ADDED", "b", b));
    }
    let mut events = Events::open(&host, list(things()), &format!("resourceVersion={b}"), "").await;
    host.create_in("other", "y", &json!({})).await;
    let changed = host.update("b", &json!({"x": "y"}), 1).await;
    let gone = host.delete("a").await;
    assert_eq!(events.brief().await, brief("MODIFIED", "b", changed));
    assert_eq!(events.brief().await, brief("DELETED", "a", gone));
    host.store.close().await.expect("closed");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn what_enters_or_leaves_a_selection_is_added_or_deleted() {
    let host = Host::new().await;
    let start = host.create("a", &json!({"colour": "blue"})).await;
    let query = format!("resourceVersion={start}&labelSelector=colour%3Dred");
    let mut events = Events::open(&host, list(things()), &query, "").await;
    let mut sizes = Events::open(
        &host,
        list(things()),
        &format!("resourceVersion={start}&fieldSelector=spec.size%3D3"),
        "",
    )
    .await;
    let entered = host.update("a", &json!({"colour": "red"}), 2).await;
    let changed = host.update("a", &json!({"colour": "red"}), 3).await;
    let left = host.update("a", &json!({"colour": "blue"}), 4).await;
    host.update("a", &json!({"colour": "blue"}), 5).await;
    host.delete("a").await;
    let end = host.create("end", &json!({"colour": "red"})).await;
    assert_eq!(events.brief().await, brief("ADDED", "a", entered));
    assert_eq!(events.brief().await, brief("MODIFIED", "a", changed));
    let event = events.next().await.expect("an event");
    assert_eq!(event["type"], "DELETED");
    assert_eq!(event["object"]["metadata"]["labels"]["colour"], "red");
    assert_eq!(event["object"]["spec"]["size"], 3);
    assert_eq!(event["object"]["metadata"]["resourceVersion"], left.to_string());
    assert_eq!(events.brief().await, brief("ADDED", "end", end));
    assert_eq!(sizes.brief().await, brief("ADDED", "a", changed));
    assert_eq!(sizes.brief().await, brief("DELETED", "a", left));
}

#[tokio::test]
async fn what_left_is_told_in_the_version_that_is_served() {
    let host = Host::new().await;
    let start = host.create("a", &json!({"colour": "red"})).await;
    let query = format!("resourceVersion={start}&labelSelector=colour");
    let other = || Collection { version: "v2".into(), ..things() };
    let converted = Collection { conversion: transform("served", "example.com/v3"), ..other() };
    let mut plain = Events::open(&host, list(other()), &query, "").await;
    let mut events = Events::open(&host, list(converted), &query, "").await;
    let left = host.update("a", &json!({}), 2).await.to_string();
    for (events, version) in [(&mut plain, "example.com/v2"), (&mut events, "example.com/v3")] {
        let object = events.next().await.expect("an event")["object"].take();
        assert_eq!(object["apiVersion"], version);
        assert_eq!(object["metadata"]["resourceVersion"], left);
        assert_eq!(object["metadata"]["labels"]["colour"], "red");
    }
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_before_the_end_and_the_watch_ends() {
    let host = Host::new().await;
    let revision = host.create("a", &json!({})).await;
    let query = format!("resourceVersion={revision}&timeoutSeconds=125&allowWatchBookmarks=true");
    let begun = tokio::time::Instant::now();
    let mut events = Events::open(&host, list(things()), &query, "").await;
    for seconds in [60, 120, 123] {
        let event = events.next().await.expect("a bookmark");
        assert_eq!(begun.elapsed().as_secs(), seconds);
        let object = json!({
            "kind": "Thing", "apiVersion": "example.com/v1", "metadata": {"resourceVersion": revision.to_string()},
        });
        assert_eq!(event, json!({"type": "BOOKMARK", "object": object}));
    }
    assert_eq!(events.next().await, None);
    assert_eq!(begun.elapsed().as_secs(), 125);
    let mut plain = Events::open(&host, list(things()), "resourceVersion=1&timeoutSeconds=5", METADATA).await;
    assert_eq!(plain.next().await.expect("an event")["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(plain.next().await, None);
}

#[tokio::test]
async fn a_watch_list_closes_what_is_there_with_a_bookmark() {
    let host = Host::new().await;
    let a = host.create("a", &json!({})).await;
    let options = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    for accept in ["", METADATA, TABLE] {
        let query = format!("{options}&resourceVersion={a}&includeObject=None");
        let mut events = Events::open(&host, list(things()), &query, accept).await;
        assert_eq!(events.next().await.expect("an event")["type"], "ADDED");
        let event = events.next().await.expect("a bookmark");
        assert_eq!(event["type"], "BOOKMARK");
        let object = if accept == TABLE { &event["object"]["rows"][0]["object"] } else { &event["object"] };
        let annotations = json!({"k8s.io/initial-events-end": "true"});
        assert_eq!(object["metadata"], json!({"resourceVersion": a.to_string(), "annotations": annotations}));
    }
    let mut live =
        Events::open(&host, list(things()), "sendInitialEvents=false&resourceVersionMatch=NotOlderThan", "")
            .await;
    let b = host.create("b", &json!({})).await;
    assert_eq!(live.brief().await, brief("ADDED", "b", b));
}

#[tokio::test(start_paused = true)]
async fn errors_are_events_in_the_stream() {
    let host = Host::new().await;
    host.create("a", &json!({})).await;
    let last = host.update("a", &json!({}), 2).await;
    host.store.compact(last).await.expect("compacted");
    let mut events = Events::open(&host, list(things()), "resourceVersion=1", TABLE).await;
    let event = events.next().await.expect("an event");
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(event["object"]["reason"], "Expired");
    assert!(
        event["object"]["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("too old resource version: 1 ("))
    );
    assert_eq!(events.next().await, None);
    let query = "resourceVersion=999&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let event = Events::open(&host, list(things()), query, "").await.next().await.expect("an event");
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(504)));
    for (query, accept, want) in [
        ("watch=1&resourceVersion=x", "", 500),
        ("watch=1", "application/yaml", 406),
        ("watch=1&fieldSelector=metadata.name%3Da,spec.none%3D1", "", 400),
        ("watch=1&sendInitialEvents=true", "", 422),
    ] {
        assert_eq!(host.run(list(things()), query, accept).await.status(), want, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_to_come_is_waited_for() {
    let host = Host::new().await;
    let now = host.store.revision();
    let mut events = Events::open(&host, list(things()), &format!("resourceVersion={}", now + 1), "").await;
    host.create("a", &json!({})).await;
    let b = host.create("b", &json!({})).await;
    assert_eq!(events.brief().await, brief("ADDED", "b", b));
}

#[tokio::test]
async fn watches_end_at_shutdown() {
    let host = Host::new().await;
    let mut events = Events::open(&host, list(things()), "resourceVersion=1", "").await;
    host.shutdown.send_replace(true);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn tables_have_columns_in_their_first_event_only() {
    let host = Host::new().await;
    let with_rows = Collection { rows: transform("rows", ""), ..things() };
    let mut events = Events::open(&host, list(with_rows), "resourceVersion=1", TABLE).await;
    host.create("a", &json!({})).await;
    host.update("a", &json!({}), 9).await;
    let first = events.next().await.expect("an event");
    assert_eq!(first["object"]["columnDefinitions"][0]["description"], "the \"name\"");
    assert_eq!(first["object"]["rows"][0]["cells"], json!(["a"]));
    let second = events.next().await.expect("an event");
    assert_eq!((&second["type"], &second["object"]["columnDefinitions"]), (&json!("MODIFIED"), &Value::Null));
}

#[tokio::test]
async fn watchers_share_one_conversion_and_one_encoding() {
    let host = Host::new().await;
    let converted = || Collection {
        storage_prefix: "example.com/things".into(),
        conversion: transform("served", "example.com/shared"),
        ..things()
    };
    let mut watchers = Vec::new();
    for _ in 0..5 {
        watchers.push(Events::open(&host, list(converted()), "resourceVersion=1", "").await);
    }
    let a = host.create("a", &json!({})).await;
    let mut bodies = Vec::new();
    for watcher in &mut watchers {
        let frame = watcher.body.frame().await.expect("a frame").expect("a frame");
        bodies.push(frame.into_data().expect("data"));
    }
    assert_eq!(host.transformer.calls.load(Ordering::SeqCst), 1);
    assert!(bodies.iter().all(|body| body.as_ptr() == bodies[0].as_ptr()));
    let event: Value = serde_json::from_slice(&bodies[0]).expect("an event");
    assert_eq!(event["object"]["apiVersion"], "example.com/shared");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], a.to_string());
    let counters = metrics::watches();
    assert!(counters.iter().any(|((group, ..), counters)| group == "example.com" && counters.events() >= 5));
}

#[tokio::test]
async fn metadata_is_watched_in_protobuf() {
    let host = Host::new().await;
    host.create("a", &json!({})).await;
    let accept = METADATA.replace("json", "vnd.kubernetes.protobuf");
    let response = host.run(list(things()), "watch=1&timeoutSeconds=1", &accept).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/vnd.kubernetes.protobuf;stream=watch");
    let frame =
        response.into_body().frame().await.expect("a frame").expect("a frame").into_data().expect("data");
    assert_eq!(
        usize::try_from(u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]])),
        Ok(frame.len() - 4)
    );
    assert_eq!(&frame[4..11], b"\x0a\x05ADDED");
    assert!(frame.windows(4).any(|window| window == b"k8s\0"));
}
