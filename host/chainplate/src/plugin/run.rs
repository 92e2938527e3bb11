//! `chainplate plugin run`: a server with a plugin that is being written.

use super::throwaway::{Throwaway, chain_file, chain_with};
use anyhow::Context;
use chainplate_apiserver::ShutdownTrigger;
use chainplate_plugin_tools::{Component, Sources, build, replace};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How often sources are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Where a plugin comes from.
pub(super) enum Origin {
    /// A project, built with one of Cargo's profiles.
    Project {
        /// Its directory.
        directory: PathBuf,
        /// The profile.
        profile: String,
    },
    /// A component with a manifest, built by something else.
    File(PathBuf),
}

impl Origin {
    /// The component, built anew if need be.
    ///
    /// # Errors
    /// What does not build or is no component.
    pub(super) fn component(&self) -> anyhow::Result<Component> {
        let path = match self {
            Self::Project { directory, profile } => build(directory, profile, None)?.path,
            Self::File(path) => path.clone(),
        };
        Ok(Component::read(&path)?)
    }

    /// What is watched.
    fn place(&self) -> &Path {
        match self {
            Self::Project { directory, .. } => directory,
            Self::File(path) => path,
        }
    }
}

/// Runs the server until it is told to end.
///
/// # Errors
/// A plugin that does not build or start at first, or what failed while the server served.
pub(super) async fn run(origin: Origin, port: u16, watch: bool) -> anyhow::Result<()> {
    let trigger = ShutdownTrigger::new();
    trigger.on_signals().context("signals cannot be handled")?;
    // Before the build, which may take minutes.
    let sources = Sources::of(origin.place());
    let (origin, component) = tokio::task::spawn_blocking(|| {
        let component = origin.component();
        (origin, component)
    })
    .await?;
    let component = component?;
    let data = tempfile::tempdir()?;
    let file = data.path().join(format!("{}.wasm", component.name()));
    replace(&file, &component.bytes)?;
    let chain = chain_with(&component, &file)?;
    let mut server = Throwaway::start(data.path(), &chain, port, trigger).await?;
    let kubeconfig = server.kubeconfig.display();
    println!("{} serves on https://{}", component.name(), server.address);
    println!("kubeconfig: {kubeconfig}");
    println!("try: kubectl --kubeconfig {kubeconfig} api-resources");
    println!("Ctrl-C ends it, and removes all that it has stored");
    let work = Work { origin, sources, file, configuration: chain_file(data.path()) };
    tokio::select! {
        ended = server.ended() => ended,
        failed = work.follow(), if watch => {
            // The server goes down in order, whatever has failed.
            server.stop().await?;
            Err(failed)
        }
    }
}

/// A plugin in the making, and the server's files that follow it.
struct Work {
    origin: Origin,
    sources: Sources,
    file: PathBuf,
    configuration: PathBuf,
}

impl Work {
    /// Looks after the sources for ever, or until that fails.
    async fn follow(mut self) -> anyhow::Error {
        loop {
            tokio::time::sleep(LOOK).await;
            let looked = tokio::task::spawn_blocking(move || {
                if self.sources.changed() {
                    match self.renew() {
                        Ok(component) => println!("rebuilt: {} ({})", component.name(), component.digest()),
                        Err(error) => println!("not rebuilt, the plugin before goes on: {error:#}"),
                    }
                }
                self
            });
            match looked.await {
                Ok(back) => self = back,
                Err(error) => return error.into(),
            }
        }
    }

    /// Builds the plugin and gives it to the server, with the chain's configuration if the plugin wants something else.
    /// The server reloads what has changed.
    fn renew(&self) -> anyhow::Result<Component> {
        let component = self.origin.component()?;
        let chain = format!("{:#}\n", chain_with(&component, &self.file)?);
        if std::fs::read_to_string(&self.configuration)? != chain {
            replace(&self.configuration, chain.as_bytes())?;
        }
        replace(&self.file, &component.bytes)?;
        Ok(component)
    }
}
