//! What goes wrong with registries and signatures.

use crate::Digest;
use std::path::PathBuf;

/// What goes wrong with registries and signatures. Messages name the artefact and the next step, and hold no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text names no artefact.
    #[error("{text:?} names no artefact: {reason}")]
    Reference {
        /// What was given, cut at 300 characters.
        text: String,
        /// What is wrong with it, and what is wanted.
        reason: &'static str,
    },
    /// The text is no digest.
    #[error("{text:?} is no digest; sha256: and 64 hexadecimal digits in lower case are wanted")]
    Digest {
        /// What was given, cut at 100 characters.
        text: String,
    },
    /// A digest was given where something is to be named.
    #[error(
        "{reference} cannot be pushed to a digest, which follows from the content; name it with a :tag alone"
    )]
    PushToDigest {
        /// The artefact.
        reference: String,
    },
    /// The bytes are no component.
    #[error("not a WebAssembly component: {0}; build it for the target wasm32-wasip2")]
    NotAComponent(String),
    /// The registry could not be reached or broke off.
    #[error("{host}: {reason}; check the registry's name, the network and its certificate")]
    Connection {
        /// Host and port.
        host: String,
        /// Why.
        reason: String,
    },
    /// An address without TLS that is not on the loopback interface.
    #[error("{host} would be spoken to without TLS; use https, or allow plain HTTP for this registry")]
    PlainHttp {
        /// Host and port.
        host: String,
    },
    /// The certificates that were given cannot be read.
    #[error("the certificates given for registries: {0}; a file of PEM certificates is wanted")]
    Certificates(String),
    /// The registry wants to know who asks, or does not know it.
    #[error(
        "{reference}: the registry refuses the request as not authorised ({credentials}); log in with `docker login {registry}` \
         or give a user name and password"
    )]
    Unauthorized {
        /// The artefact.
        reference: String,
        /// The registry.
        registry: String,
        /// Which kind of credentials was sent.
        credentials: &'static str,
    },
    /// The registry knows who asks, and refuses.
    #[error(
        "{reference}: the registry denies access: {message}; ask for the right to {action} in this repository"
    )]
    Denied {
        /// The artefact.
        reference: String,
        /// What the registry says.
        message: String,
        /// `pull` or `push`.
        action: &'static str,
    },
    /// No such artefact.
    #[error(
        "{reference}: not found in the registry; check repository and tag (private ones are hidden from strangers)"
    )]
    NotFound {
        /// The artefact.
        reference: String,
    },
    /// Another answer than the specification's.
    #[error("{reference}: {step}: the registry answers {status}: {message}")]
    Registry {
        /// The artefact.
        reference: String,
        /// What was asked.
        step: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the registry says, cut at 300 characters.
        message: String,
    },
    /// An answer that cannot be understood.
    #[error("{reference}: the registry's answer is malformed: {reason}")]
    Malformed {
        /// The artefact.
        reference: String,
        /// What is wrong.
        reason: String,
    },
    /// The artefact is no plugin in the standard layout.
    #[error(
        "{reference} is no WebAssembly artefact: {reason}; push it with `chainplate plugin push` or `wkg oci push`"
    )]
    Layout {
        /// The artefact.
        reference: String,
        /// What is there instead.
        reason: String,
    },
    /// Content whose digest is not the one it was asked for by.
    #[error(
        "{reference}: the {what} has digest {found}, not {expected}: it was changed, damaged, or the pin is of another \
         version; do not use it before you know which"
    )]
    DigestDiffers {
        /// The artefact.
        reference: String,
        /// `manifest` or `content`.
        what: &'static str,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// More than the caller takes.
    #[error("{reference}: the {what} is larger than {limit} bytes; raise the limit if that is meant")]
    TooLarge {
        /// The artefact, or the address of what was read.
        reference: String,
        /// What is too large.
        what: &'static str,
        /// The bound, in bytes.
        limit: u64,
    },
    /// Docker's configuration cannot be used.
    #[error("{}: {reason}", path.display())]
    DockerConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Docker's configuration leaves the secrets to a program.
    #[error(
        "{}: credentials of {registry} are kept by the helper docker-credential-{helper}, which is not supported; give a user \
         name and password, or log in with a configuration without helper (DOCKER_CONFIG=<directory> docker login {registry})",
        path.display()
    )]
    CredentialHelper {
        /// The file.
        path: PathBuf,
        /// The registry.
        registry: String,
        /// The helper's short name.
        helper: String,
    },
    /// A key cannot be used.
    #[error("{kind} key: {reason}")]
    Key {
        /// `public` or `private`.
        kind: &'static str,
        /// What is wrong and what is wanted.
        reason: String,
    },
    /// A signature that is none, or not of this content and key.
    #[error("the signature does not match: {0}; the content was changed, or it was signed with another key")]
    BadSignature(&'static str),
    /// Nobody signed the artefact in the way that is looked for.
    #[error(
        "{reference} is not signed: there is no {tag}; sign it with `chainplate plugin push --sign` or `cosign sign --key` (from \
         version 3 with --new-bundle-format=false --use-signing-config=false)"
    )]
    NotSigned {
        /// The artefact.
        reference: String,
        /// The tag at which signatures are looked for.
        tag: String,
    },
    /// One signature more than are looked at.
    #[error(
        "{reference} has {limit} signatures, and more are not looked at; remove the tag {tag} from the registry and sign again"
    )]
    TooManySignatures {
        /// The artefact.
        reference: String,
        /// The tag at which the signatures are.
        tag: String,
        /// The bound.
        limit: usize,
    },
    /// There are signatures, and none counts.
    #[error(
        "{reference}: none of {count} signatures counts: {reason}; have it signed by the owner of a trusted key"
    )]
    Untrusted {
        /// The artefact.
        reference: String,
        /// How many were looked at.
        count: usize,
        /// Why the last of them does not count.
        reason: &'static str,
    },
    /// Work was not finished, since the program ends.
    #[error("the program is shutting down")]
    Shutdown,
}
