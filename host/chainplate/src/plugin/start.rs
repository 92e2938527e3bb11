//! Whether a component compiles, links and starts.

use super::throwaway::chain_with;
use chainplate_chain::{Chain, Host, Metrics, config::ServerChainConfiguration};
use chainplate_plugin_tools::{Component, Finding, chain};
use chainplate_storage::{Options, Store};
use serde_json::{Value, json};

/// Loads the component as the only one of a chain, with the limits and the configuration of its entry, or with the
/// default ones and all that it wants.
pub(super) async fn starts(component: &Component, chain: Option<&Value>) -> Finding {
    match load(component, chain).await {
        Ok(()) => Finding::good("it compiles and starts"),
        Err(error) => Finding::error(format!("{error:#}")),
    }
}

async fn load(component: &Component, chain: Option<&Value>) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = component.path.canonicalize()?;
    let configured = chain.and_then(|chain| chain::find(chain, &component.name(), &component.path));
    let mut entry = match configured {
        Some(entry) => entry.clone(),
        None => {
            let with = chain_with(component, &file)?;
            chain::find(&with, &component.name(), &file).cloned().unwrap_or_default()
        }
    };
    entry["source"] = json!({ "path": file.to_string_lossy() });
    let alone = json!({
        "apiVersion": "chainplate.dev/v1alpha1",
        "kind": "ServerChainConfiguration",
        "components": [entry],
    });
    let configuration = ServerChainConfiguration::parse("of this component alone", &alone.to_string())?;
    let store = Store::open(Options::default()).await?;
    let code_cache = directory.path().join("code");
    let host = Host::new(store.clone(), chainplate_components::shipped, code_cache, Metrics::default());
    let loaded = Chain::load(&configuration, &host, false).await.map(drop);
    store.close().await?;
    Ok(loaded?)
}
