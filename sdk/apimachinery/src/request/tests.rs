use super::*;

fn parse(method: &str, path_and_query: &str) -> RequestInfo {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    RequestInfo::parse(method, path, query).expect(path_and_query)
}

#[test]
fn resource_paths_are_taken_apart() {
    // method, path, verb, group, version, namespace, resource, subresource, name
    let cases = [
        ("GET", "/api/v1/namespaces", Verb::List, "", "v1", "", "namespaces", "", ""),
        ("GET", "/api/v1/namespaces/x", Verb::Get, "", "v1", "x", "namespaces", "", "x"),
        ("PUT", "/api/v1/namespaces/x/finalize", Verb::Update, "", "v1", "x", "namespaces", "finalize", "x"),
        ("GET", "/api/v1/namespaces/x/status", Verb::Get, "", "v1", "x", "namespaces", "status", "x"),
        ("GET", "/api/v1/namespaces/x/pods", Verb::List, "", "v1", "x", "pods", "", ""),
        ("GET", "/api/v1/namespaces/x/pods/", Verb::List, "", "v1", "x", "pods", "", ""),
        ("HEAD", "/api/v1/namespaces/x/pods/p", Verb::Get, "", "v1", "x", "pods", "", "p"),
        ("GET", "/api/v1/pods", Verb::List, "", "v1", "", "pods", "", ""),
        ("GET", "/api/v1/nodes/n/proxy/a/b", Verb::Get, "", "v1", "", "nodes", "proxy", "n"),
        (
            "POST",
            "/apis/apps/v1/namespaces/x/deployments",
            Verb::Create,
            "apps",
            "v1",
            "x",
            "deployments",
            "",
            "",
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/x/deployments/d/scale",
            Verb::Patch,
            "apps",
            "v1",
            "x",
            "deployments",
            "scale",
            "d",
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/x/deployments/d",
            Verb::Delete,
            "apps",
            "v1",
            "x",
            "deployments",
            "",
            "d",
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/x/deployments",
            Verb::DeleteCollection,
            "apps",
            "v1",
            "x",
            "deployments",
            "",
            "",
        ),
        ("GET", "/api/v1/watch/pods", Verb::Watch, "", "v1", "", "pods", "", ""),
        ("GET", "/api/v1/watch/namespaces/x/pods/p", Verb::Watch, "", "v1", "x", "pods", "", "p"),
        ("GET", "/api/v1/watch/namespaces", Verb::Watch, "", "v1", "", "namespaces", "", ""),
        ("GET", "/api/v1/proxy/namespaces/x/services/s/a", Verb::Proxy, "", "v1", "x", "services", "", "s"),
        ("OPTIONS", "/api/v1/pods", Verb::Other, "", "v1", "", "pods", "", ""),
    ];
    for (method, path, verb, group, version, namespace, resource, subresource, name) in cases {
        let info = parse(method, path);
        assert!(info.is_resource, "{path}");
        assert_eq!(
            (
                info.verb,
                &*info.group,
                &*info.version,
                &*info.namespace,
                &*info.resource,
                &*info.subresource,
                &*info.name
            ),
            (verb, group, version, namespace, resource, subresource, name),
            "{method} {path}"
        );
    }
}

#[test]
fn short_and_foreign_paths_are_no_resources() {
    for path in [
        "/",
        "",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/apis",
        "/apis/apps",
        "/apis/apps/v1",
        "/healthz/ping/x",
        "/apisx/a/b/c",
    ] {
        let info = parse("POST", path);
        assert!(!info.is_resource, "{path}");
        assert_eq!((info.verb_name(), &*info.path), ("post", path));
    }
}

