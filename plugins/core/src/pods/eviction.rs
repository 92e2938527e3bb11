//! `pods/eviction`: a deletion that budgets may refuse (`pkg/registry/core/pod/storage/eviction.go`).

use crate::{body, printers, sent::Sent, server::Shared, strategy};
use chainplate_sdk::{
    Collection, Outcome, Request, StoredObject,
    apimachinery::{Cause, Status, Value, object, time},
    registry::DeleteOptions,
};
use serde_json::json;

const ATTEMPTS: usize = 8;
/// Pods that a budget remembers as being evicted, at most.
const MAX_DISRUPTED: usize = 2000;

/// POST to `pods/<name>/eviction`.
///
/// # Errors
/// 400, 404; 429 with the cause `DisruptionBudget` when a budget refuses; 500 when several budgets cover the pod; the
/// refusal of admission.
pub(crate) fn evict(shared: &Shared, request: &Request<'_>, pods: &Collection) -> Result<Outcome, Status> {
    let info = request.info();
    let sent = Sent::read(request, pods, "policy", "v1", "Eviction")?;
    if object::name(&sent.document) != info.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    sent.validate()?;
    let options = &sent.document["deleteOptions"];
    let dry_run =
        sent.options.is_dry_run() || options["dryRun"].as_array().is_some_and(|list| !list.is_empty());
    let budgets = shared.named("policy", "v1", "poddisruptionbudgets")?;
    let namespace = info.namespace.as_str();
    let mut allowed = false;
    for _ in 0..ATTEMPTS {
        let stored =
            pods.get(Some(namespace), &info.name).ok_or_else(|| Status::not_found("", "pods", &info.name))?;
        let pod = document(&stored)?;
        if !allowed && !needs_no_budget(&pod) {
            ask_budget(&budgets, namespace, &pod, dry_run)?;
        }
        // Asked once: a second attempt to delete must not cost the budget twice.
        allowed = true;
        if dry_run {
            return Ok(body::done());
        }
        match delete(pods, namespace, pod, stored.revision(), options) {
            Ok(()) => return Ok(body::done()),
            Err(status) if status.code() == 409 && options["preconditions"].is_null() => {}
            Err(status) => return Err(status),
        }
    }
    Err(Status::modified("", "pods", &info.name))
}

fn document(stored: &StoredObject) -> Result<Value, Status> {
    serde_json::from_slice(&stored.value()).map_err(Status::internal)
}

/// Pods that do not run disturb nobody when they go.
fn needs_no_budget(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"))
        || object::is_deleting(pod)
}

