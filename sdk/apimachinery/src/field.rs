//! Field errors: what a validation found, in upstream's words (`apimachinery/pkg/util/validation/field`).

use crate::Value;
use std::fmt;

/// Where a field stands: `spec.containers[0].name`, `metadata.labels[app]`.
///
/// A borrowed chain, so that a validation which finds nothing allocates nothing.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The object itself.
    Root,
    /// A member of a struct.
    Child(&'a Path<'a>, &'a str),
    /// An item of a list.
    Index(&'a Path<'a>, usize),
    /// A key of a map.
    Key(&'a Path<'a>, &'a str),
}

impl<'a> Path<'a> {
    /// The member `name` below this place.
    pub const fn child(&'a self, name: &'a str) -> Path<'a> {
        Path::Child(self, name)
    }

    /// The item `index` below this place.
    pub const fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    /// The map key `key` below this place.
    pub const fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Child(Path::Root, name) => f.write_str(name),
            Path::Child(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Key(parent, key) => write!(f, "{parent}[{key}]"),
        }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that must be there is not.
    Required,
    /// A value that must be unique is not.
    Duplicate,
    /// A malformed or out-of-range value.
    Invalid,
    /// A value outside an enumeration.
    NotSupported,
    /// A well-formed value that may not be used here.
    Forbidden,
    /// A string that is too long.
    TooLong,
    /// A list that has too many items.
    TooMany,
    /// A value that refers to something that is not there.
    NotFound,
    /// A value of the wrong JSON type.
    TypeInvalid,
    /// A fault of the server.
    Internal,
}

impl Kind {
    /// The `CauseType` of a Status cause.
    pub const fn reason(self) -> &'static str {
        match self {
            Kind::Required => "FieldValueRequired",
            Kind::Duplicate => "FieldValueDuplicate",
            Kind::Invalid => "FieldValueInvalid",
            Kind::NotSupported => "FieldValueNotSupported",
            Kind::Forbidden => "FieldValueForbidden",
            Kind::TooLong => "FieldValueTooLong",
            Kind::TooMany => "FieldValueTooMany",
            Kind::NotFound => "FieldValueNotFound",
            Kind::TypeInvalid => "FieldValueTypeInvalid",
            Kind::Internal => "InternalError",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Kind::Required => "Required value",
            Kind::Duplicate => "Duplicate value",
            Kind::Invalid => "Invalid value",
            Kind::NotSupported => "Unsupported value",
            Kind::Forbidden => "Forbidden",
            Kind::TooLong => "Too long",
            Kind::TooMany => "Too many",
            Kind::NotFound => "Not found",
            Kind::TypeInvalid => "Invalid value",
            Kind::Internal => "Internal error",
        }
    }
}

/// One field error.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What is wrong.
    pub kind: Kind,
    /// Where, as [`Path`] prints it.
    pub field: String,
    /// The value that was found, where it is told.
    pub value: Option<Value>,
    /// Why, or what would do.
    pub detail: String,
}

impl Error {
    fn new(kind: Kind, path: &Path<'_>, value: Option<Value>, detail: impl Into<String>) -> Self {
        Self { kind, field: path.to_string(), value, detail: detail.into() }
    }

    /// `Required value[: detail]`.
    pub fn required(path: &Path<'_>, detail: impl Into<String>) -> Self {
        Self::new(Kind::Required, path, None, detail)
    }

    /// `Duplicate value: v`.
    pub fn duplicate(path: &Path<'_>, value: impl Into<Value>) -> Self {
        Self::new(Kind::Duplicate, path, Some(value.into()), "")
    }

    /// `Invalid value: v: detail`.
    pub fn invalid(path: &Path<'_>, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, path, Some(value.into()), detail)
    }

    /// `Invalid value: v: detail` with the cause `FieldValueTypeInvalid`.
    pub fn type_invalid(path: &Path<'_>, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(Kind::TypeInvalid, path, Some(value.into()), detail)
    }

    /// `Unsupported value: v: supported values: "a", "b"`.
    pub fn not_supported(path: &Path<'_>, value: impl Into<Value>, supported: &[&str]) -> Self {
        let mut detail = String::new();
        if !supported.is_empty() {
            let list: Vec<String> = supported.iter().map(|item| format!("{item:?}")).collect();
            detail = format!("supported values: {}", list.join(", "));
        }
        Self::new(Kind::NotSupported, path, Some(value.into()), detail)
    }

    /// `Forbidden: detail`.
    pub fn forbidden(path: &Path<'_>, detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, path, None, detail)
    }

    /// `Too long: may not be more than N bytes`.
    pub fn too_long(path: &Path<'_>, max_bytes: usize) -> Self {
        Self::new(Kind::TooLong, path, None, format!("may not be more than {max_bytes} bytes"))
    }

    /// `Too many: N: must have at most M items`.
    pub fn too_many(path: &Path<'_>, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        Self::new(Kind::TooMany, path, Some(actual.into()), format!("must have at most {max} {unit}"))
    }

    /// `Not found: v`.
    pub fn not_found(path: &Path<'_>, value: impl Into<Value>) -> Self {
        Self::new(Kind::NotFound, path, Some(value.into()), "")
    }

    /// The message without the field, as it stands in a cause.
    pub fn body(&self) -> String {
        let mut text = self.kind.text().to_owned();
        if let Some(value) = &self.value {
            text.push_str(": ");
            text.push_str(&value.to_string());
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return f.write_str(&self.body());
        }
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// Several errors as one text: `a`, or `[a, b]`; repeated ones once.
pub fn aggregate(errors: &[Error]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(errors.len());
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.len() {
        1 => texts.swap_remove(0),
        _ => format!("[{}]", texts.join(", ")),
    }
}
