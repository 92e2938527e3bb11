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

/// Runs the server until the trigger is pulled.
///
/// # Errors
/// A plugin that does not build or start at first, or what failed while the server served.
pub(super) async fn run(origin: Origin, port: u16, watch: bool) -> anyhow::Result<()> {
    let trigger = ShutdownTrigger::new();
    trigger.on_signals().context("signals cannot be handled")?;
    // Before the build, which may take minutes.
    let mut sources = Sources::of(origin.place());
    let origin = std::sync::Arc::new(origin);
    let built = {
        let origin = origin.clone();
        tokio::task::spawn_blocking(move || origin.component()).await?
    };
    let component = built?;
    let data = tempfile::tempdir()?;
    let file = data.path().join(format!("{}.wasm", component.name()));
    replace(&file, &component.bytes)?;
    let chain = chain_with(&component, &file)?;
    let mut server = Throwaway::start(data.path(), &chain, port, trigger.clone()).await?;
    let kubeconfig = server.kubeconfig.display();
    println!("{} serves on https://{}", component.name(), server.address);
    println!("kubeconfig: {kubeconfig}");
    println!("try: kubectl --kubeconfig {kubeconfig} api-resources");
    println!("Ctrl-C ends it, and removes all that it has stored");
    let reload = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let origin = origin.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let outcome = sources.changed().then(|| origin.component());
                (sources, outcome)
            });
            let outcome;
            (sources, outcome) = looked.await?;
            match outcome {
                None => {}
                Some(Ok(component)) => hand_over(&component, &file, data.path())?,
                Some(Err(error)) => println!("not rebuilt, the plugin before goes on: {error:#}"),
            }
        }
    };
    tokio::select! {
        ended = server.ended() => return ended,
        failed = reload, if watch => {
            let failed: anyhow::Result<std::convert::Infallible> = failed;
            if let Err(error) = failed {
                // The server goes down in order, whatever has failed.
                server.stop().await?;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Gives the server the new component, and the chain's configuration if the plugin wants something else. It reloads what
/// has changed.
fn hand_over(component: &Component, file: &Path, data: &Path) -> anyhow::Result<()> {
    let chain = format!("{:#}\n", chain_with(component, file)?);
    let configuration = chain_file(data);
    if std::fs::read_to_string(&configuration)? != chain {
        replace(&configuration, chain.as_bytes())?;
    }
    replace(file, &component.bytes)?;
    println!("rebuilt: {} ({})", component.name(), component.digest());
    Ok(())
}
