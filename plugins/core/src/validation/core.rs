//! The rest of the core group: data, namespaces, nodes, limits, quota.

use super::amount::Amount;
use super::checks::{
    Errors, IMMUTABLE, METADATA, NOT_NEGATIVE, SPEC, STATUS, config_key, none_negative, qualified, same,
};
use super::labels::{Match, matches};
use super::view::Node;
use super::{net, pod, resources, scheduling};
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Path};

const FROZEN: &str = "field is immutable when `immutable` is set";
/// The greatest size of the data in a ConfigMap or Secret, in bytes.
const MAX_DATA: usize = 1024 * 1024;

/// Bytes behind base64 text.
fn decoded_len(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default().trim_end_matches('=');
    text.len() * 3 / 4
}

fn root_child(name: &'static str) -> Path<'static> {
    Path::Child(&Path::Root, name)
}

pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    let map = Node::root(object);
    let mut size = 0;
    let binary = map.child("binaryData");
    map.child("data").entries(|key, item| {
        for reason in config_key(key) {
            errors.push(Error::invalid(&item.path, key, reason));
        }
        if binary.has(key) {
            errors.push(Error::invalid(&item.path, key, "duplicate of key present in binaryData"));
        }
        size += item.str().len();
    });
    binary.entries(|key, item| {
        for reason in config_key(key) {
            errors.push(Error::invalid(&item.path, key, reason));
        }
        size += decoded_len(item.value);
    });
    if size > MAX_DATA {
        errors.push(Error::too_long(&root_child("[]"), MAX_DATA));
    }
}

pub(super) fn update_config_map(new: &Value, old: &Value, errors: &mut Errors) {
    frozen(new, old, &["data", "binaryData"], errors);
    config_map(new, errors);
}

fn frozen(new: &Value, old: &Value, members: &[&str], errors: &mut Errors) {
    let (new, old) = (Node::root(new), Node::root(old));
    if !old.is("immutable") {
        return;
    }
    if !new.is("immutable") {
        errors.push(Error::forbidden(&new.path.child("immutable"), FROZEN));
    }
    for member in members {
        let empty = new.is_empty(member) && old.is_empty(member);
        if !empty && new.get(member) != old.get(member) {
            errors.push(Error::forbidden(&new.path.child(member), FROZEN));
        }
    }
}

pub(super) fn secret(object: &Value, errors: &mut Errors) {
    let secret = Node::root(object);
    let data = secret.child("data");
    let mut size = 0;
    data.entries(|key, item| {
        for reason in config_key(key) {
            errors.push(Error::invalid(&item.path, key, reason));
        }
        size += decoded_len(item.value);
    });
    if size > MAX_DATA {
        errors.push(Error::too_long(&data.path, MAX_DATA));
    }
    let mut needs = |key: &str| {
        let there = data.has(key);
        if !there {
            errors.push(Error::required(&data.path.key(key), ""));
        }
        there
    };
    match secret.text("type") {
        "kubernetes.io/service-account-token" => {
            const NAME: &str = "kubernetes.io/service-account.name";
            if secret.child("metadata").child("annotations").text(NAME).is_empty() {
                let annotations = METADATA.child("annotations");
                errors.push(Error::required(&annotations.key(NAME), ""));
            }
        }
        "kubernetes.io/dockercfg" if needs(".dockercfg") => docker(&data, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" if needs(".dockerconfigjson") => {
            docker(&data, ".dockerconfigjson", errors);
        }
        "kubernetes.io/basic-auth" if !data.has("username") && !data.has("password") => {
            needs("username");
            needs("password");
        }
        "kubernetes.io/ssh-auth" if data.text("ssh-privatekey").is_empty() => {
            errors.push(Error::required(&data.path.key("ssh-privatekey"), ""));
        }
        "kubernetes.io/tls" => {
            needs("tls.crt");
            needs("tls.key");
        }
        _ => {}
    }
}

