//! A server that is there for a while: on this machine alone, with a chain and a data directory of its own.

use crate::{Server, chain_config, client::Client};
use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use chainplate_apiserver::{ShutdownTrigger, options::Options};
use chainplate_plugin_tools::{
    Component,
    chain::{self, Entry},
    replace,
};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Longest wait for the server to be ready.
const SOON: Duration = Duration::from_secs(60);
/// How often something is looked at that is waited for.
pub(super) const PACE: Duration = Duration::from_millis(20);

/// A server that serves.
pub(super) struct Throwaway {
    pub(super) client: Client,
    pub(super) kubeconfig: PathBuf,
    pub(super) address: SocketAddr,
    trigger: ShutdownTrigger,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// The built-in chain with a plugin in front of core, which is granted all that it wants.
pub(super) fn chain_with(component: &Component, file: &Path) -> anyhow::Result<Value> {
    let mut own = serde_saphyr::from_str(chain_config::DEFAULT)?;
    let wants = component.manifest.as_ref().map(|manifest| manifest.wants.clone()).unwrap_or_default();
    chain::insert(&mut own, serde_json::to_value(Entry::new(&component.name(), file, &wants))?);
    Ok(own)
}

/// Where the chain's configuration is in a data directory.
pub(super) fn chain_file(data: &Path) -> PathBuf {
    data.join("chain.yaml")
}

impl Throwaway {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// Why it does not come up, a plugin that does not start among them.
    pub(super) async fn start(
        data: &Path,
        chain: &Value,
        port: u16,
        trigger: ShutdownTrigger,
    ) -> anyhow::Result<Self> {
        let file = chain_file(data);
        replace(&file, format!("{chain:#}\n").as_bytes())?;
        let arguments = [
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--data-dir={}", data.display()),
            format!("--chain-config={}", file.display()),
        ];
        let options = Options::from_args(arguments)?.complete();
        options.validate().map_err(|faults| {
            anyhow!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let server = Server::prepare(options).await?;
        let (address, kubeconfig) = (server.local_address(), server.kubeconfig().to_owned());
        let client = Client::read(&kubeconfig)?;
        let serving = tokio::spawn(server.run(trigger.clone()));
        let mut started = Self { client, kubeconfig, address, trigger, serving };
        match started.ready().await {
            Ok(()) => Ok(started),
            // What has failed in the server is the better reason.
            Err(error) => Err(started.stop().await.err().unwrap_or(error)),
        }
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SOON;
        let mut last = String::new();
        while Instant::now() < deadline {
            if self.serving.is_finished() {
                bail!("the server has ended; see its log");
            }
            match self.asked("/readyz").await {
                Ok((200, _)) => return Ok(()),
                Ok((_, body)) => last = body,
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(PACE).await;
        }
        bail!("the server is not ready after {SOON:?}: {last}")
    }

    async fn asked(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut connection = self.client.connect(true).await?;
        let response = connection.send(Request::get(path).body(Full::<Bytes>::default())?).await?;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((code, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Waits for the server to end by itself or by its trigger.
    ///
    /// # Errors
    /// What failed while it served.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.serving).await.context("the server")?
    }

    /// Ends the server.
    ///
    /// # Errors
    /// What failed while it served, or on the way down.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.trigger.initiate();
        self.ended().await
    }
}
