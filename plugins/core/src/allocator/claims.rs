//! Objects that stand for something taken.

use crate::{resources, server::Shared};
use chainplate_sdk::{
    Collection, StoredObject,
    apimachinery::{Map, Status, Value, generate_name, object, time},
};
use serde_json::json;
use std::{net::IpAddr, rc::Rc};

/// Seconds after which a write that took something is over, one way or the other.
const SETTLED: i64 = 60;

/// The Service that wants something.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dry_run: bool,
}

/// Whether something could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    ByAnother,
}

/// What can be taken: all of one kind.
pub(super) struct Claims {
    objects: Rc<Collection>,
    services: Rc<Collection>,
    /// The object that stands for a name.
    make: fn(&str, &Owner) -> Value,
    /// Whether a Service uses what a name stands for.
    is_used: fn(&Value, &str) -> bool,
}

impl Claims {
    /// Addresses: `networking.k8s.io/v1` IPAddress.
    pub(super) fn addresses(shared: &Shared) -> Result<Self, Status> {
        Ok(Self {
            objects: shared.named("networking.k8s.io", "v1", "ipaddresses")?,
            services: shared.named("", "v1", "services")?,
            make: ip_address,
            is_used: |service, name| super::cluster_ips(service).iter().any(|ip| ip == name),
        })
    }

    /// Node ports, by their number.
    pub(super) fn ports(shared: &Shared) -> Result<Self, Status> {
        Ok(Self {
            objects: shared.node_ports()?,
            services: shared.named("", "v1", "services")?,
            make: node_port,
            is_used: |service, name| super::ports::of(service).iter().any(|port| port.to_string() == name),
        })
    }

    /// Takes one name.
    pub(super) fn take(&self, owner: &Owner, name: &str) -> Result<Taken, Status> {
        let there = self.objects.get(None, name);
        self.take_over(owner, name, there)
    }

    /// Takes the first free one of some names.
    pub(super) fn take_first(&self, owner: &Owner, names: &[String]) -> Result<Option<String>, Status> {
        let there = self.objects.get_many(None, names)?;
        for (name, there) in names.iter().zip(there) {
            if there.is_none() && self.take_over(owner, name, None)? == Taken::Yes {
                return Ok(Some(name.clone()));
            }
        }
        // Nothing free at once: what others left over.
        let there = self.objects.get_many(None, names)?;
        for (name, there) in names.iter().zip(there) {
            if self.take_over(owner, name, there)? == Taken::Yes {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    fn take_over(&self, owner: &Owner, name: &str, there: Option<StoredObject>) -> Result<Taken, Status> {
        if let Some(stored) = &there {
            let claim: Value = serde_json::from_slice(&stored.value()).map_err(Status::internal)?;
            if !self.is_left_over(&claim, name) {
                return Ok(Taken::ByAnother);
            }
        }
        if owner.dry_run {
            return Ok(Taken::Yes);
        }
        let claim = object::encode(&(self.make)(name, owner));
        let done = match there {
            None => self.objects.create(None, name, &claim),
            Some(stored) => self.objects.update(None, name, &claim, stored.revision()),
        };
        match done {
            Ok(_) => Ok(Taken::Yes),
            // Somebody was faster.
            Err(status) if matches!(status.code(), 404 | 409) => Ok(Taken::ByAnother),
            Err(status) => Err(status),
        }
    }

    /// Whether nobody uses what is taken, and nobody is about to.
    fn is_left_over(&self, claim: &Value, name: &str) -> bool {
        let made = time::parse(object::meta_str(claim, "creationTimestamp"));
        if made.is_some_and(|made| time::plus_seconds(made, SETTLED) > time::now()) {
            return false;
        }
        let parent = &claim["spec"]["parentRef"];
        let part = |name: &str| parent[name].as_str().unwrap_or_default();
        if part("resource") != "services" {
            return false;
        }
        let Some(stored) = self.services.get(Some(part("namespace")), part("name")) else { return true };
        serde_json::from_slice(&stored.value()).is_ok_and(|service: Value| !(self.is_used)(&service, name))
    }

    /// Gives a name back, if it is the owner's.
    pub(super) fn release(&self, owner: &Owner, name: &str) -> Result<(), Status> {
        let Some(stored) = self.objects.get(None, name) else { return Ok(()) };
        let claim: Value = serde_json::from_slice(&stored.value()).map_err(Status::internal)?;
        let parent = &claim["spec"]["parentRef"];
        if parent["namespace"] != owner.namespace.as_str() || parent["name"] != owner.name.as_str() {
            return Ok(());
        }
        match self.objects.delete(None, name, stored.revision()) {
            Err(status) if !matches!(status.code(), 404 | 409) => Err(status),
            _ => Ok(()),
        }
    }
}

fn claim(group_version: &str, kind: &str, name: &str, labels: Value, owner: &Owner) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".into(), name.into());
    metadata.insert("uid".into(), generate_name::uid().into());
    metadata.insert("creationTimestamp".into(), time::format(time::now()).into());
    if !labels.is_null() {
        metadata.insert("labels".into(), labels);
    }
    let parent = json!({ "resource": "services", "namespace": owner.namespace, "name": owner.name });
    json!({
        "kind": kind, "apiVersion": group_version, "metadata": metadata, "spec": { "parentRef": parent },
    })
}

/// As upstream's allocator makes it.
fn ip_address(name: &str, owner: &Owner) -> Value {
    let family = if name.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) { "IPv6" } else { "IPv4" };
    let labels = json!({
        "ipaddress.kubernetes.io/ip-family": family,
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    });
    claim(&resources::api_version("networking.k8s.io", "v1"), "IPAddress", name, labels, owner)
}

fn node_port(name: &str, owner: &Owner) -> Value {
    claim("v1", "NodePortAllocation", name, Value::Null, owner)
}
