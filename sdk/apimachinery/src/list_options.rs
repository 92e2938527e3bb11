//! The query of get, list and watch (`meta/internalversion.ListOptions`): parsed, defaulted, checked.

use crate::{
    Status,
    field::{self, Path},
    selector::{FieldSelector, LabelSelector},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::collections::HashSet;

/// How `resourceVersion` is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// That very state.
    Exact,
    /// That state or a later one.
    NotOlderThan,
}

/// What a client wants of a list or a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// `labelSelector`.
    pub labels: LabelSelector,
    /// `fieldSelector`; its labels are not checked yet.
    pub fields: FieldSelector,
    /// `watch`. The legacy `/watch/` prefix is a watch without it.
    pub watch: bool,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `resourceVersion` as it came; see [`parse_resource_version`].
    pub resource_version: String,
    /// `resourceVersionMatch`; only values that are known get past validation.
    pub resource_version_match: Option<Match>,
    /// `timeoutSeconds`.
    pub timeout_seconds: Option<i64>,
    /// `limit`; 0 or less is no limit.
    pub limit: i64,
    /// `continue`.
    pub continue_token: String,
    /// `sendInitialEvents`, as given or as defaulted for a watch from the present.
    pub send_initial_events: Option<bool>,
}

impl ListOptions {
    /// Parses and checks a raw query string.
    ///
    /// # Errors
    /// 400 for what cannot be parsed, 422 for combinations that are not allowed
    /// (`apis/meta/internalversion/validation`).
    pub fn parse(query: &str) -> Result<Self, Status> {
        let mut options = Self::default();
        let mut matching = None;
        for (key, value) in first_values(query) {
            let value = value.as_str();
            match key.as_str() {
                "labelSelector" => options.labels = LabelSelector::parse(value).map_err(bad_request)?,
                "fieldSelector" => options.fields = FieldSelector::parse(value).map_err(bad_request)?,
                "watch" => options.watch = truth(value),
                "allowWatchBookmarks" => options.bookmarks = truth(value),
                "resourceVersion" => value.clone_into(&mut options.resource_version),
                "resourceVersionMatch" => matching = Some(value.to_owned()).filter(|text| !text.is_empty()),
                "timeoutSeconds" => options.timeout_seconds = Some(integer(value)?),
                "limit" => options.limit = integer(value)?,
                "continue" => value.clone_into(&mut options.continue_token),
                "sendInitialEvents" => options.send_initial_events = Some(truth(value)),
                _ => {}
            }
        }
        // `SetListOptionsDefaults`: a watch that starts with the present is a watch-list.
        let present = matches!(options.resource_version.as_str(), "" | "0");
        if options.watch && present && options.send_initial_events.is_none() && matching.is_none() {
            options.send_initial_events = Some(true);
            matching = Some(NOT_OLDER_THAN.to_owned());
        }
        let errors = options.check(matching.as_deref());
        if !errors.is_empty() {
            return Err(Status::invalid("meta.k8s.io", "ListOptions", "", &errors));
        }
        options.resource_version_match = match matching.as_deref() {
            Some(EXACT) => Some(Match::Exact),
            Some(_) => Some(Match::NotOlderThan),
            None => None,
        };
        Ok(options)
    }

    fn check(&self, matching: Option<&str>) -> Vec<field::Error> {
        const CONTINUE: &str = "resourceVersionMatch is forbidden when continue is provided";
        let path = Path::Root.child("resourceVersionMatch");
        let mut errors = Vec::new();
        if self.watch {
            if self.send_initial_events.is_some() && matching != Some(NOT_OLDER_THAN) {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                errors.push(field::Error::forbidden(&path, why));
            }
            if let Some(matching) = matching {
                if self.send_initial_events.is_none() {
                    let why =
                        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                    errors.push(field::Error::forbidden(&path, why));
                }
                if matching != NOT_OLDER_THAN {
                    errors.push(field::Error::not_supported(&path, matching, &[NOT_OLDER_THAN]));
                }
                if !self.continue_token.is_empty() {
                    errors.push(field::Error::forbidden(&path, CONTINUE));
                }
            }
            return errors;
        }
        if let Some(matching) = matching {
            if self.resource_version.is_empty() {
                let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                errors.push(field::Error::forbidden(&path, why));
            }
            if !self.continue_token.is_empty() {
                errors.push(field::Error::forbidden(&path, CONTINUE));
            }
            if !matches!(matching, EXACT | NOT_OLDER_THAN) {
                errors.push(field::Error::not_supported(&path, matching, &[EXACT, NOT_OLDER_THAN, ""]));
            }
            if matching == EXACT && self.resource_version == "0" {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                errors.push(field::Error::forbidden(&path, why));
            }
        }
        if self.send_initial_events.is_some() {
            let why = "sendInitialEvents is forbidden for list";
            errors.push(field::Error::forbidden(&Path::Root.child("sendInitialEvents"), why));
        }
        errors
    }

