//! From method, path and query to [`RequestInfo`], as `RequestInfoFactory.NewRequestInfo` does.

use super::{RequestInfo, Verb};
use std::borrow::Cow;

/// Why a request line cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A percent escape in the path is incomplete, or the decoded path is not UTF-8. Upstream's HTTP server
    /// answers 400.
    #[error("the path {0:?} has an invalid escape: send UTF-8, percent-encoded")]
    BadEscape(String),
    /// `/api/v1/watch` and the like: a special verb without anything after it. Upstream answers 500.
    #[error("unable to determine kind and namespace from url, {0}")]
    NothingAfterVerb(String),
}

/// Subresources of a namespace, which tell `/namespaces/x/status` from a namespaced resource.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Parses a request line: the method in upper case, the path as sent (still encoded), the raw query without
    /// its question mark.
    ///
    /// # Errors
    /// A broken escape in the path, or a legacy verb prefix with nothing after it.
    pub fn parse(method: &str, path: &str, query: &str) -> Result<Self, ParseError> {
        let path = decode_path(path)?;
        let mut info = RequestInfo {
            is_resource: false,
            verb: method_verb(method),
            method: method.to_ascii_lowercase(),
            path: String::new(),
            api_prefix: String::new(),
            group: String::new(),
            version: String::new(),
            namespace: String::new(),
            resource: String::new(),
            subresource: String::new(),
            name: String::new(),
            parts: Vec::new(),
        };
        let filled = info.fill(&path, query);
        info.path = path.into_owned();
        filled.map(|()| info)
    }

    /// Reads what the path says. Anything too short for a resource stays a non-resource request.
    fn fill(&mut self, path: &str, query: &str) -> Result<(), ParseError> {
        let trimmed = path.trim_matches('/');
        let parts: Vec<&str> = trimmed.split('/').collect();
        let (grouped, rest) = match parts.split_first() {
            Some((&"api", rest)) if rest.len() >= 2 => (false, rest),
            Some((&"apis", rest)) if rest.len() >= 2 => (true, rest),
            _ => return Ok(()),
        };
        self.api_prefix = if grouped { "apis" } else { "api" }.to_owned();
        let rest = match (grouped, rest) {
            (false, rest) => rest,
            (true, [group, rest @ ..]) if rest.len() >= 2 => {
                self.group = (*group).to_owned();
                rest
            }
            _ => return Ok(()),
        };
        let [version, rest @ ..] = rest else { return Ok(()) };
        self.is_resource = true;
        self.version = (*version).to_owned();

        let mut rest = rest;
        if let [special @ ("watch" | "proxy"), after @ ..] = rest {
            if after.is_empty() {
                return Err(ParseError::NothingAfterVerb(path.to_owned()));
            }
            self.verb = if *special == "watch" { Verb::Watch } else { Verb::Proxy };
            rest = after;
        }

        if let ["namespaces", namespace, after @ ..] = rest {
            self.namespace = (*namespace).to_owned();
            if after.first().is_some_and(|part| !NAMESPACE_SUBRESOURCES.contains(part)) {
                rest = after;
            }
        }

        self.parts = rest.iter().map(|&part| part.to_owned()).collect();
        if let Some(subresource) = rest.get(2).filter(|_| self.verb != Verb::Proxy) {
            self.subresource = (*subresource).to_owned();
        }
        self.name = rest.get(1).copied().unwrap_or_default().to_owned();
        self.resource = rest.first().copied().unwrap_or_default().to_owned();

        if self.name.is_empty() {
            match self.verb {
                Verb::Get => self.list_or_watch(query),
                Verb::Delete => self.verb = Verb::DeleteCollection,
                _ => {}
            }
        }
        Ok(())
    }

    /// A GET without a name. The query decides whether it watches, and may name one object.
    fn list_or_watch(&mut self, query: &str) {
        let mut watch = None;
        let mut selector = None;
        let mut decodes = true;
        for (key, value) in query_pairs(query) {
            match &*key {
                "watch" if watch.is_none() => {
                    watch = Some(!matches!(value.to_ascii_lowercase().as_str(), "false" | "0"));
                }
                "fieldSelector" if selector.is_none() => selector = Some(value),
                // A list option that cannot be decoded takes the selector with it; the handler answers 400.
                "limit" | "timeoutSeconds" => decodes &= value.parse::<i64>().is_ok(),
                _ => {}
            }
        }
        self.verb = if watch == Some(true) { Verb::Watch } else { Verb::List };
        if let Some(name) = selector.filter(|_| decodes).as_deref().and_then(selected_name)
            && is_path_segment(&name)
        {
            self.name = name;
        }
    }

    /// Whether the request may stay open for long: exempt from deadlines and in-flight limits. Verbs and
    /// subresources are those of upstream's `BasicLongRunningRequestCheck` in kube-apiserver.
    pub fn is_long_running(&self) -> bool {
        if !self.is_resource {
            return self.path.starts_with("/debug/pprof/");
        }
        matches!(self.verb, Verb::Watch | Verb::Proxy)
            || matches!(self.subresource.as_str(), "attach" | "exec" | "proxy" | "log" | "portforward")
    }

    /// The verb as authorization knows it: that of the resource, or the lower-case method.
    pub fn verb_name(&self) -> &str {
        if self.is_resource { self.verb.as_str() } else { &self.method }
    }

    /// Whether the verb may change something (all but get, list and watch).
    pub fn is_mutating(&self) -> bool {
        !matches!(self.verb, Verb::Get | Verb::List | Verb::Watch)
    }
}

