//! From the start to the last step.

use crate::harness::{ROOT, Server, TestHandler, assemble, object, request};
use chainplate_apiserver::ServerError;
use http_body_util::BodyExt as _;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{net::TcpStream, sync::Semaphore};

#[tokio::test]
async fn readiness_waits_for_post_start_hooks() {
    let gate = Arc::new(Semaphore::new(0));
    let hook = gate.clone();
    let server = Server::start_with(&[], |server| {
        server.with_post_start_hook("slow", || async move {
            hook.acquire().await.map(drop)?;
            Ok(())
        })
    })
    .await;
    let mut client = server.http1().await;
    let answer = client.get("/readyz", None).await;
    assert_eq!(answer.code, 500);
    assert!(answer.body.contains("[-]poststarthook/slow failed: reason withheld\n"), "{}", answer.body);
    gate.add_permits(1);
    while client.get("/readyz", None).await.code != 200 {
        tokio::task::yield_now().await;
    }
    let answer = client.get("/readyz?verbose", None).await;
    assert_eq!(answer.body, "[+]ping ok\n[+]poststarthook/slow ok\n[+]shutdown ok\nreadyz check passed\n");
    server.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_failed_post_start_hook_ends_the_server() {
    let server = Server::start_with(&[], |server| {
        server.with_post_start_hook("broken", || async { Err("no storage".into()) })
    })
    .await;
    let error = server.task.await.expect("no panic").expect_err("the hook failed");
    assert_eq!(error.to_string(), "post-start hook broken failed: no storage");
}

#[tokio::test]
async fn readiness_is_red_while_everything_else_goes_on() {
    let gate = Arc::new(Semaphore::new(0));
    let hook = gate.clone();
    let server = Server::start_with(&[], |server| {
        server.with_pre_shutdown_hook("leave", || async move {
            hook.acquire().await.map(drop)?;
            Ok(())
        })
    })
    .await;
    let mut client = server.http1().await;
    assert_eq!(client.get("/readyz", None).await.code, 200);
    server.trigger.initiate();
    let answer = client.get("/readyz", None).await;
    assert_eq!(answer.code, 500);
    assert_eq!(answer.body, "[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n");
    assert_eq!(client.get("/livez", None).await.code, 200);
    assert_eq!(client.get("/healthz", None).await.code, 200);
    let mut late = server.http2().await;
    assert_eq!(late.get(&object("echo"), Some(ROOT)).await.code, 200);
    gate.add_permits(1);
    server.stop().await.expect("a clean end");
}

#[tokio::test]
async fn requests_in_flight_finish_before_the_storage_closes() {
    let closed = Arc::new(AtomicBool::new(false));
    let close = closed.clone();
    let server = Server::start_with(&[], |server| {
        server.with_finish(move || async move {
            close.store(true, Ordering::SeqCst);
            Ok(())
        })
    })
    .await;
    let mut client = server.http1().await;
    let waiting = tokio::spawn(async move { client.get(&object("hang"), Some(ROOT)).await });
    server.handler.entered.acquire().await.expect("open").forget();
    server.trigger.initiate();
    // The listener is gone soon after.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!closed.load(Ordering::SeqCst));
    server.handler.release.add_permits(1);
    let answer = waiting.await.expect("task");
    assert_eq!((answer.code, answer.body.as_str()), (200, "released"));
    server.stop().await.expect("a clean end");
    assert!(closed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn with_retry_after_new_requests_are_told_to_come_back() {
    let server = Server::start(&["--shutdown-send-retry-after"]).await;
    let mut client = server.http1().await;
    let waiting = tokio::spawn(async move { client.get(&object("hang"), Some(ROOT)).await });
    server.handler.entered.acquire().await.expect("open").forget();
    server.trigger.initiate();
    let refused = loop {
        let mut client = server.http1().await;
        let answer = client.get(&object("echo"), Some(ROOT)).await;
        if answer.code != 200 {
            break answer;
        }
    };
    assert_eq!((refused.code, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.header("connection"), "close");
    assert_eq!(refused.body, "The apiserver is shutting down, please try again later.\n");
    // Who watches the shutdown is still answered.
    assert_eq!(server.http1().await.get("/readyz", None).await.code, 500);
    assert_eq!(server.http1().await.get("/livez", None).await.code, 200);
    server.handler.release.add_permits(1);
    assert_eq!(waiting.await.expect("task").code, 200);
    server.stop().await.expect("a clean end");
}

#[tokio::test]
async fn watches_end_with_the_server_and_are_whole() {
    let server = Server::start(&["--shutdown-watch-termination-grace-period=10s"]).await;
    for h2 in [false, true] {
        let mut client = server.client(h2, None).await;
        let watch =
            client.start(request("GET", "/api/v1/configmaps?watch=1", Some(ROOT))).await.expect("watch");
        let mut body = watch.into_body();
        let first = body.frame().await.expect("a line").expect("data").into_data().expect("data");
        assert_eq!(first, "{}\n");
        if h2 {
            server.trigger.initiate();
            assert_eq!(body.collect().await.expect("a whole body").to_bytes(), "end\n");
            break;
        }
        drop(body);
    }
    server.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_taken_port_is_one_clear_error() {
    let server = Server::start(&[]).await;
    let directory = tempfile::tempdir().expect("directory");
    let handler = Arc::new(TestHandler { entered: Semaphore::new(0), release: Semaphore::new(0) });
    let port = format!("--secure-port={}", server.address.port());
    let error = assemble(directory.path(), &[&port], handler).prepare().await.expect_err("taken");
    assert!(matches!(error, ServerError::Listen { .. }));
    let text = error.to_string();
    assert!(text.starts_with("--bind-address, --secure-port: cannot listen on 127.0.0.1:"), "{text}");
    assert!(text.ends_with("stop the other server, or choose another --secure-port"), "{text}");
}

#[tokio::test]
async fn an_unusable_certificate_is_one_clear_error() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("x.pem");
    std::fs::write(&file, "no PEM").expect("written");
    let args =
        [format!("--tls-cert-file={}", file.display()), format!("--tls-private-key-file={}", file.display())];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let handler = Arc::new(TestHandler { entered: Semaphore::new(0), release: Semaphore::new(0) });
    let error = assemble(directory.path(), &args, handler).prepare().await.expect_err("no certificate");
    let text = error.to_string();
    assert!(text.starts_with("--tls-cert-file: ") && text.contains("x.pem: no certificate in it"), "{text}");
}

#[tokio::test]
async fn the_kubeconfig_points_at_the_port_that_was_chosen() {
    let server = Server::start(&[]).await;
    let config: serde_json::Value =
        serde_json::from_slice(&server.file("admin.kubeconfig")).expect("JSON is YAML");
    assert_eq!(config["clusters"][0]["cluster"]["server"], format!("https://{}", server.address));
    assert_eq!(config["current-context"], "chainplate");
}
