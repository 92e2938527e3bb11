//! The options of writes (`meta/v1` CreateOptions, UpdateOptions, PatchOptions, DeleteOptions).
//!
//! Rules: `apimachinery/pkg/apis/meta/v1/validation`; conversion of query values: `apimachinery/pkg/runtime`.

use crate::{
    Map, Status, Value,
    field::{self, Path},
    request::query_pairs,
};

/// Greatest length of a field manager's name, in bytes.
pub const MANAGER_MAX: usize = 128;

/// What a write does with fields that it does not know, and with duplicate ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drops them.
    Ignore,
    /// Drops them and tells the client so.
    #[default]
    Warn,
    /// Refuses them.
    Strict,
}

/// Options of POST, PUT and PATCH.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The values of `dryRun`; not empty means that nothing is stored.
    pub dry_run: Vec<String>,
    /// `fieldManager`; empty means that the user agent tells.
    pub field_manager: String,
    /// `fieldValidation`.
    pub field_validation: FieldValidation,
    /// `force`, for apply only.
    pub force: Option<bool>,
}

/// Whose options they are: decides about the kind in errors and the rules that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH but for apply.
    Patch,
    /// PATCH with `application/apply-patch+yaml`.
    Apply,
}

impl WriteOptions {
    /// Reads and checks a query.
    ///
    /// # Errors
    /// 422 with a cause for each wrong option.
    pub fn parse(query: &str, write: Write) -> Result<Self, Status> {
        let mut options = Self::default();
        if query.is_empty() && write != Write::Apply {
            return Ok(options);
        }
        let mut validation = String::new();
        let mut seen = Seen::default();
        for (key, value) in query_pairs(query) {
            match &*key {
                "dryRun" => options.dry_run.push(value.into_owned()),
                "fieldManager" if seen.first(0) => options.field_manager = value.into_owned(),
                "fieldValidation" if seen.first(1) => validation = value.into_owned(),
                "force" if seen.first(2) && matches!(write, Write::Patch | Write::Apply) => {
                    options.force = Some(truth(&value));
                }
                _ => {}
            }
        }
        let mut errors = Vec::new();
        let (kind, root) = (write.kind(), Path::Root);
        match write {
            Write::Apply if options.field_manager.is_empty() => {
                errors
                    .push(field::Error::required(&root.child("fieldManager"), "is required for apply patch"));
            }
            Write::Patch if options.force.is_some() => errors.push(field::Error::forbidden(
                &root.child("force"),
                "may not be specified for non-apply patch",
            )),
            _ => {}
        }
        validate_manager(&options.field_manager, &root.child("fieldManager"), &mut errors);
        validate_dry_run(&options.dry_run, &mut errors);
        options.field_validation = match validation.as_str() {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            _ => {
                let path = root.child("fieldValidation");
                errors.push(field::Error::not_supported(
                    &path,
                    validation,
                    &["", "Ignore", "Strict", "Warn"],
                ));
                FieldValidation::Warn
            }
        };
        refuse(kind, &errors).map(|()| options)
    }

    /// Whether nothing shall be stored.
    pub fn is_dry_run(&self) -> bool {
        !self.dry_run.is_empty()
    }
}

impl Write {
    const fn kind(self) -> &'static str {
        match self {
            Write::Create => "CreateOptions",
            Write::Update => "UpdateOptions",
            Write::Patch | Write::Apply => "PatchOptions",
        }
    }
}

/// Options of a DELETE.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds until the object goes; negative ones are taken as 1.
    pub grace_period_seconds: Option<i64>,
    /// The uid that the object must have.
    pub precondition_uid: Option<String>,
    /// The resourceVersion that the object must have.
    pub precondition_resource_version: Option<String>,
    /// The legacy form of a propagation policy.
    pub orphan_dependents: Option<bool>,
    /// `Orphan`, `Background` or `Foreground`.
    pub propagation_policy: Option<String>,
    /// The values of `dryRun`; not empty means that nothing is stored.
    pub dry_run: Vec<String>,
}

