//! Work that components scheduled.

use crate::plugin::{Plugin, PluginContext};
use chainplate_storage::{ListRequest, Object, Revision};
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

/// Most tasks of one component that wait at a time.
const MAX_WAITING: usize = 10_000;
/// Most collections that one component follows.
const MAX_FOLLOWED: usize = 100;
/// Changes taken from a followed collection in one go.
const FOLLOW_BATCH: usize = 256;
/// The pause after a first failure; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The tasks of one component. They run one after the other.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    plugin: OnceLock<Weak<Plugin>>,
    waiting: Mutex<HashSet<String>>,
    running: tokio::sync::Mutex<()>,
    /// Collections that are followed, and with which task.
    followed: Mutex<HashSet<(Arc<str>, String)>>,
}

impl Tasks {
    /// Says whose tasks these are; once, when the plugin is made.
    pub(crate) fn belong_to(&self, plugin: &Arc<Plugin>) {
        // A second call would say the same.
        let _ = self.plugin.set(Arc::downgrade(plugin));
    }

    pub(crate) fn schedule(&self, context: &Arc<PluginContext>, task: String, delay: Duration) {
        let successor = context.shared.successor();
        if let Some(plugin) = successor.as_ref().and_then(|chain| chain.plugin(&context.name)) {
            return plugin.context.tasks.schedule(&plugin.context, task, delay);
        }
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
        context.shared.clone().spawn(async move { context.tasks.run(&context, task, delay).await });
    }

    /// Schedules `task` + path for each object of the collection that changes from now on, if others may change it.
    pub(crate) fn follow(&self, context: &Arc<PluginContext>, prefix: Arc<str>, task: String) {
        if !context.shared.has_company {
            return;
        }
        {
            let mut followed = self.followed.lock();
            let following = (prefix.clone(), task.clone());
            if followed.len() >= MAX_FOLLOWED && !followed.contains(&following) {
                tracing::warn!(
                    plugin = context.name,
                    %prefix,
                    "not followed: {MAX_FOLLOWED} collections are the limit; follow fewer"
                );
                return;
            }
            if !followed.insert(following) {
                return;
            }
        }
        let from = context.store.revision();
        let context = Arc::clone(context);
        context.shared.clone().spawn(async move {
            let mut retired = context.shared.retirement();
            tokio::select! {
                () = context.tasks.notice(&context, &prefix, &task, from) => {}
                _ = retired.wait_for(|retired| *retired) => {}
            }
        });
    }

    /// Ends when the store closes.
    async fn notice(&self, context: &Arc<PluginContext>, prefix: &str, task: &str, from: Revision) {
        let changed = |object: &Object| {
            self.schedule(context, format!("{task}{}", object.key().path), Duration::ZERO);
        };
        let mut watch = context.store.watch(prefix, from);
        loop {
            let missed = match &mut watch {
                Ok(watch) => match watch.next(FOLLOW_BATCH).await {
                    Some(Ok(events)) => {
                        events.iter().for_each(|event| changed(&event.object));
                        continue;
                    }
                    Some(Err(missed)) => missed,
                    None => return,
                },
                Err(missed) => missed.clone(),
            };
            // What was deleted meanwhile is not told of; who follows looks at the whole when told of anything.
            tracing::debug!(plugin = context.name, prefix, "following anew: {missed}");
            let all = ListRequest { prefix, ..ListRequest::default() };
            let Ok(list) = context.store.list(&all) else { return };
            list.objects.iter().for_each(|object| changed(object));
            watch = context.store.watch(prefix, list.revision);
        }
    }

    async fn run(&self, context: &Arc<PluginContext>, task: String, delay: Duration) {
        let mut retired = context.shared.retirement();
        let mut pause = delay;
        let mut next = FIRST_PAUSE;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // The chain that takes over does it, if one does.
                _ = retired.wait_for(|retired| *retired) => {
                    if context.shared.successor().is_some() {
                        self.schedule(context, task, pause);
                    }
                    return;
                }
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
