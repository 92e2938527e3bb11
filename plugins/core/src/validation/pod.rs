//! Pods and pod templates: `ValidatePodSpec`, `ValidatePodCreate`, `ValidatePodUpdate` and the subresources.

use super::checks::{
    Errors, SPEC, between, label, member_if_any, one_of, qualified, required_with, subdomain, supported, text,
};
use super::labels::labels;
use super::view::Node;
use super::{container, net, resources, scheduling, security, volumes};
use chainplate_apimachinery::field::Error;
use chainplate_apimachinery::{Value, names};

/// Annotation of a pod that mirrors a static one.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";
pub(super) const MAX: i64 = i32::MAX as i64;

/// What checks of containers must know of their pod.
pub(super) struct PodContext<'p, 'v> {
    /// The pod's spec.
    pub(super) spec: Node<'p, 'v>,
    /// Volumes that are wrong, by index.
    pub(super) wrong_volumes: Vec<usize>,
    /// Claims that a StatefulSet adds to the volumes.
    pub(super) claims: &'v [Value],
    /// `terminationGracePeriodSeconds`.
    pub(super) grace_period: Option<i64>,
    /// Whether the pod shares the host's users, as it does unless told otherwise.
    pub(super) host_users: bool,
}

impl<'v> PodContext<'_, 'v> {
    /// The volume of a name.
    pub(super) fn volume(&self, name: &str) -> Option<&'v Value> {
        let own = self.spec.list("volumes").iter().enumerate().find(|(index, volume)| {
            !self.wrong_volumes.contains(index) && Node::root(volume).text("name") == name
        });
        let own = own.map(|(_, volume)| volume);
        own.or_else(|| {
            self.claims
                .iter()
                .find(|claim| claim.pointer("/metadata/name").and_then(Value::as_str) == Some(name))
        })
    }
}

/// A Pod that is created.
pub(super) fn create(object: &Value, errors: &mut Errors) {
    let pod = Node::root(object);
    let spec = pod.child("spec");
    metadata_and_spec(&pod, errors);
    if !spec.is_empty("ephemeralContainers") {
        errors.push(Error::forbidden(&SPEC.child("ephemeralContainers"), "cannot be set on create"));
    }
    if !spec.text("nodeName").is_empty() && !spec.is_empty("schedulingGates") {
        let reason = "cannot be set until all schedulingGates have been cleared";
        errors.push(Error::forbidden(&SPEC.child("nodeName"), reason));
    }
}

pub(super) fn metadata_and_spec(pod: &Node<'_, '_>, errors: &mut Errors) {
    let (metadata, spec) = (pod.child("metadata"), pod.child("spec"));
    pod_annotations(&metadata.child("annotations"), &spec, errors);
    pod_spec(&spec, metadata.text("name"), &[], true, errors);
    if spec.text("serviceAccountName").is_empty() {
        spec.child("volumes").each(|_, volume| {
            volume.child("projected").child("sources").each(|_, source| {
                if source.has("serviceAccountToken") {
                    let reason = "must not be specified when serviceAccountName is not set";
                    errors.push(Error::forbidden(&source.path.child("serviceAccountToken"), reason));
                }
            });
        });
    }
    for list in ["containers", "initContainers"] {
        spec.child(list).each(|_, container| container::trimmed_image(container, errors));
    }
}

fn pod_annotations(annotations: &Node<'_, '_>, spec: &Node<'_, '_>, errors: &mut Errors) {
    if annotations.has(MIRROR) && spec.text("nodeName").is_empty() {
        let reason = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(Error::invalid(&annotations.path.key(MIRROR), annotations.text(MIRROR), reason));
    }
    const COST: &str = "controller.kubernetes.io/pod-deletion-cost";
    if annotations.has(COST) {
        let cost = annotations.text(COST);
        let plain = cost.starts_with('0') && cost.len() > 1 || cost.starts_with('+');
        if plain || cost.parse::<i32>().is_err() {
            errors.push(Error::invalid(&annotations.path.key(COST), cost, "must be a 32bit integer"));
        }
    }
}

/// A pod template, with the claims of a StatefulSet, if it is one's.
pub(super) fn template(node: &Node<'_, '_>, claims: &[Value], errors: &mut Errors) {
    let (metadata, spec) = (node.child("metadata"), node.child("spec"));
    labels(&metadata.child("labels").at(node.path.child("labels")), errors);
    let annotations = metadata.child("annotations");
    let annotations = annotations.at(node.path.child("annotations"));
    volumes::annotations(&annotations, errors);
    pod_annotations(&annotations, &spec, errors);
    pod_spec(&spec, "", claims, false, errors);
    if !spec.is_empty("ephemeralContainers") {
        let reason = "ephemeral containers not allowed in pod template";
        errors.push(Error::forbidden(&spec.path.child("ephemeralContainers"), reason));
    }
}

