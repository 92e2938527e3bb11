//! Content negotiation: which encoding and which form of an answer a client wants
//! (`apiserver/pkg/endpoints/handlers/negotiation`).

use crate::{Status, list_options};

/// An encoding of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/json`.
    Json,
    /// `application/yaml`.
    Yaml,
    /// `application/vnd.kubernetes.protobuf`.
    Protobuf,
}

impl Encoding {
    /// The media type without parameters.
    pub const fn media_type(self) -> &'static str {
        match self {
            Encoding::Json => "application/json",
            Encoding::Yaml => "application/yaml",
            Encoding::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    const fn subtype(self) -> &'static str {
        match self {
            Encoding::Json => "json",
            Encoding::Yaml => "yaml",
            Encoding::Protobuf => "vnd.kubernetes.protobuf",
        }
    }
}

/// All encodings in upstream's order of preference.
pub const ENCODINGS: [Encoding; 3] = [Encoding::Json, Encoding::Yaml, Encoding::Protobuf];

/// The version of `meta.k8s.io` that a transformed answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetaVersion {
    /// `meta.k8s.io/v1`.
    V1,
    /// `meta.k8s.io/v1beta1`.
    V1beta1,
}

impl MetaVersion {
    /// The `apiVersion`.
    pub const fn api_version(self) -> &'static str {
        match self {
            MetaVersion::V1 => "meta.k8s.io/v1",
            MetaVersion::V1beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The object or list itself.
    Plain,
    /// `as=Table`.
    Table(MetaVersion),
    /// `as=PartialObjectMetadata`.
    Metadata(MetaVersion),
    /// `as=PartialObjectMetadataList`.
    MetadataList(MetaVersion),
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType {
    /// The encoding.
    pub encoding: Encoding,
    /// The form.
    pub form: Form,
    /// Whether the client wants it laid out for people, by parameter, query or user agent.
    pub pretty: bool,
}

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Errors, and documents outside resources: no transformed forms.
    Document,
    /// A resource: all forms.
    Resource,
}

/// The parts of a request that negotiation reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Preferences<'a> {
    /// The first `Accept` header; empty for none.
    pub accept: &'a str,
    /// The raw query string, for `pretty`.
    pub query: &'a str,
    /// The `User-Agent` header: browsers, curl and Wget get laid out answers.
    pub user_agent: &'a str,
}

/// One clause of an `Accept` header.
#[derive(Debug, Clone, PartialEq)]
struct Clause<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f32,
    parameters: Vec<(&'a str, &'a str)>,
}

/// The clauses of an `Accept` header, the preferred ones first. Malformed clauses are left out.
fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut out: Vec<Clause<'_>> = Vec::new();
    for part in header.split(',') {
        let mut pieces = part.split(';');
        let range = pieces.next().unwrap_or_default();
        let mut names = range.split('/');
        let kind = names.next().unwrap_or_default().trim();
        let subtype = match (names.next(), names.next()) {
            (Some(subtype), None) if !subtype.is_empty() => subtype.trim(),
            (None | Some(""), None) if kind == "*" => "*",
            _ => continue,
        };
        let mut clause = Clause { kind, subtype, quality: 1.0, parameters: Vec::new() };
        for piece in pieces {
            let Some((name, value)) = piece.split_once('=').filter(|(_, value)| !value.contains('=')) else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            match name.trim() {
                "q" => clause.quality = value.parse().unwrap_or(0.0),
                name => clause.parameters.push((name, value.trim())),
            }
        }
        out.push(clause);
    }
    if out.len() > FEW {
        // By a true order, and in less than the square of their number.
        out.sort_by(|a, b| {
            let wild = |clause: &Clause<'_>| (clause.kind == "*", clause.subtype == "*");
            b.quality.total_cmp(&a.quality).then_with(|| wild(a).cmp(&wild(b)))
        });
        return out;
    }
    // An insertion sort over a comparison that is no order: the outcome is upstream's, stable.
    for end in 1..out.len() {
        let mut at = end;
        while at > 0 && precedes(&out[at], &out[at - 1]) {
            out.swap(at, at - 1);
            at -= 1;
        }
    }
    out
}

/// The most elements that Go sorts by insertion (`sort.Sort`).
const FEW: usize = 12;

fn precedes(a: &Clause<'_>, b: &Clause<'_>) -> bool {
    a.quality > b.quality || (a.kind != "*" && b.kind == "*") || (a.subtype != "*" && b.subtype == "*")
}

