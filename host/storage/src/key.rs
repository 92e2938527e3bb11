//! Names of stored objects.

use std::{fmt, sync::Arc};

/// Where an object stands: `/registry/<prefix>/[<namespace>/]<name>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The collection, `pods`, `services/specs`, `stable.example.com/crontabs`.
    pub prefix: Arc<str>,
    /// `<namespace>/<name>`, or `<name>` for cluster-scoped objects.
    pub path: Box<str>,
}

impl Key {
    /// The key of an object; `namespace` is `None` for cluster-scoped objects.
    pub fn new(prefix: impl Into<Arc<str>>, namespace: Option<&str>, name: &str) -> Self {
        let path = match namespace {
            Some(namespace) => [namespace, "/", name].concat(),
            None => name.to_owned(),
        };
        Self { prefix: prefix.into(), path: path.into_boxed_str() }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }

    /// The object's namespace; `None` if it is cluster-scoped.
    pub fn namespace(&self) -> Option<&str> {
        self.path.rsplit_once('/').map(|(namespace, _)| namespace)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/registry/{}/{}", self.prefix, self.path)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_namespaced_and_cluster_scoped_keys() {
        let key = Key::new("services/specs", Some("default"), "web");
        assert_eq!((key.namespace(), key.name()), (Some("default"), "web"));
        assert_eq!(key.to_string(), "/registry/services/specs/default/web");
        let key = Key::new("nodes", None, "one");
        assert_eq!((key.namespace(), key.name()), (None, "one"));
    }
}
