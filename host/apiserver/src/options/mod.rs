//! The command line: upstream's flag names, meanings and defaults where upstream has them, in named sections.
//!
//! A flag of upstream that means nothing here is not accepted, so that nobody relies on what is not done.

mod complete;
mod network;
#[cfg(test)]
mod tests;
mod validate;

pub use complete::CompletedOptions;
pub use network::Cidr;
pub use validate::OptionError;
pub(crate) use validate::is_https;

use crate::duration::GoDuration;
use clap::{ArgAction, Args, FromArgMatches};
use std::{ffi::OsString, net::IpAddr, path::PathBuf};

/// All options of the server, as given.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Limits and the way down.
    #[command(flatten)]
    pub generic: GenericOptions,
    /// The listening side.
    #[command(flatten)]
    pub serving: ServingOptions,
    /// Where objects are kept.
    #[command(flatten)]
    pub storage: StorageOptions,
    /// Who asks.
    #[command(flatten)]
    pub authentication: AuthenticationOptions,
    /// Who may.
    #[command(flatten)]
    pub authorization: AuthorizationOptions,
    /// What is logged.
    #[command(flatten)]
    pub logging: LoggingOptions,
    /// What upstream does not have.
    #[command(flatten)]
    pub chainplate: ChainplateOptions,
}

impl Options {
    /// Parses arguments without a program name in front: for tests and embedders. A program of its own flattens
    /// `Options` into its parser.
    ///
    /// # Errors
    /// Unknown flags and values that cannot be parsed, as clap tells them.
    pub fn from_args<T: Into<OsString> + Clone>(
        args: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let command = Self::augment_args(clap::Command::new("chainplate").no_binary_name(true));
        Self::from_arg_matches(&command.try_get_matches_from(args)?)
    }
}

/// Section "Generic".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Generic")]
pub struct GenericOptions {
    /// Address that clients and members of the cluster reach this server at; with none, the bind address, or
    /// the address of the default route
    #[arg(long, value_name = "IP")]
    pub advertise_address: Option<IpAddr>,

    /// How long a request may take before it is answered 504. Clients may ask for less with ?timeout=, and
    /// long-running requests such as watches are exempt
    #[arg(long, value_name = "DURATION", default_value = "1m0s", allow_hyphen_values = true)]
    pub request_timeout: GoDuration,

    /// Seconds that a watch stays open at least when it does not say timeoutSeconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, allow_negative_numbers = true)]
    pub min_request_timeout: i64,

    /// Reading requests served at the same time before more are answered 429; 0 for no limit
    #[arg(long, value_name = "COUNT", default_value_t = 400, allow_negative_numbers = true)]
    pub max_requests_inflight: i64,

    /// Writing requests served at the same time before more are answered 429; 0 for no limit
    #[arg(long, value_name = "COUNT", default_value_t = 200, allow_negative_numbers = true)]
    pub max_mutating_requests_inflight: i64,

    /// How long to go on serving after the first signal, while /readyz already fails
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true)]
    pub shutdown_delay_duration: GoDuration,

    /// Keep listening while requests drain, and answer new ones with 429 and Retry-After
    #[arg(long, value_name = "BOOL", default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub shutdown_send_retry_after: bool,

    /// How long to wait for open watches to end while shutting down
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true)]
    pub shutdown_watch_termination_grace_period: GoDuration,

    /// How long after the start /livez forgives post-start hooks that have not finished
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true)]
    pub livez_grace_period: GoDuration,

    /// Directives of the Strict-Transport-Security header; with none, the header is not sent
    #[arg(long, value_name = "DIRECTIVE", value_delimiter = ',')]
    pub strict_transport_security_directives: Vec<String>,

    /// Probability that an HTTP/2 client is told to reconnect after a request, so that load spreads over
    /// several servers: 0 (off) to 0.02
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.0, allow_negative_numbers = true)]
    pub goaway_chance: f64,

    /// Range of cluster IP addresses for Services, in CIDR notation; two for dual stack
    #[arg(long, value_name = "CIDR", value_delimiter = ',', default_value = "10.0.0.0/24")]
    pub service_cluster_ip_range: Vec<String>,

    /// How long Events are kept
    #[arg(long, value_name = "DURATION", default_value = "1h0m0s", allow_hyphen_values = true)]
    pub event_ttl: GoDuration,
}

/// Section "Secure serving".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Secure serving")]
pub struct ServingOptions {
    /// Address to listen on; an unspecified one (0.0.0.0 or ::) means all interfaces
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub bind_address: IpAddr,

    /// Port to serve HTTPS on. Other than upstream's, which cannot be switched off: 0 takes any free port and
    /// writes it to the kubeconfig
    #[arg(long, value_name = "PORT", default_value_t = 6443)]
    pub secure_port: u16,

    /// Directory of the certificates that are made when none are given [default: certs in --data-dir]
    #[arg(long, value_name = "DIRECTORY")]
    pub cert_dir: Option<PathBuf>,

    /// File with the serving certificate in PEM, followed by its intermediates; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub tls_cert_file: Option<PathBuf>,

    /// File with the private key of --tls-cert-file in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_private_key_file: Option<PathBuf>,