fn method_verb(method: &str) -> Verb {
    match method {
        "GET" | "HEAD" => Verb::Get,
        "POST" => Verb::Create,
        "PUT" => Verb::Update,
        "PATCH" => Verb::Patch,
        "DELETE" => Verb::Delete,
        _ => Verb::Other,
    }
}

/// `IsPathSegmentName` of `apimachinery/pkg/api/validation/path`.
fn is_path_segment(name: &str) -> bool {
    name != "." && name != ".." && !name.contains(['/', '%'])
}

/// The value that `metadata.name` must equal, if the selector is well-formed and asks for one.
fn selected_name(selector: &str) -> Option<String> {
    let mut found = None;
    for term in split_unescaped(selector) {
        if term.is_empty() {
            continue;
        }
        let (field, equal, value) = split_term(term)?;
        if found.is_none() && equal && field == "metadata.name" {
            found = Some(value);
        } else {
            unescape(&value)?;
        }
    }
    found.as_deref().and_then(unescape)
}

/// Splits at commas that no backslash protects.
fn split_unescaped(selector: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    selector.split(move |c: char| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
}

/// `field`, whether the operator asks for equality, and the still escaped value. `None` without an operator.
fn split_term(term: &str) -> Option<(&str, bool, String)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    [("!=", false), ("==", true), ("=", true)].into_iter().find_map(|(operator, equal)| {
        rest.strip_prefix(operator).map(|value| (field, equal, value.to_owned()))
    })
}

/// Takes `\\`, `\,` and `\=` back; `None` where a character that needs a backslash has none, or a backslash
/// protects nothing.
fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().filter(|c| matches!(c, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

/// Decodes a path's percent escapes; a `+` stays one.
///
/// # Errors
/// An incomplete escape, or a result that is not UTF-8.
pub fn decode_path(path: &str) -> Result<Cow<'_, str>, ParseError> {
    decode(path, false).ok_or_else(|| ParseError::BadEscape(path.to_owned()))
}

/// The pairs of a query, decoded. Pairs that cannot be decoded are left out, as Go's `url.ParseQuery` does.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(key, true)?, decode(value, true)?))
    })
}

/// The first value of a key in a query, decoded; empty for a key without one.
pub fn query_value<'a>(query: &'a str, key: &str) -> Option<Cow<'a, str>> {
    query_pairs(query).find(|(found, _)| found == key).map(|(_, value)| value)
}

fn decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    let special = |&byte: &u8| byte == b'%' || (plus_is_space && byte == b'+');
    if !text.as_bytes().iter().any(special) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
