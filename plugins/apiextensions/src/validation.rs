//! The rules of a CustomResourceDefinition (`apiextensions-apiserver/pkg/apis/apiextensions/validation`).
//!
//! Upstream validates its internal form, in which what all versions say alike stands once, at the top: errors name
//! `spec.validation`, `spec.subresources` and so on then, and clients know them by these names.

use crate::definition::{condition_is, flag, schema_of, text, versions};
use chainplate_sdk::apimachinery::{
    Map, Value,
    field::{Error, Path},
    names, object,
    schema::{
        Schema, Type,
        definition::{self, Options},
        jsonpath::JsonPath,
    },
};

const APPROVED: &str = "api-approved.kubernetes.io";
const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: &[&str] =
    &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const MAX_SELECTABLE_FIELDS: usize = 8;
const SPEC: Path<'static> = Path::Child(&Path::Root, "spec");
const STATUS: Path<'static> = Path::Child(&Path::Root, "status");
const VERSIONS: Path<'static> = Path::Child(&SPEC, "versions");

/// What is wrong with a new definition, apart from its metadata.
pub(crate) fn create(crd: &Value) -> Vec<Error> {
    let mut errors = Vec::new();
    let spec = spec_of(crd);
    let plural = spec.get("names").map(|names| text(names, "plural")).unwrap_or_default();
    let name = object::name(crd);
    if name != format!("{plural}.{}", text(spec, "group")) {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.push(Error::invalid(&Path::Root.child("metadata").child("name"), name, why));
    }
    common(crd, None, &mut errors);
    errors
}

/// What is wrong with a definition that replaces `old`.
pub(crate) fn update(crd: &Value, old: &Value) -> Vec<Error> {
    let mut errors = Vec::new();
    common(crd, Some(old), &mut errors);
    errors
}

/// What is wrong with a new status.
pub(crate) fn update_status(crd: &Value) -> Vec<Error> {
    let mut errors = Vec::new();
    accepted_names(crd, &mut errors);
    errors
}

fn spec_of(crd: &Value) -> &Value {
    crd.get("spec").unwrap_or(&Value::Null)
}

fn common(crd: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
    let spec = spec_of(crd);
    self::spec(spec, old.map(spec_of), errors);
    if let Some(old) = old {
        immutable(crd, old, errors);
    }
    accepted_names(crd, errors);
    stored_versions(crd, errors);
    approval(crd, old, errors);
    let preserved = |crd: &Value| flag(spec_of(crd), "preserveUnknownFields");
    if preserved(crd) && !old.is_some_and(preserved) {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(Error::invalid(&SPEC.child("preserveUnknownFields"), true, why));
    }
}