    /// Lowest version of TLS: VersionTLS12 or VersionTLS13
    #[arg(long, value_name = "VERSION", default_value = "VersionTLS12")]
    pub tls_min_version: String,

    /// Cipher suites for TLS 1.2, by their IANA names; those of TLS 1.3 are not configurable [default: all]
    #[arg(long, value_name = "SUITE", value_delimiter = ',')]
    pub tls_cipher_suites: Vec<String>,

    /// Streams that a client may have open on one HTTP/2 connection; 0 for the default of 250
    #[arg(long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true)]
    pub http2_max_streams_per_connection: i64,
}

/// Section "Storage".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageOptions {
    /// Endpoints of etcd, scheme://ip:port; with none, objects are kept in --data-dir
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub etcd_servers: Vec<String>,

    /// What all keys in etcd start with
    #[arg(long, value_name = "PREFIX", default_value = "/registry")]
    pub etcd_prefix: String,

    /// File with the authorities that sign etcd's certificates, in PEM
    #[arg(long, value_name = "FILE")]
    pub etcd_cafile: Option<PathBuf>,

    /// File with the client certificate for etcd in PEM
    #[arg(long, value_name = "FILE")]
    pub etcd_certfile: Option<PathBuf>,

    /// File with the private key of --etcd-certfile in PEM
    #[arg(long, value_name = "FILE")]
    pub etcd_keyfile: Option<PathBuf>,

    /// How often history is compacted; what is younger than that can always be listed and watched from, in etcd and
    /// in --data-dir. 0 leaves compaction in etcd to others
    #[arg(long, value_name = "DURATION", default_value = "5m0s", allow_hyphen_values = true)]
    pub etcd_compaction_interval: GoDuration,
}

/// Section "Authentication".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthenticationOptions {
    /// Treat requests without credentials as system:anonymous in the group system:unauthenticated
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub anonymous_auth: bool,

    /// File with certificates of authorities in PEM: a client certificate that one of them signed is
    /// authenticated as its CommonName, in the groups of its Organizations. The authority made on first start
    /// stays trusted beside them. Read again when it changes
    #[arg(long, value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,

    /// File with bearer tokens, one line each: token,user,uid,"group1,group2". Read again when it changes
    #[arg(long, value_name = "FILE")]
    pub token_auth_file: Option<PathBuf>,

    /// What this API is called in tokens: a service account's token must be made for one of them
    /// [default: every --service-account-issuer]
    #[arg(long, value_name = "AUDIENCE", value_delimiter = ',')]
    pub api_audiences: Vec<String>,

    /// Issuer of service account tokens; may be given several times, to change it: the first one issues, all are
    /// accepted. With an https URL the documents of OpenID discovery are served
    /// [default: https://kubernetes.default.svc.cluster.local]
    #[arg(long, value_name = "ISSUER")]
    pub service_account_issuer: Vec<String>,

    /// File with the private key, in PEM, that signs service account tokens: RSA, or ECDSA on P-256 or P-384. Servers
    /// that share etcd need the same [default: sa.key in --cert-dir, made on first start]
    #[arg(long, value_name = "FILE")]
    pub service_account_signing_key_file: Option<PathBuf>,

    /// File with public or private keys, in PEM, that service account tokens are verified with beside the one that
    /// signs; may be given several times
    #[arg(long, value_name = "FILE")]
    pub service_account_key_file: Vec<PathBuf>,

    /// Longest life of a service account token; who asks for more gets that. 0 for no limit, otherwise at least 1h0m0s
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true)]
    pub service_account_max_token_expiration: GoDuration,

    /// Have tokens of projected volumes live for a year, so that clients that do not read them again go on, and
    /// tell of those clients
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub service_account_extend_token_expiration: bool,

    /// Where the discovery document says that the keys are [default: on this server, at its --advertise-address]
    #[arg(long, value_name = "URL")]
    pub service_account_jwks_uri: Option<String>,
}

/// Section "Authorization".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Authorization")]
pub struct AuthorizationOptions {
    /// Paths that everybody may use; one that ends in * stands for all below
    #[arg(long, value_name = "PATH", value_delimiter = ',', default_value = "/healthz,/readyz,/livez")]
    pub authorization_always_allow_paths: Vec<String>,
}

/// Section "Logging".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LoggingOptions {
    /// Verbosity: 0 and 1 what an operator wants to know, 2 and 3 each request, 4 and more debugging
    #[arg(short = 'v', long = "v", value_name = "LEVEL", default_value_t = 0)]
    pub verbosity: u8,
}

/// Section "Chainplate".
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Chainplate")]
pub struct ChainplateOptions {
    /// Directory of everything that is kept
    #[arg(long, value_name = "DIRECTORY", default_value = "chainplate-data")]
    pub data_dir: PathBuf,

    /// File with the ServerChainConfiguration; without one the chain is aggregator, core, apiextensions
    #[arg(long, value_name = "FILE")]
    pub chain_config: Option<PathBuf>,

    /// Where to write the administrator's kubeconfig [default: admin.kubeconfig in --cert-dir]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig_out: Option<PathBuf>,

    /// Connections open at the same time; more wait in the kernel until one closes
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub max_connections: u32,
}
