//! What the components of one chain share.

use crate::{
    admission::Policies, chain::Chain, conversions::Conversions, publications::Publications, tokens::Tokens,
};
use std::sync::{Arc, OnceLock, Weak};
use tokio::sync::watch;

/// One for each chain. It dies with it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) publications: Publications,
    /// Set once all components are loaded.
    pub(crate) policies: OnceLock<Policies>,
    /// Set once all components are loaded.
    pub(crate) conversions: OnceLock<Conversions>,
    /// Whether others than this chain may write to storage: other servers, or the chain that this one replaces.
    pub(crate) has_company: bool,
    /// Who signs and judges tokens, if somebody does.
    pub(crate) tokens: Option<Arc<dyn Tokens>>,
    chain: OnceLock<Weak<Chain>>,
    successor: OnceLock<Weak<Chain>>,
    retired: watch::Sender<bool>,
    /// Pieces of work of its own that are under way.
    working: watch::Sender<usize>,
}

impl Shared {
    pub(crate) fn new(has_company: bool, tokens: Option<Arc<dyn Tokens>>) -> Self {
        Self {
            publications: Publications::default(),
            policies: OnceLock::new(),
            conversions: OnceLock::new(),
            has_company,
            tokens,
            chain: OnceLock::new(),
            successor: OnceLock::new(),
            retired: watch::Sender::new(false),
            working: watch::Sender::new(0),
        }
    }

    /// Says which chain this is; once.
    pub(crate) fn belong_to(&self, chain: &Arc<Chain>) {
        // A second call would say the same.
        let _ = self.chain.set(Arc::downgrade(chain));
    }

    /// The chain, once it is made and as long as it lives.
    pub(crate) fn chain(&self) -> Option<Arc<Chain>> {
        self.chain.get()?.upgrade()
    }

    /// Turns true when the chain shall do no more work of its own.
    pub(crate) fn retirement(&self) -> watch::Receiver<bool> {
        self.retired.subscribe()
    }

    /// The chain that has taken over, if one has.
    pub(crate) fn successor(&self) -> Option<Arc<Chain>> {
        self.successor.get()?.upgrade()
    }

    /// Runs a piece of work of the chain's own, which looks at [`retirement`](Self::retirement) where it may stop.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        self.working.send_modify(|count| *count += 1);
        let place = Place(Arc::clone(self));
        tokio::spawn(async move {
            let _place = place;
            work.await;
        });
    }

    /// Ends the work of its own, and waits for what is under way.
    pub(crate) async fn retire(&self, successor: Option<&Arc<Chain>>) {
        if let Some(successor) = successor {
            // A chain is replaced once.
            let _ = self.successor.set(Arc::downgrade(successor));
        }
        self.retired.send_replace(true);
        // The sender lives as long as `self`.
        let _ = self.working.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// A place among those that work, given back when the work ends, however it ends.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.working.send_modify(|count| *count -= 1);
    }
}
