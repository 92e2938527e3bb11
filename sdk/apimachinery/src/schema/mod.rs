//! Structural schemas: what a CustomResourceDefinition says about its objects, and what follows from it.
//!
//! [`Schema::parse`] turns an `openAPIV3Schema` into a compact tree once; pruning ([`prune`]), defaulting
//! ([`defaulting`]), validation ([`validate`]), list invariants ([`list_type`]) and embedded metadata
//! ([`embedded`]) walk it together with an object. Whether a schema may be stored at all is the business of
//! [`structural`] and [`definition`]. Sources: `apiextensions-apiserver/pkg/apiserver/schema` and
//! `k8s.io/kube-openapi/pkg/validation`.
//!
//! Rules in CEL (`x-kubernetes-validations`) are kept as they came ([`Schema::rules`]), for an evaluator to come.

pub mod column;
pub mod defaulting;
pub mod definition;
pub mod embedded;
pub mod format;
pub mod jsonpath;
pub mod list_type;
mod number;
mod parse;
pub mod pattern;
pub mod prune;
mod shape;
pub mod structural;
pub mod validate;

pub use shape::Resource;

use crate::Value;
use pattern::Pattern;

/// The JSON type that a schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `array`.
    Array,
    /// `boolean`.
    Boolean,
    /// `integer`.
    Integer,
    /// `number`.
    Number,
    /// `object`.
    Object,
    /// `string`.
    String,
}

impl Type {
    /// The name in a schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Type::Array => "array",
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Object => "object",
            Type::String => "string",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "array" => Type::Array,
            "boolean" => Type::Boolean,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "object" => Type::Object,
            "string" => Type::String,
            _ => return None,
        })
    }
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListType {
    /// Replaced as a whole; the default.
    #[default]
    Atomic,
    /// Items are unique by value.
    Set,
    /// Items are unique by [`Schema::list_map_keys`].
    Map,
}

/// `additionalProperties`.
#[derive(Debug, Clone, Default)]
pub enum Additional {
    /// Not said: unknown members are pruned, but not an error.
    #[default]
    Unset,
    /// `true` or `false`.
    Bool(bool),
    /// The schema of every member that is not among the properties.
    Schema(Box<Schema>),
}

impl Additional {
    /// The schema of further members, if there is one.
    pub fn schema(&self) -> Option<&Schema> {
        match self {
            Additional::Schema(schema) => Some(schema),
            _ => None,
        }
    }
}

/// One place of a structural schema.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// `type`; absent in int-or-string and preserving places and inside of `allOf` and its like.
    pub type_: Option<Type>,
    /// Whether `null` will do.
    pub nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserve_unknown: bool,
    /// `x-kubernetes-embedded-resource`.
    pub embedded_resource: bool,
    /// `x-kubernetes-int-or-string`.
    pub int_or_string: bool,
    /// `x-kubernetes-map-type: atomic`.
    pub atomic_map: bool,
    /// `x-kubernetes-list-type`.
    pub list_type: ListType,
    /// `x-kubernetes-list-map-keys`.
    pub list_map_keys: Vec<String>,
    /// The default, never `null`.
    pub default: Option<Value>,
    /// `properties`, sorted by name.
    pub properties: Vec<(String, Schema)>,
    /// `items`.
    pub items: Option<Box<Schema>>,
    /// `additionalProperties`.
    pub additional: Additional,
    /// What restricts the value besides its type.
    pub checks: Option<Box<Checks>>,
    /// `x-kubernetes-validations`, as they came.
    pub rules: Vec<Value>,
    /// Whether there is a default here or below.
    pub has_defaults: bool,
    /// Whether there is an embedded resource here or below.
    pub has_embedded: bool,
    /// Whether there is a list of type `set` or `map` here or below.
    pub has_list_types: bool,
}

/// What restricts a value besides its type.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// `format`, if the type supports it; others are ignored as upstream does.
    pub format: Option<String>,
    /// `maximum`.
    pub maximum: Option<f64>,
    /// `exclusiveMaximum`.
    pub exclusive_maximum: bool,
    /// `minimum`.
    pub minimum: Option<f64>,
    /// `exclusiveMinimum`.
    pub exclusive_minimum: bool,
    /// `multipleOf`.
    pub multiple_of: Option<f64>,
    /// `maxLength`, in characters.
    pub max_length: Option<i64>,
    /// `minLength`, in characters.
    pub min_length: Option<i64>,
    /// `pattern`.
    pub pattern: Option<Pattern>,
    /// `maxItems`.
    pub max_items: Option<i64>,
    /// `minItems`.
    pub min_items: Option<i64>,
    /// `uniqueItems`; not allowed in CRDs, kept for what was stored.
    pub unique_items: bool,
    /// `maxProperties`.
    pub max_properties: Option<i64>,
    /// `minProperties`.
    pub min_properties: Option<i64>,
    /// `required`.
    pub required: Vec<String>,
    /// `enum`.
    pub enum_: Vec<Value>,
    /// `allOf`.
    pub all_of: Vec<Schema>,
    /// `anyOf`.
    pub any_of: Vec<Schema>,
    /// `oneOf`.
    pub one_of: Vec<Schema>,
    /// `not`.
    pub not: Option<Box<Schema>>,
}

impl Schema {
    /// The schema of the property `name`.
    pub fn property(&self, name: &str) -> Option<&Schema> {
        let index = self.properties.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        self.properties.get(index).map(|(_, schema)| schema)
    }

    /// The schema of the member `name` of an object: a property, or `additionalProperties`.
    pub fn member(&self, name: &str) -> Option<&Schema> {
        self.property(name).or_else(|| self.additional.schema())
    }

    /// Whether any place of the schema carries rules in CEL.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
            || self.properties.iter().any(|(_, schema)| schema.has_rules())
            || self.items.as_ref().is_some_and(|schema| schema.has_rules())
            || self.additional.schema().is_some_and(Schema::has_rules)
    }
}