fn spec(spec: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
    let group = text(spec, "group");
    let group_path = SPEC.child("group");
    let reasons = names::dns1123_subdomain(group);
    if group.is_empty() {
        errors.push(Error::required(&group_path, ""));
    } else if !reasons.is_empty() {
        errors.push(Error::invalid(&group_path, group, reasons.join(",")));
    } else if !group.contains('.') {
        errors.push(Error::invalid(&group_path, group, "should be a domain with at least one dot"));
    }
    one_of(&SPEC.child("scope"), text(spec, "scope"), &["Cluster", "Namespaced"], errors);

    let wrapper = serde_json::json!({ "spec": spec });
    let list: Vec<&Value> = versions(&wrapper).collect();
    let mut options = old.map_or_else(Options::default, held_by);
    let old_all_have_schemas = old.is_none_or(|old| {
        let old = serde_json::json!({ "spec": old });
        versions(&old).all(|version| schema_of(version).is_object())
    });
    for (index, version) in list.iter().enumerate() {
        if schema_of(version).is_object() {
            continue;
        }
        let place = VERSIONS.index(index);
        let place = place.child("schema");
        let place = place.child("openAPIV3Schema");
        if old_all_have_schemas {
            errors.push(Error::required(&place, ""));
        } else if flag(version, "served") {
            errors.push(Error::required(&place, "because otherwise all fields are pruned"));
        }
    }
    // Pruning needs structural schemas, and so do defaults and extensions.
    options.require_structural |= !flag(spec, "preserveUnknownFields");
    let lifted = Lifted::of(&list);
    let any_status = list.iter().any(|version| has_status(version));

    for (index, version) in list.iter().enumerate() {
        let place = VERSIONS.index(index);
        let name = text(version, "name");
        let reasons = names::dns1035_label(name);
        if !reasons.is_empty() {
            errors.push(Error::invalid(&place.child("name"), name, reasons.join(",")));
        }
        deprecation(version, &place, errors);
        let parts = Parts {
            schema: (!lifted.schema).then_some("schema"),
            subresources: (!lifted.subresources).then_some("subresources"),
            columns: (!lifted.columns).then_some("additionalPrinterColumns"),
            selectable: (!lifted.selectable).then_some("selectableFields"),
        };
        options.status_subresource = has_status(version);
        parts.check(version, &place, &options, errors);
    }

    let mut seen: Vec<&str> = Vec::new();
    let unique = list.iter().all(|version| {
        let name = text(version, "name");
        let new = !seen.contains(&name);
        seen.push(name);
        new
    });
    let all = || spec.get("versions").cloned().unwrap_or_default();
    if !unique {
        errors.push(Error::invalid(&VERSIONS, all(), "must contain unique version names"));
    }
    if list.iter().filter(|version| flag(version, "storage")).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(Error::invalid(&VERSIONS, all(), why));
    }
    if let Some(first) = list.first() {
        // Upstream's internal form names the first version once more.
        let name = text(first, "name");
        let reasons = names::dns1035_label(name);
        if !name.is_empty() && !reasons.is_empty() {
            errors.push(Error::invalid(&SPEC.child("version"), name, reasons.join(",")));
        }
    }
    let asked = spec.get("names").unwrap_or(&Value::Null);
    let names_path = SPEC.child("names");
    for key in ["plural", "singular", "kind", "listKind"] {
        if text(asked, key).is_empty() {
            errors.push(Error::required(&names_path.child(key), ""));
        }
    }
    resource_names(asked, &names_path, errors);
    if let Some(first) = list.first() {
        let parts = Parts {
            schema: lifted.schema.then_some("validation"),
            subresources: lifted.subresources.then_some("subresources"),
            columns: lifted.columns.then_some("additionalPrinterColumns"),
            selectable: lifted.selectable.then_some("selectableFields"),
        };
        options.status_subresource = any_status;
        parts.check(first, &SPEC, &options, errors);
    }
    conversion(spec.get("conversion").unwrap_or(&Value::Null), errors);
}

/// Which parts all versions have in common.
struct Lifted {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Lifted {
    fn of(versions: &[&Value]) -> Self {
        let same = |key: &str| {
            let of = |version: &Value| version.get(key).filter(|value| !value.is_null()).cloned();
            versions.windows(2).all(|pair| of(pair[0]) == of(pair[1]))
        };
        Self {
            schema: same("schema"),
            subresources: same("subresources"),
            columns: same("additionalPrinterColumns"),
            selectable: same("selectableFields"),
        }
    }
}

/// The parts of a version that are looked at, and where they stand.
struct Parts<'a> {
    schema: Option<&'a str>,
    subresources: Option<&'a str>,
    columns: Option<&'a str>,
    selectable: Option<&'a str>,
}

impl Parts<'_> {
    fn check(&self, version: &Value, place: &Path<'_>, options: &Options, errors: &mut Vec<Error>) {
        let schema = schema_of(version).as_object();
        if let (Some(key), Some(schema)) = (self.schema, schema) {
            let place = place.child(key);
            errors.extend(definition::validate_schema(schema, options, &place.child("openAPIV3Schema")));
        }
        if let (Some(key), Some(subresources)) = (self.subresources, version.get("subresources")) {
            scale(subresources, &place.child(key), errors);
        }
        if let (Some(key), Some(list)) = (self.columns, version.get("additionalPrinterColumns")) {
            let place = place.child(key);
            for (index, given) in list.as_array().into_iter().flatten().enumerate() {
                column(given, &place.index(index), errors);
            }
        }
        if let (Some(key), Some(list)) = (self.selectable, version.get("selectableFields")) {
            let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
            selectable_fields(list, schema, &place.child(key), errors);
        }
    }
}

