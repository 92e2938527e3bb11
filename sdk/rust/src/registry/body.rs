//! From a request's body to an object: media type, syntax, type, unknown and duplicate fields, and how each of them is
//! told (`endpoints/handlers/{create,update,rest}.go`).

use super::{Decoding, Descriptor, Malformed, Strategy};
use crate::Request;
use chainplate_apimachinery::{
    Status, Value,
    decode::{self, Document},
    meta,
    options::FieldValidation,
};

/// The media types of objects.
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// How a body is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Yaml,
    Protobuf,
}

/// Why a body cannot be read.
pub(super) struct Unreadable {
    /// The type that the document says it is of, as far as that was read.
    told: Told,
    text: String,
}

impl Unreadable {
    fn untyped(text: String) -> Self {
        Self { told: Told::default(), text }
    }

    /// What is wrong, without saying with what.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The answer to a request that should have brought a `kind` (`transformDecodeError` of
    /// `endpoints/handlers/rest.go`).
    pub(super) fn status(&self, kind: &str, body: &[u8]) -> Status {
        let Self { told, text } = self;
        if told.kind.is_empty() {
            let summary = decode::summarize(body);
            return Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): {text} ({summary})"
            ));
        }
        let (told_kind, version) = (&told.kind, told.version_or(""));
        Status::bad_request(format!(
            "{told_kind} in version {version:?} cannot be handled as a {kind}: {text}"
        ))
    }
}

/// The media type of a request without its parameters; nothing if none is given.
pub(crate) fn media_type(request: &Request<'_>) -> String {
    let header = request.header("content-type");
    let whole = header.first().map_or("", String::as_str);
    whole.split(';').next().unwrap_or_default().trim().to_owned()
}

impl Format {
    /// The format of an object in a request: JSON unless it says otherwise. Without `protobuf_known` that is neither
    /// taken nor named.
    ///
    /// # Errors
    /// 415 for any other media type.
    pub(super) fn of(request: &Request<'_>, protobuf_known: bool) -> Result<Self, Status> {
        match media_type(request).to_ascii_lowercase().as_str() {
            "" | JSON => Ok(Self::Json),
            YAML => Ok(Self::Yaml),
            PROTOBUF if protobuf_known => Ok(Self::Protobuf),
            _ if protobuf_known => Err(Status::unsupported_media_type(&[JSON, YAML, PROTOBUF])),
            _ => Err(Status::unsupported_media_type(&[JSON, YAML])),
        }
    }

    /// Reads a body. `default` is the apiVersion and kind of what does not say them in protobuf.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(
        self,
        strategy: &dyn Strategy,
        default: (&str, &str),
        body: &[u8],
    ) -> Result<Document, Unreadable> {
        match self {
            Self::Json => decode::json(body).map_err(|text| {
                Unreadable::untyped(format!("couldn't get version/kind; json parse error: {text}"))
            }),
            Self::Yaml => decode::yaml(body).map_err(Unreadable::untyped),
            Self::Protobuf => match strategy.decode_protobuf(body, default) {
                Ok(value) => Ok(Document { value, has_duplicates: false, yaml_errors: Vec::new() }),
                Err(Malformed { api_version, kind, message }) => {
                    Err(Unreadable { told: Told { api_version, kind }, text: message })
                }
            },
        }
    }
}

/// What the client must be told about fields that were dropped.
#[derive(Debug, Default)]
pub(super) struct Dropped(pub(super) Vec<String>);

impl Dropped {
    /// The text of a refusal.
    pub(super) fn refusal(&self) -> String {
        format!("strict decoding error: {}", self.0.join(", "))
    }

    /// As warnings.
    pub(super) fn warn(&self, request: &Request<'_>) {
        for text in &self.0 {
            let lines = text.strip_prefix("yaml: unmarshal errors:\n").unwrap_or(text);
            for line in lines.lines() {
                request.warn(line.trim());
            }
        }
    }
}

/// Reads the object in a body. The result has the strategy's kind and apiVersion, well-formed metadata, defaults.
///
/// # Errors
/// 400 for what cannot be read or is of another type, and with `Strict` for unknown or duplicate fields.
pub(super) fn object(
    request: &Request<'_>,
    strategy: &dyn Strategy,
    format: Format,
    body: &[u8],
    validation: FieldValidation,
) -> Result<Value, Status> {
    let descriptor = strategy.descriptor();
    let default = (&*descriptor.api_version(), &*descriptor.kind);
    let mut document =
        format.parse(strategy, default, body).map_err(|why| why.status(&descriptor.kind, body))?;
    let told = Told::of(&document.value);
    check_type(descriptor, &mut document.value, &told, body)?;
    let strict = validation != FieldValidation::Ignore;
    let mut unknown = Vec::new();
    let kind = &descriptor.kind;
    let cannot = |why: &str| {
        let (kind_told, version) = (told.kind_or(kind), told.version_or(&descriptor.version));
        Status::bad_request(format!(
            "{kind_told} in version {version:?} cannot be handled as a {kind}: {why}"
        ))
    };
    meta::decode(&mut document.value, strict.then_some(&mut unknown)).map_err(|text| cannot(&text))?;
    strategy.decode(&mut document.value, strict.then_some(&mut unknown)).map_err(|text| cannot(&text))?;
    if strict {
        let dropped = dropped(descriptor, format, &document, body, unknown);
        if !dropped.0.is_empty() {
            if validation == FieldValidation::Strict {
                return Err(cannot(&dropped.refusal()));
            }
            dropped.warn(request);
        }
    }
    strategy.default(&mut document.value);
    Ok(document.value)
}

