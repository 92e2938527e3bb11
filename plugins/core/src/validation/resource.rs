//! `pkg/apis/resource/validation`: dynamic resource allocation.

use super::checks::{
    Errors, IMMUTABLE, SPEC, go_struct, immutable, label, one_of, required, required_member, same, shown,
    subdomain, supported,
};
use super::scheduling::node_selector;
use super::view::Node;
use super::volumes::template_metadata;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind, Path};

const MAX_SELECTORS: usize = 32;
const MAX_REQUESTS: usize = 32;
const MAX_DEVICES: usize = 128;
const MAX_EXPRESSION: usize = 10 * 1024;

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match kind {
        "DeviceClass" => {
            selectors(&spec.child("selectors"), errors);
            configs(&spec.child("config"), errors);
        }
        "ResourceClaim" => claim(&spec, errors),
        "ResourceClaimTemplate" => {
            template_metadata(&spec.child("metadata"), errors);
            claim(&spec.child("spec"), errors);
        }
        "ResourceSlice" => slice(&spec, errors),
        _ => {}
    }
}

pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let (now, was) = (Node::root(new), Node::root(old));
    match kind {
        "ResourceClaim" | "ResourceClaimTemplate" => {
            create(kind, new, errors);
            immutable(&now, &was, "spec", errors);
        }
        "ResourceSlice" => {
            create(kind, new, errors);
            let (spec, old) = (now.child("spec"), was.child("spec"));
            for name in ["driver", "nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"] {
                immutable(&spec, &old, name, errors);
            }
            let (pool, old) = (spec.child("pool"), old.child("pool"));
            if !same(pool.get("name"), old.get("name")) {
                errors.push(Error::invalid(&pool.path.child("name"), pool.get("name").clone(), IMMUTABLE));
            }
        }
        _ => create(kind, new, errors),
    }
}

fn selectors(node: &Node<'_, '_>, errors: &mut Errors) {
    let count = node.value.as_array().map_or(0, Vec::len);
    if count > MAX_SELECTORS {
        errors.push(Error::too_many(&node.path, count, MAX_SELECTORS));
    }
    node.each(|_, selector| match selector.some("cel") {
        None => errors.push(Error::required(&selector.path.child("cel"), "")),
        Some(cel) => {
            let path = cel.path.child("expression");
            if cel.text("expression").len() > MAX_EXPRESSION {
                errors.push(Error::too_long(&path, MAX_EXPRESSION));
            } else {
                required(&cel, "expression", errors);
            }
        }
    });
}

fn configs(node: &Node<'_, '_>, errors: &mut Errors) {
    node.each(|_, config| match config.some("opaque") {
        None => errors.push(Error::required(&config.path.child("opaque"), "")),
        Some(opaque) => {
            required_member(&opaque, "driver", subdomain, errors);
            match opaque.get("parameters") {
                Value::Null => errors.push(Error::required(&opaque.path.child("parameters"), "")),
                Value::Object(_) => {}
                _ => {
                    let path = opaque.path.child("parameters");
                    let reason = "must be a valid JSON object";
                    errors.push(Error::invalid(&path, "<value omitted>", reason));
                }
            }
        }
    });
}