/// Which rules the stored definition keeps.
fn held_by(old: &Value) -> Options {
    let mut holds = Options::default();
    let wrapper = serde_json::json!({ "spec": old });
    for schema in versions(&wrapper).filter_map(|version| schema_of(version).as_object()) {
        let one = definition::broken(schema);
        holds.require_structural &= one.require_structural;
        holds.require_valid_types &= one.require_valid_types;
        holds.require_pruned_defaults &= one.require_pruned_defaults;
        holds.require_atomic_sets &= one.require_atomic_sets;
        holds.require_map_list_keys &= one.require_map_list_keys;
    }
    holds
}

fn has_status(version: &Value) -> bool {
    version.pointer("/subresources/status").is_some_and(|status| !status.is_null())
}

fn one_of(path: &Path<'_>, value: &str, accepted: &[&str], errors: &mut Vec<Error>) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    } else if !accepted.contains(&value) {
        errors.push(Error::not_supported(path, value, accepted));
    }
}

fn deprecation(version: &Value, place: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else { return };
    let mut tell = |why: &str| errors.push(Error::invalid(&place.child("deprecationWarning"), warning, why));
    if !flag(version, "deprecated") {
        return tell("can only be set for deprecated versions");
    }
    if warning.len() > 256 {
        tell("must be <= 256 characters long");
    }
    if warning.is_empty() {
        tell("must not be an empty string");
    }
    if let Some((at, _)) = warning.char_indices().find(|(_, character)| character.is_control()) {
        let why = "must only contain printable UTF-8 characters; non-printable character found at index";
        tell(&format!("{why} {at}"));
    }
}

fn resource_names(names_: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    for (key, mixed) in [("plural", false), ("singular", false), ("kind", true), ("listKind", true)] {
        let name = text(names_, key);
        let reasons =
            if mixed { names::dns1035_label(&name.to_lowercase()) } else { names::dns1035_label(name) };
        if !name.is_empty() && !reasons.is_empty() {
            let prefix = if mixed { "may have mixed case, but should otherwise match: " } else { "" };
            errors.push(Error::invalid(&path.child(key), name, format!("{prefix}{}", reasons.join(","))));
        }
    }
    let list = |key: &str| names_.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut labels = |key: &str| {
        let place = path.child(key);
        for (index, name) in list(key).iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            let reasons = names::dns1035_label(name);
            if !reasons.is_empty() {
                errors.push(Error::invalid(&place.index(index), name, reasons.join(",")));
            }
        }
    };
    labels("shortNames");
    let (kind, list_kind) = (text(names_, "kind"), text(names_, "listKind"));
    let clash = !kind.is_empty() && kind == list_kind;
    labels("categories");
    if clash {
        errors.push(Error::invalid(
            &path.child("listKind"),
            list_kind,
            "kind and listKind may not be the same",
        ));
    }
}

fn column(given: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    if text(given, "name").is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    let type_ = text(given, "type");
    let types = format!("must be one of {}", COLUMN_TYPES.join(","));
    if type_.is_empty() {
        errors.push(Error::required(&path.child("type"), types));
    } else if !COLUMN_TYPES.contains(&type_) {
        errors.push(Error::invalid(&path.child("type"), type_, types));
    }
    let format = text(given, "format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let why = format!("must be one of {}", COLUMN_FORMATS.join(","));
        errors.push(Error::invalid(&path.child("format"), format, why));
    }
    let json_path = text(given, "jsonPath");
    if json_path.is_empty() {
        errors.push(Error::required(&path.child("JSONPath"), ""));
    } else {
        simple_path(json_path, &path.child("JSONPath"), errors);
    }
}

fn simple_path(source: &str, path: &Path<'_>, errors: &mut Vec<Error>) -> bool {
    let fits = source.starts_with('.');
    if !fits {
        errors.push(Error::invalid(path, source, "must be a simple json path starting with ."));
    }
    fits
}

