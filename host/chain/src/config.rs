//! The chain's configuration file: `apiVersion: chainplate.dev/v1alpha1`, `kind: ServerChainConfiguration`.

use chainplate_manifest::{Capabilities, FailurePolicy, Narrowing};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

/// Which components stand in the chain, in the order in which requests meet them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerChainConfiguration {
    api_version: String,
    kind: String,
    /// The components, outermost first.
    pub components: Vec<ComponentConfiguration>,
}

/// One component.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ComponentConfiguration {
    /// Its name in this chain: in logs, metrics and errors. Unique.
    pub name: String,
    /// Where its code is.
    pub source: Source,
    /// Handed to the component as JSON.
    #[serde(default)]
    pub configuration: serde_json::Map<String, serde_json::Value>,
    /// The digest of the file, `sha256:…`; any other content is refused.
    #[serde(default)]
    pub digest: Option<String>,
    /// A signature that the file must have.
    #[serde(default)]
    pub signature: Option<Signature>,
    /// What it may do. Nothing, if it is not said here.
    #[serde(default)]
    pub grants: Capabilities,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// What follows for requests when it, as a server, traps or takes too long: they fail, or go on to the next.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// Its admission hooks, narrowed.
    #[serde(default)]
    pub admission: Vec<Narrowing>,
    /// A PEM file of the certificate authorities that its HTTP requests trust, in place of the system's; a relative path
    /// starts at the configuration file.
    #[serde(default, rename = "outboundCAFile")]
    pub outbound_ca_file: Option<PathBuf>,
}

impl ComponentConfiguration {
    /// What is said of requests to the outside, for a component that sends none.
    fn outbound_faults(&self, faults: &mut Vec<String>) {
        if !matches!(self.source, Source::Builtin(_)) {
            return;
        }
        let given = [
            ("grants.outbound", !self.grants.outbound.is_empty()),
            ("limits.outboundRequests", self.limits.outbound_requests.is_some()),
            ("limits.outboundBytes", self.limits.outbound_bytes.is_some()),
            ("outboundCAFile", self.outbound_ca_file.is_some()),
        ];
        let name = &self.name;
        faults.extend(given.iter().filter(|(_, given)| *given).map(|(field, _)| {
            format!(
                "component {name:?}: {field} is for components from files; those that ship with the host send no \
                 requests to the outside: leave it out"
            )
        }));
    }
}

/// A signature of a component's file, as `cosign sign-blob --key` makes it. Relative paths start at the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Signature {
    /// The PEM file of the public key: ECDSA P-256 or Ed25519.
    pub key: PathBuf,
    /// The file with the signature in base64.
    pub file: PathBuf,
}

/// Where a component's code is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Source {
    /// A component that ships with the host, by name.
    Builtin(String),
    /// A `.wasm` file; a relative path starts at the configuration file.
    Path(PathBuf),
}

/// What a component may use. Unset limits take the defaults of its kind (shipped or third-party).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// Linear memory of one instance, in bytes or with a binary suffix (`64Mi`).
    pub memory: Option<Bytes>,
    /// Seconds that one call may take, host calls included.
    pub timeout_seconds: Option<u64>,
    /// Instances at a time.
    pub instances: Option<usize>,
    /// Calls after which an instance is replaced.
    pub calls_per_instance: Option<u32>,
    /// Bytes that one call may hand to the host.
    pub hostcall_bytes: Option<Bytes>,
    /// Log lines per second, over all instances; ten times as many in a burst.
    pub log_lines_per_second: Option<u32>,
    /// HTTP requests to the outside at a time, over all instances.
    pub outbound_requests: Option<usize>,
    /// Bytes of one such request's body, and of its answer's.
    pub outbound_bytes: Option<Bytes>,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub usize);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(usize),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(bytes) => return Ok(Self(bytes)),
            Form::Text(text) => text,
        };
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let factor = match &text[digits.len()..] {
            "" => Some(1_usize),
            "Ki" => Some(1 << 10),
            "Mi" => Some(1 << 20),
            "Gi" => Some(1 << 30),
            _ => None,
        };
        let number = digits.parse::<usize>().ok();
        number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor)).map(Self).ok_or_else(
            || serde::de::Error::custom(format!("{text:?} is not a size; write bytes, or 64Mi, 1Gi")),
        )
    }
}

/// Limits with every default filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveLimits {
    /// Linear memory of one instance, in bytes.
    pub memory: usize,
    /// The longest call.
    pub timeout: Duration,
    /// Instances at a time.
    pub instances: usize,
    /// Calls after which an instance is replaced.
    pub calls_per_instance: u32,
    /// Bytes that one call may hand to the host.
    pub hostcall_bytes: usize,
    /// Log lines per second.
    pub log_lines_per_second: u32,
    /// HTTP requests to the outside at a time, over all instances.
    pub outbound_requests: usize,
    /// Bytes of one such request's body, and of its answer's.
    pub outbound_bytes: usize,
}

