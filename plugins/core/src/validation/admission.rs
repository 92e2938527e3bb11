//! `pkg/apis/admissionregistration/validation`, but for compiling expressions.

use super::checks::{
    Errors, SPEC, optional_one_of, path_segment, qualified, required, required_items, required_member,
    required_with, subdomain, supported,
};
use super::labels::selector;
use super::view::Node;
use chainplate_apimachinery::field::{Error, Path};
use chainplate_apimachinery::{Value, names};

const FAILURE: [&str; 2] = ["Fail", "Ignore"];
const REINVOCATION: [&str; 2] = ["IfNeeded", "Never"];
/// Versions of AdmissionReview that a webhook may be sent.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match kind {
        "ValidatingWebhookConfiguration" => webhooks(&root, false, errors),
        "MutatingWebhookConfiguration" => webhooks(&root, true, errors),
        "ValidatingAdmissionPolicy" => validating_policy(&root, &spec, errors),
        "MutatingAdmissionPolicy" => mutating_policy(&spec, errors),
        "ValidatingAdmissionPolicyBinding" => {
            binding(&spec, errors);
            actions(&spec, errors);
        }
        "MutatingAdmissionPolicyBinding" => binding(&spec, errors),
        _ => {}
    }
}

fn webhooks(root: &Node<'_, '_>, mutating: bool, errors: &mut Errors) {
    let all = root.list("webhooks");
    root.child("webhooks").each(|index, hook| {
        webhook(hook, mutating, errors);
        review_versions(hook, errors);
        let name = hook.text("name");
        if !name.is_empty() && all[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&hook.path.child("name"), name));
        }
    });
}

/// A domain of three parts or more (`IsFullyQualifiedName`).
fn hook_name(node: &Node<'_, '_>, errors: &mut Errors) {
    let (path, name) = (node.path.child("name"), node.text("name"));
    if !required(node, "name", errors) {
        return;
    }
    let wrong = subdomain(name);
    if !wrong.is_empty() {
        errors.push(Error::invalid(&path, name, wrong.join(",")));
    } else if name.split('.').count() < 3 {
        let reason = "should be a domain with at least three segments separated by dots";
        errors.push(Error::invalid(&path, name, reason));
    }
}

fn webhook(hook: &Node<'_, '_>, mutating: bool, errors: &mut Errors) {
    hook_name(hook, errors);
    hook.child("rules").each(|_, rule| rule_with_operations(rule, errors));
    optional_one_of(hook, "failurePolicy", &FAILURE, errors);
    optional_one_of(hook, "matchPolicy", &["Equivalent", "Exact"], errors);
    let effects = ["None", "NoneOnDryRun"];
    if hook.has("sideEffects") {
        optional_one_of(hook, "sideEffects", &effects, errors);
    } else {
        let reason = "must specify one of None, NoneOnDryRun";
        errors.push(Error::required(&hook.path.child("sideEffects"), reason));
    }
    if let Some(seconds) = hook.number("timeoutSeconds").filter(|seconds| !(1..=30).contains(seconds)) {
        let reason = "the timeout value must be between 1 and 30 seconds";
        errors.push(Error::invalid(&hook.path.child("timeoutSeconds"), seconds, reason));
    }
    selector(&hook.child("namespaceSelector"), errors);
    selector(&hook.child("objectSelector"), errors);
    if mutating {
        optional_one_of(hook, "reinvocationPolicy", &REINVOCATION, errors);
    }
    client_config(&hook.child("clientConfig"), errors);
    match_conditions(&hook.child("matchConditions"), errors);
}

