//! Cluster IPs and node ports of Services.
//!
//! An address is taken by making the `IPAddress` object of that name, as upstream does (KEP-1880); a node port by
//! making an object of its number below `/registry/ranges/servicenodeports/`. Making an object is a compare-and-swap
//! on "there is none", so that two writers never take the same one and nothing has to be locked or scanned.
//!
//! What is taken names its Service. Deleting a Service gives back what it has; whatever is left over (a write that
//! failed after it had taken something, a Service that no longer wants an address) is found out when somebody else
//! wants it: the owner is asked, and what nobody uses is taken over once it is older than any write can last.

mod cidr;
mod claims;
mod ports;
#[cfg(test)]
mod tests;

pub(crate) use cidr::Cidr;

use crate::server::Shared;
use chainplate_sdk::{
    apimachinery::{
        Status, Value,
        field::{Error, Path},
        object,
    },
    registry::Context,
};
use claims::{Claims, Owner, Taken};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
};

/// Candidates that are looked up at once.
const BATCH: u128 = 64;
/// Candidates that are looked at before one gives up.
const ATTEMPTS: u128 = 4096;

/// Allocates what a Service wants and has not.
///
/// # Errors
/// 422 for an address or port that cannot be had; 500 when the range is full.
pub(crate) fn allocate(
    shared: &Shared,
    context: &Context<'_>,
    service: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let owner = Owner {
        namespace: context.namespace.to_owned(),
        name: object::name(service).to_owned(),
        dry_run: context.dry_run,
    };
    take(shared, &owner, service, old)
}

/// Everything that a Service wants, or nothing.
fn take(shared: &Shared, owner: &Owner, service: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    // Whoever makes what is there gets a conflict anyway, and should take nothing for it.
    if old.is_none() && shared.named("", "v1", "services")?.get(Some(&owner.namespace), &owner.name).is_some()
    {
        return Err(Status::already_exists("", "services", &owner.name));
    }
    addresses(shared, owner, service, old)?;
    ports::allocate(shared, owner, service, old).inspect_err(|_| {
        if old.is_none() && !owner.dry_run {
            // What stays even so is left over, and found out.
            let _ = give_back(shared, owner, service);
        }
    })
}

/// Gives back what a Service has, because it is about to go.
///
/// # Errors
/// What storage says.
pub(crate) fn release(shared: &Shared, context: &Context<'_>, service: &Value) -> Result<(), Status> {
    if context.dry_run || object::finalizers(service).next().is_some() {
        return Ok(());
    }
    let owner = Owner {
        namespace: context.namespace.to_owned(),
        name: object::name(service).to_owned(),
        dry_run: false,
    };
    give_back(shared, &owner, service)
}

/// Releases what a Service has and is its own.
fn give_back(shared: &Shared, owner: &Owner, service: &Value) -> Result<(), Status> {
    let claims = Claims::addresses(shared)?;
    for address in cluster_ips(service) {
        claims.release(owner, &address)?;
    }
    ports::release(shared, owner, service)
}

/// The addresses of a Service, without `None`.
fn cluster_ips(service: &Value) -> Vec<String> {
    let list = service.pointer("/spec/clusterIPs").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).filter(|ip| !ip.is_empty() && *ip != "None").map(str::to_owned).collect()
}

fn addresses(shared: &Shared, owner: &Owner, service: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    let text = |path: &str| service.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if text("/spec/type") == "ExternalName" {
        return Ok(());
    }
    let told: Vec<String> = service
        .pointer("/spec/clusterIPs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|ip| ip.as_str().map(str::to_owned))
        .collect();
    if told.first().map_or_else(|| text("/spec/clusterIP") == "None", |ip| ip == "None") {
        return Ok(());
    }
    let families: Vec<bool> = service
        .pointer("/spec/ipFamilies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|family| family != "IPv6")
        .collect();
    let before = old.map(cluster_ips).unwrap_or_default();
    let claims = Claims::addresses(shared)?;
    let mut got = Vec::new();
    for (index, is_ipv4) in families.into_iter().enumerate() {
        let Some(range) = shared.config.service_ranges.iter().find(|range| range.is_ipv4() == is_ipv4) else {
            continue;
        };
        match told.get(index).filter(|ip| !ip.is_empty()) {
            Some(ip) if before.contains(ip) => got.push(ip.clone()),
            Some(ip) => {
                wanted(&claims, owner, range, ip).map_err(|why| refused(owner, &told, ip, &why))?;
                got.push(ip.clone());
            }
            None => got.push(any(&claims, owner, range)?),
        }
    }
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
    if let Some(first) = got.first() {
        spec.insert("clusterIP".into(), first.as_str().into());
        spec.insert("clusterIPs".into(), got.into());
    }
    Ok(())
}

/// 422 of an address that was asked for.
fn refused(owner: &Owner, told: &[String], ip: &str, why: &str) -> Status {
    let root = Path::Root;
    let spec = root.child("spec");
    let error = Error::invalid(
        &spec.child("clusterIPs"),
        told.to_vec(),
        format!("failed to allocate IP {ip}: {why}"),
    );
    Status::invalid("", "Service", &owner.name, &[error])
}

/// Takes one address.
fn wanted(claims: &Claims, owner: &Owner, range: &Cidr, ip: &str) -> Result<(), String> {
    let address: IpAddr = ip.parse().map_err(|_| format!("{ip:?} is not an IP address"))?;
    if range.offset(address).is_none_or(|offset| !range.is_usable(offset)) {
        return Err("the provided network does not match the current range".into());
    }
    match claims.take(owner, ip) {
        Ok(Taken::Yes) => Ok(()),
        Ok(Taken::ByAnother) => Err("provided IP is already allocated".into()),
        Err(status) => Err(status.to_string()),
    }
}

/// Takes some address: above the band that people pick from by hand (KEP-3070), and only then from it.
fn any(claims: &Claims, owner: &Owner, range: &Cidr) -> Result<String, Status> {
    let band = range.static_band();
    for (from, to) in [(band, range.size()), (0, band)] {
        let size = to.saturating_sub(from);
        if size == 0 {
            continue;
        }
        let start = u128::from(hash(owner)) % size;
        let mut done = 0;
        while done < size.min(ATTEMPTS) {
            let names: Vec<String> = (done..(done + BATCH).min(size))
                .map(|step| from + (start + step) % size)
                .filter(|offset| range.is_usable(*offset))
                .map(|offset| range.address(offset).to_string())
                .collect();
            if let Some(name) = claims.take_first(owner, &names)? {
                return Ok(name);
            }
            done += BATCH;
        }
    }
    Err(Status::internal(format_args!(
        "failed to allocate a serviceIP: range {range} is full; delete Services or give the server a wider range"
    )))
}

/// Where one begins to look: another place for each Service, the same for one.
fn hash(owner: &Owner) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&owner.namespace, &owner.name).hash(&mut hasher);
    hasher.finish()
}