/// Credentials of a registry are a JSON object.
fn docker(data: &Node<'_, '_>, key: &str, errors: &mut Errors) {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data.text(key)).unwrap_or_default();
    if let Err(error) = serde_json::from_slice::<chainplate_apimachinery::Map>(&bytes) {
        let reason = match error.classify() {
            serde_json::error::Category::Eof => "unexpected end of JSON input".to_owned(),
            _ => match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(byte) if !b"{[\"tfn-0123456789".contains(byte) => {
                    format!("invalid character '{}' looking for beginning of value", char::from(*byte))
                }
                _ => error.to_string(),
            },
        };
        errors.push(Error::invalid(&data.path.key(key), "<secret contents redacted>", reason));
    }
}

pub(super) fn update_secret(new: &Value, old: &Value, errors: &mut Errors) {
    {
        let (new, old) = (Node::root(new), Node::root(old));
        if new.text("type") != old.text("type") {
            errors.push(Error::invalid(&new.path.child("type"), new.text("type"), IMMUTABLE));
        }
    }
    frozen(new, old, &["data"], errors);
    secret(new, errors);
}

/// A finalizer of a namespace: qualified, and with a domain unless it is one of three.
fn finalizer(name: &str, path: &Path<'_>, errors: &mut Errors) {
    for reason in qualified(name) {
        errors.push(Error::invalid(path, name, reason));
    }
    if !name.contains('/') && !matches!(name, "kubernetes" | "orphan" | "foregroundDeletion") {
        let reason = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(Error::invalid(path, name, reason));
    }
}

pub(super) fn namespace(object: &Value, errors: &mut Errors) {
    for name in Node::root(object).child("spec").texts("finalizers") {
        finalizer(name, &SPEC.child("finalizers"), errors);
    }
}

pub(super) fn finalize_namespace(object: &Value, errors: &mut Errors) {
    let namespace = Node::root(object);
    let spec = namespace.child("spec");
    spec.child("finalizers").each(|_, item| finalizer(item.str(), &item.path, errors));
}

pub(super) fn update_namespace_status(new: &Value, errors: &mut Errors) {
    let namespace = Node::root(new);
    let phase = namespace.child("status").text("phase");
    let (wanted, reason) = if namespace.child("metadata").has("deletionTimestamp") {
        ("Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty")
    } else {
        ("Active", "may only be 'Active' if `deletionTimestamp` is empty")
    };
    if phase != wanted {
        errors.push(Error::invalid(&STATUS.child("Phase"), phase, reason));
    }
}

pub(super) fn node(object: &Value, errors: &mut Errors) {
    let node = Node::root(object);
    let spec = node.child("spec");
    scheduling::taints(&spec.child("taints").at(METADATA.child("taints")), errors);
    node_resources(&node, errors);
    let cidrs = spec.child("podCIDRs");
    cidrs.each(|_, cidr| {
        net::cidr(&cidr.path, cidr.str(), true, errors);
    });
    let count = spec.len("podCIDRs");
    if count > 2 || (count == 2 && !net::dual_stack(spec.texts("podCIDRs"))) {
        let reason = "may specify no more than one CIDR for each IP family";
        errors.push(Error::invalid(&cidrs.path, cidrs.value.clone(), reason));
    }
}

fn node_resources(node: &Node<'_, '_>, errors: &mut Errors) {
    let status = node.child("status");
    for list in ["capacity", "allocatable"] {
        let all = status.child(list);
        for (name, value) in all.value.as_object().into_iter().flatten() {
            resources::amount(name, &Node { path: all.path.child(name), value }, errors);
        }
    }
}

pub(super) fn update_node(new: &Value, old: &Value, errors: &mut Errors) {
    const CIDR: &str = "node updates may not change podCIDR except from \"\" to valid";
    let (now, was) = (Node::root(new), Node::root(old));
    node_resources(&now, errors);
    let (status, spec, old) = (now.child("status"), now.child("spec"), was.child("spec"));
    let addresses = status.list("addresses");
    status.child("addresses").each(|index, address| {
        if addresses[..index].contains(address.value) {
            errors.push(Error::duplicate(&address.path, address.value.clone()));
        }
    });
    if !old.is_empty("podCIDRs") {
        if old.len("podCIDRs") != spec.len("podCIDRs") {
            errors.push(Error::forbidden(&SPEC.child("podCIDRs"), CIDR));
        } else {
            for (a, b) in spec.texts("podCIDRs").zip(old.texts("podCIDRs")) {
                if a != b {
                    errors.push(Error::forbidden(&SPEC.child("podCIDRs"), CIDR));
                }
            }
        }
    }
    if !old.text("providerID").is_empty() && old.text("providerID") != spec.text("providerID") {
        let reason = "node updates may not change providerID except from \"\" to valid";
        errors.push(Error::forbidden(&SPEC.child("providerID"), reason));
    }
    scheduling::taints(&spec.child("taints").at(METADATA.child("taints")), errors);
}