fn client_config(config: &Node<'_, '_>, errors: &mut Errors) {
    match (config.has("url"), config.some("service")) {
        (true, None) => url(&config.child("url"), errors),
        (false, Some(service)) => {
            required(&service, "name", errors);
            required(&service, "namespace", errors);
            let path = service.path.child("path");
            let text = service.text("path");
            if service.has("path") && !text.is_empty() && text != "/" {
                service_path(&path, text, errors);
            }
            let port = service.int("port");
            if !(1..=65535).contains(&port) {
                let reason = format!("port is not valid: {}", super::checks::PORT_RANGE);
                errors.push(Error::invalid(&service.path.child("port"), port, reason));
            }
        }
        _ => errors.push(Error::required(&config.path, "exactly one of url or service is required")),
    }
}

/// `https://host[:port]/path`, without credentials, query or fragment (`ValidateWebhookURL`).
fn url(node: &Node<'_, '_>, errors: &mut Errors) {
    const FORM: &str = "; desired format: https://host[/path]";
    let text = node.str();
    let mut invalid = |shown: &str, reason: &str| {
        errors.push(Error::invalid(&node.path, shown, format!("{reason}{FORM}")));
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if scheme != "https" {
        invalid(scheme, "'https' is the only allowed URL scheme");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = if scheme.is_empty() { "" } else { &rest[..end] };
    if host.is_empty() {
        invalid(host, "host must be specified");
    }
    if let Some((user, _)) = host.rsplit_once('@') {
        invalid(user, "user information is not permitted in the URL");
    }
    if let Some((_, fragment)) = text.split_once('#').filter(|(_, fragment)| !fragment.is_empty()) {
        invalid(fragment, "fragments are not permitted in the URL");
    }
    let query = text.split('#').next().and_then(|text| text.split_once('?')).map(|(_, query)| query);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        invalid(query, "query parameters are not permitted in the URL");
    }
}

/// A path of DNS labels (`ValidateWebhookService`).
fn service_path(path: &Path<'_>, text: &str, errors: &mut Errors) {
    let Some(steps) = text.strip_prefix('/') else {
        return errors.push(Error::invalid(path, text, "must start with a '/'"));
    };
    let steps = steps.strip_suffix('/').unwrap_or(steps);
    for (index, step) in steps.split('/').enumerate() {
        if step.is_empty() {
            errors.push(Error::invalid(path, text, format!("segment[{index}] may not be empty")));
            continue;
        }
        for reason in subdomain(step) {
            errors.push(Error::invalid(path, text, format!("segment[{index}]: {reason}")));
        }
    }
}

fn review_versions(hook: &Node<'_, '_>, errors: &mut Errors) {
    let node = hook.child("admissionReviewVersions");
    let all = hook.list("admissionReviewVersions");
    if all.is_empty() {
        return errors.push(Error::required(&node.path, "must specify one of v1, v1beta1"));
    }
    node.each(|index, version| {
        if all[..index].contains(version.value) {
            errors.push(Error::invalid(&version.path, version.str(), "duplicate version"));
        } else {
            super::checks::text(version, names::dns1035_label, errors);
        }
    });
    if !REVIEWS.iter().any(|known| hook.lists("admissionReviewVersions", known)) {
        let reason = "must include at least one of v1, v1beta1";
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
}

fn wildcard_alone(node: &Node<'_, '_>, list: &str, what: &str, errors: &mut Errors) {
    if node.len(list) > 1 && node.lists(list, "*") {
        let reason = format!("if '*' is present, must not specify other {what}");
        errors.push(Error::invalid(&node.path.child(list), node.get(list).clone(), reason));
    }
}

fn rule_with_operations(rule: &Node<'_, '_>, errors: &mut Errors) {
    required_items(rule, "operations", "", errors);
    wildcard_alone(rule, "operations", "operations", errors);
    rule.child("operations").each(|_, operation| {
        let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
        supported(&operation.path, operation.str(), &known, errors);
    });
    required_items(rule, "apiGroups", "", errors);
    wildcard_alone(rule, "apiGroups", "API groups", errors);
    required_items(rule, "apiVersions", "", errors);
    wildcard_alone(rule, "apiVersions", "API versions", errors);
    rule.child("apiVersions").each(|_, version| {
        if version.str().is_empty() {
            errors.push(Error::required(&version.path, ""));
        }
    });
    resources(rule, errors);
    optional_one_of(rule, "scope", &["*", "Cluster", "Namespaced"], errors);
}

fn resources(rule: &Node<'_, '_>, errors: &mut Errors) {
    required_items(rule, "resources", "", errors);
    let node = rule.child("resources");
    let all = rule.list("resources");
    let mut bare = false;
    node.each(|index, item| {
        let text = item.str();
        if text.is_empty() {
            return errors.push(Error::required(&item.path, ""));
        }
        let Some((resource, sub)) = text.split_once('/') else {
            bare = text != "*";
            return;
        };
        for (other, any) in [(resource, format!("{resource}/*")), (sub, format!("*/{sub}"))] {
            if !other.is_empty() && all[..index].iter().any(|before| before.as_str() == Some(any.as_str())) {
                let reason = format!("if '{any}' is present, must not specify {text}");
                errors.push(Error::invalid(&item.path, text, reason));
            }
        }
    });
    let mut invalid = |reason: &str| errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    if all.len() > 1 && rule.lists("resources", "*/*") {
        invalid("if '*/*' is present, must not specify other resources");
    }
    if bare && rule.lists("resources", "*") {
        invalid("if '*' is present, must not specify other resources without subresources");
    }
}

fn match_conditions(node: &Node<'_, '_>, errors: &mut Errors) {
    const MAX: usize = 64;
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.len() > MAX {
        errors.push(Error::too_many(&node.path, all.len(), MAX));
    }
    node.each(|index, condition| {
        if condition.text("expression").trim().is_empty() {
            errors.push(Error::required(&condition.path.child("expression"), ""));
        }
        required_member(condition, "name", qualified, errors);
        let name = condition.text("name");
        if !name.is_empty() && all[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&condition.path.child("name"), name));
        }
    });
}