    /// Where a list starts, and at which revision it reads.
    ///
    /// # Errors
    /// 400 for a malformed `resourceVersion` or `continue`, or both at once (`storage.ValidateListOptions`).
    pub fn position(&self) -> Result<Position, Status> {
        if !self.continue_token.is_empty() {
            let token = ContinueToken::decode(&self.continue_token)
                .map_err(|why| Status::bad_request(format!("invalid continue token: {why}")))?;
            if !matches!(self.resource_version.as_str(), "" | "0") {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            return Ok(Position::Continue(token));
        }
        let revision = parse_resource_version(&self.resource_version)
            .map_err(|why| Status::bad_request(format!("invalid resource version: {why}")))?;
        Ok(match (revision, self.resource_version_match) {
            (0, _) => Position::Present,
            (revision, Some(Match::Exact)) => Position::Exact(revision),
            // The legacy meaning: with a limit, that very state.
            (revision, None) if self.limit > 0 => Position::Exact(revision),
            (revision, _) => Position::NotOlderThan(revision),
        })
    }
}

/// Where a list reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// The present state.
    Present,
    /// The state at this revision.
    Exact(u64),
    /// The present state, once it has this revision.
    NotOlderThan(u64),
    /// The rest of an earlier list.
    Continue(ContinueToken),
}

const EXACT: &str = "Exact";
const NOT_OLDER_THAN: &str = "NotOlderThan";

/// Reads a `resourceVersion`; none and `0` are 0.
///
/// # Errors
/// Upstream's text, `resourceVersion: Invalid value: "abc": strconv.ParseUint: …`.
pub fn parse_resource_version(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    // Rust takes a leading plus, Go does not.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let why = format!("strconv.ParseUint: parsing {text:?}: {}", number_fault(text, digits));
        field::Error::invalid(&Path::Root.child("resourceVersion"), text, why).to_string()
    })
}

/// The place behind the last object of a page (`apiserver/pkg/storage/continue.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContinueToken {
    /// The revision of the first page; -1 goes on with the present state.
    pub revision: i64,
    /// The key to start at, relative to what is listed. Tokens end it with a NUL: behind that object.
    pub start: String,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Encoded {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

impl ContinueToken {
    const VERSION: &str = "meta.k8s.io/v1";

    /// A token that goes on behind the object with the key `last`, relative to what is listed.
    pub fn after(last: &str, revision: i64) -> Self {
        Self { revision, start: format!("{last}\0") }
    }

    /// The object behind which to go on, if the token is of the usual form.
    pub fn last(&self) -> Option<&str> {
        self.start.strip_suffix('\0')
    }

    /// The opaque text.
    pub fn encode(&self) -> String {
        let encoded = Encoded { v: Self::VERSION.into(), rv: self.revision, start: self.start.clone() };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&encoded).unwrap_or_default())
    }

    /// Reads a token.
    ///
    /// # Errors
    /// Why it is not one, in upstream's words where they do not depend on its JSON library.
    pub fn decode(text: &str) -> Result<Self, String> {
        const FAULT: &str = "continue key is not valid";
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|why| {
            let offset = match why {
                base64::DecodeError::InvalidByte(offset, _)
                | base64::DecodeError::InvalidLastSymbol(offset, _) => offset,
                _ => text.len(),
            };
            format!("{FAULT}: illegal base64 data at input byte {offset}")
        })?;
        let encoded: Encoded = serde_json::from_slice(&bytes).map_err(|why| format!("{FAULT}: {why}"))?;
        if encoded.v != Self::VERSION {
            return Err(format!("{FAULT}: server does not recognize this encoded version {}", encoded.v));
        }
        if encoded.rv == 0 {
            return Err(format!("{FAULT}: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"));
        }
        if encoded.start.is_empty() {
            return Err(format!("{FAULT}: encoded start key empty (version meta.k8s.io/v1)"));
        }
        let key = encoded.start.strip_prefix('/').unwrap_or(&encoded.start);
        // Nothing that walks out of what is listed.
        if key.is_empty() || key.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!("{FAULT}: {}", encoded.start));
        }
        Ok(Self { revision: encoded.rv, start: key.to_owned() })
    }
}

/// The pairs of a query string, decoded, in their order. Pairs that cannot be decoded are left out, as Go does.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(key)?, decode(value)?))
    })
}

/// The first value of `key` in a query string.
pub fn value(query: &str, key: &str) -> Option<String> {
    pairs(query).find(|(name, _)| name == key).map(|(_, value)| value)
}

fn first_values(query: &str) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    pairs(query).filter(|(key, _)| seen.insert(key.clone())).collect()
}

/// Percent-decoding of a query, where `+` is a blank.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    Some(
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// Only `0` and `false` are false (`runtime.Convert_Slice_string_To_bool`).
fn truth(value: &str) -> bool {
    !(value == "0" || value.eq_ignore_ascii_case("false"))
}

fn integer(text: &str) -> Result<i64, Status> {
    text.parse().map_err(|_| {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let digits = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
        Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: {}", number_fault(unsigned, digits)))
    })
}

const fn number_fault(text: &str, digits: bool) -> &'static str {
    if digits && !text.is_empty() { "value out of range" } else { "invalid syntax" }
}

