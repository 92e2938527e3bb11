//! A controller's work queue: each object waits once, is worked on by one at a time, and comes again later after a failure
//! (client-go's `util/workqueue`).

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The pause after a first failure; doubled up to [`LAST_PAUSE`] (`DefaultTypedControllerRateLimiter`).
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_secs(1000);

/// The key of an object in its collection: `<namespace>/<name>` or `<name>`.
pub(super) type Path = Box<str>;

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Path>,
    /// Those in `ready`, and those to be put there once they are no longer worked on.
    dirty: HashSet<Path>,
    working: HashSet<Path>,
    later: BTreeMap<(Instant, u64), Path>,
    /// The one place in `later` of each object that is there.
    due: HashMap<Path, (Instant, u64)>,
    sequence: u64,
    failures: HashMap<Path, u32>,
}

/// Its size is bounded by the number of objects.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

impl Queue {
    /// Has an object looked at.
    pub(super) fn add(&self, path: Path) {
        self.state.lock().add(path);
        self.wake.notify_one();
    }

    /// Has an object looked at after a while, or earlier if that is to be done already.
    pub(super) fn add_after(&self, path: Path, pause: Duration, now: Instant) {
        self.state.lock().postpone(path, now + pause);
        self.wake.notify_one();
    }

    /// The next object. It is the caller's until [`done`](Self::done).
    pub(super) async fn next(&self) -> Path {
        loop {
            let wake = self.wake.notified();
            let until = {
                let mut state = self.state.lock();
                state.promote(Instant::now());
                if let Some(path) = state.take() {
                    return path;
                }
                state.later.first_key_value().map(|((at, _), _)| *at)
            };
            match until {
                Some(at) => tokio::select! {
                    () = wake => {}
                    () = tokio::time::sleep_until(at.into()) => {}
                },
                None => wake.await,
            }
        }
    }

    /// Says what came of it: nothing, another look after a while, or a failure.
    pub(super) fn done(&self, path: &Path, outcome: Result<Option<Duration>, ()>, now: Instant) {
        let mut state = self.state.lock();
        state.working.remove(path);
        if state.dirty.contains(path) {
            state.ready.push_back(path.clone());
        }
        let pause = match outcome {
            Ok(again) => {
                state.failures.remove(path);
                again
            }
            Err(()) => {
                let failures = state.failures.entry(path.clone()).or_default();
                let pause = FIRST_PAUSE.saturating_mul(1_u32 << (*failures).min(20)).min(LAST_PAUSE);
                *failures = failures.saturating_add(1);
                Some(pause)
            }
        };
        drop(state);
        match pause {
            Some(pause) => self.add_after(path.clone(), pause, now),
            None => self.wake.notify_one(),
        }
    }
}

impl State {
    fn add(&mut self, path: Path) {
        if self.dirty.insert(path.clone()) && !self.working.contains(&path) {
            self.ready.push_back(path);
        }
    }

    fn postpone(&mut self, path: Path, at: Instant) {
        if let Some(there) = self.due.get(&path).copied() {
            if there.0 <= at {
                return;
            }
            self.later.remove(&there);
        }
        self.sequence += 1;
        let place = (at, self.sequence);
        self.due.insert(path.clone(), place);
        self.later.insert(place, path);
    }

    fn promote(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let path = entry.remove();
            self.due.remove(&path);
            self.add(path);
        }
    }

    fn take(&mut self) -> Option<Path> {
        let path = self.ready.pop_front()?;
        self.dirty.remove(&path);
        self.working.insert(path.clone());
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_waits_once_and_comes_again_if_it_changed_meanwhile() {
        let queue = Queue::default();
        queue.add("a".into());
        queue.add("a".into());
        queue.add("b".into());
        let first = queue.next().await;
        assert_eq!(&*first, "a");
        queue.add("a".into());
        assert_eq!(&*queue.next().await, "b", "a is being worked on");
        queue.done(&first, Ok(None), Instant::now());
        assert_eq!(&*queue.next().await, "a");
        assert!(queue.state.lock().ready.is_empty());
    }

    #[test]
    fn an_object_that_is_postponed_again_and_again_waits_for_the_earliest_time_once() {
        let (queue, now) = (Queue::default(), Instant::now());
        for seconds in [30, 20, 40, 20] {
            queue.add_after("a".into(), Duration::from_secs(seconds), now);
        }
        let mut state = queue.state.lock();
        assert_eq!(
            state.later.keys().map(|(at, _)| *at - now).collect::<Vec<_>>(),
            [Duration::from_secs(20)]
        );
        state.promote(now + Duration::from_secs(20));
        assert_eq!((state.ready.len(), state.later.len(), state.due.len()), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_tried_again_later_each_time() {
        let queue = Queue::default();
        queue.add("a".into());
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let path = queue.next().await;
            let now = tokio::time::Instant::now();
            queue.done(&path, Err(()), now.into());
            pauses.push(queue.state.lock().later.keys().next().unwrap().0 - now.into_std());
            // The queue looks at the clock of the machine.
            let mut state = queue.state.lock();
            let later = std::mem::take(&mut state.later);
            state.due.clear();
            later.into_values().for_each(|path| state.add(path));
        }
        assert_eq!(pauses, [5, 10, 20, 40].map(Duration::from_millis));
        let path = queue.next().await;
        queue.done(&path, Ok(None), Instant::now());
        assert!(queue.state.lock().failures.is_empty() && queue.state.lock().later.is_empty());
    }
}
