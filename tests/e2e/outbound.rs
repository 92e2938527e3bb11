//! An API group over a service outside, as kubectl sees it.

use crate::support::{Server, chain_with, component};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A vendor's service with two releases; its port.
async fn vendor() -> u16 {
    const RELEASES: [&str; 2] = [
        r#"{"name":"anchor","version":"2.1.0","published":"2026-01-02T03:04:05Z","notes":"holds better"}"#,
        r#"{"name":"buoy","version":"0.9.1","published":"2026-02-03T04:05:06Z"}"#,
    ];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let (code, body) = match head.split(' ').nth(1) {
                Some("/api/releases") => ("200 OK", format!("[{},{}]", RELEASES[1], RELEASES[0])),
                Some("/api/releases/anchor") => ("200 OK", RELEASES[0].to_owned()),
                _ => ("404 Not Found", String::new()),
            };
            let answer = format!("HTTP/1.1 {code}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // What a client does not read is its own affair.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_outside_is_an_api_group_for_kubectl() {
    let directory = tempfile::tempdir().unwrap();
    let port = vendor().await;
    let configured = |outbound: &str| {
        let rest = format!(
            "  configuration: {{service: 'http://127.0.0.1:{port}/api'}}
  grants: {{groups: [releases.example.com], outbound: [{outbound}]}}"
        );
        chain_with(directory.path(), "releases", &component("releases"), &rest)
    };
    let data = directory.path().join("data");
    let server = Server::start_in(&data, &[&configured(&format!("'http://127.0.0.1:{port}'"))]);
    let kubectl = |arguments: &[&str]| {
        let output = server.kubectl(arguments);
        let said = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8(said).unwrap()
    };

    let listed = kubectl(&["get", "releases"]);
    let lines: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "VERSION", "PUBLISHED"], "{listed}");
    assert_eq!(
        (lines[1][..2].to_vec(), lines[2][..2].to_vec()),
        (vec!["anchor", "2.1.0"], vec!["buoy", "0.9.1"])
    );
    assert_eq!(kubectl(&["get", "releases", "-o", "name"]).lines().count(), 2);
    assert_eq!(kubectl(&["get", "release", "anchor", "-o", "jsonpath={.spec.notes}"]), "holds better");
    assert!(kubectl(&["get", "release", "ghost"]).contains("\"ghost\" not found"));
    assert!(kubectl(&["get", "releases", "-l", "a=b"]).contains("labelSelector is not supported"));
    assert!(kubectl(&["explain", "release.spec.version"]).contains("The version."));
    assert!(kubectl(&["delete", "release", "anchor"]).contains("MethodNotAllowed"));
    drop(server);

    let server = Server::start_in(&data, &[&configured("")]);
    let refused = server.send("GET", "/apis/releases.example.com/v1/releases", "").await;
    assert_eq!(refused.code, 500, "{}", refused.text());
    server.wait_log("grants.outbound");
    assert!(server.log().contains(&format!("http://127.0.0.1:{port}")), "{}", server.log());
}