impl DeleteOptions {
    /// Reads a query. For requests without a body; a body replaces the query's options entirely.
    ///
    /// # Errors
    /// 400 for a grace period that is no number.
    pub fn from_query(query: &str) -> Result<Self, Status> {
        let mut options = Self::default();
        let mut seen = Seen::default();
        for (key, value) in query_pairs(query) {
            match &*key {
                "dryRun" => options.dry_run.push(value.into_owned()),
                "gracePeriodSeconds" if seen.first(0) => {
                    let seconds = value.parse().map_err(|_| {
                        Status::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax"))
                    })?;
                    options.grace_period_seconds = Some(seconds);
                }
                "orphanDependents" if seen.first(1) => options.orphan_dependents = Some(truth(&value)),
                "propagationPolicy" if seen.first(2) => options.propagation_policy = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(options)
    }

    /// Reads a document. Unknown members are ignored; a kind, if there is one, must be `DeleteOptions`.
    ///
    /// # Errors
    /// 400 for another kind, or a member of the wrong type.
    pub fn from_value(document: &Value) -> Result<Self, Status> {
        let map = match document {
            Value::Null => return Ok(Self::default()),
            Value::Object(map) => map,
            other => return Err(wrong_type(other, "", "v1.DeleteOptions")),
        };
        if let Some(kind) = map.get("kind").and_then(Value::as_str).filter(|kind| *kind != "DeleteOptions") {
            let version = map.get("apiVersion").and_then(Value::as_str).unwrap_or("v1");
            return Err(Status::bad_request(format!(
                "no kind {kind:?} is registered for version {version:?}: send DeleteOptions"
            )));
        }
        let mut options = Self {
            grace_period_seconds: read(map, "gracePeriodSeconds", "int64", Value::as_i64)?,
            orphan_dependents: read(map, "orphanDependents", "bool", Value::as_bool)?,
            propagation_policy: read(map, "propagationPolicy", "v1.DeletionPropagation", text)?,
            dry_run: read(map, "dryRun", "[]string", texts)?.unwrap_or_default(),
            ..Self::default()
        };
        match map.get("preconditions") {
            None | Some(Value::Null) => {}
            Some(Value::Object(preconditions)) => {
                options.precondition_uid = read(preconditions, "uid", "types.UID", text)?;
                options.precondition_resource_version =
                    read(preconditions, "resourceVersion", "string", text)?;
            }
            Some(other) => return Err(wrong_type(other, "DeleteOptions.preconditions", "v1.Preconditions")),
        }
        Ok(options)
    }

    /// Checks the options.
    ///
    /// # Errors
    /// 422 with a cause for each wrong one.
    pub fn validate(&self) -> Result<(), Status> {
        let mut errors = Vec::new();
        if let Some(policy) = &self.propagation_policy {
            let path = Path::Child(&Path::Root, "propagationPolicy");
            if self.orphan_dependents.is_some() {
                let why = "orphanDependents and deletionPropagation cannot be both set";
                errors.push(field::Error::invalid(&path, policy.as_str(), why));
            }
            let known = ["Foreground", "Background", "Orphan", "nil"];
            if !known[..3].contains(&policy.as_str()) {
                errors.push(field::Error::not_supported(&path, policy.as_str(), &known));
            }
        }
        validate_dry_run(&self.dry_run, &mut errors);
        refuse("DeleteOptions", &errors)
    }

    /// Whether nothing shall be stored.
    pub fn is_dry_run(&self) -> bool {
        !self.dry_run.is_empty()
    }
}

/// The name of the manager that a user agent stands for: what comes before the first `/`, printable, cut to
/// [`MANAGER_MAX`] bytes (`prefixFromUserAgent` of `endpoints/handlers/create.go`).
pub fn manager_of_user_agent(user_agent: &str) -> String {
    let mut manager = String::new();
    for character in user_agent.split('/').next().unwrap_or_default().chars().filter(is_printable) {
        if manager.len() + character.len_utf8() > MANAGER_MAX {
            break;
        }
        manager.push(character);
    }
    manager
}

/// The rules of a manager's name, in options and in `managedFields`.
pub fn validate_manager(manager: &str, path: &Path<'_>, errors: &mut Vec<field::Error>) {
    if manager.len() > MANAGER_MAX {
        errors.push(field::Error::too_long(path, MANAGER_MAX));
    }
    for (at, character) in manager.char_indices().filter(|(_, character)| !is_printable(character)) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(character));
        errors.push(field::Error::invalid(path, manager, why));
    }
}

/// Close to Go's `unicode.IsPrint`: no control characters, and of the spaces only U+0020.
fn is_printable(character: &char) -> bool {
    !character.is_control()
        && (*character == ' ' || !character.is_whitespace())
        && !matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}')
}

fn validate_dry_run(values: &[String], errors: &mut Vec<field::Error>) {
    if values.iter().any(|value| value != "All") {
        let path = Path::Child(&Path::Root, "dryRun");
        errors.push(field::Error::not_supported(&path, values.to_vec(), &["All"]));
    }
}

fn refuse(kind: &str, errors: &[field::Error]) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", kind, "", errors)) }
}

/// Of a query parameter that stands several times, the first counts.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    fn first(&mut self, bit: u8) -> bool {
        let there = self.0 >> bit & 1 == 1;
        self.0 |= 1 << bit;
        !there
    }
}

