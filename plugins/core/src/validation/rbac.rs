//! `pkg/apis/rbac/validation`.

use super::checks::{
    Errors, go_struct, go_text, path_segment, required, required_items, shown, subdomain, supported,
};
use super::labels::selector;
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    match kind {
        "Role" => rules(&root, true, errors),
        "ClusterRole" => {
            rules(&root, false, errors);
            aggregation(&root, errors);
        }
        "RoleBinding" => binding(&root, true, errors),
        "ClusterRoleBinding" => binding(&root, false, errors),
        _ => {}
    }
}

pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    create(kind, new, errors);
    let (new, old) = (Node::root(new), Node::root(old));
    let (role, was) = (new.child("roleRef"), old.child("roleRef"));
    if ["apiGroup", "kind", "name"].iter().any(|name| role.text(name) != was.text(name)) {
        let [group, kind, name] = ["apiGroup", "kind", "name"].map(|name| go_text(role.get(name)));
        let told = go_struct(&[("APIGroup", &group), ("Kind", &kind), ("Name", &name)]);
        errors.push(shown(Kind::Invalid, &role.path, told, "cannot change roleRef"));
    }
}

fn rules(role: &Node<'_, '_>, namespaced: bool, errors: &mut Errors) {
    role.child("rules").each(|_, rule| {
        required_items(rule, "verbs", "verbs must contain at least one value", errors);
        if !rule.is_empty("nonResourceURLs") {
            let path = rule.path.child("nonResourceURLs");
            let mut invalid = |reason: &str| {
                errors.push(Error::invalid(&path, rule.get("nonResourceURLs").clone(), reason));
            };
            if namespaced {
                invalid("namespaced rules cannot apply to non-resource URLs");
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|list| !rule.is_empty(list)) {
                invalid("rules cannot apply to both regular resources and non-resource URLs");
            }
            return;
        }
        required_items(rule, "apiGroups", "resource rules must supply at least one api group", errors);
        required_items(rule, "resources", "resource rules must supply at least one resource", errors);
    });
}

fn aggregation(role: &Node<'_, '_>, errors: &mut Errors) {
    let Some(rule) = role.some("aggregationRule") else { return };
    let list = rule.child("clusterRoleSelectors");
    let reason = "at least one clusterRoleSelector required if aggregationRule is non-nil";
    required_items(&rule, "clusterRoleSelectors", reason, errors);
    list.each(|_, item| {
        let before = errors.len();
        selector(item, errors);
        if errors.len() > before {
            // Upstream tells the selector that could not be made, which is none.
            errors.push(Error::invalid(&item.path, Value::Null, "invalid label selector."));
        }
    });
}

fn binding(root: &Node<'_, '_>, namespaced: bool, errors: &mut Errors) {
    let role = root.child("roleRef");
    supported(&role.path.child("apiGroup"), role.text("apiGroup"), &[GROUP], errors);
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    supported(&role.path.child("kind"), role.text("kind"), kinds, errors);
    if required(&role, "name", errors) {
        super::checks::member(&role, "name", path_segment, errors);
    }
    root.child("subjects").each(|_, subject| {
        let (name, group) = (subject.text("name"), subject.text("apiGroup"));
        let group_path = subject.path.child("apiGroup");
        required(subject, "name", errors);
        match subject.text("kind") {
            "ServiceAccount" => {
                if !name.is_empty() {
                    super::checks::member(subject, "name", subdomain, errors);
                }
                if !group.is_empty() {
                    supported(&group_path, group, &[""], errors);
                }
                if !namespaced {
                    required(subject, "namespace", errors);
                }
            }
            "User" | "Group" => supported(&group_path, group, &[GROUP], errors),
            kind => {
                let known = ["ServiceAccount", "User", "Group"];
                errors.push(Error::not_supported(&subject.path.child("kind"), kind, &known));
            }
        }
    });
}
