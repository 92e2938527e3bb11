//! Writes: one transaction each, guarded by the revision at which the key was written last.

use super::{
    Etcd,
    api::{
        self, Compare, DeleteRangeRequest, Headed, KeyValue, PutRequest, RangeRequest, Request, TxnRequest,
        TxnResponse,
    },
    client::{Call, Fault, FaultKind},
    feed, keys,
};
use crate::{Error, Key, Object, Result, Revision, document::Document, writer::Operation};
use bytes::Bytes;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long a write is tried that did not reach etcd.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an acknowledged write, or what stands in the way of one, may take to arrive here.
const ARRIVAL: Duration = Duration::from_secs(3);
/// The pause between looks for a deletion of which the revision is not known.
const LOOK: Duration = Duration::from_millis(10);
/// How often a write without precondition is tried when others are faster each time.
const TRIES: usize = 64;

const WRITE: Call = Call { path: api::TXN, repeatable: false, linearizable: true, patience: PATIENCE };

/// What becomes of an object that is there.
enum Change {
    Put(Document, Option<Duration>),
    Delete,
}

impl Etcd {
    /// Does what the writer's thread does for other engines.
    pub(crate) async fn write(&self, key: Key, operation: Operation) -> Result<Arc<Object>> {
        self.health.check()?;
        let result = match operation {
            Operation::Create { document, ttl } => self.create(key, &document, ttl).await,
            Operation::Update { document, expected, ttl } => {
                self.change(key, Change::Put(document, ttl), expected).await
            }
            Operation::Delete { expected } => self.change(key, Change::Delete, expected).await,
        };
        match &result {
            Err(Error::Engine(_)) => self.shared.counters.failed_commits.fetch_add(1, Relaxed),
            Err(_) => self.shared.counters.rejected.fetch_add(1, Relaxed),
            Ok(_) => 0,
        };
        result
    }

    async fn create(&self, key: Key, document: &Document, ttl: Option<Duration>) -> Result<Arc<Object>> {
        let name = self.locate(&key, document)?;
        let get = Request::Range(RangeRequest { keys_only: true, ..RangeRequest::one(&name) });
        let mut answer = self.put(&key, &name, 0, document, ttl, Vec::new(), get).await?;
        if answer.succeeded {
            let revision = revision(&answer);
            return Ok(self
                .arrived(&key, revision)
                .await
                .unwrap_or_else(|| Arc::new(Object::new(key, document, revision, revision))));
        }
        if let Some(found) = answer.found() {
            self.arrivals.wait(number(found.mod_revision), ARRIVAL).await;
        }
        // `a` + `b/c` and `a/b` + `c` have the same place in etcd: only one of them can be stored.
        match self.root.rest(&name).and_then(|rest| feed::find(&self.shared, rest)) {
            Some(other) if *other.key() != key => {
                let why = format!("its key is that of an object of the collection {}", other.key().prefix);
                Err(Error::BadValue { key, why })
            }
            _ => Err(Error::AlreadyExists(key)),
        }
    }

    /// Replaces or deletes an object.
    async fn change(&self, key: Key, change: Change, expected: Option<Revision>) -> Result<Arc<Object>> {
        let name = match &change {
            Change::Put(document, _) => self.locate(&key, document)?,
            Change::Delete => self.root.key(&key),
        };
        let mut told = None;
        for _ in 0..TRIES {
            let cached = self.cached(&key);
            let newest = |cached: &Arc<Object>| told.is_none_or(|told| cached.revision() >= told);
            let cached = cached.filter(newest);
            let guess = expected.or(cached.as_ref().map(|cached| cached.revision())).or(told).unwrap_or(0);
            let cached = cached.filter(|cached| cached.revision() == guess);
            let mut answer = self.try_change(&key, &name, &change, guess, cached.as_ref()).await?;
            let there = guess > 0 && answer.succeeded;
            match (there, answer.found()) {
                (true, found) => return self.changed(key, change, revision(&answer), cached, found).await,
                (false, Some(found)) => {
                    let current = number(found.mod_revision);
                    self.arrivals.wait(current, ARRIVAL).await;
                    if expected.is_some() {
                        return Err(Error::Conflict { key, current });
                    }
                    told = Some(current);
                }
                (false, None) => {
                    self.see_it_gone(&key, revision(&answer)).await;
                    return Err(Error::NotFound(key));
                }
            }
        }
        Err(Error::Engine(format!("{key} was changed by others {TRIES} times in a row; try again")))
    }

    /// Changes the key if it was last written at `guess`; else gets it. With 0 nothing is changed.
    async fn try_change(
        &self,
        key: &Key,
        name: &Bytes,
        change: &Change,
        guess: Revision,
        cached: Option<&Arc<Object>>,
    ) -> Result<TxnResponse> {
        let get = || Request::Range(RangeRequest { keys_only: true, ..RangeRequest::one(name) });
        match change {
            Change::Put(document, ttl)
                if guess > 0 && !cached.is_some_and(|cached| document.equals(cached.stored())) =>
            {
                // The revision at which the key was made, if it is not known here.
                let more = if cached.is_some() { Vec::new() } else { vec![get().into()] };
                self.put(key, name, guess, document, *ttl, more, get()).await
            }
            Change::Delete if guess > 0 => {
                let delete = DeleteRangeRequest { key: name.clone(), prev_kv: cached.is_none() };
                let success = vec![Request::DeleteRange(delete).into()];
                self.transact(key, name, guess, success, get()).await.map_err(|fault| self.failed(key, fault))
            }
            // Nothing to write: the answer tells whether the guess is right.
            _ => self
                .transact(key, name, guess, Vec::new(), get())
                .await
                .map_err(|fault| self.failed(key, fault)),
        }
    }