fn param_kind(node: &Node<'_, '_>, errors: &mut Errors) {
    let (version, path) = (node.text("apiVersion"), node.path.child("apiVersion"));
    if required(node, "apiVersion", errors) {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        if version.contains('/') {
            let reason = format!("unexpected GroupVersion string: {}", node.text("apiVersion"));
            errors.push(Error::invalid(&path, node.text("apiVersion"), reason));
        } else {
            let wrong = if group.is_empty() { Vec::new() } else { subdomain(group) };
            if !wrong.is_empty() {
                errors.push(Error::invalid(&path, group, wrong.join(",")));
            }
            let wrong = names::dns1035_label(version);
            if version.is_empty() {
                errors.push(Error::invalid(&path, node.text("apiVersion"), "version must be specified"));
            } else if !wrong.is_empty() {
                errors.push(Error::invalid(&path, version, wrong.join(",")));
            }
        }
    }
    if required(node, "kind", errors) {
        let wrong = names::dns1035_label(&node.text("kind").to_lowercase());
        if !wrong.is_empty() {
            let reason = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
            errors.push(Error::invalid(&node.path.child("kind"), node.text("kind"), reason));
        }
    }
}

fn match_resources(node: &Node<'_, '_>, errors: &mut Errors) {
    if node.has("matchPolicy") {
        optional_one_of(node, "matchPolicy", &["Equivalent", "Exact"], errors);
    } else {
        errors.push(Error::required(&node.path.child("matchPolicy"), ""));
    }
    for name in ["namespaceSelector", "objectSelector"] {
        match node.some(name) {
            Some(found) => selector(&found, errors),
            None => errors.push(Error::required(&node.path.child(name), "")),
        }
    }
    for list in ["resourceRules", "excludeResourceRules"] {
        node.child(list).each(|_, rule| {
            let all = rule.list("resourceNames");
            rule.child("resourceNames").each(|index, name| {
                super::checks::text(name, path_segment, errors);
                if all[..index].contains(name.value) {
                    errors.push(Error::duplicate(&name.path, name.str()));
                }
            });
            rule_with_operations(rule, errors);
        });
    }
}

