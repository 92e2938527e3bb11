//! Whether an `openAPIV3Schema` may stand in a CRD
//! (`apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`).

mod lists;

use super::{
    Schema, embedded, prune,
    structural::{self, children, flag, is_zero, object, text},
    validate,
};
use crate::{Map, Value, field};
use lists::{map_list, map_list_keys, non_atomic_item};

/// Which rules hold. Rules that a stored CRD breaks already are not enforced when it is updated.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The version has the status subresource, which restricts what the root may say.
    pub status_subresource: bool,
    /// The schema must be structural.
    pub require_structural: bool,
    /// Types must be those of OpenAPI v3.
    pub require_valid_types: bool,
    /// Defaults must not have unknown members.
    pub require_pruned_defaults: bool,
    /// Items of sets must be scalars or atomic.
    pub require_atomic_sets: bool,
    /// Keys of map lists must be there, items not null.
    pub require_map_list_keys: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            status_subresource: false,
            require_structural: true,
            require_valid_types: true,
            require_pruned_defaults: true,
            require_atomic_sets: true,
            require_map_list_keys: true,
        }
    }
}

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];

/// Members of the root that the status subresource leaves, in the order and the words of upstream's message.
const ROOT_MEMBERS: &[(&str, &str)] = &[
    ("Description", "description"),
    ("Type", "type"),
    ("Format", "format"),
    ("Title", "title"),
    ("Maximum", "maximum"),
    ("ExclusiveMaximum", "exclusiveMaximum"),
    ("Minimum", "minimum"),
    ("ExclusiveMinimum", "exclusiveMinimum"),
    ("MaxLength", "maxLength"),
    ("MinLength", "minLength"),
    ("Pattern", "pattern"),
    ("MaxItems", "maxItems"),
    ("MinItems", "minItems"),
    ("UniqueItems", "uniqueItems"),
    ("MultipleOf", "multipleOf"),
    ("Required", "required"),
    ("Items", "items"),
    ("Properties", "properties"),
    ("ExternalDocs", "externalDocs"),
    ("Example", "example"),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields"),
    ("XValidations", "x-kubernetes-validations"),
];

/// What is wrong with `schema`, which stands at `path`.
pub fn validate_schema(schema: &Map, options: &Options, path: &field::Path<'_>) -> Vec<field::Error> {
    let mut errors = Vec::new();
    if options.status_subresource {
        root_members(schema, path, &mut errors);
    }
    if flag(schema, "nullable") {
        errors.push(field::Error::forbidden(&path.child("nullable"), "nullable cannot be true at the root"));
    }
    let mut unsupported = None;
    if options.require_structural {
        unsupported = structural::unsupported(schema);
        if unsupported.is_none() {
            let found = structural::validate(schema, path);
            if found.is_empty() {
                let mut root = Schema::parse(&Value::Object(schema.clone()));
                root.embedded_resource = true;
                defaults(&root, options.require_pruned_defaults, path, &mut errors);
            }
            errors.extend(found);
        }
    }
    let rules = Rules { options, allow_defaults: Ok(()), inside_meta: false };
    rules.check(schema, true, path, &mut errors);
    if errors.is_empty()
        && let Some(why) = unsupported
    {
        errors.push(field::Error::invalid(path, "", why));
    }
    errors
}

fn root_members(schema: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    let type_ = text(schema, "type");
    if !type_.is_empty() && type_ != "object" {
        let why = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        return errors.push(field::Error::invalid(&path.child("type"), type_, why));
    }
    let stranger = schema
        .iter()
        .any(|(key, value)| !is_zero(value) && !ROOT_MEMBERS.iter().any(|(_, allowed)| allowed == key));
    if stranger {
        let names: Vec<&str> = ROOT_MEMBERS.iter().map(|(name, _)| *name).collect();
        let why = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            names.join(" ")
        );
        errors.push(field::Error::invalid(path, schema.clone(), why));
    }
}

/// Defaults are pruned and valid.
fn defaults(schema: &Schema, require_pruned: bool, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    if !schema.has_defaults {
        return;
    }
    if let Some(default) = &schema.default {
        let place = path.child("default");
        let mut pruned = default.clone();
        if schema.embedded_resource {
            prune::prune(schema, &mut pruned, None);
        } else {
            prune::prune_value(schema, &mut pruned);
        }
        if require_pruned && pruned != *default {
            errors.push(field::Error::invalid(&place, default.clone(), "must not have unknown fields"));
        }
        let mut coerced = default.clone();
        let invalid_meta = embedded::validate(schema, default);
        if let Err(why) = embedded::coerce(schema, &mut coerced, None) {
            errors.push(field::Error::invalid(&place, default.clone(), why));
        } else if !invalid_meta.is_empty() {
            errors.extend(invalid_meta.into_iter().map(|error| {
                let field = if error.field.is_empty() {
                    place.to_string()
                } else {
                    format!("{place}.{}", error.field)
                };
                field::Error { field, ..error }
            }));
        } else {
            errors.extend(validate::validate(schema, default, &place.to_string()));
        }
    }
    if let Some(items) = &schema.items {
        defaults(items, require_pruned, &path.child("items"), errors);
    }
    for (key, property) in &schema.properties {
        defaults(property, require_pruned, &path.child("properties").key(key), errors);
    }
}

