//! Columns of configuration, policy and the cluster itself.

use super::*;
use crate::printers::config;

const NODE_INFO: &str = api!("core.v1.NodeSystemInfo");
const EVENT: &str = api!("core.v1.Event");
const WEBHOOKS: Cell =
    integer("Webhooks", Text("Webhooks indicates the number of webhooks registered in this configuration"));
const PARAM_KIND: Cell =
    text("ParamKind", Text("ParamKind specifies the kind of resources used to parameterize this policy"));
/// Spelled as upstream spells it.
const POLICY_BINDING: &[Cell] = &[
    NAME,
    text("PolicyName", Text("PolicyName indicates the policy definition which the policy binding binded to")),
    text("ParamRef", Text("ParamRef indicates the param resource which sets the configuration param")),
    AGE,
];
const QUEUING: &str = api!("flowcontrol.v1.QueuingConfiguration");

pub(super) const LAYOUTS: &[Layout] = &[
    of(
        "",
        "namespaces",
        &[NAME, text("Status", Text("The status of the namespace")), AGE],
        config::namespace,
    ),
    of(
        "",
        "configmaps",
        &[NAME, text("Data", Field(api!("core.v1.ConfigMap"), "data")), AGE],
        config::config_map,
    ),
    of(
        "",
        "secrets",
        &[
            NAME,
            text("Type", Field(api!("core.v1.Secret"), "type")),
            text("Data", Field(api!("core.v1.Secret"), "data")),
            AGE,
        ],
        config::secret,
    ),
    of(
        "",
        "serviceaccounts",
        &[NAME, text("Secrets", Field(api!("core.v1.ServiceAccount"), "secrets")), AGE],
        config::service_account,
    ),
    of(
        "",
        "nodes",
        &[
            NAME,
            text("Status", Text("The status of the node")),
            text("Roles", Text("The roles of the node")),
            AGE,
            text("Version", Field(NODE_INFO, "kubeletVersion")),
            wide("Internal-IP", Field(api!("core.v1.NodeStatus"), "addresses")),
            wide("External-IP", Field(api!("core.v1.NodeStatus"), "addresses")),
            wide("OS-Image", Field(NODE_INFO, "osImage")),
            wide("Kernel-Version", Field(NODE_INFO, "kernelVersion")),
            wide("Container-Runtime", Field(NODE_INFO, "containerRuntimeVersion")),
        ],
        config::node,
    ),
    // Both groups: events are printed in the core form.
    of("", "events", EVENT_COLUMNS, config::event),
    of("events.k8s.io", "events", EVENT_COLUMNS, config::event),
    of(
        "",
        "resourcequotas",
        &[
            NAME,
            text(
                "Request",
                Text("Request represents a minimum amount of cpu/memory that a container may consume."),
            ),
            text(
                "Limit",
                Text(
                    "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
                ),
            ),
            AGE,
        ],
        config::resource_quota,
    ),
    of(
        "",
        "componentstatuses",
        &[
            NAME,
            text("Status", Text("Status of the component conditions")),
            text("Message", Text("Message of the component conditions")),
            text("Error", Text("Error of the component conditions")),
        ],
        config::component_status,
    ),
    of(
        "rbac.authorization.k8s.io",
        "rolebindings",
        &[
            NAME,
            // The printer has the words of v1beta1.
            text(
                "Role",
                Text(
                    "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.",
                ),
            ),
            AGE,
            wide("Users", Text("Users in the roleBinding")),
            wide("Groups", Text("Groups in the roleBinding")),
            wide("ServiceAccounts", Text("ServiceAccounts in the roleBinding")),
        ],
        config::role_binding,
    ),
    of(
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        &[
            NAME,
            text(
                "Role",
                Text(
                    "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.",
                ),
            ),
            AGE,
            wide("Users", Text("Users in the clusterRoleBinding")),
            wide("Groups", Text("Groups in the clusterRoleBinding")),
            wide("ServiceAccounts", Text("ServiceAccounts in the clusterRoleBinding")),
        ],
        config::role_binding,
    ),
    of(
        "certificates.k8s.io",
        "certificatesigningrequests",
        &[
            NAME,
            AGE,
            text("SignerName", Field(api!("certificates.v1.CertificateSigningRequestSpec"), "signerName")),
            text("Requestor", Field(api!("certificates.v1.CertificateSigningRequestSpec"), "request")),
            text(
                "RequestedDuration",
                Field(api!("certificates.v1.CertificateSigningRequestSpec"), "expirationSeconds"),
            ),
            text("Condition", Field(api!("certificates.v1.CertificateSigningRequestStatus"), "conditions")),
        ],
        config::signing_request,
    ),
    of(
        "coordination.k8s.io",
        "leases",
        &[NAME, text("Holder", Field(api!("coordination.v1.LeaseSpec"), "holderIdentity")), AGE],
        config::lease,
    ),
    of(
        "scheduling.k8s.io",
        "priorityclasses",
        &[
            NAME,
            integer("Value", Field(api!("scheduling.v1.PriorityClass"), "value")),
            boolean("Global-Default", Field(api!("scheduling.v1.PriorityClass"), "globalDefault")),
            AGE,
            text("PreemptionPolicy", Field(api!("scheduling.v1.PriorityClass"), "preemptionPolicy")),
        ],
        config::priority_class,
    ),
    of("node.k8s.io", "runtimeclasses", &[NAME, text("Handler", Nothing), AGE], config::runtime_class),
    of(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        &[NAME, WEBHOOKS, AGE],
        config::webhooks,
    ),
    of(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        &[NAME, WEBHOOKS, AGE],
        config::webhooks,
    ),
    of(
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        &[
            NAME,
            integer(
                "Validations",
                Text("Validations indicates the number of validation rules defined in this configuration"),
            ),
            PARAM_KIND,
            AGE,
        ],
        config::validating_policy,
    ),
    of(
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicies",
        &[
            NAME,
            integer(
                "Mutations",
                Text("Mutation indicates the number of mutations rules defined in this configuration"),
            ),
            PARAM_KIND,
            AGE,
        ],
        config::mutating_policy,
    ),
    of(
        "admissionregistration.k8s.io",
        "validatingadmissionpolicybindings",
        POLICY_BINDING,
        config::policy_binding,
    ),
    of(
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings",
        POLICY_BINDING,
        config::policy_binding,
    ),
    of(
        "flowcontrol.apiserver.k8s.io",
        "flowschemas",
        &[
            NAME,
            text("PriorityLevel", Field(api!("flowcontrol.v1.PriorityLevelConfigurationReference"), "name")),
            text("MatchingPrecedence", Field(api!("flowcontrol.v1.FlowSchemaSpec"), "matchingPrecedence")),
            text("DistinguisherMethod", Field(api!("flowcontrol.v1.FlowSchemaSpec"), "distinguisherMethod")),
            AGE,
            text("MissingPL", Text("references a broken or non-existent PriorityLevelConfiguration")),
        ],
        config::flow_schema,
    ),
    of(
        "flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations",
        &[
            NAME,
            text("Type", Field(api!("flowcontrol.v1.PriorityLevelConfigurationSpec"), "type")),
            text(
                "NominalConcurrencyShares",
                Field(api!("flowcontrol.v1.LimitedPriorityLevelConfiguration"), "nominalConcurrencyShares"),
            ),
            text("Queues", Field(QUEUING, "queues")),
            text("HandSize", Field(QUEUING, "handSize")),
            text("QueueLengthLimit", Field(QUEUING, "queueLengthLimit")),
            AGE,
        ],
        config::priority_level,
    ),
    of("resource.k8s.io", "deviceclasses", &[NAME, AGE], name_and_age),
    of("resource.k8s.io", "resourceclaimtemplates", &[NAME, AGE], name_and_age),
    of(
        "resource.k8s.io",
        "resourceclaims",
        &[
            NAME,
            text("State", Text("A summary of the current state (allocated, pending, reserved, etc.).")),
            AGE,
        ],
        config::resource_claim,
    ),
    of(
        "resource.k8s.io",
        "resourceslices",
        &[
            NAME,
            text("Node", Field(api!("resource.v1.ResourceSliceSpec"), "nodeName")),
            text("Driver", Field(api!("resource.v1.ResourceSliceSpec"), "driver")),
            text("Pool", Field(api!("resource.v1.ResourcePool"), "name")),
            AGE,
        ],
        config::resource_slice,
    ),
];

const EVENT_COLUMNS: &[Cell] = &[
    text("Last Seen", Field(EVENT, "lastTimestamp")),
    text("Type", Field(EVENT, "type")),
    text("Reason", Field(EVENT, "reason")),
    text("Object", Field(EVENT, "involvedObject")),
    wide("Subobject", Field(api!("core.v1.ObjectReference"), "fieldPath")),
    wide("Source", Field(EVENT, "source")),
    text("Message", Field(EVENT, "message")),
    wide("First Seen", Field(EVENT, "firstTimestamp")),
    wide("Count", Field(EVENT, "count")),
    Cell { wide: true, ..NAME },
];

fn name_and_age(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.age()]
}