fn claim(spec: &Node<'_, '_>, errors: &mut Errors) {
    let devices = spec.child("devices");
    let requests = devices.list("requests");
    let node = devices.child("requests");
    if requests.len() > MAX_REQUESTS {
        errors.push(Error::too_many(&node.path, requests.len(), MAX_REQUESTS));
    }
    node.each(|index, request| {
        required_member(request, "name", label, errors);
        let name = request.text("name");
        if !name.is_empty() && requests[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&request.path.child("name"), name));
        }
        // v1beta1 has the members of `exactly` in the request itself.
        let exactly = request.some("exactly");
        let flat = !request.text("deviceClassName").is_empty();
        let alternatives = request.list("firstAvailable");
        match (exactly, flat || !alternatives.is_empty()) {
            (Some(_), true) => {
                let reason =
                    "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set";
                errors.push(Error::invalid(&request.path, Value::Null, reason));
            }
            (Some(exactly), false) => device_request(&exactly, errors),
            (None, true) if flat => device_request(request, errors),
            (None, true) => request.child("firstAvailable").each(|index, item| {
                required_member(item, "name", label, errors);
                let name = item.text("name");
                if alternatives[..index].iter().any(|other| Node::root(other).text("name") == name) {
                    errors.push(Error::duplicate(&item.path.child("name"), name));
                }
                device_request(item, errors);
            }),
            (None, false) => {
                let reason = "exactly one of `exactly` or `firstAvailable` is required";
                errors.push(Error::required(&request.path, reason));
            }
        }
    });
    let known = |name: &str| {
        let (main, sub) = name.split_once('/').map_or((name, None), |(main, sub)| (main, Some(sub)));
        requests.iter().map(Node::root).any(|request| {
            request.text("name") == main
                && sub.is_none_or(|sub| {
                    request.list("firstAvailable").iter().any(|item| Node::root(item).text("name") == sub)
                })
        })
    };
    let references = |node: &Node<'_, '_>, errors: &mut Errors| {
        node.child("requests").each(|_, name| {
            if !known(name.str()) {
                let reason = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
                errors.push(Error::invalid(&name.path, name.str(), reason));
            }
        });
    };
    devices.child("constraints").each(|_, constraint| {
        references(constraint, errors);
        if !constraint.has("matchAttribute") && !constraint.has("distinctAttribute") {
            errors.push(Error::required(&constraint.path.child("matchAttribute"), ""));
        }
        if constraint.has("matchAttribute") {
            attribute_name(constraint, "matchAttribute", errors);
        }
    });
    let config = devices.child("config");
    config.each(|_, item| references(item, errors));
    configs(&config, errors);
}

fn attribute_name(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let (path, text) = (node.path.child(name), node.text(name));
    if text.is_empty() {
        return errors.push(Error::required(&path, ""));
    }
    match text.split_once('/') {
        None => {
            let reason = "must include a domain";
            errors.push(Error::invalid(&path, text, reason));
        }
        Some((domain, _)) => {
            for reason in subdomain(domain) {
                errors.push(Error::invalid(&path, text, reason));
            }
        }
    }
}

fn device_request(request: &Node<'_, '_>, errors: &mut Errors) {
    required_member(request, "deviceClassName", subdomain, errors);
    selectors(&request.child("selectors"), errors);
    let count = request.int("count");
    let path = request.path.child("count");
    match request.text("allocationMode") {
        "ExactCount" => {
            if count <= 0 {
                errors.push(Error::invalid(&path, count, "must be greater than zero"));
            }
        }
        "All" => {
            if count != 0 {
                let reason = "must not be specified when allocationMode is 'All'";
                errors.push(Error::invalid(&path, count, reason));
            }
        }
        mode => supported(&request.path.child("allocationMode"), mode, &["All", "ExactCount"], errors),
    }
    request.child("tolerations").each(|_, toleration| {
        super::checks::member_if_any(toleration, "key", super::checks::qualified, errors);
        let value = toleration.path.child("value");
        match toleration.text("operator") {
            "Exists" if !toleration.text("value").is_empty() => {
                let reason = "must be empty for operator `Exists`";
                errors.push(Error::invalid(&value, toleration.text("value"), reason));
            }
            "Exists" | "Equal" => {}
            _ => one_of(toleration, "operator", &["Equal", "Exists"], errors),
        }
        let effect = toleration.text("effect");
        if !effect.is_empty() {
            let known = ["NoExecute", "NoSchedule", "None"];
            supported(&toleration.path.child("effect"), effect, &known, errors);
        }
    });
}