/// Agrees on encoding and form. `supported` lists the encodings that can be produced at all, preferred ones first, and
/// `plain` those that the plain form can be produced in; clauses for others are skipped.
///
/// # Errors
/// 406 if no clause can be met.
pub fn negotiate(
    preferences: Preferences<'_>,
    endpoint: Endpoint,
    supported: &[Encoding],
    plain: &[Encoding],
) -> Result<MediaType, Status> {
    let pretty = wants_pretty(preferences);
    if preferences.accept.is_empty() {
        let encoding = supported.first().copied().unwrap_or(Encoding::Json);
        return Ok(MediaType { encoding, form: Form::Plain, pretty });
    }
    for clause in clauses(preferences.accept) {
        for encoding in supported {
            let accepts = match (clause.kind, clause.subtype) {
                ("*", "*") | ("application", "*") => true,
                (kind, subtype) => kind == "application" && subtype == encoding.subtype(),
            };
            if accepts
                && let Some(media) = meet(&clause, *encoding, endpoint)
                && (media.form != Form::Plain || plain.contains(encoding))
            {
                return Ok(MediaType { pretty: media.pretty || pretty, ..media });
            }
        }
    }
    Err(not_acceptable())
}

/// The first clause of an `Accept` header, the preferred ones first, that `meet` takes: it sees the media type's two
/// names and its parameters. For documents with forms of their own (discovery).
pub fn first_met<T>(accept: &str, meet: impl Fn(&str, &str, &[(&str, &str)]) -> Option<T>) -> Option<T> {
    clauses(accept).iter().find_map(|clause| meet(clause.kind, clause.subtype, &clause.parameters))
}

/// The encoding of a watch. YAML cannot be streamed.
///
/// # Errors
/// 406 if nothing that can be streamed is accepted.
pub fn negotiate_stream(media: &MediaType) -> Result<(), Status> {
    if media.encoding == Encoding::Yaml {
        let accepted = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
        return Err(Status::not_acceptable(&accepted));
    }
    Ok(())
}

/// The 406 that names upstream's media types.
fn not_acceptable() -> Status {
    Status::not_acceptable(&ENCODINGS.map(Encoding::media_type))
}

fn meet(clause: &Clause<'_>, encoding: Encoding, endpoint: Endpoint) -> Option<MediaType> {
    let mut target: Option<[&str; 3]> = None;
    let mut pretty = false;
    for (name, value) in &clause.parameters {
        match *name {
            "as" => target.get_or_insert_default()[0] = value,
            "g" => target.get_or_insert_default()[1] = value,
            "v" => target.get_or_insert_default()[2] = value,
            "stream" if *value != "watch" || encoding == Encoding::Yaml => return None,
            "sv" if endpoint == Endpoint::Document || *value != "v1" => return None,
            "pretty" => pretty = *value == "1",
            _ => {}
        }
    }
    let form = match target {
        None => Form::Plain,
        Some(_) if endpoint == Endpoint::Document => return None,
        Some([kind, "meta.k8s.io", version]) => {
            let version = match version {
                "v1" => MetaVersion::V1,
                "v1beta1" => MetaVersion::V1beta1,
                _ => return None,
            };
            match kind {
                "Table" if encoding != Encoding::Protobuf => Form::Table(version),
                "PartialObjectMetadata" => Form::Metadata(version),
                "PartialObjectMetadataList" => Form::MetadataList(version),
                _ => return None,
            }
        }
        Some(_) => return None,
    };
    Some(MediaType { encoding, form, pretty })
}

fn wants_pretty(preferences: Preferences<'_>) -> bool {
    if preferences.query.contains("pretty")
        && let Some(value) =
            list_options::value(preferences.query, "pretty").filter(|value| !value.is_empty())
    {
        // Go's `strconv.ParseBool`.
        return matches!(value.as_str(), "1" | "t" | "T" | "TRUE" | "true" | "True");
    }
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|agent| preferences.user_agent.starts_with(agent))
}

/// The 406 of upstream's router, which knows no wildcards but `*/*` and looks at no parameters. Built-in
/// resources and discovery have it in front of negotiation, custom resources have not.
///
/// # Errors
/// 406 if no clause names one of `available`.
pub fn route(accept: &str, available: &[&str]) -> Result<(), Status> {
    let met = |part: &str| {
        let range = part.split(';').next().unwrap_or_default().trim();
        range == "*/*" || available.contains(&range)
    };
    if accept.is_empty() || accept.split(',').any(met) {
        return Ok(());
    }
    let message = format!("406: Not Acceptable\n\nAvailable representations: {}", available.join(", "));
    Err(Status::new(406, "NotAcceptable", message).with_details(crate::Map::new()))
}