fn dropped(
    descriptor: &Descriptor,
    format: Format,
    document: &Document,
    body: &[u8],
    mut unknown: Vec<String>,
) -> Dropped {
    if unknown.is_empty() && !document.has_duplicates {
        return Dropped::default();
    }
    let mut errors = Vec::new();
    if !document.yaml_errors.is_empty() {
        errors.push(format!("yaml: unmarshal errors:\n  {}", document.yaml_errors.join("\n  ")));
    }
    unknown.sort_unstable();
    unknown.dedup();
    match (descriptor.decoding, format) {
        (Decoding::Typed, Format::Json) => errors.extend(decode::strict_errors(body, &unknown)),
        (Decoding::Unstructured, Format::Json) => {
            errors.extend(decode::strict_errors(body, &[]));
            errors.extend(unknown_fields(&unknown));
        }
        // YAML is turned into JSON with its keys in order.
        (_, Format::Yaml | Format::Protobuf) => errors.extend(unknown_fields(&unknown)),
    }
    Dropped(errors)
}

pub(super) fn unknown_fields(paths: &[String]) -> impl Iterator<Item = String> {
    paths.iter().map(|path| format!("unknown field {path:?}"))
}

/// The type that a document says it is of. Go finds it whatever the case of the keys.
#[derive(Debug, Default)]
struct Told {
    api_version: String,
    kind: String,
}

impl Told {
    fn of(document: &Value) -> Self {
        let find = |name: &str| {
            let map = document.as_object()?;
            let exact = map.get(name).or_else(|| {
                map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            });
            exact?.as_str().map(str::to_owned)
        };
        Self { api_version: find("apiVersion").unwrap_or_default(), kind: find("kind").unwrap_or_default() }
    }

    fn kind_or<'a>(&'a self, default: &'a str) -> &'a str {
        if self.kind.is_empty() { default } else { &self.kind }
    }

    /// The version alone, without the group.
    fn version_or<'a>(&'a self, default: &'a str) -> &'a str {
        match self.api_version.rsplit('/').next() {
            Some(version) if !version.is_empty() => version,
            _ => default,
        }
    }
}

/// Checks kind and apiVersion and sets them.
fn check_type(descriptor: &Descriptor, document: &mut Value, told: &Told, body: &[u8]) -> Result<(), Status> {
    let want = descriptor.api_version();
    let kind = &*descriptor.kind;
    if document.is_null() {
        *document = Value::Object(chainplate_apimachinery::Map::new());
    }
    let Some(map) = document.as_object_mut() else {
        let what = chainplate_apimachinery::options::json_kind(document);
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} ({})",
            decode::summarize(body)
        )));
    };
    match descriptor.decoding {
        Decoding::Typed => {
            let (told_kind, told_version) = (told.kind_or(kind), told.version_or(&descriptor.version));
            let cannot = |why: String| {
                Status::bad_request(format!(
                    "{told_kind} in version {told_version:?} cannot be handled as a {kind}: {why}"
                ))
            };
            if !told.api_version.is_empty() && told.api_version != want {
                return Err(cannot(format!(
                    "no kind {told_kind:?} is registered for version {:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
                    told.api_version
                )));
            }
            if told_kind != kind {
                return Err(cannot(format!(
                    "converting ({want}.{told_kind}) to ({want}.{kind}): unknown conversion"
                )));
            }
        }
        Decoding::Unstructured => {
            if told.kind.is_empty() {
                return Err(Status::bad_request(format!(
                    "the object provided is unrecognized (must be of type {kind}): Object 'Kind' is missing in '{}' ({})",
                    String::from_utf8_lossy(body).trim_end(),
                    decode::summarize(body)
                )));
            }
            if told.api_version != want {
                return Err(Status::bad_request(format!(
                    "the API version in the data ({}) does not match the expected API version ({want})",
                    told.api_version
                )));
            }
            if told.kind != kind {
                let path = chainplate_apimachinery::field::Path::Root;
                let error = chainplate_apimachinery::field::Error::invalid(
                    &path.child("kind"),
                    told.kind.as_str(),
                    format!("must be {kind}"),
                );
                let name = map.get("metadata").and_then(|meta| meta.get("name")).and_then(Value::as_str);
                return Err(Status::invalid(&descriptor.group, kind, name.unwrap_or_default(), &[error]));
            }
        }
    }
    for (key, value) in [("apiVersion", &*want), ("kind", kind)] {
        if map.get(key).and_then(Value::as_str) != Some(value) {
            map.insert(key.to_owned(), value.into());
        }
    }
    Ok(())
}
