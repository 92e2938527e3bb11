//! Authenticators and authorizers.

use super::server_with;
use crate::support::Server;
use std::path::Path;

fn faulty(directory: &Path) -> Server {
    let rest = "  grants: {roles: [mutating, validating, converter, authenticator, authorizer]}
  limits: {timeoutSeconds: 1, memory: 32Mi}";
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
    for token in ["faulty-deny", "faulty-trap", "faulty-loop", "faulty-nobody", "faulty-huge", "unknown"] {
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
    for user in ["faulty:trap", "faulty:loop", "faulty:deny", "nobody"] {
        let output = server.kubectl(&["--as", user, "get", "secrets", "-n", "default"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("Forbidden") && said.contains("cannot list resource \"secrets\""),
            "{user}: {said}"
        );
    }
    let output = server.kubectl(&["--as", "faulty:allow", "get", "namespaces"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("kube-system"), "{said}");
}
