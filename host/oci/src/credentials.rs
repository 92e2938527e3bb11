//! Who asks a registry: given, or from Docker's configuration.

use crate::reference::DOCKER_HUB;
use crate::{Error, Reference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt as _;

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A user name and a password or access token: sent to the registry, or to the token service that it names.
    Basic {
        /// The user's name.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A bearer token of the registry itself.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic { username, .. } => {
                f.debug_struct("Basic").field("username", username).finish_non_exhaustive()
            }
            Self::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

/// Docker's configuration: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
#[must_use]
pub fn docker_config_path() -> Option<PathBuf> {
    let directory = match std::env::var_os("DOCKER_CONFIG") {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".docker"),
    };
    Some(directory.join("config.json"))
}

/// The most that is read of the configuration, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    identitytoken: String,
}

impl Credentials {
    /// What Docker's configuration holds for the reference's registry; anonymous if the file does not exist or does not name
    /// the registry.
    ///
    /// # Errors
    /// [`Error::DockerConfig`] if the file cannot be read, [`Error::CredentialHelper`] if it leaves the registry's secrets to a
    /// program: helpers are not supported, since they would be programs that the server runs.
    pub async fn from_docker_config(path: &Path, reference: &Reference) -> Result<Self, Error> {
        let failed = |reason: String| Error::DockerConfig { path: path.to_owned(), reason };
        let mut text = Vec::new();
        match tokio::fs::File::open(path).await {
            Ok(file) => file.take(MAX_CONFIG + 1).read_to_end(&mut text).await,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Anonymous),
            Err(error) => Err(error),
        }
        .map_err(|error| failed(format!("{error}; make it readable, or give a user name and password")))?;
        if text.len() as u64 > MAX_CONFIG {
            return Err(failed("larger than 1 MiB; is it Docker's configuration?".into()));
        }
        // The parser's message may quote the text, which holds secrets.
        let config: DockerConfig = serde_json::from_slice(&text).map_err(|error| {
            failed(format!("not JSON as Docker writes it, at line {}; log in again", error.line()))
        })?;

        let names = names(reference.registry());
        let helper = |helper: &String| Error::CredentialHelper {
            path: path.to_owned(),
            registry: reference.registry().to_owned(),
            helper: helper.clone(),
        };
        if let Some(name) = names.iter().find_map(|name| config.cred_helpers.get(name)) {
            return Err(helper(name));
        }
        let Some(auth) = names.iter().find_map(|name| config.auths.get(name)) else {
            return Ok(Self::Anonymous);
        };
        if !auth.identitytoken.is_empty() {
            return Err(failed(format!(
                "{} has an identity token, which is not supported; give a user name and password",
                reference.registry()
            )));
        }
        if auth.auth.is_empty() {
            // A store leaves an empty entry for each registry that it holds secrets of.
            return config.creds_store.as_ref().map_or(Ok(Self::Anonymous), |store| Err(helper(store)));
        }
        let decoded = STANDARD.decode(&auth.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((username, password)) => Ok(Self::Basic {
                username: username.to_owned(),
                password: password.trim_end_matches('\0').to_owned(),
            }),
            None => Err(failed(format!(
                "the entry of {0} is not base64 of user:password; run `docker login {0}` again",
                reference.registry()
            ))),
        }
    }

    /// What these are, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "without credentials",
            Self::Basic { .. } => "with a user name and password",
            Self::Bearer(_) => "with a bearer token",
        }
    }
}

/// The keys under which a registry may stand.
fn names(registry: &str) -> Vec<String> {
    let mut names = vec![registry.to_owned()];
    if registry == DOCKER_HUB {
        names.push("https://index.docker.io/v1/".into());
    }
    for scheme in ["https", "http"] {
        names.extend(["", "/", "/v1/", "/v2/"].map(|path| format!("{scheme}://{registry}{path}")));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(config: &str, registry: &str) -> Result<Credentials, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, config).unwrap();
        let reference = Reference::parse(&format!("{registry}/team/plugin:1")).unwrap();
        Credentials::from_docker_config(&path, &reference).await
    }

    fn basic(username: &str, password: &str) -> Credentials {
        Credentials::Basic { username: username.into(), password: password.into() }
    }

    #[tokio::test]
    async fn the_entry_of_the_registry_is_taken() {
        let config = r#"{"auths": {
            "ghcr.io": {"auth": "YW5uOnNlY3JldDp4"},
            "https://index.docker.io/v1/": {"auth": "Ym9iOnB3"}}}"#;
        assert_eq!(read(config, "ghcr.io").await.unwrap(), basic("ann", "secret:x"));
        assert_eq!(read(config, "docker.io").await.unwrap(), basic("bob", "pw"));
        assert_eq!(read(config, "quay.io").await.unwrap(), Credentials::Anonymous);
    }

    #[tokio::test]
    async fn without_a_file_nobody_asks() {
        let directory = tempfile::tempdir().unwrap();
        let reference = Reference::parse("ghcr.io/team/plugin:1").unwrap();
        let path = directory.path().join("config.json");
        assert_eq!(Credentials::from_docker_config(&path, &reference).await.unwrap(), Credentials::Anonymous);
    }

    #[tokio::test]
    async fn helpers_are_refused_only_where_they_hold_the_secret() {
        let config =
            r#"{"auths": {"ghcr.io": {}}, "credsStore": "desktop", "credHelpers": {"quay.io": "pass"}}"#;
        for (registry, name) in [("ghcr.io", "desktop"), ("quay.io", "pass")] {
            let error = read(config, registry).await.unwrap_err();
            assert!(matches!(&error, Error::CredentialHelper { helper, .. } if helper == name), "{error}");
        }
        assert_eq!(read(config, "other.io").await.unwrap(), Credentials::Anonymous);
    }

    #[tokio::test]
    async fn broken_files_are_refused_without_their_content() {
        for config in
            [r#"{"auths": {"ghcr.io": {"auth": "%%%secret"}}}"#, r#"{"auths": {"ghcr.io": "secret"}}"#]
        {
            let error = read(config, "ghcr.io").await.unwrap_err().to_string();
            assert!(error.contains("config.json") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let text = format!("{:?} {:?}", basic("ann", "hush"), Credentials::Bearer("hush".into()));
        assert!(!text.contains("hush"), "{text}");
    }
}