pub(super) fn limit_range(object: &Value, errors: &mut Errors) {
    let range = Node::root(object);
    let spec = range.child("spec");
    let all = spec.list("limits");
    spec.child("limits").each(|index, limit| {
        let kind = limit.text("type");
        resources::limit_type(&limit.child("type"), errors);
        if all[..index].iter().any(|other| Node::root(other).text("type") == kind) {
            errors.push(Error::duplicate(&limit.path.child("type"), kind));
        }
        let rule = if matches!(kind, "Pod" | "Container") { resources::container } else { resources::any };
        let mut names: Vec<&str> = Vec::new();
        let mut look = |list: &str, errors: &mut Errors| {
            limit.child(list).entries(|name, quantity| {
                rule(name, quantity, errors);
                if !names.contains(&name) {
                    names.push(name);
                }
            });
        };
        look("max", errors);
        look("min", errors);
        for list in ["default", "defaultRequest"] {
            if kind != "Pod" {
                look(list, errors);
            } else if !limit.is_empty(list) {
                let reason = "may not be specified when `type` is 'Pod'";
                errors.push(Error::forbidden(&limit.path.child(list), reason));
            }
        }
        if kind == "PersistentVolumeClaim"
            && !limit.child("min").has("storage")
            && !limit.child("max").has("storage")
        {
            let reason = "either minimum or maximum storage value is required, but neither was provided";
            errors.push(Error::required(&limit.path.child("limits"), reason));
        }
        look("maxLimitRequestRatio", errors);
        names.sort_unstable();
        for name in names {
            limit_of_resource(limit, name, errors);
        }
    });
}

fn limit_of_resource(limit: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let is_pod = limit.text("type") == "Pod";
    let value = |list: &str| {
        if is_pod && list.starts_with("default") {
            &Value::Null
        } else {
            limit.get(list).get(name).unwrap_or(&Value::Null)
        }
    };
    let shown = |list: &str| value(list).as_str().map_or_else(|| value(list).to_string(), str::to_owned);
    // The greater and the lesser one, where the error stands, what is told of it, and how both are called.
    const RULES: [(&str, &str, &str, &str, &str, &str); 6] = [
        ("min", "max", "min", "min", "min value", "max value"),
        ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min value", "default request value"),
        ("defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value", "max value"),
        (
            "defaultRequest",
            "default",
            "defaultRequest",
            "defaultRequest",
            "default request value",
            "default limit value",
        ),
        ("min", "default", "default", "min", "min value", "default value"),
        ("default", "max", "default", "max", "default value", "max value"),
    ];
    for (low, high, at, told, low_name, high_name) in RULES {
        if let (Some(a), Some(b)) = (Amount::of(value(low)), Amount::of(value(high)))
            && a > b
        {
            let reason = format!("{low_name} {} is greater than {high_name} {}", shown(low), shown(high));
            let list = limit.path.child(at);
            errors.push(Error::invalid(&list.key(name), value(told).clone(), reason));
        }
    }
    let list = limit.path.child("maxLimitRequestRatio");
    if let Some(ratio) = Amount::of(value("maxLimitRequestRatio")) {
        let told = shown("maxLimitRequestRatio");
        let mut add = |reason: String| {
            errors.push(Error::invalid(&list.key(name), value("maxLimitRequestRatio").clone(), reason));
        };
        let one = Amount::parse("1");
        if Some(ratio) < one {
            add(format!("ratio {told} is less than 1"));
        }
        if let (Some(min), Some(max), Some(one)) = (Amount::of(value("min")), Amount::of(value("max")), one) {
            let most = max.ratio(min);
            if ratio.ratio(one) > most {
                add(format!("ratio {told} is greater than max/min = {most:.6}"));
            }
        }
    }
    if !resources::overcommits(name)
        && !value("default").is_null()
        && !value("defaultRequest").is_null()
        && Amount::of(value("default")) != Amount::of(value("defaultRequest"))
    {
        let reason = format!(
            "default value {} must equal to defaultRequest value {} in {name}",
            shown("default"),
            shown("defaultRequest")
        );
        let list = limit.path.child("defaultRequest");
        errors.push(Error::invalid(&list.key(name), value("defaultRequest").clone(), reason));
    }
}

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

