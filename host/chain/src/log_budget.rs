//! How much a component may log.

use parking_lot::Mutex;
use std::time::Instant;

/// A burst, in seconds of the rate.
const BURST: f64 = 10.0;

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
    dropped: u64,
}

/// A bucket of log lines, filled at a rate.
#[derive(Debug)]
pub(crate) struct LogBudget {
    per_second: f64,
    state: Mutex<State>,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is written. That many before it were not.
    Write(u64),
    /// It is dropped.
    Drop,
}

impl LogBudget {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, state: Mutex::new(State { tokens: per_second * BURST, at: now, dropped: 0 }) }
    }

    pub(crate) fn take(&self, now: Instant) -> Verdict {
        let mut state = self.state.lock();
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (passed.mul_add(self.per_second, state.tokens)).min(self.per_second * BURST);
        state.at = now;
        if state.tokens < 1.0 {
            state.dropped += 1;
            return Verdict::Drop;
        }
        state.tokens -= 1.0;
        Verdict::Write(std::mem::take(&mut state.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_and_its_loss_is_told() {
        let now = Instant::now();
        let budget = LogBudget::new(2, now);
        for _ in 0..20 {
            assert_eq!(budget.take(now), Verdict::Write(0));
        }
        for _ in 0..5 {
            assert_eq!(budget.take(now), Verdict::Drop);
        }
        assert_eq!(budget.take(now + Duration::from_secs(1)), Verdict::Write(5));
    }
}