#[derive(Clone, Copy)]
struct Rules<'a> {
    options: &'a Options,
    /// The reason why defaults may not be set.
    allow_defaults: Result<(), &'a str>,
    /// Below `metadata`, `apiVersion` or `kind` of a resource.
    inside_meta: bool,
}

impl Rules<'_> {
    fn check(&self, schema: &Map, root: bool, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
        self.keywords(schema, path, errors);
        if flag(schema, "uniqueItems") {
            let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            errors.push(field::Error::forbidden(&path.child("uniqueItems"), why));
        }
        let properties = object(schema, "properties");
        match schema.get("additionalProperties") {
            None | Some(Value::Null) => {}
            Some(additional) => {
                let place = path.child("additionalProperties");
                if properties.is_some_and(|members| !members.is_empty()) && *additional != Value::Bool(true) {
                    let why = "additionalProperties and properties are mutual exclusive";
                    errors.push(field::Error::forbidden(&place, why));
                }
                if let Some(additional) = additional.as_object() {
                    let mut below = *self;
                    if self.inside_meta {
                        below.allow_defaults = Err("inside additionalProperties applying to object metadata");
                    }
                    below.check(additional, false, &place, errors);
                }
            }
        }
        let resource = root || flag(schema, "x-kubernetes-embedded-resource");
        for (key, property) in properties.into_iter().flatten() {
            let Some(property) = property.as_object() else { continue };
            let mut below = *self;
            let why = match key.as_str() {
                "metadata" => "in top-level metadata",
                "kind" => "in top-level kind",
                "apiVersion" => "in top-level apiVersion",
                _ => "",
            };
            if resource && !why.is_empty() {
                below.inside_meta = true;
                if root {
                    below.allow_defaults = Err(why);
                }
            }
            below.check(property, false, &path.child("properties").key(key), errors);
        }
        if let Some(not) = object(schema, "not") {
            self.check(not, false, &path.child("not"), errors);
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            let list = schema.get(key).and_then(Value::as_array).into_iter().flatten();
            for (index, item) in list.enumerate() {
                if let Some(item) = item.as_object() {
                    self.check(item, false, &path.child(key).index(index), errors);
                }
            }
        }
        if let Some(items) = object(schema, "items") {
            self.check(items, false, &path.child("items"), errors);
        }
        self.kubernetes(schema, path, errors);
        cel(schema, path, errors);
    }

    /// Keywords that CRDs do not have (`specStandardValidatorV3`).
    fn keywords(&self, schema: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
        let type_ = text(schema, "type");
        if self.options.require_valid_types && !type_.is_empty() && !TYPES.contains(&type_) {
            errors.push(field::Error::not_supported(&path.child("type"), type_, TYPES));
        }
        let set = |key: &str| schema.get(key).is_some_and(|value| !value.is_null());
        if let Err(why) = self.allow_defaults
            && set("default")
        {
            errors.push(field::Error::forbidden(&path.child("default"), format!("must not be set {why}")));
        }
        for key in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
            if set(key) && !(key == "id" && text(schema, "id").is_empty()) {
                errors.push(field::Error::forbidden(&path.child(key), format!("{key} is not supported")));
            }
        }
        if type_ == "null" {
            let why = "type cannot be set to null, use nullable as an alternative";
            errors.push(field::Error::forbidden(&path.child("type"), why));
        }
        if schema.get("items").and_then(Value::as_array).is_some_and(|items| !items.is_empty()) {
            let why = "items must be a schema object and not an array";
            errors.push(field::Error::forbidden(&path.child("items"), why));
        }
        let embedded = "x-kubernetes-embedded-resource";
        if self.inside_meta && flag(schema, embedded) {
            errors.push(field::Error::forbidden(
                &path.child(embedded),
                "must not be used inside of resource meta",
            ));
        }
    }

    /// `x-kubernetes-…`.
    fn kubernetes(&self, schema: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
        let type_ = text(schema, "type");
        let type_path = path.child("type");
        let preserve = "x-kubernetes-preserve-unknown-fields";
        if schema.get(preserve) == Some(&Value::Bool(false)) {
            errors.push(field::Error::invalid(&path.child(preserve), false, "must be true or undefined"));
        }
        let mut must_be = |wanted: &str, keyword: &str| {
            let why = format!("must be {wanted} if {keyword} is specified");
            errors.push(if type_.is_empty() {
                field::Error::required(&type_path, why)
            } else {
                field::Error::invalid(&type_path, type_, why)
            });
        };
        let (map_type, list_type) = ("x-kubernetes-map-type", "x-kubernetes-list-type");
        let of = |key: &str| schema.get(key).and_then(Value::as_str);
        if of(map_type).is_some() && type_ != "object" {
            must_be("object", map_type);
        }
        let wrong_list = of(list_type).is_some() && type_ != "array";
        if let Some(map) = of(map_type).filter(|map| !matches!(*map, "atomic" | "granular")) {
            errors.push(field::Error::not_supported(&path.child(map_type), map, &["atomic", "granular"]));
        }
        if wrong_list {
            let why = format!("must be array if {list_type} is specified");
            errors.push(if type_.is_empty() {
                field::Error::required(&type_path, why)
            } else {
                field::Error::invalid(&type_path, type_, why)
            });
        } else if self.options.require_atomic_sets
            && let Some((key, value)) = non_atomic_item(schema)
        {
            let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
            errors.push(field::Error::invalid(&path.child("items").child(key), value, why));
        }
        if let Some(list) = of(list_type).filter(|list| !matches!(*list, "atomic" | "set" | "map")) {
            errors.push(field::Error::not_supported(&path.child(list_type), list, &["atomic", "set", "map"]));
        }
        map_list(schema, path, errors);
        if self.options.require_map_list_keys {
            errors.extend(map_list_keys(schema, path));
        }
    }
}

