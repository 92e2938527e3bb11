//! The columns of each type.
//!
//! A type that is not here has a name and the time of its creation, which the host knows itself: upstream's
//! default convertor (roles, cluster roles, limit ranges).

use super::{Row, config, network, pod, storage, workloads};
use chainplate_sdk::{Column, apimachinery::Value};

/// The columns of a resource and the function that fills them.
#[derive(Debug)]
pub(super) struct Layout {
    group: &'static str,
    pub(super) resource: &'static str,
    columns: &'static [Cell],
    pub(super) cells: fn(Row<'_>) -> Vec<Value>,
}

/// A column: title, type, meaning, and whether it is shown in wide output alone.
#[derive(Debug, Clone, Copy)]
struct Cell {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    doc: Doc,
    wide: bool,
}

/// What a column means.
#[derive(Debug, Clone, Copy)]
enum Doc {
    /// In words of its own.
    Text(&'static str),
    /// As a field of a type is documented.
    Field(&'static str, &'static str),
    /// Nothing: upstream names a field that has no documentation.
    Nothing,
}

use Doc::{Field, Nothing, Text};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const fn cell(name: &'static str, kind: &'static str, doc: Doc) -> Cell {
    Cell { name, kind, format: "", doc, wide: false }
}

const fn text(name: &'static str, doc: Doc) -> Cell {
    cell(name, "string", doc)
}

const fn integer(name: &'static str, doc: Doc) -> Cell {
    cell(name, "integer", doc)
}

const fn boolean(name: &'static str, doc: Doc) -> Cell {
    cell(name, "boolean", doc)
}

const fn wide(name: &'static str, doc: Doc) -> Cell {
    Cell { wide: true, ..text(name, doc) }
}

const NAME: Cell = Cell { format: "name", ..text("Name", Field(META, "name")) };
const AGE: Cell = text("Age", Field(META, "creationTimestamp"));
const CONTAINERS: Cell = wide("Containers", Text("Names of each container in the template."));
const IMAGES: Cell = wide("Images", Text("Images referenced by each container in the template."));
const READY: Cell = text("Ready", Text("Number of the pod with ready state"));

/// Shortens the names of the types of the API groups.
macro_rules! api {
    ($name:literal) => {
        concat!("io.k8s.api.", $name)
    };
}

const fn of(
    group: &'static str,
    resource: &'static str,
    columns: &'static [Cell],
    cells: fn(Row<'_>) -> Vec<Value>,
) -> Layout {
    Layout { group, resource, columns, cells }
}

/// The columns of `autoscaling/v1` Scale.
pub(super) const SCALE: Layout = of(
    "autoscaling",
    "scale",
    &[
        text("Name", Field(META, "name")),
        integer("Desired", Field(api!("autoscaling.v1.ScaleSpec"), "replicas")),
        integer("Available", Field(api!("autoscaling.v1.ScaleStatus"), "replicas")),
        AGE,
    ],
    workloads::scale,
);

const WORKLOADS: &[Layout] = &[
    of(
        "",
        "pods",
        &[
            NAME,
            text("Ready", Text("The aggregate readiness state of this pod for accepting traffic.")),
            text("Status", Text("The aggregate status of the containers in this pod.")),
            text(
                "Restarts",
                Text(
                    "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
                ),
            ),
            AGE,
            wide("IP", Field(api!("core.v1.PodStatus"), "podIP")),
            wide("Node", Field(api!("core.v1.PodSpec"), "nodeName")),
            wide("Nominated Node", Field(api!("core.v1.PodStatus"), "nominatedNodeName")),
            wide("Readiness Gates", Field(api!("core.v1.PodSpec"), "readinessGates")),
        ],
        pod::cells,
    ),
    of(
        "",
        "podtemplates",
        &[
            NAME,
            text("Containers", Text("Names of each container in the template.")),
            text("Images", Text("Images referenced by each container in the template.")),
            text("Pod Labels", Text("The labels for the pod template.")),
        ],
        workloads::pod_template,
    ),
    of(
        "policy",
        "poddisruptionbudgets",
        &[
            NAME,
            text("Min Available", Text("The minimum number of pods that must be available.")),
            text("Max Unavailable", Text("The maximum number of pods that may be unavailable.")),
            integer(
                "Allowed Disruptions",
                Text("Calculated number of pods that may be disrupted at this time."),
            ),
            AGE,
        ],
        workloads::pod_disruption_budget,
    ),
    of(
        "",
        "replicationcontrollers",
        &[
            NAME,
            integer("Desired", Field(api!("core.v1.ReplicationControllerSpec"), "replicas")),
            integer("Current", Field(api!("core.v1.ReplicationControllerStatus"), "replicas")),
            integer("Ready", Field(api!("core.v1.ReplicationControllerStatus"), "readyReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", Field(api!("core.v1.ReplicationControllerSpec"), "selector")),
        ],
        workloads::replication_controller,
    ),
    of(
        "apps",
        "replicasets",
        &[
            NAME,
            integer("Desired", Field(api!("apps.v1.ReplicaSetSpec"), "replicas")),
            integer("Current", Field(api!("apps.v1.ReplicaSetStatus"), "replicas")),
            integer("Ready", Field(api!("apps.v1.ReplicaSetStatus"), "readyReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", Field(api!("apps.v1.ReplicaSetSpec"), "selector")),
        ],
        workloads::replica_set,
    ),
    of(
        "apps",
        "daemonsets",
        &[
            NAME,
            integer("Desired", Field(api!("apps.v1.DaemonSetStatus"), "desiredNumberScheduled")),
            integer("Current", Field(api!("apps.v1.DaemonSetStatus"), "currentNumberScheduled")),
            integer("Ready", Field(api!("apps.v1.DaemonSetStatus"), "numberReady")),
            integer("Up-to-date", Field(api!("apps.v1.DaemonSetStatus"), "updatedNumberScheduled")),
            integer("Available", Field(api!("apps.v1.DaemonSetStatus"), "numberAvailable")),
            text("Node Selector", Field(api!("core.v1.PodSpec"), "nodeSelector")),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", Field(api!("apps.v1.DaemonSetSpec"), "selector")),
        ],
        workloads::daemon_set,
    ),
    of(
        "apps",
        "deployments",
        &[
            NAME,
            READY,
            text("Up-to-date", Field(api!("apps.v1.DeploymentStatus"), "updatedReplicas")),
            text("Available", Field(api!("apps.v1.DeploymentStatus"), "availableReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", Field(api!("apps.v1.DeploymentSpec"), "selector")),
        ],
        workloads::deployment,
    ),
    of("apps", "statefulsets", &[NAME, READY, AGE, CONTAINERS, IMAGES], workloads::stateful_set),
    of(
        "apps",
        "controllerrevisions",
        &[
            NAME,
            text("Controller", Text("Controller of the object")),
            text("Revision", Field(api!("apps.v1.ControllerRevision"), "revision")),
            AGE,
        ],
        workloads::controller_revision,
    ),
    of(
        "batch",
        "jobs",
        &[
            NAME,
            text("Status", Text("Status of the job.")),
            text("Completions", Field(api!("batch.v1.JobStatus"), "succeeded")),
            text("Duration", Text("Time required to complete the job.")),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", Field(api!("batch.v1.JobSpec"), "selector")),
        ],
        workloads::job,
    ),
    of(
        "batch",
        "cronjobs",
        &[
            NAME,
            text("Schedule", Field(api!("batch.v1.CronJobSpec"), "schedule")),
            text("Timezone", Field(api!("batch.v1.CronJobSpec"), "timeZone")),
            boolean("Suspend", Field(api!("batch.v1.CronJobSpec"), "suspend")),
            integer("Active", Field(api!("batch.v1.CronJobStatus"), "active")),
            text("Last Schedule", Field(api!("batch.v1.CronJobStatus"), "lastScheduleTime")),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", Field(api!("batch.v1.JobSpec"), "selector")),
        ],
        workloads::cron_job,
    ),
    of(
        "autoscaling",
        "horizontalpodautoscalers",
        &[
            NAME,
            text("Reference", Field(api!("autoscaling.v2.HorizontalPodAutoscalerSpec"), "scaleTargetRef")),
            text("Targets", Field(api!("autoscaling.v2.HorizontalPodAutoscalerSpec"), "metrics")),
            text("MinPods", Field(api!("autoscaling.v2.HorizontalPodAutoscalerSpec"), "minReplicas")),
            text("MaxPods", Field(api!("autoscaling.v2.HorizontalPodAutoscalerSpec"), "maxReplicas")),
            text("Replicas", Field(api!("autoscaling.v2.HorizontalPodAutoscalerStatus"), "currentReplicas")),
            AGE,
        ],
        workloads::autoscaler,
    ),
];

const NETWORK: &[Layout] = &[
    of(
        "",
        "services",
        &[
            NAME,
            text("Type", Field(api!("core.v1.ServiceSpec"), "type")),
            text("Cluster-IP", Field(api!("core.v1.ServiceSpec"), "clusterIP")),
            text("External-IP", Field(api!("core.v1.ServiceSpec"), "externalIPs")),
            text("Port(s)", Field(api!("core.v1.ServiceSpec"), "ports")),
            AGE,
            wide("Selector", Field(api!("core.v1.ServiceSpec"), "selector")),
        ],
        network::service,
    ),
    of(
        "networking.k8s.io",
        "ingresses",
        &[
            NAME,
            text(
                "Class",
                Text(
                    "The name of the IngressClass resource that should be used for additional configuration",
                ),
            ),
            text("Hosts", Text("Hosts that incoming requests are matched against before the ingress rule")),
            text("Address", Text("Address is a list containing ingress points for the load-balancer")),
            text("Ports", Text("Ports of TLS configurations that open")),
            AGE,
        ],
        network::ingress,
    ),
    of(
        "networking.k8s.io",
        "ingressclasses",
        &[
            NAME,
            text("Controller", Text("Controller that is responsible for handling this class")),
            text("Parameters", Text("A reference to a resource with additional parameters")),
            AGE,
        ],
        network::ingress_class,
    ),
    of(
        "networking.k8s.io",
        "networkpolicies",
        &[NAME, text("Pod-Selector", Field(api!("networking.v1.NetworkPolicySpec"), "podSelector")), AGE],
        network::network_policy,
    ),
    of(
        "networking.k8s.io",
        "servicecidrs",
        &[NAME, text("CIDRs", Field(api!("networking.v1.ServiceCIDRSpec"), "cidrs")), AGE],
        network::service_cidr,
    ),
    of(
        "networking.k8s.io",
        "ipaddresses",
        &[NAME, text("ParentRef", Field(api!("networking.v1.IPAddressSpec"), "parentRef"))],
        network::ip_address,
    ),
    of(
        "",
        "endpoints",
        &[NAME, text("Endpoints", Field(api!("core.v1.Endpoints"), "subsets")), AGE],
        network::endpoints,
    ),
    of(
        "discovery.k8s.io",
        "endpointslices",
        &[
            NAME,
            text("AddressType", Field(api!("discovery.v1.EndpointSlice"), "addressType")),
            text("Ports", Field(api!("discovery.v1.EndpointSlice"), "ports")),
            text("Endpoints", Field(api!("discovery.v1.EndpointSlice"), "endpoints")),
            AGE,
        ],
        network::endpoint_slice,
    ),
];

const STORAGE: &[Layout] = &[
    of(
        "",
        "persistentvolumes",
        &[
            NAME,
            text("Capacity", Field(api!("core.v1.PersistentVolumeSpec"), "capacity")),
            text("Access Modes", Field(api!("core.v1.PersistentVolumeSpec"), "accessModes")),
            text(
                "Reclaim Policy",
                Field(api!("core.v1.PersistentVolumeSpec"), "persistentVolumeReclaimPolicy"),
            ),
            text("Status", Field(api!("core.v1.PersistentVolumeStatus"), "phase")),
            text("Claim", Field(api!("core.v1.PersistentVolumeSpec"), "claimRef")),
            text("StorageClass", Text("StorageClass of the pv")),
            text("VolumeAttributesClass", Text("VolumeAttributesClass of the pv")),
            text("Reason", Field(api!("core.v1.PersistentVolumeStatus"), "reason")),
            AGE,
            wide("VolumeMode", Field(api!("core.v1.PersistentVolumeSpec"), "volumeMode")),
        ],
        storage::persistent_volume,
    ),
    of(
        "",
        "persistentvolumeclaims",
        &[
            NAME,
            text("Status", Field(api!("core.v1.PersistentVolumeClaimStatus"), "phase")),
            text("Volume", Field(api!("core.v1.PersistentVolumeClaimSpec"), "volumeName")),
            text("Capacity", Field(api!("core.v1.PersistentVolumeClaimStatus"), "capacity")),
            text("Access Modes", Field(api!("core.v1.PersistentVolumeClaimStatus"), "accessModes")),
            text("StorageClass", Text("StorageClass of the pvc")),
            text("VolumeAttributesClass", Text("VolumeAttributesClass of the pvc")),
            AGE,
            wide("VolumeMode", Field(api!("core.v1.PersistentVolumeClaimSpec"), "volumeMode")),
        ],
        storage::persistent_volume_claim,
    ),
    of(
        "storage.k8s.io",
        "storageclasses",
        &[
            NAME,
            text("Provisioner", Field(api!("storage.v1.StorageClass"), "provisioner")),
            text("ReclaimPolicy", Field(api!("storage.v1.StorageClass"), "reclaimPolicy")),
            text("VolumeBindingMode", Field(api!("storage.v1.StorageClass"), "volumeBindingMode")),
            text("AllowVolumeExpansion", Field(api!("storage.v1.StorageClass"), "allowVolumeExpansion")),
            AGE,
        ],
        storage::storage_class,
    ),
    of(
        "storage.k8s.io",
        "volumeattributesclasses",
        &[NAME, text("DriverName", Field(api!("storage.v1.VolumeAttributesClass"), "driverName")), AGE],
        storage::volume_attributes_class,
    ),
    of(
        "storage.k8s.io",
        "volumeattachments",
        &[
            NAME,
            Cell {
                format: "name",
                ..text("Attacher", Field(api!("storage.v1.VolumeAttachmentSpec"), "attacher"))
            },
            text("PV", Field(api!("storage.v1.VolumeAttachmentSource"), "persistentVolumeName")),
            text("Node", Field(api!("storage.v1.VolumeAttachmentSpec"), "nodeName")),
            boolean("Attached", Field(api!("storage.v1.VolumeAttachmentStatus"), "attached")),
            AGE,
        ],
        storage::volume_attachment,
    ),
    of(
        "storage.k8s.io",
        "csinodes",
        &[
            NAME,
            integer("Drivers", Text("Drivers indicates the number of CSI drivers registered on the node")),
            AGE,
        ],
        storage::csi_node,
    ),
    of(
        "storage.k8s.io",
        "csidrivers",
        &[
            NAME,
            boolean("AttachRequired", Field(api!("storage.v1.CSIDriverSpec"), "attachRequired")),
            boolean("PodInfoOnMount", Field(api!("storage.v1.CSIDriverSpec"), "podInfoOnMount")),
            boolean("StorageCapacity", Field(api!("storage.v1.CSIDriverSpec"), "storageCapacity")),
            text("TokenRequests", Field(api!("storage.v1.CSIDriverSpec"), "tokenRequests")),
            boolean("RequiresRepublish", Field(api!("storage.v1.CSIDriverSpec"), "requiresRepublish")),
            text("Modes", Field(api!("storage.v1.CSIDriverSpec"), "volumeLifecycleModes")),
            AGE,
        ],
        storage::csi_driver,
    ),
    of(
        "storage.k8s.io",
        "csistoragecapacities",
        &[
            NAME,
            text("StorageClassName", Field(api!("storage.v1.CSIStorageCapacity"), "storageClassName")),
            text("Capacity", Field(api!("storage.v1.CSIStorageCapacity"), "capacity")),
        ],
        storage::csi_storage_capacity,
    ),
];

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

const CONFIG: &[Layout] = &[
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

/// The layout of a resource.
pub(super) fn layout(group: &str, resource: &str) -> Option<&'static Layout> {
    [WORKLOADS, NETWORK, STORAGE, CONFIG]
        .into_iter()
        .flatten()
        .chain([&SCALE])
        .find(|layout| layout.group == group && layout.resource == resource)
}

impl Layout {
    /// The columns as the host wants them.
    pub(super) fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(Cell::column).collect()
    }
}

impl Cell {
    fn column(&self) -> Column {
        Column {
            name: self.name.into(),
            type_: self.kind.into(),
            format: self.format.into(),
            description: match self.doc {
                Text(text) => text.into(),
                Field(schema, field) => crate::types::description(schema, field).into(),
                Nothing => String::new(),
            },
            priority: i32::from(self.wide),
        }
    }
}
