//! Columns of the workloads.

use super::*;
use crate::printers::{pod, workloads};

/// The columns of `autoscaling/v1` Scale.
pub(in crate::printers) const SCALE: Layout = of(
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

pub(super) const LAYOUTS: &[Layout] = &[
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
