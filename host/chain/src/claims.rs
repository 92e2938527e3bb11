//! Route claims: which requests a component wants to see.

use parking_lot::RwLock;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    path: String,
    exact: bool,
}

/// The claims of one component.
#[derive(Debug, Default)]
pub(crate) struct Claims(RwLock<Vec<Claim>>);

/// Most claims of one component: they are walked for each request.
pub(crate) const MAX_CLAIMS: usize = 4096;

/// Whether `path` is `root` or stands below it. The empty root covers everything.
fn covers(root: &str, path: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `path` is `pattern`, a part `*` of which stands for any one part. A slash at the end does not count.
fn is_like(pattern: &str, path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = path.split('/');
    pattern.split('/').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
        && parts.next().is_none()
}

impl Claims {
    /// Adds a claim; false when there are too many.
    pub(crate) fn add(&self, path: &str, exact: bool) -> bool {
        let path = if exact { path } else { path.trim_end_matches('/') };
        let claim = Claim { path: path.to_owned(), exact };
        let mut claims = self.0.write();
        if claims.contains(&claim) {
            return true;
        }
        if claims.len() >= MAX_CLAIMS {
            return false;
        }
        claims.push(claim);
        true
    }

    pub(crate) fn release(&self, path: &str) {
        let path = path.trim_end_matches('/');
        self.0.write().retain(|claim| claim.path.trim_end_matches('/') != path);
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0
            .read()
            .iter()
            .any(|claim| if claim.exact { is_like(&claim.path, path) } else { covers(&claim.path, path) })
    }

    /// The claimed paths, for the index at `/`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let claims = self.0.read();
        claims.iter().map(|claim| claim.path.clone()).filter(|path| !path.contains('*')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_covers_whole_path_parts_below_it() {
        let claims = Claims::default();
        claims.add("/apis/apps", false);
        claims.add("/api", true);
        assert!(claims.matches("/apis/apps"));
        assert!(claims.matches("/apis/apps/v1/deployments"));
        assert!(!claims.matches("/apis/apps.example.com"));
        assert!(claims.matches("/api"));
        assert!(!claims.matches("/api/v1"));
        assert!(claims.matches("/api/"));
        claims.add("/apis/*/*", true);
        assert!(claims.matches("/apis/example.com/v1"));
        assert!(!claims.matches("/apis/example.com/v1/things"));
        claims.release("/apis/apps");
        assert!(!claims.matches("/apis/apps"));
    }
}