fn scale(subresources: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(scale) = subresources.get("scale").filter(|scale| scale.is_object()) else { return };
    let place = path.child("scale");
    for (key, prefixes, why, required) in [
        ("specReplicasPath", &[".spec."][..], "should be a json path under .spec", true),
        ("statusReplicasPath", &[".status."], "should be a json path under .status", true),
        (
            "labelSelectorPath",
            &[".spec.", ".status."],
            "should be a json path under either .spec or .status",
            false,
        ),
    ] {
        let source = text(scale, key);
        let place = place.child(key);
        if source.is_empty() {
            if required {
                errors.push(Error::required(&place, ""));
            }
        } else if simple_path(source, &place, errors)
            && !prefixes.iter().any(|prefix| source.starts_with(prefix))
        {
            errors.push(Error::invalid(&place, source, why));
        }
    }
}

fn selectable_fields(list: &[Value], schema: Option<&Map>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let schema = Schema::parse(&schema.cloned().map(Value::Object).unwrap_or_default());
    let mut seen: Vec<String> = Vec::new();
    for (index, given) in list.iter().enumerate() {
        let place = path.index(index);
        let place = place.child("jsonPath");
        let source = text(given, "jsonPath");
        if source.is_empty() {
            errors.push(Error::required(&place, ""));
            continue;
        }
        let parsed = JsonPath::parse(source).ok().filter(|_| source.starts_with('.'));
        let Some(members) = parsed.as_ref().and_then(JsonPath::members) else {
            let why = "is an invalid path: expected a path of members separated by dots";
            errors.push(Error::invalid(&place, source, why));
            continue;
        };
        let metadata = members.first() == Some(&"metadata");
        let mut found = Some(&schema);
        for member in &members {
            found = found.and_then(|found| found.member(member));
        }
        if metadata {
            errors.push(Error::invalid(&place, source, "must not point to fields in metadata"));
        } else if found.is_none() {
            let why = format!("is an invalid path: does not refer to a valid field: {source}");
            errors.push(Error::invalid(&place, source, why));
            continue;
        }
        let selectable = found
            .is_some_and(|found| matches!(found.type_, Some(Type::String | Type::Boolean | Type::Integer)));
        if !selectable {
            let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(Error::invalid(&place, source, why));
        }
        let normal = members.join(".");
        if seen.contains(&normal) {
            errors.push(Error::duplicate(&place, source));
        } else {
            seen.push(normal);
        }
    }
    if seen.len() > MAX_SELECTABLE_FIELDS {
        errors.push(Error::too_many(path, seen.len(), MAX_SELECTABLE_FIELDS));
    }
}

fn conversion(conversion: &Value, errors: &mut Vec<Error>) {
    if !conversion.is_object() {
        return;
    }
    let path = SPEC.child("conversion");
    let strategy = text(conversion, "strategy");
    one_of(&path.child("strategy"), strategy, &["None", "Webhook"], errors);
    let webhook = conversion.get("webhook").unwrap_or(&Value::Null);
    let client = webhook.get("clientConfig").filter(|client| client.is_object());
    let reviews = webhook.get("conversionReviewVersions").and_then(Value::as_array);
    let (client_path, reviews_path) =
        (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    if strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if client.is_some() {
            errors.push(Error::forbidden(&client_path, why));
        }
        if reviews.is_some_and(|reviews| !reviews.is_empty()) {
            errors.push(Error::forbidden(&reviews_path, why));
        }
        return;
    }
    let set = |client: &Value, key: &str| client.get(key).is_some_and(|value| !value.is_null());
    match client {
        None => errors.push(Error::required(&client_path, "required when strategy is set to Webhook")),
        Some(client) if set(client, "url") == set(client, "service") => {
            errors.push(Error::required(&client_path, "exactly one of url or service is required"));
        }
        Some(_) => {}
    }
    let reviews: Vec<&str> = reviews.into_iter().flatten().filter_map(Value::as_str).collect();
    if reviews.is_empty() {
        return errors.push(Error::required(&reviews_path, ""));
    }
    for (index, review) in reviews.iter().enumerate() {
        if reviews.iter().take(index).any(|before| before == review) {
            errors.push(Error::invalid(&reviews_path.index(index), *review, "duplicate version"));
            continue;
        }
        for reason in names::dns1035_label(review) {
            errors.push(Error::invalid(&reviews_path.index(index), *review, reason));
        }
    }
    if !reviews.iter().any(|review| matches!(*review, "v1" | "v1beta1")) {
        let why = "must include at least one of v1, v1beta1";
        errors.push(Error::invalid(&reviews_path, Value::from(reviews), why));
    }
}