/// What upstream's router can produce for an object.
pub const OBJECT_TYPES: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
/// What upstream's router can produce for a collection, watches included.
pub const LIST_TYPES: [&str; 5] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];

#[cfg(test)]
mod tests {
    use super::*;

    const SERVED: [Encoding; 2] = [Encoding::Json, Encoding::Yaml];

    fn agreed(accept: &str) -> Option<(Encoding, Form)> {
        let preferences = Preferences { accept, ..Default::default() };
        negotiate(preferences, Endpoint::Resource, &ENCODINGS, &SERVED)
            .ok()
            .map(|media| (media.encoding, media.form))
    }

    #[test]
    fn the_first_clause_that_can_be_met_wins() {
        use Encoding::{Json, Yaml};
        let table = Form::Table(MetaVersion::V1);
        let cases = [
            ("", Some((Json, Form::Plain))),
            ("*/*", Some((Json, Form::Plain))),
            ("*", Some((Json, Form::Plain))),
            ("application/*", Some((Json, Form::Plain))),
            ("application/yaml", Some((Yaml, Form::Plain))),
            ("application/json;q=0.5, application/yaml", Some((Yaml, Form::Plain))),
            ("*/*, application/yaml", Some((Yaml, Form::Plain))),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", Some((Json, table))),
            (
                "application/json;as=Table;g=meta.k8s.io;v=v1beta1,application/json",
                Some((Json, Form::Table(MetaVersion::V1beta1))),
            ),
            ("application/json;as=Table;v=v2;g=meta.k8s.io", None),
            ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", Some((Json, Form::Plain))),
            ("application/yaml;as=Table;v=v1;g=meta.k8s.io", Some((Yaml, table))),
            (
                "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                Some((Json, Form::Metadata(MetaVersion::V1))),
            ),
            ("application/json;as=Other;v=v1;g=meta.k8s.io", None),
            ("application/json;g=meta.k8s.io", None),
            ("application/vnd.kubernetes.protobuf", None),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                Some((Encoding::Protobuf, Form::Metadata(MetaVersion::V1))),
            ),
            ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", None),
            ("application/vnd.kubernetes.protobuf,application/json", Some((Json, Form::Plain))),
            ("application/json;stream=watch", Some((Json, Form::Plain))),
            ("application/json;stream=other", None),
            ("application/json;charset=utf-8", Some((Json, Form::Plain))),
            ("text/html", None),
            ("json", None),
        ];
        for (accept, want) in cases {
            assert_eq!(agreed(accept), want, "{accept}");
        }
    }

    #[test]
    fn documents_have_no_other_form() {
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let refused =
            negotiate(Preferences { accept, ..Default::default() }, Endpoint::Document, &SERVED, &SERVED);
        assert_eq!(
            refused.expect_err("refused").message(),
            "only the following media types are accepted: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf"
        );
    }

    #[test]
    fn pretty_is_asked_for_by_query_parameter_or_browser() {
        for (query, user_agent, accept, want) in [
            ("", "", "", false),
            ("pretty=true", "", "", true),
            ("pretty=1", "", "", true),
            ("pretty=false", "curl/8", "", false),
            ("pretty=yes", "curl/8", "", false),
            ("pretty=", "curl/8", "", true),
            ("", "Mozilla/5.0 (X11)", "", true),
            ("", "kubectl", "application/json;pretty=1", true),
        ] {
            let preferences = Preferences { accept, query, user_agent };
            let media = negotiate(preferences, Endpoint::Document, &SERVED, &SERVED).expect("agreed");
            assert_eq!(media.pretty, want, "{preferences:?}");
        }
    }

    #[test]
    fn the_router_looks_at_bare_media_types() {
        assert!(route("application/json;as=Table, text/html", &OBJECT_TYPES).is_ok());
        assert!(route("", &OBJECT_TYPES).is_ok());
        assert!(route("text/html, */*;q=0.1", &OBJECT_TYPES).is_ok());
        let refused = route("application/*", &OBJECT_TYPES).expect_err("refused");
        assert!(
            refused
                .message()
                .starts_with("406: Not Acceptable\n\nAvailable representations: application/json, ")
        );
        assert_eq!(refused.to_value()["details"], serde_json::json!({}));
    }

    #[test]
    fn yaml_is_not_streamed() {
        let media = MediaType { encoding: Encoding::Yaml, form: Form::Plain, pretty: false };
        assert_eq!(
            negotiate_stream(&media).expect_err("refused").message(),
            "only the following media types are accepted: application/json;stream=watch, \
             application/vnd.kubernetes.protobuf;stream=watch"
        );
    }
}