fn slice(spec: &Node<'_, '_>, errors: &mut Errors) {
    const PLACES: [&str; 4] = ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"];
    required_member(spec, "driver", subdomain, errors);
    let pool = spec.child("pool");
    pool_name(&pool, errors);
    if pool.int("resourceSliceCount") <= 0 {
        let path = pool.path.child("resourceSliceCount");
        errors.push(Error::invalid(&path, pool.int("resourceSliceCount"), "must be greater than zero"));
    }
    if pool.int("generation") < 0 {
        let path = pool.path.child("generation");
        let reason = "must be greater than or equal to zero";
        errors.push(Error::invalid(&path, pool.int("generation"), reason));
    }
    let set: Vec<&str> = PLACES
        .into_iter()
        .filter(|name| match *name {
            "nodeName" => !spec.text(name).is_empty(),
            "nodeSelector" => spec.has(name),
            _ => spec.is(name),
        })
        .collect();
    let reason =
        "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    if spec.has("nodeName") {
        super::checks::member_if_any(spec, "nodeName", subdomain, errors);
    }
    if let Some(selector) = spec.some("nodeSelector") {
        node_selector(&selector, errors);
    }
    match set.as_slice() {
        [] => errors.push(Error::required(&SPEC, reason)),
        [_] => {}
        several => {
            let told: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            let reason = format!("{reason}, but multiple fields are set");
            errors.push(Error::invalid(&SPEC, format!("{{{}}}", told.join(", ")), reason));
        }
    }
    let devices = spec.list("devices");
    let node = spec.child("devices");
    if devices.len() > MAX_DEVICES {
        return errors.push(Error::too_many(&node.path, devices.len(), MAX_DEVICES));
    }
    node.each(|index, device| {
        required_member(device, "name", label, errors);
        // v1beta1 has the members of a device in `basic`.
        let basic = device.child("basic");
        let body = if basic.present() { &basic } else { device };
        body.child("attributes").entries(|name, attribute| {
            attribute_key(&attribute.path, name, errors);
            attribute_value(attribute, errors);
        });
        body.child("capacity").entries(|name, capacity| {
            attribute_key(&capacity.path, name, errors);
        });
        let name = device.text("name");
        if !name.is_empty() && devices[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&device.path, name));
        }
    });
}

fn pool_name(pool: &Node<'_, '_>, errors: &mut Errors) {
    if !required(pool, "name", errors) {
        return;
    }
    let name = pool.text("name");
    let path = pool.path.child("name");
    if name.len() > 253 {
        errors.push(Error::too_long(&path, 253));
    }
    for part in name.split('/') {
        for reason in subdomain(part) {
            errors.push(Error::invalid(&path, part, reason));
        }
    }
}

/// A C identifier, with an optional domain.
fn attribute_key(path: &Path<'_>, name: &str, errors: &mut Errors) {
    let (domain, own) = name.split_once('/').map_or((None, name), |(domain, own)| (Some(domain), own));
    if let Some(domain) = domain {
        for reason in subdomain(domain) {
            errors.push(Error::invalid(path, domain, reason));
        }
    }
    let fine = own.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && own.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    if own.is_empty() {
        errors.push(Error::required(path, ""));
    } else if own.len() > 32 {
        errors.push(Error::too_long(path, 32));
    } else if !fine {
        let reason = super::checks::pattern(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
            "[A-Za-z_][A-Za-z0-9_]*",
            &["my_name", "MY_NAME", "MyName"],
        );
        errors.push(Error::invalid(path, own, reason));
    }
}

fn attribute_value(attribute: &Node<'_, '_>, errors: &mut Errors) {
    const KINDS: [(&str, &str); 8] = [
        ("IntValue", "int"),
        ("BoolValue", "bool"),
        ("StringValue", "string"),
        ("VersionValue", "version"),
        ("IntValues", "ints"),
        ("BoolValues", "bools"),
        ("StringValues", "strings"),
        ("VersionValues", "versions"),
    ];
    let count = KINDS.iter().filter(|(_, member)| attribute.has(member)).count();
    match count {
        0 => errors.push(Error::required(&attribute.path, "exactly one value must be specified")),
        1 => {
            for name in ["string", "version"] {
                if attribute.text(name).len() > 64 {
                    errors.push(Error::too_long(&attribute.path.child(name), 64));
                }
            }
        }
        _ => {
            let told = KINDS.map(|(name, member)| (name, attribute.get(member)));
            let told = go_struct(&told);
            errors.push(shown(Kind::Invalid, &attribute.path, told, "exactly one value must be specified"));
        }
    }
}