fn immutable(crd: &Value, old: &Value, errors: &mut Vec<Error>) {
    let (new_spec, old_spec) = (spec_of(crd), spec_of(old));
    let names_path = SPEC.child("names");
    let none = Value::Null;
    let (new_names, old_names) =
        (new_spec.get("names").unwrap_or(&none), old_spec.get("names").unwrap_or(&none));
    let mut same = |path: &Path<'_>, new: &str, old: &str| {
        if new != old {
            errors.push(Error::invalid(path, new, "field is immutable"));
        }
    };
    if condition_is(old, "Established", "True") {
        same(&SPEC.child("scope"), text(new_spec, "scope"), text(old_spec, "scope"));
        same(&names_path.child("kind"), text(new_names, "kind"), text(old_names, "kind"));
    }
    same(&SPEC.child("group"), text(new_spec, "group"), text(old_spec, "group"));
    same(&names_path.child("plural"), text(new_names, "plural"), text(old_names, "plural"));
}

fn accepted_names(crd: &Value, errors: &mut Vec<Error>) {
    if let Some(names) = crd.pointer("/status/acceptedNames") {
        resource_names(names, &STATUS.child("acceptedNames"), errors);
    }
}

fn stored_versions(crd: &Value, errors: &mut Vec<Error>) {
    let path = STATUS.child("storedVersions");
    let stored: Vec<&str> = crd
        .pointer("/status/storedVersions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if stored.is_empty() {
        return errors.push(Error::invalid(
            &path,
            Value::Array(Vec::new()),
            "must have at least one stored version",
        ));
    }
    for version in versions(crd).filter(|version| flag(version, "storage")) {
        let name = text(version, "name");
        if !stored.contains(&name) {
            let why = format!("must have the storage version {name}");
            errors.push(Error::invalid(&path, Value::from(stored.clone()), why));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        if !versions(crd).any(|version| text(version, "name") == *name) {
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            errors.push(Error::invalid(&path.index(index), *name, why));
        }
    }
}

#[derive(PartialEq)]
enum Approval {
    Missing,
    Bypassed,
    Approved,
    Invalid,
}

fn approval(crd: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
    let group = text(spec_of(crd), "group");
    let community = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')));
    if !community {
        return;
    }
    let annotation = |crd: &Value| -> String {
        let annotations = object::metadata(crd).and_then(|metadata| metadata.get("annotations"));
        annotations.map(|annotations| text(annotations, APPROVED)).unwrap_or_default().to_owned()
    };
    let state = |annotation: &str| {
        if annotation.is_empty() {
            Approval::Missing
        } else if annotation.starts_with("unapproved") {
            Approval::Bypassed
        } else if annotation
            .split_once("://")
            .is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty())
        {
            Approval::Approved
        } else {
            Approval::Invalid
        }
    };
    let now = annotation(crd);
    if old.is_some_and(|old| state(&annotation(old)) == state(&now)) {
        return;
    }
    let place = Path::Root.child("metadata");
    let place = place.child("annotations");
    let place = place.key(APPROVED);
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match state(&now) {
        Approval::Missing => {
            let why = format!("protected groups must have approval annotation {APPROVED:?}, {see}");
            errors.push(Error::required(&place, why));
        }
        Approval::Invalid => {
            let why = format!(
                "protected groups must have approval annotation {APPROVED:?} with either a URL or a reason starting with \"unapproved\", {see}"
            );
            errors.push(Error::invalid(&place, now, why));
        }
        Approval::Bypassed | Approval::Approved => {}
    }
}

#[cfg(test)]
mod tests;
