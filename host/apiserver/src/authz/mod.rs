//! Authorization: who may do what. A seam: RBAC joins the union later.

mod external;
#[cfg(test)]
mod tests;

pub use external::{AuthorizerEntry, Authorizers};

use crate::{BoxFuture, authn};
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, UserInfo, Verb, query_value},
};
use std::{borrow::Cow, fmt::Debug, fmt::Write as _, sync::Arc};

/// What an authorizer thinks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may go on; nobody else is asked.
    Allow,
    /// It may not; nobody else is asked.
    Deny,
    /// Ask the next; when nobody has an opinion, it may not.
    NoOpinion,
}

/// A decision and, where there is something to say, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// Why. The client sees it behind the 403's text, so it is empty where upstream says nothing.
    pub reason: String,
}

impl Verdict {
    /// A decision without words.
    pub const fn silent(decision: Decision) -> Self {
        Self { decision, reason: String::new() }
    }
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who.
    pub user: &'a UserInfo,
    /// What.
    pub info: &'a RequestInfo,
    /// The verb: the request's own, or one that is no request's, such as `impersonate`.
    pub verb: &'a str,
    /// The raw query, for the selectors only: whatever else an authorizer could read is part of no key under
    /// which its verdict is remembered.
    pub(crate) query: &'a str,
}

impl<'a> Attributes<'a> {
    /// A user's request.
    pub fn of(user: &'a UserInfo, info: &'a RequestInfo) -> Self {
        Self { user, info, verb: info.verb_name(), query: "" }
    }

    /// With the request's raw query, without its question mark.
    #[must_use]
    pub fn with_query(self, query: &'a str) -> Self {
        Self { query, ..self }
    }

    /// The field selector of a list, watch or deletecollection, as the client wrote it.
    pub fn field_selector(&self) -> Option<Cow<'a, str>> {
        self.selector("fieldSelector")
    }

    /// The label selector of a list, watch or deletecollection, as the client wrote it.
    pub fn label_selector(&self) -> Option<Cow<'a, str>> {
        self.selector("labelSelector")
    }

    fn selector(&self, key: &str) -> Option<Cow<'a, str>> {
        let selects = matches!(self.info.verb, Verb::List | Verb::Watch | Verb::DeleteCollection);
        if self.info.is_resource && selects { query_value(self.query, key) } else { None }
    }
}

/// Decides whether a user may do something.
pub trait Authorizer: Debug + Send + Sync + 'static {
    /// Judges.
    ///
    /// # Errors
    /// The decision could not be made; the client gets 500 unless another authorizer allows.
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>>;
}

/// Several authorizers: the first that has an opinion decides.
#[derive(Debug)]
pub struct Union(Vec<Arc<dyn Authorizer>>);

impl Union {
    /// Asks the members in order.
    pub fn new(members: Vec<Arc<dyn Authorizer>>) -> Self {
        Self(members)
    }
}

impl Authorizer for Union {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        Box::pin(async move {
            let mut errors = Vec::new();
            let mut reasons = Vec::new();
            for member in &self.0 {
                match member.authorize(attributes).await {
                    Ok(verdict) if verdict.decision == Decision::NoOpinion => {
                        reasons.extend(Some(verdict.reason).filter(|reason| !reason.is_empty()));
                    }
                    Ok(verdict) => return Ok(verdict),
                    Err(error) => errors.push(error),
                }
            }
            if errors.is_empty() {
                Ok(Verdict { decision: Decision::NoOpinion, reason: reasons.join("\n") })
            } else {
                Err(errors.join("; "))
            }
        })
    }
}

/// `system:masters` may do all.
#[derive(Debug)]
pub struct PrivilegedGroups;

impl Authorizer for PrivilegedGroups {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        decide(authn::is_master(attributes.user))
    }
}

/// Paths that everybody may use, `--authorization-always-allow-paths`.
#[derive(Debug, Default)]
pub struct AlwaysAllowPaths {
    exact: Vec<String>,
    prefixes: Vec<String>,
}

/// A pattern with a `*` that is not at its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only trailing * allowed in {0:?}")]
pub struct PatternError(String);

