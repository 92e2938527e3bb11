//! Columns of what belongs to the network.

use super::*;
use crate::printers::network;

pub(super) const LAYOUTS: &[Layout] = &[
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
