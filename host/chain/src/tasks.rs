//! Work that components scheduled.

use crate::plugin::{Plugin, PluginContext};
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

/// Most tasks of one component that wait at a time.
const MAX_WAITING: usize = 10_000;
/// The pause after a first failure; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The tasks of one component. They run one after the other.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    plugin: OnceLock<Weak<Plugin>>,
    waiting: Mutex<HashSet<String>>,
    running: tokio::sync::Mutex<()>,
}

impl Tasks {
    /// Says whose tasks these are; once, when the plugin is made.
    pub(crate) fn belong_to(&self, plugin: &Arc<Plugin>) {
        // A second call would say the same.
        let _ = self.plugin.set(Arc::downgrade(plugin));
    }

    pub(crate) fn schedule(&self, context: &Arc<PluginContext>, task: String, delay: Duration) {
        {
            let mut waiting = self.waiting.lock();
            if waiting.len() >= MAX_WAITING {
                tracing::warn!(
                    plugin = context.name,
                    task,
                    "not scheduled: {MAX_WAITING} tasks wait already"
                );
                return;
            }
            if !waiting.insert(task.clone()) {
                return;
            }
        }
        let context = Arc::clone(context);
        tokio::spawn(async move { context.tasks.run(&context, task, delay).await });
    }

    async fn run(&self, context: &PluginContext, task: String, delay: Duration) {
        let mut stopped = context.stopped.clone();
        let mut pause = delay;
        let mut next = FIRST_PAUSE;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let Some(plugin) = self.plugin.get().and_then(Weak::upgrade) else { return };
            let turn = self.running.lock().await;
            // From here on a new call of `schedule` means another run.
            self.waiting.lock().remove(&task);
            let result = plugin.run_task(&task).await;
            drop(turn);
            match result {
                Ok(()) => return,
                Err(why) => {
                    tracing::warn!(plugin = context.name, task, "task failed, again in {next:?}: {why}");
                    if !self.waiting.lock().insert(task.clone()) {
                        return;
                    }
                    pause = next;
                    next = MAX_PAUSE.min(next * 2);
                }
            }
        }
    }
}
