//! Node ports.

use super::{
    claims::{Claims, Owner, Taken},
    hash,
};
use crate::server::Shared;
use chainplate_sdk::apimachinery::{
    Status, Value,
    field::{Error, Path},
};
use std::ops::RangeInclusive;

/// The ports that can be had (`--service-node-port-range`).
const NODE_PORTS: RangeInclusive<u16> = 30000..=32767;
/// Ports below this one of the range are left to people (KEP-3668).
const STATIC_BAND: u16 = 86;
const BATCH: usize = 64;

/// The node ports of a Service, its health check port among them, each once.
pub(super) fn of(service: &Value) -> Vec<u16> {
    let number =
        |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<u16> = ports.filter_map(|port| number(&port["nodePort"])).collect();
    all.extend(number(&service["spec"]["healthCheckNodePort"]));
    all.sort_unstable();
    all.dedup();
    all
}

pub(super) fn allocate(
    shared: &Shared,
    owner: &Owner,
    service: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let spec = &service["spec"];
    let text = |name: &str| spec[name].as_str().unwrap_or_default();
    let balanced = text("type") == "LoadBalancer";
    if !balanced && text("type") != "NodePort" {
        return Ok(());
    }
    let wants_ports = !balanced || spec["allocateLoadBalancerNodePorts"] != false;
    let wants_health = balanced && text("externalTrafficPolicy") == "Local";
    let before = old.map(of).unwrap_or_default();
    let claims = Claims::ports(shared)?;
    // One number serves two protocols of the same Service.
    let mut ours: Vec<u16> = before.clone();
    let mut pairs: Vec<(String, u16)> = Vec::new();
    let ports = service.get_mut("spec").and_then(|spec| spec.get_mut("ports")).and_then(Value::as_array_mut);
    for (index, port) in ports.into_iter().flatten().enumerate() {
        let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
        let told = port["nodePort"].as_u64().unwrap_or_default();
        let number = match u16::try_from(told) {
            Ok(0) if !wants_ports => continue,
            Ok(0) => any(&claims, owner, &ours)?,
            Ok(number) if ours.contains(&number) => {
                let twice = pairs.iter().any(|(other, taken)| *taken == number && *other == protocol);
                if twice {
                    return Err(refused(owner, index, told, "provided port is already allocated"));
                }
                number
            }
            Ok(number) => {
                wanted(&claims, owner, number).map_err(|why| refused(owner, index, told, &why))?;
                number
            }
            Err(_) => return Err(refused(owner, index, told, &out_of_range())),
        };
        ours.push(number);
        pairs.push((protocol, number));
        if let Some(port) = port.as_object_mut() {
            port.insert("nodePort".into(), number.into());
        }
    }
    if wants_health && service["spec"]["healthCheckNodePort"].as_u64().unwrap_or_default() == 0 {
        let number = any(&claims, owner, &ours)?;
        if let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("healthCheckNodePort".into(), number.into());
        }
    }
    Ok(())
}

pub(super) fn release(shared: &Shared, owner: &Owner, service: &Value) -> Result<(), Status> {
    let ports = of(service);
    if ports.is_empty() {
        return Ok(());
    }
    let claims = Claims::ports(shared)?;
    ports.iter().try_for_each(|port| claims.release(owner, &port.to_string()))
}

fn out_of_range() -> String {
    format!(
        "provided port is not in the valid range. The range of valid ports is {}-{}",
        NODE_PORTS.start(),
        NODE_PORTS.end()
    )
}

fn wanted(claims: &Claims, owner: &Owner, port: u16) -> Result<(), String> {
    if !NODE_PORTS.contains(&port) {
        return Err(out_of_range());
    }
    match claims.take(owner, &port.to_string()) {
        Ok(Taken::Yes) => Ok(()),
        Ok(Taken::ByAnother) => Err("provided port is already allocated".into()),
        Err(status) => Err(status.to_string()),
    }
}

/// Takes some port: above the band that people pick from, and only then from it.
fn any(claims: &Claims, owner: &Owner, ours: &[u16]) -> Result<u16, Status> {
    let (first, last) = (*NODE_PORTS.start(), *NODE_PORTS.end());
    let mut upper: Vec<u16> = (first + STATIC_BAND..=last).collect();
    let start = usize::try_from(hash(owner)).unwrap_or_default() % upper.len().max(1);
    upper.rotate_left(start);
    let all: Vec<String> = upper
        .into_iter()
        .chain(first..first + STATIC_BAND)
        .filter(|port| !ours.contains(port))
        .map(|port| port.to_string())
        .collect();
    for names in all.chunks(BATCH) {
        if let Some(port) = claims.take_first(owner, names)?.and_then(|name| name.parse().ok()) {
            return Ok(port);
        }
    }
    Err(Status::internal(
        "failed to allocate a nodePort: range is full; delete Services that have node ports",
    ))
}

fn refused(owner: &Owner, index: usize, port: u64, why: &str) -> Status {
    let root = Path::Root;
    let spec = root.child("spec");
    let ports = spec.child("ports");
    let item = ports.index(index);
    let error = Error::invalid(&item.child("nodePort"), port, why);
    Status::invalid("", "Service", &owner.name, &[error])
}