/// The form of rules in CEL. The rules themselves are not compiled here.
fn cel(schema: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    const REASONS: &[&str] =
        &["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    let rules = path.child("x-kubernetes-validations");
    let list = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    for (index, rule) in list.enumerate() {
        let place = rules.index(index);
        let of = |key: &str| rule.get(key).and_then(Value::as_str).unwrap_or_default();
        let (expression, message) = (of("rule").trim(), of("message").trim());
        let broken = |text: &str| text.contains(['\n', '\r']);
        if expression.is_empty() {
            errors.push(field::Error::required(&place.child("rule"), "rule is not specified"));
        } else if !of("message").is_empty() && message.is_empty() {
            let why = "must be non-empty if specified";
            errors.push(field::Error::invalid(&place.child("message"), of("message"), why));
        } else if broken(message) {
            let why = "must not contain line breaks";
            errors.push(field::Error::invalid(&place.child("message"), of("message"), why));
        } else if broken(expression) && message.is_empty() {
            let why = "message must be specified if rule contains line breaks";
            errors.push(field::Error::required(&place.child("message"), why));
        }
        if !of("messageExpression").is_empty() && of("messageExpression").trim().is_empty() {
            let why = "messageExpression must be non-empty if specified";
            errors.push(field::Error::required(&place.child("messageExpression"), why));
        }
        if let Some(reason) =
            rule.get("reason").and_then(Value::as_str).filter(|reason| !REASONS.contains(reason))
        {
            errors.push(field::Error::not_supported(&place.child("reason"), reason, REASONS));
        }
        let target = of("fieldPath");
        if !target.is_empty() && target.trim().is_empty() {
            let why = "must be non-empty if specified";
            errors.push(field::Error::invalid(&place.child("fieldPath"), target, why));
        }
        if broken(target) {
            let why = "must not contain line breaks";
            errors.push(field::Error::invalid(&place.child("fieldPath"), target, why));
        }
    }
}

/// Whether `found` holds anywhere in the schema.
pub fn any(schema: &Map, found: &mut dyn FnMut(&Map) -> bool) -> bool {
    found(schema) || children(schema).into_iter().any(|(_, child)| any(child, found))
}

/// Which rules a stored schema breaks: those are not enforced on its update.
pub fn broken(schema: &Map) -> Options {
    let mut holds = Options::default();
    let structural_holds = structural::unsupported(schema).is_none()
        && structural::validate(schema, &field::Path::Root).is_empty();
    holds.require_structural = structural_holds;
    any(schema, &mut |schema| {
        let type_ = text(schema, "type");
        holds.require_valid_types &= type_.is_empty() || TYPES.contains(&type_);
        holds.require_atomic_sets &= non_atomic_item(schema).is_none();
        holds.require_map_list_keys &= map_list_keys(schema, &field::Path::Root).is_empty();
        false
    });
    if structural_holds {
        let root = Schema::parse(&Value::Object(schema.clone()));
        holds.require_pruned_defaults = all_pruned(&root);
    }
    holds
}

fn all_pruned(schema: &Schema) -> bool {
    if !schema.has_defaults {
        return true;
    }
    let here = schema.default.as_ref().is_none_or(|default| {
        let mut pruned = default.clone();
        if schema.embedded_resource {
            prune::prune(schema, &mut pruned, None);
        } else {
            prune::prune_value(schema, &mut pruned);
        }
        pruned == *default
    });
    here && schema.items.as_deref().is_none_or(all_pruned)
        && schema.properties.iter().all(|(_, property)| all_pruned(property))
}

/// Formats of strings and numbers that mean nothing here, and so are ignored.
pub fn unrecognized_formats(schema: &Map) -> Vec<String> {
    let mut formats = Vec::new();
    any(schema, &mut |schema| {
        let format = text(schema, "format");
        if !format.is_empty() {
            let type_ = text(schema, "type");
            let parsed = super::Type::parse(type_);
            if !(super::format::is_supported(parsed, format) && (type_.is_empty() || parsed.is_some())) {
                formats.push(format.to_owned());
            }
        }
        false
    });
    formats
}

#[cfg(test)]
mod tests;