/// What both kinds of policies have before their own part.
fn policy(spec: &Node<'_, '_>, errors: &mut Errors) {
    if spec.has("failurePolicy") {
        optional_one_of(spec, "failurePolicy", &FAILURE, errors);
    } else {
        errors.push(Error::required(&SPEC.child("failurePolicy"), ""));
    }
    if let Some(kind) = spec.some("paramKind") {
        param_kind(&kind, errors);
    }
    match spec.some("matchConstraints") {
        Some(constraints) => {
            match_resources(&constraints, errors);
            required_items(&constraints, "resourceRules", "", errors);
        }
        None => errors.push(Error::required(&SPEC.child("matchConstraints"), "")),
    }
    match_conditions(&spec.child("matchConditions"), errors);
    spec.child("variables").each(|_, variable| {
        let name = variable.text("name");
        if name.trim().is_empty() {
            errors.push(Error::required(&variable.path.child("name"), "name is not specified"));
        } else if !is_identifier(name) {
            let reason = "name is not a valid CEL identifier";
            errors.push(Error::invalid(&variable.path.child("name"), name, reason));
        }
        if variable.text("expression").trim().is_empty() {
            errors.push(Error::required(&variable.path.child("expression"), "expression is not specified"));
        }
    });
}

fn is_identifier(name: &str) -> bool {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && !RESERVED.contains(&name)
}

