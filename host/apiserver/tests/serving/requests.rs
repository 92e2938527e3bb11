//! What every request and answer goes through.

use crate::harness::{ALICE, ROOT, Server, object, request};
use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

#[tokio::test]
async fn both_protocols_carry_the_common_headers() {
    let server =
        Server::start(&["--strict-transport-security-directives=max-age=31536000,includeSubDomains"]).await;
    for h2 in [false, true] {
        let mut client = server.client(h2, None).await;
        let mut asked = request("GET", &object("warn"), Some(ROOT));
        asked.headers_mut().insert("audit-id", HeaderValue::from_static("mine"));
        let answer = client.send(asked).await;
        assert_eq!((answer.code, answer.body.as_str()), (200, "warned"));
        assert_eq!(answer.header("audit-id"), "mine");
        assert_eq!(answer.header("cache-control"), "no-cache, private");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
        assert_eq!(answer.header("warning"), "299 - \"old\"");
        let answer = client.get(&object("echo"), Some(ROOT)).await;
        assert_eq!(answer.header("audit-id"), answer.json()["audit"]);
        assert_eq!(answer.header("warning"), "");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_for_its_own_request_alone() {
    let server = Server::start(&[]).await;
    let mut client = server.http2().await;
    let waiting = client.start(request("GET", &object("hang"), Some(ROOT)));
    let mut waiting = std::pin::pin!(waiting);
    tokio::select! {
        _ = waiting.as_mut() => panic!("the request hangs"),
        entered = server.handler.entered.acquire() => entered.expect("open").forget(),
    }
    let mut other = server.http2().await;
    let answer = other.get(&object("panic"), Some(ROOT)).await;
    assert_eq!(answer.code, 500);
    assert_eq!(answer.json()["reason"], "InternalError");
    assert_eq!(other.get(&object("echo"), Some(ROOT)).await.code, 200);
    // Depending on what was sent already, the head comes or the stream is reset at once.
    if let Ok(broken) = other.start(request("GET", &object("panic-later"), Some(ROOT))).await {
        assert!(broken.into_body().collect().await.is_err());
    }
    assert_eq!(other.get(&object("echo"), Some(ROOT)).await.code, 200);
    server.handler.release.add_permits(1);
    assert_eq!(waiting.await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_request_ends_at_its_deadline() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    let answer = client.get(&format!("{}?timeout=20ms", object("hang")), Some(ROOT)).await;
    assert_eq!(
        answer.json(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Timeout: request did not complete within the allotted timeout",
            "reason": "Timeout", "details": {}, "code": 504})
    );
    let answer = client.get(&format!("{}?timeout=soon", object("echo")), Some(ROOT)).await;
    assert_eq!(answer.code, 400);
    assert_eq!(
        answer.json()["message"],
        "invalid timeout specified in the request URL - time: invalid duration \"soon\""
    );
}

#[tokio::test]
async fn more_requests_than_the_limit_are_turned_away() {
    let server = Server::start(&["--max-requests-inflight=1"]).await;
    let mut first = server.http1().await;
    let mut second = server.http1().await;
    let waiting = first.get("/api/v1/namespaces/x/configmaps/hang", Some(ALICE));
    let mut waiting = std::pin::pin!(waiting);
    tokio::select! {
        _ = waiting.as_mut() => panic!("the request hangs"),
        entered = server.handler.entered.acquire() => entered.expect("open").forget(),
    }
    let refused = second.get(&object("echo"), Some(ALICE)).await;
    assert_eq!((refused.code, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.body, "Too many requests, please try again later.\n");
    // Writing requests have places of their own, masters and watches need none.
    assert_eq!(second.send(request("POST", &object("echo"), Some(ALICE))).await.code, 200);
    assert_eq!(second.get(&object("echo"), Some(ROOT)).await.code, 200);
    let watch = second.start(request("GET", "/api/v1/configmaps?watch=1", Some(ALICE))).await.expect("watch");
    assert_eq!(watch.status(), 200);
    server.handler.release.add_permits(1);
    assert_eq!(waiting.await.body, "released");
    let mut third = server.http1().await;
    assert_eq!(third.get(&object("echo"), Some(ALICE)).await.code, 200);
}

#[tokio::test]
async fn a_large_body_is_413_and_the_client_gets_to_read_it() {
    let server = Server::start(&[]).await;
    for h2 in [false, true] {
        let mut client = server.client(h2, None).await;
        for (length, code) in [(3 << 20, 200), ((3 << 20) + 1, 413), (4 << 20, 413)] {
            let asked = request("PUT", &object("read"), Some(ROOT))
                .map(|_| Full::new(Bytes::from(vec![b'x'; length])));
            let answer = client.send(asked).await;
            assert_eq!(answer.code, code, "{length}");
            if code == 413 {
                assert_eq!(answer.json()["message"], "Request entity too large: limit is 3145728");
            }
        }
    }
}

#[tokio::test]
async fn request_lines_that_cannot_be_understood_are_told() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    assert_eq!(client.get("/api/v1/pods/%zz", Some(ROOT)).await.code, 400);
    let answer = client.get("/api/v1/watch", Some(ROOT)).await;
    assert_eq!(answer.code, 500);
    assert_eq!(
        answer.body,
        "Internal Server Error: \"/api/v1/watch\": failed to create RequestInfo: unable to determine kind and namespace from url, /api/v1/watch\n"
    );
}

#[tokio::test]
async fn metrics_count_what_was_answered() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    client.get(&object("echo"), Some(ROOT)).await;
    let metrics = client.get("/metrics", Some(ROOT)).await;
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    );
    let counted = metrics.body.lines().any(|line| {
        line.starts_with(
            "apiserver_request_total{verb=\"GET\",group=\"\",version=\"v1\",resource=\"configmaps\"",
        ) && line.ends_with("code=\"200\"} 1")
    });
    assert!(counted, "{}", metrics.body);
    assert!(metrics.body.contains("process_resident_memory_bytes "));
}
