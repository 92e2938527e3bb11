//! PATCH in its four forms (`endpoints/handlers/patch.go`).

use super::{
    Descriptor,
    body::{self, Dropped},
    ensure_namespace,
    exchange::{Exchange, Writer},
    unsupported_patch,
    update::{self, replace},
};
use crate::Outcome;
use chainplate_apimachinery::{
    Map, Status, Value, decode, field, meta, object,
    options::{FieldValidation, Write, WriteOptions, json_kind},
    patch::{self, MAX_OPERATIONS, Operation},
};

/// What a patch's media type says. The names are case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchKind {
    /// # Errors
    /// 415 with the types that would do.
    pub(super) fn of(media_type: &str, descriptor: &Descriptor) -> Result<Self, Status> {
        match media_type {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if descriptor.strategic_merge => Ok(Self::Strategic),
            "application/apply-patch+yaml" if descriptor.apply => Ok(Self::Apply),
            _ => Err(unsupported_patch(descriptor)),
        }
    }

    pub(super) fn write(self) -> Write {
        if self == Self::Apply { Write::Apply } else { Write::Patch }
    }
}

/// A patch that was read, and what its own body gives reason to tell.
pub(super) struct Patch {
    kind: PatchKind,
    form: Form,
    told: Vec<String>,
}

enum Form {
    Operations(Vec<Operation>),
    Document(Value),
}

impl Patch {
    /// # Errors
    /// 400 for what is no patch, 413 for too many operations.
    pub(super) fn read(kind: PatchKind, bytes: &[u8], validation: FieldValidation) -> Result<Self, Status> {
        if kind == PatchKind::Apply {
            return Self::read_apply(bytes, validation);
        }
        // A strategic merge patch is told about without the words in front.
        let prefix = if kind == PatchKind::Strategic { "" } else { "error decoding patch: " };
        let wrong = |text: String| Status::bad_request(format!("{prefix}{text}"));
        let document = decode::json(bytes).map_err(wrong)?;
        let mut told = Vec::new();
        let mut unknown = Vec::new();
        let has_duplicates = document.has_duplicates;
        let form = match (kind, document.value) {
            (PatchKind::Json, value) => {
                let operations = patch::operations(value, &mut unknown).map_err(wrong)?;
                if operations.len() > MAX_OPERATIONS {
                    return Err(Status::too_large(format!(
                        "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                        operations.len()
                    )));
                }
                Form::Operations(operations)
            }
            (PatchKind::Merge, Value::Null) => return Err(Status::bad_request("Invalid JSON Patch")),
            (_, Value::Null) => Form::Document(Value::Object(Map::new())),
            (_, value @ Value::Object(_)) => Form::Document(value),
            (_, other) => {
                let kind = json_kind(&other);
                return Err(wrong(format!(
                    "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
                )));
            }
        };
        if has_duplicates || !unknown.is_empty() {
            let prefix = if kind == PatchKind::Json { "json patch " } else { "" };
            told.extend(
                decode::strict_errors(bytes, &unknown).into_iter().map(|text| format!("{prefix}{text}")),
            );
        }
        Ok(Self { kind, form, told })
    }

    fn read_apply(bytes: &[u8], validation: FieldValidation) -> Result<Self, Status> {
        const WHERE: &str = "YAML: error converting YAML to JSON";
        let document = decode::yaml(bytes)
            .map_err(|text| Status::bad_request(format!("error decoding {WHERE}: {text}")))?;
        let mut told = Vec::new();
        if document.has_duplicates && validation != FieldValidation::Ignore {
            let lines = if document.yaml_errors.is_empty() {
                decode::strict_errors(bytes, &[]).join("\n  ")
            } else {
                document.yaml_errors.join("\n  ")
            };
            if validation == FieldValidation::Strict {
                return Err(Status::bad_request(format!(
                    "error strict decoding {WHERE}: yaml: unmarshal errors:\n  {lines}"
                )));
            }
            told.push(format!("yaml: unmarshal errors:\n  {lines}"));
        }
        match document.value {
            Value::Null => {
                Ok(Self { kind: PatchKind::Apply, form: Form::Document(Value::Object(Map::new())), told })
            }
            value @ Value::Object(_) => {
                Ok(Self { kind: PatchKind::Apply, form: Form::Document(value), told })
            }
            other => Err(Status::bad_request(format!(
                "error decoding YAML: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                json_kind(&other)
            ))),
        }
    }

    /// The configuration that is applied, of the type that it has to be.
    pub(super) fn applied(&self, api_version: &str, kind: &str) -> Result<&Value, Status> {
        let Form::Document(document) = &self.form else {
            return Err(Status::internal("an apply patch is a document"));
        };
        if object::metadata(document)
            .and_then(|metadata| metadata.get("managedFields"))
            .is_some_and(|list| !list.is_null())
        {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
        let (have_version, have_kind) = (text("apiVersion"), text("kind"));
        if have_version == api_version && have_kind == kind {
            return Ok(document);
        }
        // Go prints the core group's version behind a slash.
        let slash = if have_version.contains('/') { "" } else { "/" };
        Err(Status::bad_request(format!("invalid object type: {slash}{have_version}, Kind={have_kind}")))
    }

    /// What the patch's own body gave reason to tell.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.clone()
    }