fn ask_budget(budgets: &Collection, namespace: &str, pod: &Value, dry_run: bool) -> Result<(), Status> {
    let mut covering = Vec::new();
    let mut after = None;
    loop {
        let page = budgets.page(Some(namespace), "", "", 500, after.as_deref())?;
        for stored in page.items {
            if covers(&document(&stored)?, pod) {
                covering.push(stored);
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let budget = match covering.as_slice() {
        [] => return Ok(()),
        [budget] => budget,
        _ => {
            return Err(Status::new(
                500,
                "",
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
    };
    let mut revision = budget.revision();
    let mut budget = document(budget)?;
    let name = object::name(&budget).to_owned();
    for _ in 0..ATTEMPTS {
        if is_free_to_go(&budget, pod) {
            return Ok(());
        }
        spend(&mut budget, object::name(pod))?;
        if dry_run {
            return Ok(());
        }
        match budgets.update(Some(namespace), &name, &object::encode(&budget), revision) {
            Ok(_) => return Ok(()),
            Err(status) if status.code() == 409 => {}
            Err(status) => return Err(status),
        }
        let Some(stored) = budgets.get(Some(namespace), &name) else { return Ok(()) };
        revision = stored.revision();
        budget = document(&stored)?;
    }
    Err(Status::modified("policy", "poddisruptionbudgets", &name))
}

/// Whether a budget's selector selects the pod. An empty selector selects all of the namespace, none nothing.
fn covers(budget: &Value, pod: &Value) -> bool {
    use chainplate_sdk::apimachinery::selector;
    let Some(wanted) = budget.pointer("/spec/selector").filter(|selector| selector.is_object()) else {
        return false;
    };
    let labels = pod["metadata"]["labels"].as_object();
    let text = printers::selector(wanted);
    match selector::LabelSelector::parse(&text) {
        Ok(selector) => {
            selector.matches(|key| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str))
        }
        Err(_) => false,
    }
}

/// A pod that is not ready may go as its budget's policy for unhealthy pods says (KEP-3017).
fn is_free_to_go(budget: &Value, pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready =
        conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"));
    let number = |name: &str| budget["status"][name].as_i64().unwrap_or_default();
    !ready
        && (budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
            || (number("currentHealthy") >= number("desiredHealthy") && number("desiredHealthy") > 0))
}

/// Takes one disruption out of the budget, or refuses.
fn spend(budget: &mut Value, pod: &str) -> Result<(), Status> {
    let name = object::name(budget).to_owned();
    let number = |name: &str| budget["status"][name].as_i64().unwrap_or_default();
    let (allowed, desired, current) =
        (number("disruptionsAllowed"), number("desiredHealthy"), number("currentHealthy"));
    let generation = object::generation(budget);
    if number("observedGeneration") < generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refused(why).with_retry_after(10));
    }
    let forbidden = |why: &str| Err(Status::forbidden("policy", "poddisruptionbudgets", &name, why));
    if allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if budget["status"]["disruptedPods"].as_object().is_some_and(|pods| pods.len() > MAX_DISRUPTED) {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if allowed == 0 {
        let conditions = budget["status"]["conditions"].as_array();
        let failed = conditions.and_then(|all| {
            all.iter().find(|one| one["type"] == "DisruptionAllowed" && one["reason"] == "SyncFailed")
        });
        return Err(refused(match failed {
            Some(condition) => format!(
                "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
                condition["message"].as_str().unwrap_or_default()
            ),
            None if current <= desired => {
                format!(
                    "The disruption budget {name} needs {desired} healthy pods and has {current} currently"
                )
            }
            None => format!("The disruption budget {name} does not allow evicting pods currently"),
        }));
    }
    let now = time::format(time::now());
    let Some(status) = budget.get_mut("status").and_then(Value::as_object_mut) else { return Ok(()) };
    status.insert("disruptionsAllowed".into(), (allowed - 1).into());
    let disrupted = status.entry("disruptedPods").or_insert_with(|| json!({}));
    if let Some(disrupted) = disrupted.as_object_mut() {
        disrupted.insert(pod.to_owned(), now.as_str().into());
    }
    if allowed == 1 {
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        let mut exhausted = json!({
            "type": "DisruptionAllowed", "status": "False", "observedGeneration": generation,
            "lastTransitionTime": now, "reason": "InsufficientPods", "message": "",
        });
        if let Some(conditions) = conditions.as_array_mut() {
            match conditions.iter_mut().find(|one| one["type"] == "DisruptionAllowed") {
                Some(there) => {
                    if there["status"] == "False" {
                        exhausted["lastTransitionTime"] = there["lastTransitionTime"].clone();
                    }
                    *there = exhausted;
                }
                None => conditions.push(exhausted),
            }
        }
    }
    Ok(())
}

/// 429 of a budget. Clients look for the cause.
fn refused(why: String) -> Status {
    Status::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        .with_causes([Cause { reason: "DisruptionBudget".into(), message: why, field: String::new() }])
}

/// Deletes a pod as DELETE without a propagation policy would.
fn delete(
    pods: &Collection,
    namespace: &str,
    mut pod: Value,
    revision: u64,
    options: &Value,
) -> Result<(), Status> {
    let name = object::name(&pod).to_owned();
    for member in ["uid", "resourceVersion"] {
        let wanted = options["preconditions"][member].as_str().unwrap_or_default();
        let have = object::meta_str(&pod, member);
        if !wanted.is_empty() && wanted != have {
            let kind = if member == "uid" { "UID" } else { "ResourceVersion" };
            let why = format!(
                "the {kind} in the precondition ({wanted}) does not match the {kind} in record ({have}). The object might have been deleted and then recreated"
            );
            return Err(Status::conflict("", "pods", &name, &why));
        }
    }
    let mut asked = DeleteOptions {
        grace_period_seconds: options["gracePeriodSeconds"].as_i64(),
        ..DeleteOptions::default()
    };
    strategy::pod_grace(&pod, &mut asked);
    let grace = asked.grace_period_seconds.unwrap_or_default();
    if grace == 0 && object::finalizers(&pod).next().is_none() {
        return pods.delete(Some(namespace), &name, revision).map(|_| ());
    }
    if object::is_deleting(&pod) {
        return Ok(());
    }
    let generation = object::generation(&pod).saturating_add(1);
    if let Some(metadata) = object::metadata_mut(&mut pod) {
        let end = time::format(time::plus_seconds(time::now(), grace));
        metadata.insert("deletionTimestamp".into(), end.into());
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
        metadata.insert("generation".into(), generation.into());
    }
    pods.update(Some(namespace), &name, &object::encode(&pod), revision).map(|_| ())
}
