//! The quality of service of a pod (`pkg/apis/core/helper/qos`).

use super::amount::Amount;
use super::view::Node;
use chainplate_apimachinery::Value;

/// `Guaranteed`, `Burstable` or `BestEffort`, from the pod's spec.
pub(super) fn class(spec: &Node<'_, '_>) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    let asks = |resources: &Value, list: &str, name: &str| {
        resources.get(list).and_then(|list| Amount::of(list.get(name)?)).filter(|amount| amount.is_positive())
    };
    let mut look = |resources: &Value| {
        for name in ["cpu", "memory"] {
            let (request, limit) = (asks(resources, "requests", name), asks(resources, "limits", name));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    };
    if spec.has("resources") {
        look(spec.get("resources"));
    } else {
        for list in ["containers", "initContainers"] {
            for container in spec.list(list) {
                look(container.get("resources").unwrap_or(&Value::Null));
            }
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