/// Anything but `false` and `0` is true, the empty text included.
fn truth(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn read<T>(
    map: &Map,
    key: &str,
    kind: &str,
    convert: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, Status> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match convert(value) {
            Some(converted) => Ok(Some(converted)),
            None => Err(wrong_type(value, &format!("DeleteOptions.{key}"), kind)),
        },
    }
}

fn wrong_type(value: &Value, place: &str, kind: &str) -> Status {
    let what = json_kind(value);
    Status::bad_request(if place.is_empty() {
        format!("json: cannot unmarshal {what} into Go value of type {kind}")
    } else {
        format!("json: cannot unmarshal {what} into Go struct field {place} of type {kind}")
    })
}

/// What Go's decoder calls a JSON value in its errors.
pub fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn write_options_have_defaults() {
        let options =
            WriteOptions::parse("pretty=true&fieldManager=me&fieldManager=you", Write::Create).unwrap();
        assert_eq!(options.field_manager, "me");
        assert_eq!(options.field_validation, FieldValidation::Warn);
        assert!(!options.is_dry_run());
        assert!(WriteOptions::parse("dryRun=All&dryRun=All", Write::Update).unwrap().is_dry_run());
    }

    #[test]
    fn wrong_write_options_are_told_together() {
        let status = WriteOptions::parse("dryRun=None&fieldValidation=Sure&fieldManager=a%01", Write::Create)
            .unwrap_err();
        assert_eq!(status.code(), 422);
        assert_eq!(
            status.message(),
            "CreateOptions.meta.k8s.io \"\" is invalid: [fieldManager: Invalid value: \"a\\u0001\": invalid character U+0001 (at position 1), dryRun: Unsupported value: [\"None\"]: supported values: \"All\", fieldValidation: Unsupported value: \"Sure\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"]"
        );
        assert_eq!(WriteOptions::parse("dryRun=", Write::Patch).unwrap_err().code(), 422);
    }

    #[test]
    fn force_and_manager_belong_to_apply() {
        assert_eq!(WriteOptions::parse("force=false", Write::Patch).unwrap_err().code(), 422);
        assert_eq!(WriteOptions::parse("force=false", Write::Create).unwrap().force, None);
        assert_eq!(WriteOptions::parse("fieldManager=a&force=", Write::Apply).unwrap().force, Some(true));
        let status = WriteOptions::parse("", Write::Apply).unwrap_err();
        assert_eq!(
            status.message(),
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
        );
    }

    #[test]
    fn delete_options_come_from_the_query() {
        let options = DeleteOptions::from_query(
            "gracePeriodSeconds=-5&orphanDependents=0&propagationPolicy=Orphan&dryRun=All",
        )
        .unwrap();
        assert_eq!(options.grace_period_seconds, Some(-5));
        assert_eq!(options.orphan_dependents, Some(false));
        assert!(options.is_dry_run());
        assert!(options.validate().unwrap_err().message().contains("cannot be both set"));
        let status = DeleteOptions::from_query("gracePeriodSeconds=soon").unwrap_err();
        assert_eq!(status.message(), "strconv.ParseInt: parsing \"soon\": invalid syntax");
    }

    #[test]
    fn delete_options_come_from_a_body() {
        let body = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "unknownField": 1,
            "preconditions": {"uid": "u", "resourceVersion": "3"}, "dryRun": ["All"], "gracePeriodSeconds": 0});
        let options = DeleteOptions::from_value(&body).unwrap();
        assert_eq!(options.precondition_uid.as_deref(), Some("u"));
        assert_eq!(options.precondition_resource_version.as_deref(), Some("3"));
        assert_eq!(options.grace_period_seconds, Some(0));
        assert!(options.validate().is_ok());
        for wrong in [
            json!({"kind": "Pod"}),
            json!({"gracePeriodSeconds": "5"}),
            json!([]),
            json!({"preconditions": 1}),
            json!({"dryRun": [1]}),
        ] {
            assert_eq!(DeleteOptions::from_value(&wrong).unwrap_err().code(), 400, "{wrong}");
        }
    }

    #[test]
    fn unknown_policies_are_refused() {
        let options = DeleteOptions { propagation_policy: Some("Never".into()), ..DeleteOptions::default() };
        assert_eq!(
            options.validate().unwrap_err().message(),
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Never\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
        );
    }

    #[test]
    fn a_user_agent_names_a_manager() {
        assert_eq!(manager_of_user_agent("kubectl/v1.36.0 (linux/amd64)"), "kubectl");
        assert_eq!(manager_of_user_agent("a\u{7}b"), "ab");
        assert_eq!(manager_of_user_agent(&"é".repeat(100)).len(), MANAGER_MAX);
        assert_eq!(manager_of_user_agent(""), "");
    }
}
