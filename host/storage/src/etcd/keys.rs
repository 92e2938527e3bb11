//! Between our keys and etcd's.
//!
//! etcd has one string, `<root>/<prefix>/<path>`; where the prefix ends has to be found out again. All hosts find
//! the same, and a write whose place would not be found again is refused.

use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;

/// What the key of the barrier ends with, see `Fresh`. It is no object.
const BARRIER: &str = "chainplate.dev/barrier";

/// Where all keys stand.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// With a slash at the end.
    text: String,
}

impl Root {
    /// From `--etcd-prefix`, with or without slashes around.
    pub(super) fn new(prefix: &str) -> Self {
        let inner = prefix.trim_matches('/');
        Self { text: if inner.is_empty() { "/".to_owned() } else { format!("/{inner}/") } }
    }

    pub(super) fn barrier(&self) -> Bytes {
        [&self.text, BARRIER].concat().into()
    }

    /// The range that holds everything.
    pub(super) fn range(&self) -> (Bytes, Bytes) {
        let mut end = self.text.clone().into_bytes();
        // The character after the slash.
        end.pop();
        end.push(b'0');
        (self.text.clone().into(), end.into())
    }

    pub(super) fn key(&self, key: &crate::Key) -> Bytes {
        [&self.text, &*key.prefix, "/", &key.path].concat().into()
    }

    /// What follows the root; `None` for keys that are no objects.
    pub(super) fn rest<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.text)?;
        (rest != BARRIER && !rest.is_empty()).then_some(rest)
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
}

/// Splits `<prefix>/<path>`: the path is `[<namespace>/]<name>` as `metadata` says. Where metadata says something
/// else: as upstream lays its keys out.
pub(super) fn split<'a>(rest: &'a str, metadata: &[u8]) -> Option<(&'a str, &'a str)> {
    let by_metadata = || {
        let named: Named<'_> = serde_json::from_slice(metadata).ok()?;
        if named.name.is_empty() {
            return None;
        }
        let mut prefix = rest.strip_suffix(&*named.name)?.strip_suffix('/')?;
        if !named.namespace.is_empty() {
            prefix = prefix.strip_suffix(&*named.namespace)?.strip_suffix('/')?;
        }
        (!prefix.is_empty()).then(|| (prefix, &rest[prefix.len() + 1..]))
    };
    by_metadata().or_else(|| by_layout(rest))
}

/// `<group>/<resource>/…`, where a group has a dot in it, or `<resource>/…`; services have one level more.
fn by_layout(rest: &str) -> Option<(&str, &str)> {
    let (first, others) = rest.split_once('/')?;
    let deep = first.contains('.')
        || (first == "services" && matches!(others.split('/').next(), Some("specs" | "endpoints")));
    match others.split_once('/') {
        Some((second, path)) if deep && !path.is_empty() => {
            Some((&rest[..=first.len() + second.len()], path))
        }
        _ => (!first.is_empty() && !others.is_empty()).then_some((first, others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn keys_are_upstreams() {
        for prefix in ["/registry", "registry", "/registry/"] {
            let root = Root::new(prefix);
            let key = root.key(&Key::new("services/specs", Some("default"), "web"));
            assert_eq!(key, "/registry/services/specs/default/web");
            assert_eq!(root.rest(&key), Some("services/specs/default/web"));
            assert_eq!(root.range(), ("/registry/".into(), "/registry0".into()));
            assert_eq!(root.rest(&root.barrier()), None);
            assert_eq!(root.rest(b"/registrya/b"), None);
        }
        assert_eq!(Root::new("/").range(), ("/".into(), "0".into()));
    }

    #[test]
    fn metadata_tells_where_the_path_begins() {
        let find =
            |rest, metadata: &str| split(rest, metadata.as_bytes()).map(|(prefix, _)| prefix.to_owned());
        for (rest, metadata, prefix) in [
            ("pods/a/b", r#"{"name":"b","namespace":"a"}"#, "pods"),
            ("nodes/b", r#"{"name":"b","labels":{"x":"y"}}"#, "nodes"),
            ("services/specs/a", r#"{"name":"a"}"#, "services/specs"),
            ("services/specs/a", r#"{"name":"a","namespace":"specs"}"#, "services"),
            ("x.io/things/a/b", r#"{"name":"b","namespace":"a"}"#, "x.io/things"),
            // No help, or a wrong one: the layout.
            ("x.io/things/a/b", "{}", "x.io/things"),
            ("pods/a/b", r#"{"name":"c"}"#, "pods"),
            ("pods/a/b", r#"{"name":"b","namespace":"c"}"#, "pods"),
            ("services/endpoints/a/b", "{}", "services/endpoints"),
            ("x.io/things", "{}", "x.io"),
        ] {
            assert_eq!(find(rest, metadata).as_deref(), Some(prefix), "{rest} {metadata}");
        }
        for nothing in ["pods", "pods/", "/b"] {
            assert_eq!(find(nothing, "{}"), None, "{nothing}");
        }
    }
}