fn pod_spec(spec: &Node<'_, '_>, name: &str, claims: &[Value], is_pod: bool, errors: &mut Errors) {
    let grace_period = spec.number("terminationGracePeriodSeconds");
    if grace_period.is_none() {
        errors.push(Error::required(&spec.path.child("terminationGracePeriodSeconds"), ""));
    }
    let host_users = spec.get("hostUsers") != &Value::Bool(false);
    let wrong_volumes = volumes::volumes(&spec.child("volumes"), name, errors);
    let context = PodContext { spec: *spec, wrong_volumes, claims, grace_period, host_users };
    resource_claims(&spec.child("resourceClaims"), errors);
    container::containers(&spec.child("containers"), &context, errors);
    container::init_containers(&spec.child("initContainers"), &context, errors);
    container::ephemeral_containers(&spec.child("ephemeralContainers"), &context, errors);
    if let Some(whole) = spec.some("resources") {
        if whole.has("claims") {
            let reason = "claims cannot be set for Resources at pod-level";
            errors.push(Error::forbidden(&whole.path.child("claims"), reason));
        }
        resources::requirements(&whole, resources::pod, &[], errors);
    }
    if spec.is("hostNetwork") {
        host_network(spec, is_pod, errors);
    }
    one_of(spec, "restartPolicy", &["Always", "OnFailure", "Never"], errors);
    one_of(spec, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], errors);
    labels(&spec.child("nodeSelector"), errors);
    if let Some(security) = spec.some("securityContext") {
        security::pod(&security, spec, errors);
    }
    if let Some(affinity) = spec.some("affinity") {
        scheduling::affinity(&affinity, errors);
    }
    dns(spec, errors);
    spec.child("readinessGates")
        .each(|_, gate| super::checks::member(gate, "conditionType", qualified, errors));
    scheduling_gates(&spec.child("schedulingGates"), errors);
    scheduling::spread(&spec.child("topologySpreadConstraints"), errors);
    if !host_users {
        for (member, shown) in
            [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
        {
            if spec.is(member) {
                errors.push(Error::forbidden(&spec.path.child(shown), "when `hostUsers` is false"));
            }
        }
    }
    for (member, rule) in
        [("serviceAccountName", subdomain as fn(&str) -> Vec<String>), ("nodeName", subdomain)]
    {
        member_if_any(spec, member, rule, errors);
    }
    if let Some(deadline) = spec.number("activeDeadlineSeconds")
        && !(1..=MAX).contains(&deadline)
    {
        errors.push(Error::invalid(&spec.path.child("activeDeadlineSeconds"), deadline, between(1, MAX)));
    }
    member_if_any(spec, "hostname", label, errors);
    member_if_any(spec, "subdomain", label, errors);
    scheduling::tolerations(&spec.child("tolerations"), errors);
    spec.child("hostAliases").each(|_, alias| {
        net::ip(&alias.path.child("ip"), alias.text("ip"), errors);
        alias.child("hostnames").each(|_, name| text(name, subdomain, errors));
    });
    member_if_any(spec, "priorityClassName", subdomain, errors);
    if spec.has("runtimeClassName") {
        super::checks::member(spec, "runtimeClassName", subdomain, errors);
    }
    if spec.has("preemptionPolicy") {
        one_of(spec, "preemptionPolicy", &["PreemptLowerPriority", "Never"], errors);
    }
    if let Some(overhead) = spec.some("overhead") {
        overhead_limits(&overhead, errors);
    }
    operating_system(spec, errors);
}

/// Overhead is checked as if it were limits, with their path.
pub(super) fn overhead_limits(node: &Node<'_, '_>, errors: &mut Errors) {
    let path = node.path.child("limits");
    node.at(path).entries(|name, quantity| {
        resources::container(name, quantity, errors);
        resources::amount(name, quantity, errors);
    });
}

fn resource_claims(node: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, claim| {
        let name = claim.text("name");
        let taken = all[..index].iter().any(|other| Node::root(other).text("name") == name);
        if name.is_empty() {
            errors.push(Error::required(&claim.path.child("name"), ""));
        } else if taken {
            errors.push(Error::duplicate(&claim.path.child("name"), name));
        } else {
            super::checks::member(claim, "name", label, errors);
        }
        let reason = match (claim.has("resourceClaimName"), claim.has("resourceClaimTemplateName")) {
            (true, true) => {
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            }
            (false, false) => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => "",
        };
        if !reason.is_empty() {
            errors.push(Error::invalid(&claim.path, claim.value.clone(), reason));
        }
        for member in ["resourceClaimName", "resourceClaimTemplateName"] {
            if claim.has(member) {
                super::checks::member(claim, member, subdomain, errors);
            }
        }
    });
}

