//! An extension by somebody else, loaded by the configuration file in front of core.

use crate::support::{Server, chain_with, component};
use std::io::Write;

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_serves_its_group_and_its_path_and_delegates_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let rest = "  configuration: {word: Moin}
  grants: {storage: [hello.example.com/greetings], paths: [/hello, /apis/hello.example.com], groups: [hello.example.com]}";
    let chain = chain_with(directory.path(), "hello", &component("hello"), rest);
    let data = directory.path().join("data");
    let server = Server::start_in(&data, &[&chain]);

    assert_eq!(server.send("GET", "/hello", "").await.text(), "Moin, kubernetes-admin!\n");
    assert_eq!(server.send("GET", "/api/v1/namespaces/default", "").await.code, 200);
    assert_eq!(server.send("GET", "/apis/hello.example.com/v1/unknown", "").await.code, 404);

    let mut apply = server.kubectl_command(&["create", "-f", "-"]);
    let mut child =
        apply.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let greeting = "apiVersion: hello.example.com/v1\nkind: Greeting\nmetadata: {name: a}\nspec: {to: you}\n";
    child.stdin.take().unwrap().write_all(greeting.as_bytes()).unwrap();
    let created = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&created.stdout), "greeting.hello.example.com/a created\n");
    let listed = server.kubectl(&["get", "gr"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.starts_with("NAME   TO") && listed.contains("a      you"), "{listed}");

    drop(server);
    let server = Server::start_in(&data, &[&chain]);
    let there = server.send("GET", "/apis/hello.example.com/v1/namespaces/default/greetings/a", "").await;
    assert_eq!((there.code, &there.json()["spec"]["tone"]), (200, &"friendly".into()), "kept over a restart");
}
