//! An admission policy that looks at other objects: a host and path may be claimed by one Ingress only, over all namespaces.
//! `README.md` tells an operator how to configure it.

mod claims;
#[cfg(test)]
mod tests;

use chainplate_sdk::{
    Plugin,
    admission::{Admission, AdmissionRequest, Decision, Operation},
    apimachinery::{Cause, Status, Value},
    client::{Resource, Selection},
};
use claims::{Claim, Ingress};
use serde::Deserialize;
use std::ops::ControlFlow;

/// The policy.
#[derive(Debug)]
pub struct UniqueHosts {
    configuration: Configuration,
    ingresses: Resource,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Configuration {
    /// Whether only Ingresses of the same class are compared.
    per_class: bool,
}

impl Plugin for UniqueHosts {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        let configuration = if config.is_null() {
            Configuration::default()
        } else {
            serde_json::from_value(config).map_err(|error| format!("configuration: {error}"))?
        };
        Ok(Self { configuration, ingresses: Resource::new("networking.k8s.io", "v1", "ingresses") })
    }
}

impl Admission for UniqueHosts {
    fn admit(&self, _hook: &str, request: &AdmissionRequest<'_>) -> Result<Decision, Status> {
        let wanted: Ingress = request.object()?;
        let mut claims = wanted.claims();
        if request.operation() == Operation::Update {
            let old: Ingress = request.old_object()?;
            // What was claimed before is not judged again: it can be mended, and its finalizers removed.
            if !self.configuration.per_class || old.class() == wanted.class() {
                let before = old.claims();
                claims.retain(|claim| !before.iter().any(|there| there.same(claim)));
            }
        }
        if claims.is_empty() {
            return Ok(Decision::Allow);
        }
        let namespace = request.namespace().unwrap_or_default();
        let name = request.name();
        let conflict = self.ingresses.visit(None, &Selection::default(), |other: Ingress| {
            let local = other.metadata.namespace == namespace;
            let itself = local && !name.is_empty() && other.metadata.name == name;
            if itself || (self.configuration.per_class && other.class() != wanted.class()) {
                return ControlFlow::Continue(());
            }
            let taken = other.claims();
            let conflict = claims.iter().find(|claim| taken.iter().any(|it| claim.conflicts(it, local)));
            match conflict {
                Some(claim) => ControlFlow::Break((claim.clone(), local.then_some(other.metadata.name))),
                None => ControlFlow::Continue(()),
            }
        });
        match conflict {
            Ok(None) => Ok(Decision::Allow),
            Ok(Some((claim, whose))) => Err(refusal(request, &claim, whose.as_deref())),
            Err(status) => Err(Status::internal(format_args!("{}: listing Ingresses: {status}", Self::NAME))),
        }
    }
}

/// Says who has the claim, if that is not another tenant's business.
fn refusal(request: &AdmissionRequest<'_>, claim: &Claim, whose: Option<&str>) -> Status {
    let whose = match whose {
        Some(name) => format!("Ingress {name:?}"),
        None => "an Ingress in another namespace".to_owned(),
    };
    let why = format!("{claim} is already claimed by {whose}");
    let cause =
        Cause { reason: "FieldValueDuplicate".into(), message: why.clone(), field: claim.field.clone() };
    request.deny(why).with_causes([cause])
}

chainplate_sdk::export!(admission: UniqueHosts);