impl Limits {
    /// Fills in the defaults of the component's kind.
    pub fn effective(&self, trust: chainplate_engine::Trust) -> EffectiveLimits {
        let shipped = trust == chainplate_engine::Trust::Shipped;
        let memory = if shipped { chainplate_engine::DEFAULT_MEMORY_LIMIT } else { 64 << 20 };
        let timeout = if shipped { 60 } else { 10 };
        EffectiveLimits {
            memory: self.memory.map_or(memory, |bytes| bytes.0),
            timeout: Duration::from_secs(self.timeout_seconds.unwrap_or(timeout)),
            // A durable write holds its instance while the group commits: as many as clients that write at once.
            instances: self.instances.unwrap_or(if shipped { 128 } else { 32 }),
            calls_per_instance: self.calls_per_instance.unwrap_or(if shipped { 1_000_000 } else { 1000 }),
            hostcall_bytes: self.hostcall_bytes.map_or(64 << 20, |bytes| bytes.0),
            log_lines_per_second: self.log_lines_per_second.unwrap_or(if shipped { 1000 } else { 100 }),
            outbound_requests: self.outbound_requests.unwrap_or(8),
            outbound_bytes: self.outbound_bytes.map_or(8 << 20, |bytes| bytes.0),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("chain configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not understood, or says something impossible. All faults at once.
    #[error("chain configuration {name}: {}", faults.join("; "))]
    Invalid {
        /// The file, or what it came from.
        name: String,
        /// What is wrong.
        faults: Vec<String>,
    },
}

const API_VERSION: &str = "chainplate.dev/v1alpha1";
const KIND: &str = "ServerChainConfiguration";

impl ServerChainConfiguration {
    /// Reads the file. Relative paths in it are resolved against its directory.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Invalid`] with every fault.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut configuration = Self::parse(&path.display().to_string(), &text)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        for component in &mut configuration.components {
            if let Some(signature) = &mut component.signature {
                signature.key = directory.join(&signature.key);
                signature.file = directory.join(&signature.file);
            }
            if let Source::Path(file) = &mut component.source {
                *file = directory.join(&*file);
            }
            if let Some(file) = &mut component.outbound_ca_file {
                *file = directory.join(&*file);
            }
        }
        Ok(configuration)
    }

    /// Reads the text of a configuration that came from `name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let invalid = |faults| Error::Invalid { name: name.to_owned(), faults };
        let configuration: Self =
            serde_saphyr::from_str(text).map_err(|error| invalid(vec![error.to_string()]))?;
        let faults = configuration.faults();
        if faults.is_empty() { Ok(configuration) } else { Err(invalid(faults)) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.api_version != API_VERSION || self.kind != KIND {
            faults.push(format!(
                "it is {} {}, not {API_VERSION} {KIND}; correct apiVersion and kind",
                self.api_version, self.kind
            ));
        }
        if self.components.is_empty() {
            faults.push("components is empty; list at least one".to_owned());
        }
        let mut names = BTreeSet::new();
        for component in &self.components {
            let name = &component.name;
            if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                faults.push(format!("component name {name:?} must be lower-case letters, digits and '-'"));
            }
            if !names.insert(name) {
                faults.push(format!("component name {name:?} is used twice; names tell components apart"));
            }
            if component.limits.instances == Some(0) || component.limits.calls_per_instance == Some(0) {
                faults.push(format!("component {name:?}: a limit of 0 lets it serve nothing"));
            }
            component.grants.faults(&format!("component {name:?}: grants"), &mut faults);
            component.admission.iter().for_each(|hook| hook.faults(name, &mut faults));
            if component.digest.as_ref().is_some_and(|digest| !is_digest(digest)) {
                faults.push(format!("component {name:?}: digest must be sha256: and 64 hexadecimal digits"));
            }
            component.outbound_faults(&mut faults);
            for grant in &component.grants.outbound {
                if let Err(why) = grant.parse::<crate::OutboundGrant>() {
                    faults.push(format!("component {name:?}: {why}"));
                }
            }
        }
        faults
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
apiVersion: chainplate.dev/v1alpha1
kind: ServerChainConfiguration
components:
- name: hello
  source: {path: hello.wasm}
  configuration: {greeting: hi}
  grants: {storage: ['hello.example.com/*'], paths: [/hello], groups: [hello.example.com]}
  limits: {memory: 64Mi, timeoutSeconds: 2}
- name: core
  source: {builtin: core}
";

    #[test]
    fn a_file_lists_components_in_order() {
        let read = ServerChainConfiguration::parse("test", TEXT).unwrap();
        assert_eq!(read.components[0].source, Source::Path("hello.wasm".into()));
        assert_eq!(read.components[0].limits.memory, Some(Bytes(64 << 20)));
        assert_eq!(read.components[1].source, Source::Builtin("core".into()));
        assert_eq!(read.components[1].grants, Capabilities::default());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let text = "{apiVersion: v1, kind: Chain, components: [{name: A, source: {builtin: core}, limits: {instances: 0}, grants: {outbound: ['ftp://a.example.com']}}]}";
        let error = ServerChainConfiguration::parse("test", text).unwrap_err().to_string();
        for part in [
            "not chainplate.dev/v1alpha1",
            "\"A\" must be lower-case",
            "limit of 0",
            "\"ftp://a.example.com\" is no origin",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_shipped_component_has_no_way_outside_to_be_configured() {
        let more = "  limits: {outboundRequests: 1, outboundBytes: 1Mi}
  outboundCAFile: ca.pem
  grants: {outbound: ['https://a.example.com']}
";
        let error =
            ServerChainConfiguration::parse("test", &format!("{TEXT}{more}")).unwrap_err().to_string();
        for field in ["grants.outbound", "limits.outboundRequests", "limits.outboundBytes", "outboundCAFile"]
        {
            assert!(
                error.contains(&format!("component \"core\": {field} is for components from files")),
                "{error}"
            );
        }
        let file = TEXT.replace("{builtin: core}", "{path: core.wasm}");
        ServerChainConfiguration::parse("test", &format!("{file}{more}")).unwrap();
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = ServerChainConfiguration::parse("test", &TEXT.replace("limits", "limit")).unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
    }
}
