//! Compaction of etcd's history, by one of the hosts that share it; the protocol of upstream's
//! `storage/etcd3/compact.go`: a kube-apiserver on the same etcd takes part.

use super::fresh::Fresh;
use super::{
    api::{
        self, CompactionRequest, CompactionResponse, Compare, PutRequest, RangeRequest, Request, TxnRequest,
        TxnResponse,
    },
    client::{Call, Client, Fault, FaultKind},
};
use crate::{Revision, shared::Shared};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// Upstream's: its version is the round, its value the revision that the round has compacted to.
const KEY: Bytes = Bytes::from_static(b"compact_rev_key");
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes part in rounds for ever: in each, one host compacts to where etcd was in the round before.
pub(super) async fn run(shared: Arc<Shared>, client: Arc<Client>, fresh: Arc<Fresh>) {
    let (mut round, mut revision) = (0, 0);
    // Where this server was in the round before.
    let mut begun = 0;
    loop {
        tokio::time::sleep(shared.compaction_interval).await;
        match take_part(&client, round, revision).await {
            Ok((next, current)) => (round, revision) = (next, current),
            Err(fault) => {
                tracing::warn!(why = %fault.why, "etcd's history was not compacted; the next round will")
            }
        }
        // The memory of this server forgets with etcd. A revision behind what clients have seen makes sure that it
        // ages even where nobody writes.
        match fresh.barrier().await {
            Ok(revision) => {
                shared.compact(begun);
                begun = revision;
            }
            Err(error) => tracing::warn!(%error, "history was not compacted; the next round will"),
        }
    }
}

/// Returns the next round and etcd's revision.
async fn take_part(client: &Client, round: i64, revision: i64) -> Result<(i64, i64), Fault> {
    let put = PutRequest { key: KEY, value: revision.to_string().into(), lease: 0 };
    let request = TxnRequest {
        compare: vec![Compare::version(&KEY, round)],
        success: vec![Request::Put(put).into()],
        failure: vec![Request::Range(RangeRequest::one(&KEY)).into()],
    };
    let call = Call { path: api::TXN, repeatable: false, linearizable: true, patience: PATIENCE };
    let mut answer: TxnResponse = client.call(call, &request).await?;
    let current = answer.header.as_ref().map_or(0, |header| header.revision);
    if !answer.succeeded {
        // Another host's round.
        return Ok((answer.found().map_or(0, |found| found.version), current));
    }
    if revision > 0 {
        compact(client, revision).await?;
    }
    Ok((round + 1, current))
}

/// Has etcd forget what was before `revision`.
pub(super) async fn to(client: &Client, revision: Revision) -> Result<(), Fault> {
    compact(client, i64::try_from(revision).unwrap_or(i64::MAX)).await
}

async fn compact(client: &Client, revision: i64) -> Result<(), Fault> {
    let call = Call { path: api::COMPACT, repeatable: true, linearizable: false, patience: PATIENCE };
    match client.call::<_, CompactionResponse>(call, &CompactionRequest { revision }).await {
        // Somebody else was faster, or a repetition has found the first try's work.
        Err(fault) if fault.kind == FaultKind::Compacted => Ok(()),
        result => result.map(drop),
    }
}