fn bad_request(error: impl std::fmt::Display) -> Status {
    Status::bad_request(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(query: &str) -> (u16, String) {
        let status = ListOptions::parse(query).and_then(|options| options.position()).expect_err(query);
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn forbidden_combinations_are_told_in_upstreams_words() {
        let cases = [
            (
                "resourceVersionMatch=Exact",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (
                "resourceVersion=1&resourceVersionMatch=Newest",
                "resourceVersionMatch: Unsupported value: \"Newest\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
            ),
            (
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]",
            ),
            (
                "watch=1&sendInitialEvents=false",
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1",
                "[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"]",
            ),
            (
                "watch=1&resourceVersionMatch=NotOlderThan",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
            (
                "watch=1&continue=abc",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ),
        ];
        for (query, want) in cases {
            assert_eq!(
                fault(query),
                (422, format!("ListOptions.meta.k8s.io \"\" is invalid: {want}")),
                "{query}"
            );
        }
    }

    #[test]
    fn what_cannot_be_parsed_is_a_bad_request() {
        let cases = [
            (
                "resourceVersion=abc",
                "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
            ),
            (
                "resourceVersion=-5",
                "invalid resource version: resourceVersion: Invalid value: \"-5\": strconv.ParseUint: parsing \"-5\": invalid syntax",
            ),
            (
                "resourceVersion=99999999999999999999",
                "invalid resource version: resourceVersion: Invalid value: \"99999999999999999999\": strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
            ),
            ("limit=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("limit=", "strconv.ParseInt: parsing \"\": invalid syntax"),
            ("timeoutSeconds=1.5", "strconv.ParseInt: parsing \"1.5\": invalid syntax"),
            ("labelSelector=,", "found ',', expected: !, identifier, or 'end of string'"),
            ("fieldSelector=x", "invalid selector: 'x'; can't understand 'x'"),
            (
                "continue=%21",
                "invalid continue token: continue key is not valid: illegal base64 data at input byte 0",
            ),
        ];
        for (query, want) in cases {
            assert_eq!(fault(query), (400, want.to_owned()), "{query}");
        }
        let token = ContinueToken::after("a", 7).encode();
        let both = format!("continue={token}&resourceVersion=7");
        assert_eq!(
            fault(&both),
            (400, "specifying resource version is not allowed when using continue".into())
        );
    }

    #[test]
    fn a_watch_from_the_present_is_a_watch_list() {
        for (query, want) in [
            ("watch=", Some(true)),
            ("watch=1&resourceVersion=0", Some(true)),
            ("watch=1&resourceVersion=5", None),
            ("watch=0", None),
            ("watch=False", None),
            ("watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", Some(false)),
            ("watch=1&sendInitialEvents=maybe&resourceVersionMatch=NotOlderThan", Some(true)),
        ] {
            assert_eq!(ListOptions::parse(query).expect(query).send_initial_events, want, "{query}");
        }
    }

    #[test]
    fn a_list_reads_where_the_matrix_says() {
        for (query, want) in [
            ("", Position::Present),
            ("resourceVersion=0&limit=3", Position::Present),
            ("resourceVersion=5", Position::NotOlderThan(5)),
            ("resourceVersion=5&limit=3", Position::Exact(5)),
            ("resourceVersion=5&limit=3&resourceVersionMatch=NotOlderThan", Position::NotOlderThan(5)),
            ("resourceVersion=5&resourceVersionMatch=Exact", Position::Exact(5)),
        ] {
            assert_eq!(ListOptions::parse(query).and_then(|options| options.position()), Ok(want), "{query}");
        }
    }

    #[test]
    fn continue_tokens_have_upstreams_form_and_stay_inside() {
        let token = ContinueToken::after("ns/a", 7);
        let text = token.encode();
        let json = URL_SAFE_NO_PAD.decode(&text).expect("base64");
        assert_eq!(json, br#"{"v":"meta.k8s.io/v1","rv":7,"start":"ns/a\u0000"}"#);
        assert_eq!(ContinueToken::decode(&text), Ok(token));
        for (json, want) in [
            (r#"{"v":"v2","rv":1,"start":"a"}"#, "server does not recognize this encoded version v2"),
            (
                r#"{"v":"meta.k8s.io/v1","start":"a"}"#,
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (r#"{"v":"meta.k8s.io/v1","rv":1}"#, "encoded start key empty (version meta.k8s.io/v1)"),
            (r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../a"}"#, "../a"),
        ] {
            let want = format!("continue key is not valid: {want}");
            assert_eq!(ContinueToken::decode(&URL_SAFE_NO_PAD.encode(json)), Err(want));
        }
    }

    #[test]
    fn queries_are_decoded_as_go_does() {
        assert_eq!(value("a=1&b=x%20y+z&b=2&c", "b").as_deref(), Some("x y z"));
        assert_eq!(value("c", "c").as_deref(), Some(""));
        assert_eq!(value("a=%zz&a=2", "a").as_deref(), Some("2"));
    }
}
