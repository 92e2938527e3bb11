//! The class of service of a pod (`pkg/apis/core/v1/helper/qos/qos.go`).

use super::containers;
use chainplate_sdk::apimachinery::{Map, Value, quantity::Quantity};
use std::collections::BTreeMap;

/// The resources that a class is made of.
const COMPUTE: [&str; 2] = ["cpu", "memory"];

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub(super) fn class(pod: &Value) -> &'static str {
    // Resources of the pod as a whole stand for those of its containers (KEP-2837).
    let whole = pod.pointer("/spec/resources").filter(|resources| {
        amounts(resources, "requests").is_some() || amounts(resources, "limits").is_some()
    });
    let parts: Vec<&Value> = match whole {
        Some(resources) => vec![resources],
        None => ["containers", "initContainers"]
            .iter()
            .flat_map(|list| containers(pod, list))
            .map(|container| container.get("resources").unwrap_or(&Value::Null))
            .collect(),
    };
    let (mut requests, mut limits) = (Sums::default(), Sums::default());
    let mut guaranteed = true;
    for resources in parts {
        add(&mut requests, resources, "requests");
        let told = add(&mut limits, resources, "limits");
        guaranteed &= told == COMPUTE.len();
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let equal = requests.len() == limits.len()
        && requests.iter().all(|(name, request)| limits.get(name) == Some(request));
    if guaranteed && equal { "Guaranteed" } else { "Burstable" }
}

/// Thousandths by resource.
type Sums<'a> = BTreeMap<&'a str, i64>;

fn amounts<'a>(resources: &'a Value, side: &str) -> Option<&'a Map> {
    resources.get(side)?.as_object().filter(|amounts| COMPUTE.iter().any(|name| amounts.contains_key(*name)))
}

/// Adds what is more than nothing; how many resources that were.
fn add<'a>(sums: &mut Sums<'a>, resources: &'a Value, side: &str) -> usize {
    let mut told = 0;
    for name in COMPUTE {
        let quantity = resources.get(side).and_then(|amounts| amounts.get(name)).and_then(Value::as_str);
        let amount = quantity.and_then(|text| Quantity::parse(text).ok()).map_or(0, Quantity::milli_value);
        if amount > 0 {
            let sum = sums.entry(name).or_default();
            *sum = sum.saturating_add(amount);
            told += 1;
        }
    }
    told
}
