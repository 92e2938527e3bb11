//! Percentiles of latencies.

use std::time::Duration;

/// Latencies of one run, in order of size.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Sorts what was measured.
    pub(crate) fn new(mut measured: Vec<Duration>) -> Self {
        measured.sort_unstable();
        Self(measured)
    }

    /// These and others.
    pub(crate) fn and(mut self, mut others: Self) -> Self {
        self.0.append(&mut others.0);
        Self::new(self.0)
    }

    /// The smallest latency that at least `percent` of all are not above (nearest rank); zero without any.
    /// `percent` is 0 to 100.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).or(self.0.last()).copied().unwrap_or_default()
    }

    /// The 50th percentile.
    pub(crate) fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(values: impl IntoIterator<Item = u64>) -> Latencies {
        Latencies::new(values.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn percentiles_are_measured_values_by_nearest_rank() {
        let hundred = millis((1..=100).rev());
        assert_eq!(hundred.median(), Duration::from_millis(50));
        assert_eq!(hundred.percentile(99), Duration::from_millis(99));
        assert_eq!(hundred.percentile(100), Duration::from_millis(100));
        assert_eq!(hundred.percentile(0), Duration::from_millis(1));
    }

    #[test]
    fn percentiles_of_two_runs_are_those_of_all_latencies() {
        let both = millis(60..=100).and(millis(1..60));
        assert_eq!((both.len(), both.median()), (100, Duration::from_millis(50)));
    }

    #[test]
    fn few_values_have_percentiles_too() {
        assert_eq!(millis([]).percentile(99), Duration::ZERO);
        assert_eq!(millis([7]).percentile(99), Duration::from_millis(7));
        assert_eq!(millis([1, 9]).median(), Duration::from_millis(1));
        assert_eq!(millis([1, 9]).percentile(51), Duration::from_millis(9));
    }
}