fn scope_fits(scope: &str, resource: &str) -> bool {
    let compute = matches!(
        resource,
        "cpu" | "memory" | "limits.cpu" | "limits.memory" | "requests.cpu" | "requests.memory"
    );
    match scope {
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => resource == "pods" || compute,
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

fn amounts(node: &Node<'_, '_>, errors: &mut Errors) {
    node.entries(|name, quantity| {
        resources::quota(name, quantity, errors);
        resources::amount(name, quantity, errors);
    });
}

fn conflicting(scopes: &[&str]) -> usize {
    let both = |a: &str, b: &str| scopes.contains(&a) && scopes.contains(&b);
    usize::from(both("BestEffort", "NotBestEffort")) + usize::from(both("Terminating", "NotTerminating"))
}

pub(super) fn quota_spec(object: &Value, errors: &mut Errors) {
    let quota = Node::root(object);
    let spec = quota.child("spec");
    amounts(&spec.child("hard"), errors);
    let node = spec.child("scopes");
    let invalid = |reason: &str| Error::invalid(&node.path, node.value.clone(), reason);
    let misfits = |scope: &str| {
        let names = spec.map("hard").into_iter().flat_map(|hard| hard.keys());
        names.filter(|name| resources::is_quota(name) && !scope_fits(scope, name)).count()
    };
    let scopes: Vec<&str> = spec.texts("scopes").collect();
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errors.push(invalid("unsupported scope"));
        }
        for _ in 0..misfits(scope) {
            errors.push(invalid("unsupported scope applied to resource"));
        }
    }
    for _ in 0..conflicting(&scopes) {
        errors.push(invalid("conflicting scopes"));
    }
    let selector = spec.child("scopeSelector");
    let path = selector.path.child("matchExpressions");
    let mut selected = Vec::new();
    for requirement in selector.list("matchExpressions") {
        let requirement = Node::root(requirement);
        let (scope, operator) = (requirement.text("scopeName"), requirement.text("operator"));
        selected.push(scope);
        if !SCOPES.contains(&scope) {
            errors.push(Error::invalid(&path.child("scopeName"), scope, "unsupported scope"));
        }
        for _ in 0..misfits(scope) {
            let reason = "unsupported scope applied to resource";
            errors.push(Error::invalid(&path, selector.value.clone(), reason));
        }
        let plain = !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && SCOPES.contains(&scope);
        if plain && operator != "Exists" {
            let reason = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
ResourceQuotaScopeCrossNamespacePodAffinity";
            errors.push(Error::invalid(&path.child("operator"), operator, reason));
        }
        match operator {
            "In" | "NotIn" if requirement.is_empty("values") => {
                let reason =
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                errors.push(Error::required(&path.child("values"), reason));
            }
            "Exists" | "DoesNotExist" if !requirement.is_empty("values") => {
                let reason =
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                let values = requirement.get("values").clone();
                errors.push(Error::invalid(&path.child("values"), values, reason));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => errors.push(Error::invalid(
                &path.child("operator"),
                operator,
                "not a valid selector operator",
            )),
        }
    }
    for _ in 0..conflicting(&selected) {
        errors.push(Error::invalid(&path, node.value.clone(), "conflicting scopes"));
    }
}

pub(super) fn quota_status(object: &Value, errors: &mut Errors) {
    let quota = Node::root(object);
    let status = quota.child("status");
    amounts(&status.child("hard"), errors);
    amounts(&status.child("used"), errors);
}

pub(super) fn update_quota(new: &Value, old: &Value, errors: &mut Errors) {
    quota_spec(new, errors);
    let (new, old) = (Node::root(new), Node::root(old));
    let (spec, old) = (new.child("spec"), old.child("spec"));
    let covers = |a: &Node<'_, '_>, b: &Node<'_, '_>| a.texts("scopes").all(|scope| b.lists("scopes", scope));
    if !covers(&spec, &old) || !covers(&old, &spec) {
        errors.push(Error::invalid(&SPEC.child("scopes"), spec.get("scopes").clone(), IMMUTABLE));
    }
}

pub(super) fn replication_controller(object: &Value, errors: &mut Errors) {
    let controller = Node::root(object);
    let spec = controller.child("spec");
    none_negative(&spec, &["minReadySeconds"], errors);
    let selector = spec.child("selector");
    if spec.is_empty("selector") {
        errors.push(Error::required(&selector.path, ""));
    }
    none_negative(&spec, &["replicas"], errors);
    let template = spec.child("template");
    if !template.present() {
        return errors.push(Error::required(&template.path, ""));
    }
    let labels = template.child("metadata").map("labels");
    let wanted = serde_json::json!({"matchLabels": selector.value});
    if !spec.is_empty("selector") && matches(&wanted, labels) != Match::Yes {
        mismatch(&template, errors);
    }
    pod::template(&template, &[], errors);
    always_restarts(&template, "ReplicationController", errors);
}

/// The labels of a template that the selector does not select.
pub(super) fn mismatch(template: &Node<'_, '_>, errors: &mut Errors) {
    let metadata = template.child("metadata");
    let path = template.path.child("metadata");
    let labels = metadata.get("labels").clone();
    errors.push(Error::invalid(&path.child("labels"), labels, super::checks::SELECTOR_MISMATCH));
}

/// What pods of a controller that keeps them running must be.
pub(super) fn always_restarts(template: &Node<'_, '_>, kind: &str, errors: &mut Errors) {
    let spec = template.child("spec");
    let policy = spec.text("restartPolicy");
    if policy != "Always" {
        errors.push(Error::not_supported(&spec.path.child("restartPolicy"), policy, &["Always"]));
    }
    if spec.has("activeDeadlineSeconds") {
        let reason = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(Error::forbidden(&spec.path.child("activeDeadlineSeconds"), reason));
    }
}

/// Counts in a status that none exceeds the number of replicas (`ValidateReplicaSetStatus` and its kin).
pub(super) fn replica_counts(status: &Node<'_, '_>, counts: &[&str], errors: &mut Errors) {
    let mut above = |name: &str, limit: &str, reason: &str| {
        if status.int(name) > status.int(limit) {
            errors.push(Error::invalid(&status.path.child(name), status.int(name), reason));
        }
    };
    for count in counts {
        above(count, "replicas", "cannot be greater than status.replicas");
    }
    above("availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
}

/// A collision count only grows.
pub(super) fn not_decremented(status: &Node<'_, '_>, old: &Node<'_, '_>, errors: &mut Errors) {
    let (now, was) = (status.number("collisionCount"), old.number("collisionCount"));
    if was.is_some() && now < was {
        let path = status.path.child("collisionCount");
        errors.push(Error::invalid(&path, now.unwrap_or_default(), "cannot be decremented"));
    }
}

/// A Scale.
pub(super) fn scale(object: &Value, errors: &mut Errors) {
    let scale = Node::root(object);
    let replicas = scale.child("spec").int("replicas");
    if replicas < 0 {
        errors.push(Error::invalid(&SPEC.child("replicas"), replicas, NOT_NEGATIVE));
    }
}

/// A member of the spec that never changes.
pub(super) fn immutable_spec(new: &Value, old: &Value, names: &[&str], errors: &mut Errors) {
    let (new, old) = (Node::root(new), Node::root(old));
    let (spec, old) = (new.child("spec"), old.child("spec"));
    for name in names {
        if !same(spec.get(name), old.get(name)) {
            errors.push(Error::invalid(&SPEC.child(name), spec.get(name).clone(), IMMUTABLE));
        }
    }
}
