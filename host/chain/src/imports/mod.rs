//! The host's side of `wit/`: what a component may call.
//!
//! A handle is a capability. Grants are checked where a handle is made, so that no later call has to.

mod access;
mod admission;
mod http;
mod publication;
mod storage;
mod tokens;
mod work;

pub use self::{
    access::{AccessHandle, AccessRequest},
    admission::{AttributesHandle, ReviewHandle},
    http::{DraftHandle, RequestHandle, ResponseHandle},
    publication::GroupVersionHandle,
    storage::{CollectionHandle, StoredHandle},
    work::ControllerHandle,
};

use crate::{
    bindings::chainplate::server::{router, tasks, telemetry, types as wire},
    instance::State,
};
use chainplate_apimachinery::{
    Status,
    request::{UserInfo, Verb},
};

/// A Status as components give and get it.
pub(crate) fn to_wire(status: Status) -> wire::Status {
    wire::Status {
        code: status.code(),
        reason: status.reason().to_owned(),
        message: status.message().to_owned(),
        details: status.details().and_then(|details| serde_json::to_string(details).ok()),
    }
}

/// A component's Status; what is no failure at all is the component's fault, and told so.
pub(crate) fn from_wire(plugin: &str, status: wire::Status) -> Status {
    if !(400..600).contains(&status.code) {
        return Status::internal(format_args!(
            "component {plugin:?} failed with the code {}, which is no failure",
            status.code
        ));
    }
    let there = Status::new(status.code, status.reason, status.message);
    match status.details.and_then(|details| serde_json::from_str(&details).ok()) {
        Some(details) => there.with_details(details),
        None => there,
    }
}

pub(crate) fn user_to_wire(user: &UserInfo) -> wire::UserInfo {
    wire::UserInfo {
        name: user.name.clone(),
        uid: user.uid.clone(),
        groups: user.groups.clone(),
        extra: user.extra.clone(),
    }
}

pub(crate) fn verb_to_wire(verb: Verb) -> wire::Verb {
    match verb {
        Verb::Get => wire::Verb::Get,
        Verb::List => wire::Verb::List,
        Verb::Watch => wire::Verb::Watch,
        Verb::Create => wire::Verb::Create,
        Verb::Update => wire::Verb::Update,
        Verb::Patch => wire::Verb::Patch,
        Verb::Delete => wire::Verb::Delete,
        Verb::DeleteCollection => wire::Verb::DeleteCollection,
        Verb::Proxy => wire::Verb::Proxy,
        Verb::Other => wire::Verb::Other,
    }
}

pub(crate) fn verb_from_wire(verb: wire::Verb) -> Verb {
    match verb {
        wire::Verb::Get => Verb::Get,
        wire::Verb::List => Verb::List,
        wire::Verb::Watch => Verb::Watch,
        wire::Verb::Create => Verb::Create,
        wire::Verb::Update => Verb::Update,
        wire::Verb::Patch => Verb::Patch,
        wire::Verb::Delete => Verb::Delete,
        wire::Verb::DeleteCollection => Verb::DeleteCollection,
        wire::Verb::Proxy => Verb::Proxy,
        wire::Verb::Other => Verb::Other,
    }
}

impl wire::Host for State {}

impl router::Host for State {
    fn claim(&mut self, path: String) -> wasmtime::Result<()> {
        self.add_claim(&path, false);
        Ok(())
    }

    fn claim_exact(&mut self, path: String) -> wasmtime::Result<()> {
        self.add_claim(&path, true);
        Ok(())
    }

    fn release(&mut self, path: String) -> wasmtime::Result<()> {
        self.plugin.claims.release(&path);
        Ok(())
    }
}

impl State {
    fn add_claim(&self, path: &str, exact: bool) {
        let plugin = &self.plugin;
        if !plugin.grants.allows_path(path) {
            tracing::warn!(
                plugin = plugin.name,
                "claim of {path:?} refused: not granted; add it to grants.paths of this component"
            );
        } else if !plugin.claims.add(path, exact) {
            tracing::warn!(
                plugin = plugin.name,
                "claim of {path:?} refused: {} claims are the limit; claim a common prefix",
                crate::claims::MAX_CLAIMS
            );
        }
    }
}

impl tasks::Host for State {
    fn schedule(&mut self, task: String, delay_ms: u64) -> wasmtime::Result<()> {
        let delay = std::time::Duration::from_millis(delay_ms);
        self.plugin.tasks.schedule(&self.plugin, task, delay);
        Ok(())
    }

    fn follow(
        &mut self,
        collection: wasmtime::component::Resource<CollectionHandle>,
        task: String,
    ) -> wasmtime::Result<()> {
        let prefix = self.table.get(&collection)?.collection.storage_prefix.clone();
        self.plugin.tasks.follow(&self.plugin, prefix, task);
        Ok(())
    }
}

/// Longest log line of a component, in bytes; the rest is cut.
const MAX_LOG_LINE: usize = 16 << 10;

impl telemetry::Host for State {
    fn log(&mut self, level: telemetry::Level, mut message: String) -> wasmtime::Result<()> {
        let name = &*self.plugin.name;
        if !self.plugin.may_log() {
            return Ok(());
        }
        if message.len() > MAX_LOG_LINE {
            let cut = (0..=MAX_LOG_LINE).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
            message.truncate(cut);
        }
        match level {
            telemetry::Level::Trace => tracing::trace!(plugin = name, "{message}"),
            telemetry::Level::Debug => tracing::debug!(plugin = name, "{message}"),
            telemetry::Level::Info => tracing::info!(plugin = name, "{message}"),
            telemetry::Level::Warn => tracing::warn!(plugin = name, "{message}"),
            telemetry::Level::Error => tracing::error!(plugin = name, "{message}"),
        }
        Ok(())
    }

    fn count(&mut self, name: String, delta: u64) -> wasmtime::Result<()> {
        self.plugin.metrics.count(&name, delta);
        Ok(())
    }
}