    /// Applies a JSON, merge or strategic patch to a document.
    pub(super) fn apply_to(&self, exchange: &Exchange<'_>, document: &mut Value) -> Result<(), Status> {
        match &self.form {
            Form::Operations(operations) => patch::apply(document, operations).map_err(|_| refused()),
            Form::Document(patch) if self.kind == PatchKind::Strategic => {
                exchange.strategy.strategic_merge(document, patch.clone())
            }
            Form::Document(patch) => {
                patch::merge(document, patch.clone());
                Ok(())
            }
        }
    }
}

/// 422 of a patch that does not apply, without a reason: clients know these words.
fn refused() -> Status {
    Status::new(422, "Invalid", "the server rejected our request due to an error in our request")
        .with_details(Map::new())
}

/// 422 of a patch whose result is no object of the type.
pub(super) fn misfit(result: &Value, why: &str) -> Status {
    let shown = String::from_utf8(object::encode_unsaved(result)).unwrap_or_default();
    let path = field::Path::Child(&field::Path::Root, "patch");
    Status::invalid("", "", "", &[field::Error::invalid(&path, shown, why)])
}

pub(super) fn patch(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let kind = PatchKind::of(&body::media_type(exchange.request), exchange.descriptor)?;
    let bytes = exchange.request.body()?;
    let options = WriteOptions::parse(exchange.request.query(), kind.write())?;
    let patch = Patch::read(kind, &bytes, options.field_validation);
    drop(bytes);
    let writer = exchange.writer(&options);
    let allow_create = exchange.subresource.is_empty() && kind == PatchKind::Apply;
    let mut telling = Telling { validation: options.field_validation, done: false };
    // What is wrong with the patch is told once the object is found.
    let mut patch = Some(patch);
    let mut read: Option<Patch> = None;
    let written = replace(exchange, &options, allow_create, None, |old| {
        if let Some(result) = patch.take() {
            read = Some(result?);
        }
        let Some(patch) = &read else { return Err(Status::internal("a patch was read and is gone")) };
        let mut object = if kind == PatchKind::Apply {
            apply(exchange, &writer, &options, patch, old, &mut telling)?
        } else {
            edit(exchange, &writer, patch, old.ok_or_else(|| exchange.not_found())?, &mut telling)?
        };
        if old.is_none() && !object::uid(&object).is_empty() {
            return Err(exchange.conflict(&format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                object::uid(&object)
            )));
        }
        ensure_namespace(&mut object, exchange.namespace)?;
        exchange.check_name(&object)?;
        exchange.dedup_owners(&mut object, " after mutating admission happens");
        Ok(object)
    })?;
    Ok(update::respond(exchange, written))
}

/// Tells about dropped fields, as warnings only once however often the write starts over.
pub(super) struct Telling {
    pub(super) validation: FieldValidation,
    pub(super) done: bool,
}

impl Telling {
    pub(super) fn tell(
        &mut self,
        exchange: &Exchange<'_>,
        result: &Value,
        texts: Vec<String>,
    ) -> Result<(), Status> {
        if texts.is_empty() || self.validation == FieldValidation::Ignore {
            return Ok(());
        }
        let dropped = Dropped(texts);
        if self.validation == FieldValidation::Strict {
            return Err(misfit(result, &dropped.refusal()));
        }
        if !std::mem::replace(&mut self.done, true) {
            dropped.warn(exchange.request);
        }
        Ok(())
    }
}

/// JSON, merge and strategic patches: the object, patched and typed again.
fn edit(
    exchange: &Exchange<'_>,
    writer: &Writer,
    patch: &Patch,
    old: &Value,
    telling: &mut Telling,
) -> Result<Value, Status> {
    let mut object = old.clone();
    patch.apply_to(exchange, &mut object)?;
    check_type(exchange.descriptor, &object)?;
    let mut unknown = Vec::new();
    let strict = telling.validation != FieldValidation::Ignore;
    let decoded = meta::decode(&mut object, strict.then_some(&mut unknown))
        .and_then(|()| exchange.strategy.decode(&mut object, strict.then_some(&mut unknown)));
    decoded.map_err(|text| misfit(&object, &text))?;
    unknown.sort_unstable();
    let mut texts = patch.told.clone();
    texts.extend(body::unknown_fields(&unknown));
    telling.tell(exchange, &object, texts)?;
    exchange.strategy.default(&mut object);
    exchange.strategy.track(&exchange.manager(writer), Some(old), &mut object);
    Ok(object)
}

fn apply(
    exchange: &Exchange<'_>,
    writer: &Writer,
    options: &WriteOptions,
    patch: &Patch,
    old: Option<&Value>,
    telling: &mut Telling,
) -> Result<Value, Status> {
    let descriptor = exchange.descriptor;
    let document = patch.applied(&descriptor.api_version(), &descriptor.kind)?;
    let force = options.force.unwrap_or_default();
    let mut object = exchange.strategy.apply(&exchange.manager(writer), force, old, document.clone())?;
    meta::decode(&mut object, None)
        .and_then(|()| exchange.strategy.decode(&mut object, None))
        .map_err(|text| Status::bad_request(format!("error decoding patch: {text}")))?;
    telling.tell(exchange, &object, patch.told.clone())?;
    exchange.strategy.default(&mut object);
    Ok(object)
}

/// A patch may not make another type of the object.
fn check_type(descriptor: &Descriptor, object: &Value) -> Result<(), Status> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if kind == descriptor.kind && api_version == descriptor.api_version() {
        return Ok(());
    }
    Err(misfit(
        object,
        &format!(
            "no kind {kind:?} is registered for version {api_version:?}: a patch cannot change the type"
        ),
    ))
}
