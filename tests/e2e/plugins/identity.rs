//! Authenticators and authorizers.

use super::server_with;
use crate::support::{SOON, Server};
use std::path::Path;

fn faulty(directory: &Path) -> Server {
    let rest = "  grants: {roles: [mutating, validating, converter, authenticator, authorizer]}
  limits: {timeoutSeconds: 1, memory: 32Mi, logLinesPerSecond: 1}";
    server_with(directory, "faulty-plugin", rest)
}

#[test]
fn a_token_that_only_the_plugin_knows_is_somebody() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path());
    let said = server.kubectl_as("faulty-somebody", &["get", "secrets"]);
    assert!(said.contains("User \"somebody\" cannot list resource \"secrets\""), "{said}");
    let said = server.kubectl_as("faulty-master", &["get", "namespaces"]);
    assert!(said.contains("kube-system"), "its groups count, too: {said}");
    for fault in
        ["deny", "trap", "loop", "recurse", "grow", "nobody", "huge", "deny-without-a-message", "unknown"]
    {
        let token = &format!("faulty-{fault}");
        let said = server.kubectl_as(token, &["get", "namespaces"]);
        assert!(said.contains("Unauthorized") || said.contains("must be logged in"), "{token}: {said}");
    }
    let said = server.kubectl_as("faulty-somebody", &["get", "secrets"]);
    assert!(said.contains("User \"somebody\""), "after all of that: {said}");
}

#[test]
fn an_authorizer_that_fails_has_no_opinion() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path());
    for user in ["trap", "loop", "recurse", "grow", "deny", "fail", "nonsense", "huge", "nobody"]
        .map(|it| format!("faulty:{it}"))
    {
        let user = user.as_str();
        let output = server.kubectl(&["--as", user, "get", "secrets", "-n", "default"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("Forbidden") && said.contains("cannot list resource \"secrets\""),
            "{user}: {said}"
        );
    }
    // After that many traps it rests for a while.
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let output = server.kubectl(&["--as", "faulty:allow", "get", "namespaces"]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if said.contains("kube-system") {
            return;
        }
        assert!(said.contains("it failed repeatedly") && std::time::Instant::now() < deadline, "{said}");
    }
}

#[test]
fn an_authorizer_that_fails_does_not_fill_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path());
    let begin = std::time::Instant::now();
    for _ in 0..40 {
        server.kubectl(&["--as", "faulty:fail", "get", "--raw", "/api"]);
    }
    let log = server.log();
    let written = log.matches("it failed and has no opinion: it cannot tell").count();
    // Ten seconds' worth at once, and one for each second since.
    let most = 11 + usize::try_from(begin.elapsed().as_secs()).unwrap();
    assert!((1..=most).contains(&written) && most < 40, "{written} lines, {most} at most:\n{log}");
}