#[test]
fn watch_in_the_query_counts_for_collections_only() {
    for (query, verb) in [
        ("watch=1", Verb::Watch),
        ("watch=true", Verb::Watch),
        ("watch=", Verb::Watch),
        ("watch", Verb::Watch),
        ("watch=nonsense", Verb::Watch),
        ("watch=0", Verb::List),
        ("watch=False", Verb::List),
        ("watch=0&watch=1", Verb::List),
        ("limit=1", Verb::List),
    ] {
        assert_eq!(parse("GET", &format!("/api/v1/pods?{query}")).verb, verb, "{query}");
    }
    assert_eq!(parse("GET", "/api/v1/namespaces/x/pods/p?watch=1").verb, Verb::Get);
    assert_eq!(parse("DELETE", "/api/v1/pods?watch=1").verb, Verb::DeleteCollection);
}

#[test]
fn a_field_selector_may_name_the_object() {
    for (selector, name) in [
        ("metadata.name=a", "a"),
        ("metadata.name==a", "a"),
        ("metadata.name%3Da", "a"),
        ("status.phase=Running,metadata.name=a", "a"),
        ("metadata.name!=a", ""),
        ("metadata.namespace=a", ""),
        ("metadata.name=a/b", ""),
        ("metadata.name=..", ""),
        ("metadata.name=a,broken", ""),
        ("metadata.name=a\\,b", "a,b"),
        ("metadata.name=a=b", ""),
        ("metadata.name=a&limit=x", ""),
    ] {
        assert_eq!(parse("GET", &format!("/api/v1/pods?fieldSelector={selector}")).name, name, "{selector}");
    }
    let watch = parse("GET", "/api/v1/pods?watch=1&fieldSelector=metadata.name%3Dweb");
    assert_eq!((watch.verb, watch.name.as_str()), (Verb::Watch, "web"));
}

#[test]
fn escapes_are_decoded_once() {
    let info = parse("GET", "/api/v1/namespaces/x/pods/a%20b%2Bc+d");
    assert_eq!(info.name, "a b+c+d");
    assert_eq!(info.path, "/api/v1/namespaces/x/pods/a b+c+d");
    assert_eq!(parse("GET", "/api/v1/namespaces/x/pods/%2525").name, "%25");
    for path in ["/api/v1/pods/%", "/api/v1/pods/%2", "/api/v1/pods/%zz", "/api/v1/pods/%ff"] {
        assert!(matches!(RequestInfo::parse("GET", path, ""), Err(ParseError::BadEscape(_))), "{path}");
    }
}

#[test]
fn a_legacy_verb_needs_something_after_it() {
    let error = RequestInfo::parse("GET", "/api/v1/watch", "").expect_err("nothing to watch");
    assert_eq!(error.to_string(), "unable to determine kind and namespace from url, /api/v1/watch");
}

#[test]
fn long_running_requests_are_known() {
    for (path, long) in [
        ("/api/v1/pods?watch=1", true),
        ("/api/v1/watch/pods", true),
        ("/api/v1/namespaces/x/pods/p/log", true),
        ("/api/v1/namespaces/x/pods/p/exec", true),
        ("/api/v1/namespaces/x/pods/p/status", false),
        ("/api/v1/pods", false),
        ("/healthz", false),
    ] {
        assert_eq!(parse("GET", path).is_long_running(), long, "{path}");
    }
}

#[test]
fn queries_keep_what_can_be_read() {
    assert_eq!(query_value("a=1&a=2", "a").as_deref(), Some("1"));
    assert_eq!(query_value("a=%zz&b=x+y%21", "b").as_deref(), Some("x y!"));
    assert_eq!(query_value("a=%zz", "a"), None);
    assert_eq!(query_value("a", "a").as_deref(), Some(""));
}

#[test]
fn no_input_panics() {
    let mut state = 7_u64;
    let alphabet: Vec<char> = "/api/v1/apis/watch/namespaces?&=%2,\\!é".chars().collect();
    for _ in 0..5000 {
        let text: String = (0..24)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                alphabet[(state >> 33) as usize % alphabet.len()]
            })
            .collect();
        let _ = RequestInfo::parse("GET", &text, &text);
        let _ = RequestInfo::parse("GET", "/api/v1/pods", &format!("fieldSelector={text}"));
    }
}
