//! Figures for metrics.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the buckets of [`Stats::commit_buckets`], in seconds.
pub const COMMIT_BOUNDS: [f64; 12] =
    [0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.512, 2.048];

/// Figures since the store was opened. All are counters but `largest_batch`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Batches that were made durable.
    pub commits: u64,
    /// Batches that the engine refused.
    pub failed_commits: u64,
    /// Effective writes in durable batches; divided by `commits` the mean batch.
    pub writes: u64,
    /// Updates that were byte-equal and wrote nothing.
    pub unchanged: u64,
    /// Writes whose precondition failed.
    pub rejected: u64,
    /// Effective writes of the largest batch.
    pub largest_batch: u64,
    /// Time spent in the engine's commits, fsync included.
    pub commit_time: Duration,
    /// Commits by their duration, not cumulative; one bucket more than [`COMMIT_BOUNDS`] for what is longer.
    pub commit_buckets: [u64; COMMIT_BOUNDS.len() + 1],
}

/// Where the writer counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) failed_commits: AtomicU64,
    pub(crate) unchanged: AtomicU64,
    pub(crate) rejected: AtomicU64,
    writes: AtomicU64,
    largest_batch: AtomicU64,
    commit_nanos: AtomicU64,
    buckets: [AtomicU64; COMMIT_BOUNDS.len() + 1],
}

impl Counters {
    pub(crate) fn commit(&self, writes: usize, took: Duration) {
        self.writes.fetch_add(writes as u64, Relaxed);
        self.largest_batch.fetch_max(writes as u64, Relaxed);
        self.commit_nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = COMMIT_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(COMMIT_BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let commit_buckets = std::array::from_fn(|index| self.buckets[index].load(Relaxed));
        Stats {
            commits: commit_buckets.iter().sum(),
            failed_commits: self.failed_commits.load(Relaxed),
            writes: self.writes.load(Relaxed),
            unchanged: self.unchanged.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            largest_batch: self.largest_batch.load(Relaxed),
            commit_time: Duration::from_nanos(self.commit_nanos.load(Relaxed)),
            commit_buckets,
        }
    }
}
