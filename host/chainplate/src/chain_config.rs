//! Which chain is run.

use chainplate_apiserver::options::CompletedOptions;
use chainplate_chain::config::{self, ServerChainConfiguration, Source};
use serde_json::Value;

/// The chain without a file.
pub(crate) const DEFAULT: &str = include_str!("chain.yaml");

/// With this environment variable set, the chain starts at the core server.
const KUBE_API_VERSIONS: &str = "KUBE_API_VERSIONS";

/// Why there is no chain.
pub type ConfigError = config::Error;

/// The chain of `--chain-config`, or the built-in one, with what the options say to the shipped components. `port` is
/// the one that is listened on.
///
/// # Errors
/// A file that cannot be used.
pub fn chain_configuration(
    options: &CompletedOptions,
    port: u16,
) -> Result<ServerChainConfiguration, ConfigError> {
    let mut configuration = match &options.given.chainplate.chain_config {
        Some(path) => ServerChainConfiguration::read(path)?,
        None => ServerChainConfiguration::parse("built in", DEFAULT)?,
    };
    if std::env::var_os(KUBE_API_VERSIONS).is_some_and(|versions| !versions.is_empty()) {
        start_at_core(&mut configuration);
    }
    let advertised = options.advertise_address.to_string();
    let ranges: Vec<Value> =
        options.service_ranges.iter().map(|range| Value::String(range.to_string())).collect();
    let authentication = &options.given.authentication;
    for component in &mut configuration.components {
        let Source::Builtin(builtin) = &component.source else { continue };
        let told: &[(&str, Value)] = match builtin.as_str() {
            "aggregator" => &[("serverAddress", format!("{advertised}:{port}").into())],
            "core" => &[
                ("serviceClusterIPRange", ranges.first().cloned().unwrap_or_default()),
                ("advertiseAddress", advertised.as_str().into()),
                ("securePort", port.into()),
                ("eventTTLSeconds", options.given.generic.event_ttl.get().as_secs().into()),
                ("apiAudiences", options.api_audiences.clone().into()),
                (
                    "serviceAccountMaxTokenExpirationSeconds",
                    authentication.service_account_max_token_expiration.get().as_secs().into(),
                ),
                (
                    "serviceAccountExtendTokenExpiration",
                    authentication.service_account_extend_token_expiration.into(),
                ),
            ],
            _ => &[],
        };
        for (key, value) in told {
            // What the operator wrote stays.
            component.configuration.entry(*key).or_insert_with(|| value.clone());
        }
    }
    Ok(configuration)
}

/// Takes out what stands in front of the core server.
fn start_at_core(configuration: &mut ServerChainConfiguration) {
    let core = Source::Builtin("core".into());
    if let Some(at) = configuration.components.iter().position(|component| component.source == core) {
        configuration.components.drain(..at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_chain_is_aggregator_core_apiextensions() {
        let chain = ServerChainConfiguration::parse("built in", DEFAULT).unwrap();
        let names: Vec<&str> = chain.components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(names, ["aggregator", "core", "apiextensions"]);
    }

    #[test]
    fn without_the_aggregator_the_chain_starts_at_core() {
        let mut chain = ServerChainConfiguration::parse("built in", DEFAULT).unwrap();
        start_at_core(&mut chain);
        assert_eq!(chain.components[0].name, "core");
    }
}
