//! Which of several servers on one storage runs a controller: the holder of a Lease, as client-go's
//! `tools/leaderelection` has it.

use crate::plugin::PluginContext;
use bytes::Bytes;
use chainplate_apimachinery::{Value, generate_name, object, time};
use chainplate_storage::{Key, Object};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a holder is believed in that does not renew.
const DURATION: Duration = Duration::from_secs(15);
/// How long a holder goes on without having renewed.
const DEADLINE: Duration = Duration::from_secs(10);
/// The pause between two tries to hold or renew.
const RETRY: Duration = Duration::from_secs(2);

/// A Lease in `kube-system`, and what this server has seen of it.
pub(super) struct Lease {
    context: Arc<PluginContext>,
    key: Key,
    name: String,
    identity: String,
    /// The last record that was seen, and when: clocks of other servers are not believed in.
    seen: Option<(u64, Instant)>,
}

impl Lease {
    pub(super) fn new(context: &Arc<PluginContext>, controller: &str) -> Self {
        let name = format!("chainplate-{}-{controller}", context.name);
        Self {
            context: Arc::clone(context),
            key: Key::new("leases", Some("kube-system"), &name),
            name,
            identity: generate_name::uid(),
            seen: None,
        }
    }

    /// Resolves once this server holds the lease.
    pub(super) async fn acquire(&mut self) {
        while !self.try_hold().await {
            tokio::time::sleep(RETRY).await;
        }
        tracing::info!(plugin = self.context.name, lease = self.name, "controller runs on this server");
    }

    /// Renews until that fails for too long.
    pub(super) async fn hold(&mut self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < DEADLINE {
            tokio::time::sleep(RETRY).await;
            if self.try_hold().await {
                renewed = Instant::now();
            }
        }
        tracing::warn!(
            plugin = self.context.name,
            lease = self.name,
            "lease lost: the controller rests here"
        );
    }

    /// Gives the lease back, so that the next holder need not wait.
    pub(super) async fn release(&mut self) {
        let store = &self.context.store;
        let Some((there, mut lease)) = self.read() else { return };
        if holder(&lease) == self.identity {
            lease["spec"]["holderIdentity"] = "".into();
            // Whoever is next waits a little longer if this fails.
            let _ = store.update(self.key.clone(), encode(&lease), Some(there.revision()), None).await;
        }
    }

    fn read(&self) -> Option<(Arc<Object>, Value)> {
        let there = self.context.store.get(&self.key)?;
        let lease = serde_json::from_slice(there.json()).ok()?;
        Some((there, lease))
    }

    async fn try_hold(&mut self) -> bool {
        let store = self.context.store.clone();
        if store.refresh().await.is_err() {
            return false;
        }
        let now = format!("{}.000000Z", time::format(time::now()).trim_end_matches('Z'));
        let spec = |acquired: &Value, transitions: i64| {
            json!({
                "holderIdentity": self.identity, "leaseDurationSeconds": DURATION.as_secs(),
                "acquireTime": acquired, "renewTime": now, "leaseTransitions": transitions,
            })
        };
        let Some((there, mut lease)) = self.read() else {
            let lease = json!({
                "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
                "metadata": {
                    "name": self.name, "namespace": "kube-system", "uid": generate_name::uid(),
                    "creationTimestamp": time::format(time::now()),
                },
                "spec": spec(&now.as_str().into(), 0),
            });
            return store.create(self.key.clone(), encode(&lease), None).await.is_ok();
        };
        let mine = holder(&lease) == self.identity;
        let revision = there.revision();
        if self.seen.is_none_or(|(seen, _)| seen != revision) {
            self.seen = Some((revision, Instant::now()));
        }
        let fresh = self.seen.is_some_and(|(_, at)| at.elapsed() < DURATION);
        if !mine && !holder(&lease).is_empty() && fresh {
            return false;
        }
        let transitions = lease.pointer("/spec/leaseTransitions").and_then(Value::as_i64).unwrap_or_default();
        let acquired = match lease.pointer("/spec/acquireTime") {
            Some(acquired) if mine => acquired.clone(),
            _ => now.as_str().into(),
        };
        lease["spec"] = spec(&acquired, if mine { transitions } else { transitions + 1 });
        store.update(self.key.clone(), encode(&lease), Some(revision), None).await.is_ok()
    }
}

fn holder(lease: &Value) -> &str {
    lease.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default()
}

fn encode(lease: &Value) -> Bytes {
    object::encode(lease).into()
}
