//! The claims of a token, laid out as upstream does (`pkg/serviceaccount/claims.go`).

use chainplate_sdk::apimachinery::{Map, Value, generate_name, object, time};
use serde_json::json;

/// An object that claims name.
pub(super) struct Reference {
    pub(super) name: String,
    /// Empty for one that is not there.
    pub(super) uid: String,
}

impl Reference {
    pub(super) fn to(object: &Value) -> Self {
        Self { name: object::name(object).to_owned(), uid: object::uid(object).to_owned() }
    }

    fn claim(&self) -> Value {
        if self.uid.is_empty() {
            json!({ "name": self.name })
        } else {
            json!({ "name": self.name, "uid": self.uid })
        }
    }
}

/// What a token ends with, besides its account.
pub(super) enum Binding {
    /// Nothing.
    None,
    /// A pod. The node that it runs on is told, and not held against anything.
    Pod {
        /// The pod.
        pod: Reference,
        /// Its node, if it has one.
        node: Option<Reference>,
    },
    /// A secret.
    Secret(Reference),
    /// A node.
    Node(Reference),
}

/// How long a token is good, in seconds from now.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) seconds: i64,
    /// Whoever still uses it then should have read it again.
    pub(super) warn_after: Option<i64>,
}

/// Whom a token speaks for.
pub(super) struct Claims<'a> {
    pub(super) namespace: &'a str,
    pub(super) account: Reference,
    pub(super) binding: &'a Binding,
}

impl Claims<'_> {
    /// The claims but `iss`, which is the host's.
    pub(super) fn made(&self, now: time::Instant, life: Life, audiences: &Value) -> Map {
        let mut private = Map::new();
        private.insert("namespace".into(), self.namespace.into());
        private.insert("serviceaccount".into(), self.account.claim());
        let mut bound = |name: &str, to: &Reference| private.insert(name.into(), to.claim());
        match self.binding {
            Binding::None => {}
            Binding::Pod { pod, node } => {
                bound("pod", pod);
                if let Some(node) = node {
                    bound("node", node);
                }
            }
            Binding::Secret(secret) => drop(bound("secret", secret)),
            Binding::Node(node) => drop(bound("node", node)),
        }
        let now = now.as_second();
        if let Some(seconds) = life.warn_after {
            private.insert("warnafter".into(), now.saturating_add(seconds).into());
        }
        let subject = format!("system:serviceaccount:{}:{}", self.namespace, self.account.name);
        let mut claims = Map::new();
        for (name, value) in [
            ("aud", audiences.clone()),
            ("exp", now.saturating_add(life.seconds).into()),
            ("iat", now.into()),
            ("jti", generate_name::uid().into()),
            ("kubernetes.io", private.into()),
            ("nbf", now.into()),
            ("sub", subject.into()),
        ] {
            claims.insert(name.into(), value);
        }
        claims
    }
}