impl AlwaysAllowPaths {
    /// Patterns: a path, or a prefix that ends in `*`. A leading slash does not matter.
    ///
    /// # Errors
    /// A `*` elsewhere than at the end.
    pub fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, PatternError> {
        let mut paths = Self::default();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let bare = pattern.strip_prefix('/').unwrap_or(pattern);
            let (list, text) = match bare.strip_suffix('*') {
                Some(prefix) => (&mut paths.prefixes, prefix),
                None => (&mut paths.exact, bare),
            };
            if text.contains('*') {
                return Err(PatternError(bare.to_owned()));
            }
            list.push(text.to_owned());
        }
        Ok(paths)
    }

    fn has(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        self.exact.iter().any(|exact| exact == path)
            || self.prefixes.iter().any(|prefix| path.starts_with(prefix))
    }
}

impl Authorizer for AlwaysAllowPaths {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        decide(!attributes.info.is_resource && self.has(&attributes.info.path))
    }
}

/// What upstream's bootstrap roles `system:public-info-viewer` (everybody), `system:discovery` (every authenticated user)
/// and `system:service-account-issuer-discovery` (service accounts) let be read. Stands in until RBAC serves those roles.
#[derive(Debug)]
pub struct BootstrapPaths {
    everybody: AlwaysAllowPaths,
    authenticated: AlwaysAllowPaths,
    service_accounts: AlwaysAllowPaths,
}

impl Default for BootstrapPaths {
    fn default() -> Self {
        let list = |paths: &[&str]| AlwaysAllowPaths {
            exact: paths.iter().filter(|path| !path.ends_with('*')).map(|&path| path.to_owned()).collect(),
            prefixes: paths.iter().filter_map(|path| path.strip_suffix('*')).map(str::to_owned).collect(),
        };
        // `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`.
        Self {
            everybody: list(&["healthz", "livez", "readyz", "version", "version/"]),
            authenticated: list(&["api", "api/*", "apis", "apis/*", "openapi", "openapi/*"]),
            service_accounts: list(&[
                ".well-known/openid-configuration",
                ".well-known/openid-configuration/",
                "openid/v1/jwks",
                "openid/v1/jwks/",
            ]),
        }
    }
}

impl Authorizer for BootstrapPaths {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        let Attributes { user, info, .. } = attributes;
        let is_in = |wanted: &str| user.groups.iter().any(|group| group == wanted);
        decide(
            !info.is_resource
                && info.method == "get"
                && (self.everybody.has(&info.path)
                    || (self.authenticated.has(&info.path) && is_in(authn::AUTHENTICATED))
                    || (self.service_accounts.has(&info.path) && is_in(authn::SERVICE_ACCOUNTS))),
        )
    }
}

fn decide<'a>(allowed: bool) -> BoxFuture<'a, Result<Verdict, String>> {
    let decision = if allowed { Decision::Allow } else { Decision::NoOpinion };
    Box::pin(std::future::ready(Ok(Verdict::silent(decision))))
}

/// 403 in upstream's words (`endpoints/handlers/responsewriters/errors.go`).
pub fn forbidden(attributes: Attributes<'_>, reason: &str) -> Status {
    let Attributes { user, info, verb, .. } = attributes;
    let name = quote(&user.name);
    let mut message = if info.is_resource {
        let resource = if info.subresource.is_empty() {
            info.resource.clone()
        } else {
            format!("{}/{}", info.resource, info.subresource)
        };
        let scope = if info.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {}", quote(&info.namespace))
        };
        format!(
            "User {name} cannot {verb} resource {} in API group {} {scope}",
            quote(&resource),
            quote(&info.group)
        )
    } else {
        format!("User {name} cannot {verb} path {}", quote(&info.path))
    };
    // Nothing that a browser could take for HTML.
    message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if !reason.is_empty() {
        message.push_str(": ");
        message.push_str(reason);
    }
    Status::forbidden(&info.group, &info.resource, &info.name, &message)
}

/// A text as Go's `%q` prints it.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if !c.is_control() => out.push(c),
            // Writing to a String cannot fail.
            c if u32::from(c) < 0x80 => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => drop(write!(out, "\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
