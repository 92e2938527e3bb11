//! `chainplate plugin push` and `pull`: plugins in OCI registries.

use anyhow::Context;
use bytes::Bytes;
use chainplate_oci::{
    Access, Annotations, Credentials, DEFAULT_LIMIT, Reference, docker_config_path,
    signature::{self, PrivateKey, PublicKey},
};
use chainplate_plugin_tools::{Component, replace};
use clap::Args;
use std::path::{Path, PathBuf};

/// What to push.
#[derive(Debug, Args)]
pub struct Push {
    /// The component
    file: PathBuf,
    /// Where to: registry.example.com/team/plugin:1.2.0
    reference: String,
    /// File with a private key in PEM (PKCS #8, ECDSA on P-256 or Ed25519): also sign it, as cosign does
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    registry: Registry,
}

/// What to pull.
#[derive(Debug, Args)]
pub struct Pull {
    /// Where from: registry.example.com/team/plugin:1.2.0, or with @sha256:… at the end to have nothing else
    reference: String,
    /// Where to write the component
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// File with a public key in PEM: refuse what that key has not signed
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    #[command(flatten)]
    registry: Registry,
}

/// How to reach the registry. Who asks stands in Docker's configuration (`docker login`).
#[derive(Debug, Args)]
pub(super) struct Registry {
    /// Speak HTTP without TLS; hosts on the loopback interface are always spoken to so
    #[arg(long)]
    plain_http: bool,
    /// File with certificates of authorities in PEM, trusted beside the machine's
    #[arg(long, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
}

impl Registry {
    async fn access(&self, reference: &Reference) -> anyhow::Result<Access> {
        let credentials = match docker_config_path() {
            Some(path) => Credentials::from_docker_config(&path, reference).await?,
            None => Credentials::default(),
        };
        let certificate_authorities = self.certificate_authority.as_deref().map(read).transpose()?;
        Ok(Access { credentials, plain_http: self.plain_http, certificate_authorities })
    }
}

/// Pushes a component, and signs it if that is asked for.
///
/// # Errors
/// A file that is no component, or what the registry refuses.
pub(super) async fn push(it: &Push) -> anyhow::Result<()> {
    let reference = Reference::parse(&it.reference)?;
    let key = it.sign.as_deref().map(read).transpose()?;
    let key = key.map(|pem| PrivateKey::from_pem(&pem)).transpose().context("--sign")?;
    let component = Component::read(&it.file)?;
    let access = it.registry.access(&reference).await?;
    let manifest = component.manifest.as_ref();
    let told = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let annotations = Annotations {
        name: Some(component.name()),
        version: manifest.and_then(|manifest| told(&manifest.version)),
        description: manifest.and_then(|manifest| told(&manifest.description)),
        ..Annotations::default()
    };
    let digest =
        chainplate_oci::push(&reference, Bytes::from(component.bytes), &annotations, &access).await?;
    println!("pushed {}", reference.pinned(&digest));
    if let Some(key) = key {
        signature::sign(&reference, &digest, &key, &access).await?;
        println!("signed {digest}");
    }
    Ok(())
}

/// Pulls a component, verified if that is asked for.
///
/// # Errors
/// What the registry refuses, what is not signed, or what is no component.
pub(super) async fn pull(it: &Pull) -> anyhow::Result<()> {
    let reference = Reference::parse(&it.reference)?;
    let key = it.verify.as_deref().map(read).transpose()?;
    let key = key.map(|pem| PublicKey::from_pem(&pem)).transpose().context("--verify")?;
    let access = it.registry.access(&reference).await?;
    let pulled = chainplate_oci::pull(&reference, DEFAULT_LIMIT, &access).await?;
    if let Some(key) = key {
        signature::verify(&reference, &pulled.digest, &[key], &access).await?;
    }
    // Nothing that no server would take is left under the name.
    let component = Component::from_bytes(&it.output, pulled.wasm.into())?;
    replace(&it.output, &component.bytes)?;
    println!("pulled {} to {}", reference.pinned(&pulled.digest), it.output.display());
    println!("the component's digest, for the chain's configuration: {}", component.digest());
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}