fn host_network(spec: &Node<'_, '_>, is_pod: bool, errors: &mut Errors) {
    spec.child("containers").each(|_, container| {
        container.child("ports").each(|_, port| {
            let (host, own) = (port.int("hostPort"), port.int("containerPort"));
            if (is_pod || host != 0) && host != own {
                let reason = "must match `containerPort` when `hostNetwork` is true";
                errors.push(Error::invalid(&port.path.child("hostPort"), host, reason));
            }
        });
    });
}

fn dns(spec: &Node<'_, '_>, errors: &mut Errors) {
    const MAX_SERVERS: usize = 3;
    const MAX_PATHS: usize = 32;
    const MAX_CHARACTERS: usize = 2048;
    let config = spec.child("dnsConfig");
    if spec.text("dnsPolicy") == "None" {
        if !config.present() {
            let reason = "must provide `dnsConfig` when `dnsPolicy` is None";
            return errors.push(Error::required(&config.path, reason));
        }
        if config.is_empty("nameservers") {
            let reason = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.push(Error::required(&config.path.child("nameservers"), reason));
        }
    }
    let mut too_many = |member: &str, reason: String| {
        errors.push(Error::invalid(&config.path.child(member), config.get(member).clone(), reason));
    };
    if config.len("nameservers") > MAX_SERVERS {
        too_many("nameservers", format!("must not have more than {MAX_SERVERS} nameservers"));
    }
    if config.len("searches") > MAX_PATHS {
        too_many("searches", format!("must not have more than {MAX_PATHS} search paths"));
    }
    let length: usize = config.texts("searches").map(|search| search.len() + 1).sum();
    if length > MAX_CHARACTERS + 1 {
        let reason = format!(
            "must not have more than {MAX_CHARACTERS} characters (including spaces) in the search list"
        );
        too_many("searches", reason);
    }
    net::ips(&config.child("nameservers"), errors);
    config.child("searches").each(|_, search| {
        let name = search.str().strip_suffix('.').unwrap_or(search.str());
        if search.str() != "." {
            // Underscores are allowed in search paths (`IsDNS1123SubdomainWithUnderscore`).
            let plain = name.replace('_', "a");
            if !names::dns1123_subdomain(&plain).is_empty() {
                for reason in names::dns1123_subdomain(name) {
                    errors.push(Error::invalid(&search.path, name, reason));
                }
            }
        }
    });
    config.child("options").each(|_, option| {
        if option.text("name").is_empty() {
            errors.push(Error::required(&option.path, "must not be empty"));
        }
    });
}

fn scheduling_gates(node: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, gate| {
        let name = gate.text("name");
        for reason in qualified(name) {
            errors.push(Error::invalid(&gate.path, name, reason));
        }
        if all[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&gate.path, name));
        }
    });
}

fn operating_system(spec: &Node<'_, '_>, errors: &mut Errors) {
    let Some(system) = spec.some("os") else { return };
    if !required_with(&system, "name", "cannot be empty", errors) {
        return;
    }
    let name = system.text("name");
    let (members, reason): (&[&str], &str) = match name {
        "linux" => (&["windowsOptions"], "windows options cannot be set for a linux pod"),
        "windows" => (
            &[
                "appArmorProfile",
                "seLinuxOptions",
                "seccompProfile",
                "fsGroup",
                "fsGroupChangePolicy",
                "sysctls",
                "runAsUser",
                "runAsGroup",
                "supplementalGroups",
                "supplementalGroupsPolicy",
                "seLinuxChangePolicy",
                "capabilities",
                "readOnlyRootFilesystem",
                "privileged",
                "allowPrivilegeEscalation",
                "procMount",
            ],
            "cannot be set for a windows pod",
        ),
        _ => return supported(&system.path, name, &["linux", "windows"], errors),
    };
    let mut forbid = |context: &Node<'_, '_>| {
        for member in members.iter().filter(|member| context.has(member)) {
            errors.push(Error::forbidden(&context.path.child(member), reason));
        }
    };
    forbid(&spec.child("securityContext"));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        spec.child(list).each(|_, container| forbid(&container.child("securityContext")));
    }
    if name == "windows" {
        for member in ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"] {
            let set = spec.is(member) || (spec.has(member) && !member.starts_with("hostP"));
            if set {
                errors.push(Error::forbidden(&spec.path.child(member), reason));
            }
        }
    }
}
