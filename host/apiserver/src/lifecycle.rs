//! The way down: signals, the states on the way, and what is still in flight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// How far the server is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// Asked to stop: `/readyz` fails, everything else goes on.
    ShutdownInitiated,
    /// New requests are turned away, those in flight finish.
    NotAcceptingNewRequests,
}

/// Asks the server to stop; clones are one trigger. Signals do it in a program, tests do it by hand.
#[derive(Debug, Clone)]
pub struct ShutdownTrigger(Arc<watch::Sender<bool>>);

impl Default for ShutdownTrigger {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl ShutdownTrigger {
    /// A trigger that nobody has pulled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the shutdown. Doing it again changes nothing.
    pub fn initiate(&self) {
        self.0.send_replace(true);
    }

    /// Whether the shutdown has started.
    pub fn is_initiated(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the shutdown to start.
    pub async fn initiated(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = receiver.wait_for(|initiated| *initiated).await;
    }

    /// Lets SIGTERM and SIGINT pull the trigger; the second signal ends the process with status 1, as
    /// upstream's `SetupSignalHandler` does. To be called once, within a runtime.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let trigger = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if trigger.is_initiated() {
                    tracing::error!("a second signal: exiting at once");
                    std::process::exit(1);
                }
                tracing::info!("shutting down; a second signal exits at once");
                trigger.initiate();
            }
        });
        Ok(())
    }
}

/// Counts what is in flight and lets one wait for none.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    count: AtomicUsize,
    empty: Notify,
}

/// Something in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Token(Arc<Counter>);

impl InFlight {
    pub(crate) fn enter(&self) -> Token {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Token(self.0.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Waits until nothing is in flight, at most so long. Returns what is left.
    pub(crate) async fn drained(&self, patience: Duration) -> usize {
        let wait = async {
            loop {
                let empty = self.0.empty.notified();
                tokio::pin!(empty);
                // Registered before the count is read, so that the last token cannot slip through.
                empty.as_mut().enable();
                if self.count() == 0 {
                    return;
                }
                empty.await;
            }
        };
        // A timeout is no error here: what is left is the answer.
        let _ = tokio::time::timeout(patience, wait).await;
        self.count()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn draining_waits_for_the_last_token_or_for_its_patience() {
        let in_flight = InFlight::default();
        assert_eq!(in_flight.drained(Duration::from_secs(1)).await, 0);
        let token = in_flight.enter();
        assert_eq!(in_flight.drained(Duration::from_secs(1)).await, 1);
        let waiting = tokio::spawn({
            let in_flight = in_flight.clone();
            async move { in_flight.drained(Duration::from_secs(3600)).await }
        });
        tokio::task::yield_now().await;
        drop(token);
        assert_eq!(waiting.await.expect("task"), 0);
    }

    #[tokio::test]
    async fn a_trigger_tells_all_its_clones() {
        let trigger = ShutdownTrigger::new();
        let clone = trigger.clone();
        assert!(!clone.is_initiated());
        trigger.initiate();
        clone.initiated().await;
        assert!(clone.is_initiated());
    }
}
