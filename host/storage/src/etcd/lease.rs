//! Times to live: etcd deletes what hangs on a lease when that expires.

use super::{
    api::{self, LeaseGrantRequest, LeaseGrantResponse},
    client::{Call, Client, Fault},
};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Objects on one lease, as upstream's `--lease-reuse-duration-seconds` and `--lease-max-object-count` have it.
const OBJECTS: u32 = 1000;
/// What an object may live longer than it was told to, at most; otherwise a twentieth of its time to live.
const SLICE: Duration = Duration::from_secs(60);
/// Leases that are kept for other objects.
const KEPT: usize = 16;
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest that is asked for, some 95 years: etcd counts the end in nanoseconds since 1970, in 63 bits.
const LONGEST: Duration = Duration::from_secs(3_000_000_000);

/// Leases that objects can share.
#[derive(Debug)]
pub(super) struct Leases {
    client: Arc<Client>,
    kept: Mutex<Vec<Lease>>,
    /// One lease is asked for at a time: who waits may share it.
    granting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Lease {
    id: i64,
    expires: Instant,
    objects: u32,
}

impl Leases {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self { client, kept: Mutex::default(), granting: tokio::sync::Mutex::default() }
    }

    /// A lease that expires `ttl` from now, or a slice later.
    pub(super) async fn get(&self, ttl: Duration) -> Result<i64, Fault> {
        let ttl = ttl.min(LONGEST);
        if let Some(id) = self.reuse(ttl, Instant::now()) {
            return Ok(id);
        }
        let _turn = self.granting.lock().await;
        let asked = Instant::now();
        if let Some(id) = self.reuse(ttl, asked) {
            return Ok(id);
        }
        let seconds = (ttl + slice(ttl)).as_secs_f64().ceil();
        // A lease that nobody uses just expires: asking twice does no harm.
        let call = Call { path: api::LEASE_GRANT, repeatable: true, linearizable: false, patience: PATIENCE };
        let request = LeaseGrantRequest { ttl: seconds as i64 };
        let granted: LeaseGrantResponse = self.client.call(call, &request).await?;
        let life = Duration::from_secs(u64::try_from(granted.ttl).unwrap_or(0));
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(Lease { id: granted.id, expires: asked + life, objects: 1 });
        Ok(granted.id)
    }

    fn reuse(&self, ttl: Duration, now: Instant) -> Option<i64> {
        let (from, to) = (now + ttl, now + ttl + slice(ttl) + Duration::from_secs(1));
        let mut kept = self.kept.lock();
        kept.retain(|lease| lease.expires > now && lease.objects < OBJECTS);
        let lease = kept.iter_mut().find(|lease| (from..=to).contains(&lease.expires))?;
        lease.objects += 1;
        Some(lease.id)
    }

    /// Forgets a lease that etcd does not know any more.
    pub(super) fn forget(&self, id: i64) {
        self.kept.lock().retain(|lease| lease.id != id);
    }
}

fn slice(ttl: Duration) -> Duration {
    (ttl / 20).min(SLICE)
}
