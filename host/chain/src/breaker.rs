//! The circuit breaker of a component: after repeated faults it rests for a while, longer each time.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Faults in a row, without a call that went well in between, that open the circuit.
const THRESHOLD: u32 = 10;
/// The first rest; doubled with each failed trial up to [`LAST_REST`].
const FIRST_REST: Duration = Duration::from_secs(1);
const LAST_REST: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct State {
    faults: u32,
    rest: Duration,
    /// While the circuit is open: when the next call may try.
    until: Option<Instant>,
}

/// Counts faults. Any call that goes well closes the circuit.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

impl Breaker {
    /// Whether a call may be made; the time to wait if not. Once the rest is over, one call may try: the others go on
    /// waiting until it has ended.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.0.lock();
        match state.until {
            Some(until) if now < until => Err(until - now),
            Some(_) => {
                state.until = Some(now + state.rest);
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn succeeded(&self) {
        let mut state = self.0.lock();
        if state.faults > 0 {
            *state = State::default();
        }
    }

    /// Counts a fault; the rest that it begins, if it opens the circuit.
    pub(crate) fn failed(&self, now: Instant) -> Option<Duration> {
        let mut state = self.0.lock();
        state.faults = state.faults.saturating_add(1);
        if state.faults < THRESHOLD {
            return None;
        }
        state.rest = if state.rest.is_zero() { FIRST_REST } else { LAST_REST.min(state.rest * 2) };
        state.until = Some(now + state.rest);
        Some(state.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_faults_open_the_circuit_and_one_success_closes_it() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 1..THRESHOLD {
            assert_eq!(breaker.failed(now), None);
        }
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.failed(now), Some(FIRST_REST));
        assert_eq!(breaker.admit(now), Err(FIRST_REST));
        let later = now + FIRST_REST;
        assert_eq!(breaker.admit(later), Ok(()), "one trial");
        assert!(breaker.admit(later).is_err(), "and no second one");
        assert_eq!(breaker.failed(later), Some(FIRST_REST * 2));
        breaker.succeeded();
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.failed(later), None, "it counts from the beginning");
    }
}
