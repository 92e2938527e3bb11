//! Clients that are slow, silent or gone.

use crate::harness::{ALICE, ROOT, Server, object};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Reads until the server closes. Time is paused in these tests: it jumps ahead whenever everybody waits.
async fn read_to_end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    // A reset instead of an orderly end is fine: what counts is that the server lets go.
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn who_never_says_hello_is_dropped() {
    let server = Server::start(&[]).await;
    let mut silent = TcpStream::connect(server.address).await.expect("connects");
    let mut client = server.http1().await;
    assert_eq!(client.get("/livez", None).await.code, 200);
    drop(client);
    tokio::time::pause();
    assert_eq!(read_to_end(&mut silent).await, "");
}

#[tokio::test]
async fn who_never_finishes_a_head_is_dropped() {
    let server = Server::start(&[]).await;
    for head in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = server.tls(false, None).await;
        stream.write_all(head.as_bytes()).await.expect("written");
        stream.flush().await.expect("flushed");
        tokio::time::pause();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off_at_the_deadline() {
    let server = Server::start(&[]).await;
    let mut stream = server.tls(false, None).await;
    let head = format!(
        "PUT {}?timeout=50ms HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ROOT}\r\ncontent-length: 100\r\n\r\nhalf",
        object("read")
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.flush().await.expect("flushed");
    let mut answer = vec![0; 16];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 504 Gat");
}

#[tokio::test]
async fn who_leaves_frees_his_place() {
    let server = Server::start(&["--max-requests-inflight=1"]).await;
    let mut stream = server.tls(false, None).await;
    let head = format!("GET {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ALICE}\r\n\r\n", object("hang"));
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.flush().await.expect("flushed");
    server.handler.entered.acquire().await.expect("open").forget();
    drop(stream);
    let mut client = server.http1().await;
    while client.get(&object("echo"), Some(ALICE)).await.code != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_one_to_close() {
    let server = Server::start(&["--max-connections=1"]).await;
    let mut first = server.http1().await;
    assert_eq!(first.get("/livez", None).await.code, 200);
    let second = server.http1();
    let mut second = std::pin::pin!(second);
    tokio::select! {
        biased;
        _ = second.as_mut() => panic!("there is no slot"),
        answer = first.get("/livez", None) => assert_eq!(answer.code, 200),
    }
    drop(first);
    assert_eq!(second.await.get("/livez", None).await.code, 200);
}

#[tokio::test]
async fn strangers_do_not_keep_an_http2_connection() {
    let server = Server::start(&[]).await;
    let mut client = server.http2().await;
    assert_eq!(client.get("/livez", None).await.code, 200);
    // The GOAWAY arrives with or shortly after the answer.
    while client.start(crate::harness::request("GET", "/livez", None)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let mut known = server.http2().await;
    for _ in 0..3 {
        assert_eq!(known.get(&object("echo"), Some(ALICE)).await.code, 200);
    }
}