fn validating_policy(root: &Node<'_, '_>, spec: &Node<'_, '_>, errors: &mut Errors) {
    const NONE: &str = "validations or auditAnnotations must contain at least one item";
    const MAX_ANNOTATIONS: usize = 20;
    const MAX_EXPRESSION: usize = 5 * 1024;
    policy(spec, errors);
    if spec.is_empty("validations") && spec.is_empty("auditAnnotations") {
        errors.push(Error::required(&SPEC.child("validations"), NONE));
        errors.push(Error::required(&SPEC.child("auditAnnotations"), NONE));
        return;
    }
    spec.child("validations").each(|_, validation| {
        if validation.text("expression").trim().is_empty() {
            let reason = "expression is not specified";
            errors.push(Error::required(&validation.path.child("expression"), reason));
        }
        let (message, expression) = (validation.text("message"), validation.text("messageExpression"));
        if !expression.is_empty() && expression.trim().is_empty() {
            let path = validation.path.child("messageExpression");
            errors.push(Error::invalid(&path, expression, "must be non-empty if specified"));
        }
        let path = validation.path.child("message");
        if !message.is_empty() && message.trim().is_empty() {
            errors.push(Error::invalid(&path, message, "message must be non-empty if specified"));
        } else if message.trim().contains(['\n', '\r']) {
            errors.push(Error::invalid(&path, message, "message must not contain line breaks"));
        }
        optional_one_of(validation, "reason", &["Forbidden", "Invalid", "RequestEntityTooLarge"], errors);
    });
    let all = spec.list("auditAnnotations");
    let node = spec.child("auditAnnotations");
    if all.len() > MAX_ANNOTATIONS {
        let reason = format!("must not have more than {MAX_ANNOTATIONS} auditAnnotations");
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
    let name = root.child("metadata").text("name");
    node.each(|index, annotation| {
        let (key, path) = (annotation.text("key"), annotation.path.child("key"));
        if name.is_empty() {
            errors.push(Error::invalid(&path, key, "requires metadata.name be non-empty"));
        } else {
            let full = format!("{name}/{key}");
            for reason in qualified(&full) {
                errors.push(Error::invalid(&path, full.as_str(), reason));
            }
        }
        let length = annotation.text("valueExpression").trim().len();
        let reason = match length {
            0 => "valueExpression is not specified".to_owned(),
            length if length > MAX_EXPRESSION => format!("must not exceed {MAX_EXPRESSION} bytes in length"),
            _ => String::new(),
        };
        if !reason.is_empty() {
            errors.push(Error::required(&annotation.path.child("valueExpression"), reason));
        }
        if all[..index].iter().any(|other| Node::root(other).text("key") == key) {
            errors.push(Error::duplicate(&path, key));
        }
    });
}

fn mutating_policy(spec: &Node<'_, '_>, errors: &mut Errors) {
    policy(spec, errors);
    required_items(spec, "mutations", "mutations must contain at least one item", errors);
    spec.child("mutations").each(|_, mutation| {
        let kind = mutation.text("patchType");
        let (own, other) = match kind {
            "ApplyConfiguration" => ("applyConfiguration", "jsonPatch"),
            "JSONPatch" => ("jsonPatch", "applyConfiguration"),
            "" => return errors.push(Error::required(&mutation.path.child("patchType"), "")),
            _ => {
                let known = ["ApplyConfiguration", "JSONPatch"];
                return errors.push(Error::not_supported(&mutation.path.child("patchType"), kind, &known));
            }
        };
        match mutation.some(own) {
            None => {
                let reason = format!("must be specified when patchType is {kind}");
                errors.push(Error::required(&mutation.path.child(own), reason));
            }
            Some(patch) => {
                if patch.text("expression").trim().is_empty() {
                    let reason = "expression is not specified";
                    errors.push(Error::required(&patch.path.child("expression"), reason));
                }
            }
        }
        if mutation.has(other) {
            let reason = format!("must not be specified when patchType is {kind}");
            errors.push(Error::invalid(&mutation.path.child(other), format!("{{{other}}}"), reason));
        }
    });
    if required(spec, "reinvocationPolicy", errors) {
        optional_one_of(spec, "reinvocationPolicy", &REINVOCATION, errors);
    }
}

fn binding(spec: &Node<'_, '_>, errors: &mut Errors) {
    required_member(spec, "policyName", subdomain, errors);
    if let Some(reference) = spec.some("paramRef") {
        param_ref(&reference, errors);
    }
    if let Some(resources) = spec.some("matchResources") {
        // Upstream's path lacks a letter.
        match_resources(&resources.at(spec.path.child("matchResouces")), errors);
    }
}

fn param_ref(reference: &Node<'_, '_>, errors: &mut Errors) {
    const BOTH: &str = "name and selector are mutually exclusive";
    let (named, chosen) = (!reference.text("name").is_empty(), reference.has("selector"));
    if named {
        super::checks::member(reference, "name", path_segment, errors);
        if chosen {
            errors.push(Error::forbidden(&reference.path.child("name"), BOTH));
        }
    }
    if chosen {
        selector(&reference.child("selector"), errors);
        if named {
            errors.push(Error::forbidden(&reference.path.child("selector"), BOTH));
        }
    }
    if !named && !chosen {
        errors.push(Error::required(&reference.path, "one of name or selector must be specified"));
    }
    if required_with(reference, "parameterNotFoundAction", "", errors) {
        optional_one_of(reference, "parameterNotFoundAction", &["Deny", "Allow"], errors);
    }
}

fn actions(spec: &Node<'_, '_>, errors: &mut Errors) {
    let node = spec.child("validationActions");
    let all = spec.list("validationActions");
    node.each(|index, action| {
        supported(&action.path, action.str(), &["Audit", "Deny", "Warn"], errors);
        if all[..index].contains(action.value) {
            errors.push(Error::duplicate(&action.path, action.str()));
        }
    });
    if spec.lists("validationActions", "Deny") && spec.lists("validationActions", "Warn") {
        let reason = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
    if all.is_empty() {
        errors.push(Error::required(&node.path, "at least one validation action is required"));
    }
}
