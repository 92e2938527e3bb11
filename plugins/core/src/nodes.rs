//! What a kubelet would answer: logs, streams and proxies. There is no connection to kubelets here, so that all
//! ends in the Status that upstream gives for a pod that no node runs, or in a 503.
//!
//! Facts: `pkg/registry/core/pod/strategy.go` (`LogLocation`, `streamLocation`, `ResourceLocation`).

use crate::{resources::Resource, sent};
use chainplate_sdk::{
    Collection, Outcome, Request, Response,
    apimachinery::{
        Status, Value,
        field::{Error, Path},
    },
};

/// The annotation that names the container people mean.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// `log`, `exec`, `attach`, `portforward` and `proxy` of a pod.
///
/// # Errors
/// 404 without the pod, 400 and 422 for what cannot be meant, the refusal of admission, 503 where a kubelet would be asked.
pub(crate) fn pod_stream(
    resource: &Resource,
    request: &Request<'_>,
    pods: &Collection,
) -> Result<Outcome, Status> {
    let info = request.info();
    let is_log = info.subresource == "log";
    let container = if is_log {
        let errors = check_log_options(request.query());
        if !errors.is_empty() {
            return Err(Status::invalid("", "PodLogOptions", &info.name, &errors));
        }
        option(request.query(), "container").unwrap_or_default()
    } else {
        // Who may connect is asked although nobody can: a policy's refusal is the better answer.
        let options = sent::connect(resource, request, pods)?;
        options["container"].as_str().unwrap_or_default().to_owned()
    };
    let pod = get(pods, info.namespace.as_str(), &info.name, "pods")?;
    let text = |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if info.subresource == "proxy" {
        return Err(if text("/status/podIP").is_empty() {
            Status::bad_request("address not allowed")
        } else {
            no_kubelet("pods", &info.name)
        });
    }
    if info.subresource != "portforward" {
        check_container(&pod, &container)?;
    }
    match (text("/spec/nodeName").is_empty(), is_log) {
        // Nothing was ever logged.
        (true, true) => Ok(Response::bytes(204, "", &[]).into()),
        (true, false) => Err(Status::bad_request(format!("pod {} does not have a host assigned", info.name))),
        (false, _) => Err(no_kubelet("pods", &info.name)),
    }
}

/// `proxy` of a service or a node.
///
/// # Errors
/// 404 without the object, the refusal of admission, otherwise 503.
pub(crate) fn proxy(resource: &Resource, request: &Request<'_>, of: &Collection) -> Result<Outcome, Status> {
    let info = request.info();
    sent::connect(resource, request, of)?;
    // `https:name:port` names a scheme and a port of a service.
    let parts: Vec<&str> = info.name.split(':').collect();
    let name = match parts[..] {
        [_, name, _] | [name, _] => name,
        _ => info.name.as_str(),
    };
    get(of, &info.namespace, name, resource.name)?;
    Err(match resource.name {
        "services" => Status::unavailable(format!("no endpoints available for service {name:?}")),
        _ => no_kubelet(resource.name, name),
    })
}

fn get(of: &Collection, namespace: &str, name: &str, resource: &str) -> Result<Value, Status> {
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    let stored = of.get(namespace, name).ok_or_else(|| Status::not_found("", resource, name))?;
    serde_json::from_slice(&stored.value()).map_err(Status::internal)
}

fn no_kubelet(resource: &str, name: &str) -> Status {
    Status::unavailable(format!(
        "{resource} {name:?} is out of reach: this server has no connection to nodes; ask the node itself"
    ))
}

/// An option of the query.
fn option(query: &str, name: &str) -> Option<String> {
    chainplate_sdk::apimachinery::request::query_pairs(query)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// `ValidatePodLogOptions`.
fn check_log_options(query: &str) -> Vec<Error> {
    let root = Path::Root;
    let number = |name: &str| option(query, name).and_then(|text| text.parse::<i64>().ok());
    let mut errors = Vec::new();
    if let Some(lines) = number("tailLines").filter(|lines| *lines < 0) {
        errors.push(Error::invalid(&root.child("tailLines"), lines, "must be greater than or equal to 0"));
    }
    if let Some(bytes) = number("limitBytes").filter(|bytes| *bytes < 1) {
        errors.push(Error::invalid(&root.child("limitBytes"), bytes, "must be greater than 0"));
    }
    let since = number("sinceSeconds");
    if since.is_some() && option(query, "sinceTime").is_some() {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        errors.push(Error::forbidden(&root.key(""), why));
    } else if let Some(seconds) = since.filter(|seconds| *seconds < 1) {
        errors.push(Error::invalid(&root.child("sinceSeconds"), seconds, "must be greater than 0"));
    }
    errors
}

/// Whether a container is one of the pod's, or goes without saying.
fn check_container(pod: &Value, container: &str) -> Result<(), Status> {
    let names = |list: &str| -> Vec<&str> {
        let containers = pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default();
        containers.iter().filter_map(|container| container["name"].as_str()).collect()
    };
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let (main, init, ephemeral) =
        (names("containers"), names("initContainers"), names("ephemeralContainers"));
    if !container.is_empty() {
        let known = main.iter().chain(&init).chain(&ephemeral).any(|name| *name == container);
        return if known {
            Ok(())
        } else {
            Err(Status::bad_request(format!("container {container} is not valid for pod {pod_name}")))
        };
    }
    if pod["metadata"]["annotations"][DEFAULT_CONTAINER].is_string() || main.len() <= 1 {
        return Ok(());
    }
    let mut text =
        format!("a container name must be specified for pod {pod_name}, choose one of: [{}]", main.join(" "));
    if !init.is_empty() {
        text.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
    }
    Err(Status::bad_request(text))
}