    /// The result of a change that took place, or was none. `found`: what etcd told if nothing was `cached`.
    async fn changed(
        &self,
        key: Key,
        change: Change,
        revision: Revision,
        cached: Option<Arc<Object>>,
        found: Option<KeyValue>,
    ) -> Result<Arc<Object>> {
        let broken = || Error::Engine(format!("{key}: etcd's answer is incomplete; check its version"));
        match change {
            Change::Put(document, _) => {
                if let Some(same) = cached.as_ref().filter(|cached| document.equals(cached.stored())) {
                    self.shared.counters.unchanged.fetch_add(1, Relaxed);
                    return Ok(same.clone());
                }
                if let Some(object) = self.arrived(&key, revision).await {
                    return Ok(object);
                }
                let made = cached.map(|cached| cached.create_revision());
                let made = made.or(found.map(|found| number(found.create_revision))).ok_or_else(broken)?;
                Ok(Arc::new(Object::new(key, &document, revision, made)))
            }
            Change::Delete => {
                self.arrivals.wait(revision, ARRIVAL).await;
                if let Some(cached) = cached {
                    return Ok(Arc::new(cached.at(revision)));
                }
                let found = found.ok_or_else(broken)?;
                let bad = |why| Error::BadValue { key: key.clone(), why };
                let document = Document::parse(found.value, usize::MAX).map_err(bad)?;
                Ok(Arc::new(Object::new(key, &document, revision, number(found.create_revision))))
            }
        }
    }

    /// Puts a document if the key was last written at `guess`, else does `otherwise`.
    #[expect(clippy::too_many_arguments, reason = "the parts of one transaction")]
    async fn put(
        &self,
        key: &Key,
        name: &Bytes,
        guess: Revision,
        document: &Document,
        ttl: Option<Duration>,
        more: Vec<api::RequestOp>,
        otherwise: Request,
    ) -> Result<TxnResponse> {
        // A lease may expire before it is used: then etcd has done nothing.
        for last in [false, true] {
            let lease = match ttl {
                Some(ttl) => self.leases.get(ttl).await.map_err(|fault| {
                    Error::Engine(format!("{key} was not written: no lease can be had: {}", fault.why))
                })?,
                None => 0,
            };
            let put = PutRequest { key: name.clone(), value: document.bytes().clone(), lease };
            let mut success = vec![Request::Put(put).into()];
            success.extend(more.iter().cloned());
            match self.transact(key, name, guess, success, otherwise.clone()).await {
                Err(fault) if fault.kind == FaultKind::NoLease && !last => self.leases.forget(lease),
                result => return result.map_err(|fault| self.failed(key, fault)),
            }
        }
        Err(Error::Engine(format!(
            "{key} was not written: its leases expire at once; check the clock of etcd"
        )))
    }

    async fn transact(
        &self,
        key: &Key,
        name: &Bytes,
        guess: Revision,
        success: Vec<api::RequestOp>,
        otherwise: Request,
    ) -> Result<TxnResponse, Fault> {
        let writes = !success.is_empty();
        let compare = vec![Compare::revision(name, i64::try_from(guess).unwrap_or(i64::MAX))];
        let request = TxnRequest { compare, success, failure: vec![otherwise.into()] };
        let begun = Instant::now();
        let answer: TxnResponse = self.client.call(WRITE, &request).await?;
        if writes && answer.succeeded {
            self.shared.counters.commit(1, begun.elapsed());
        }
        tracing::trace!(%key, revision = answer.header().revision, "etcd has answered");
        Ok(answer)
    }

    fn failed(&self, key: &Key, fault: Fault) -> Error {
        let Fault { kind, why } = fault;
        match kind {
            FaultKind::TooLarge => {
                let why =
                    format!("etcd takes no request of this size ({why}); raise its --max-request-bytes");
                Error::BadValue { key: key.clone(), why }
            }
            FaultKind::Unknown => Error::Engine(format!(
                "it is unknown whether the write of {key} took place, read it before trying again: {why}"
            )),
            _ => Error::Engine(format!("{key} was not written: {why}")),
        }
    }

    /// The key in etcd, if it can be taken apart again.
    fn locate(&self, key: &Key, document: &Document) -> Result<Bytes> {
        let name = self.root.key(key);
        let found = self.root.rest(&name).and_then(|rest| keys::split(rest, document.metadata()));
        match found {
            Some((prefix, path)) if *prefix == *key.prefix && *path == *key.path => Ok(name),
            _ => {
                let why = "its namespace and name in metadata are not those of its key".to_owned();
                Err(Error::BadValue { key: key.clone(), why })
            }
        }
    }

    fn cached(&self, key: &Key) -> Option<Arc<Object>> {
        self.shared.find(&key.prefix)?.get(&key.path)
    }

    /// The object as it was written at `revision`; `None` if it has changed since, or does not arrive.
    async fn arrived(&self, key: &Key, revision: Revision) -> Option<Arc<Object>> {
        self.arrivals.wait(revision, ARRIVAL).await;
        self.cached(key).filter(|object| object.revision() == revision)
    }

    /// Waits until an object is gone that etcd did not have at `revision`, which may be somebody else's.
    async fn see_it_gone(&self, key: &Key, revision: Revision) {
        let until = Instant::now() + ARRIVAL;
        while self.cached(key).is_some_and(|cached| cached.revision() <= revision)
            && !self.arrivals.wait(revision, LOOK).await
            && Instant::now() < until
        {}
    }
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn revision(answer: &TxnResponse) -> Revision {
    number(answer.header().revision)
}
