//! Every fault of the options, at once. Bounds are those of upstream's `server_run_options.go` and
//! `validation.go`.

use super::{Cidr, CompletedOptions};
use crate::{authz::AlwaysAllowPaths, duration::GoDuration, tls};
use std::{collections::BTreeSet, fs::File, path::Path};

/// One fault of the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag}={value}: {problem}; {next}")]
pub struct OptionError {
    /// The flag, `--secure-port`.
    pub flag: &'static str,
    /// What was given.
    pub value: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub next: String,
}

#[derive(Default)]
struct Faults(Vec<OptionError>);

impl Faults {
    fn add(
        &mut self,
        flag: &'static str,
        value: impl ToString,
        problem: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.0.push(OptionError {
            flag,
            value: value.to_string(),
            problem: problem.into(),
            next: next.into(),
        });
    }

    fn not_negative(&mut self, flag: &'static str, value: i64) {
        if value < 0 {
            self.add(flag, value, "must not be negative", "give 0 or more");
        }
    }

    fn duration(&mut self, flag: &'static str, value: GoDuration, least: GoDuration) {
        if value < least {
            self.add(
                flag,
                value,
                format!("must be at least {least}"),
                "give a longer duration, such as 1m0s",
            );
        }
    }

    fn readable(&mut self, flag: &'static str, path: Option<&Path>) {
        let Some(path) = path else { return };
        let problem = match File::open(path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_dir() => "is a directory".to_owned(),
            Ok(_) => return,
            Err(error) => format!("cannot be read: {error}"),
        };
        self.add(flag, path.display(), problem, "name a file that this user may read");
    }
}

pub(super) fn validate(options: &CompletedOptions) -> Result<(), Vec<OptionError>> {
    let mut faults = Faults::default();
    generic(options, &mut faults);
    serving(options, &mut faults);
    storage(options, &mut faults);
    authentication(options, &mut faults);
    for path in &options.given.authorization.authorization_always_allow_paths {
        if let Err(error) = AlwaysAllowPaths::new([path]) {
            faults.add(
                "--authorization-always-allow-paths",
                path,
                error.to_string(),
                "put a * at the end only",
            );
        }
    }
    chainplate(options, &mut faults);
    if faults.0.is_empty() { Ok(()) } else { Err(faults.0) }
}

fn generic(options: &CompletedOptions, faults: &mut Faults) {
    let generic = &options.given.generic;
    let zero = GoDuration::seconds(0);
    if options.advertise_address.is_unspecified() {
        faults.add(
            "--advertise-address",
            options.advertise_address,
            "no client can dial an unspecified address",
            "give the address that clients reach this server at",
        );
    }
    // Upstream: shorter timeouts would cut off requests that are merely slow.
    faults.duration("--request-timeout", generic.request_timeout, GoDuration::seconds(1));
    faults.duration("--shutdown-delay-duration", generic.shutdown_delay_duration, zero);
    faults.duration(
        "--shutdown-watch-termination-grace-period",
        generic.shutdown_watch_termination_grace_period,
        zero,
    );
    faults.duration("--livez-grace-period", generic.livez_grace_period, zero);
    faults.duration("--event-ttl", generic.event_ttl, GoDuration::seconds(1));
    faults.not_negative("--min-request-timeout", generic.min_request_timeout);
    faults.not_negative("--max-requests-inflight", generic.max_requests_inflight);
    faults.not_negative("--max-mutating-requests-inflight", generic.max_mutating_requests_inflight);
    if !(0.0..=0.02).contains(&generic.goaway_chance) {
        faults.add(
            "--goaway-chance",
            generic.goaway_chance,
            "must be between 0 and 0.02",
            "give 0 for a single server, 0.001 behind a load balancer",
        );
    }
    for directive in &generic.strict_transport_security_directives {
        let name = directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(name.as_str(), "max-age" | "includesubdomains" | "preload") {
            faults.add(
                "--strict-transport-security-directives",
                directive,
                "is not a directive of the header",
                "give max-age=SECONDS, includeSubDomains or preload",
            );
        }
    }
    service_ranges(&generic.service_cluster_ip_range, faults);
}

fn storage(options: &CompletedOptions, faults: &mut Faults) {
    let storage = &options.given.storage;
    let zero = GoDuration::seconds(0);
    for server in &storage.etcd_servers {
        if !["http://", "https://"]
            .iter()
            .any(|scheme| server.len() > scheme.len() && server.starts_with(scheme))
        {
            faults.add("--etcd-servers", server, "is no URL of http or https", "give http://127.0.0.1:2379");
        }
    }
    if !storage.etcd_prefix.starts_with('/') || storage.etcd_prefix.len() < 2 {
        let next = "give /registry, or a prefix of your own in the same form";
        faults.add("--etcd-prefix", &storage.etcd_prefix, "must start with a slash and a name", next);
    }
    faults.readable("--etcd-cafile", storage.etcd_cafile.as_deref());
    faults.readable("--etcd-certfile", storage.etcd_certfile.as_deref());
    faults.readable("--etcd-keyfile", storage.etcd_keyfile.as_deref());
    match (&storage.etcd_certfile, &storage.etcd_keyfile) {
        (Some(file), None) => {
            faults.add("--etcd-certfile", file.display(), "has no key", "give --etcd-keyfile, too");
        }
        (None, Some(file)) => {
            faults.add("--etcd-keyfile", file.display(), "has no certificate", "give --etcd-certfile, too");
        }
        _ => {}
    }
    faults.duration("--etcd-compaction-interval", storage.etcd_compaction_interval, zero);
}

fn authentication(options: &CompletedOptions, faults: &mut Faults) {
    let authentication = &options.given.authentication;
    faults.readable("--client-ca-file", authentication.client_ca_file.as_deref());
    faults.readable("--token-auth-file", authentication.token_auth_file.as_deref());
    let signing = authentication.service_account_signing_key_file.as_deref();
    faults.readable("--service-account-signing-key-file", signing);
    for file in &authentication.service_account_key_file {
        faults.readable("--service-account-key-file", Some(file));
    }
    let mut seen = BTreeSet::new();
    for issuer in &authentication.service_account_issuer {
        let url = issuer.contains(':').then(|| issuer.bytes().all(|byte| byte.is_ascii_graphic()));
        let problem = if issuer.is_empty() {
            "is empty"
        } else if url == Some(false) {
            "has a colon and is no URL"
        } else if !seen.insert(issuer) {
            "is given twice"
        } else {
            continue;
        };
        faults.add(
            "--service-account-issuer",
            issuer,
            problem,
            "give an https URL that says who issues the tokens, once",
        );
    }
    let longest = authentication.service_account_max_token_expiration;
    let bounds = GoDuration::seconds(60 * 60)..=GoDuration::seconds(1 << 32);
    if longest != GoDuration::seconds(0) && !bounds.contains(&longest) {
        faults.add(
            "--service-account-max-token-expiration",
            longest,
            "must be between 1 hour and 2^32 seconds",
            "give a duration such as 24h0m0s, or 0s for no limit",
        );
    }
    if let Some(uri) = &authentication.service_account_jwks_uri
        && !is_https(uri)
    {
        let next = "give a URL that starts with https:// and a host";
        faults.add("--service-account-jwks-uri", uri, "is no URL of https", next);
    }
}

/// Whether it is a URL of https, as OpenID demands of issuers and their documents.
pub(crate) fn is_https(url: &str) -> bool {
    let host = |uri: http::Uri| uri.host().is_some_and(|host| !host.is_empty());
    url.starts_with("https://") && url.parse().is_ok_and(host)
}

fn service_ranges(given: &[String], faults: &mut Faults) {
    const FLAG: &str = "--service-cluster-ip-range";
    if given.len() > 2 {
        faults.add(
            FLAG,
            given.join(","),
            "more than two ranges",
            "give one range, or one of each address family",
        );
    }
    let mut parsed = Vec::new();
    for text in given {
        match text.trim().parse::<Cidr>() {
            Err(error) => faults.add(FLAG, text, error.to_string(), "give a range such as 10.0.0.0/24"),
            // 2^20 addresses: the most that upstream's allocator holds.
            Ok(range) if range.host_bits() > 20 => {
                faults.add(FLAG, text, "the range is too large", "give at least /12 for IPv4, /108 for IPv6");
            }
            Ok(range) if range.host_bits() < 3 => {
                faults.add(FLAG, text, "the range has fewer than 8 addresses", "give a shorter prefix");
            }
            Ok(range) => parsed.push(range),
        }
    }
    if let [first, second] = parsed[..]
        && first.base().is_ipv4() == second.base().is_ipv4()
    {
        faults.add(
            FLAG,
            given.join(","),
            "both ranges are of one address family",
            "give one of IPv4 and one of IPv6",
        );
    }
}

fn serving(options: &CompletedOptions, faults: &mut Faults) {
    let serving = &options.given.serving;
    let pair = (serving.tls_cert_file.as_deref(), serving.tls_private_key_file.as_deref());
    let (flag, path, other) = match pair {
        (Some(path), None) => ("--tls-cert-file", path, "--tls-private-key-file"),
        (None, Some(path)) => ("--tls-private-key-file", path, "--tls-cert-file"),
        _ => ("", Path::new(""), ""),
    };
    if !flag.is_empty() {
        faults.add(
            flag,
            path.display(),
            format!("{other} is missing"),
            format!("give {other} as well, or neither"),
        );
    }
    faults.readable("--tls-cert-file", pair.0);
    faults.readable("--tls-private-key-file", pair.1);
    if let Err(error) = tls::protocol_versions(&serving.tls_min_version) {
        faults.add("--tls-min-version", &serving.tls_min_version, error, "give VersionTLS12 or VersionTLS13");
    }
    for suite in &serving.tls_cipher_suites {
        if tls::cipher_suite(suite).is_none() {
            let known = tls::cipher_suite_names().join(", ");
            faults.add("--tls-cipher-suites", suite, "is not known", format!("choose from {known}"));
        }
    }
    let streams = serving.http2_max_streams_per_connection;
    if !(0..=i64::from(i32::MAX)).contains(&streams) {
        faults.add(
            "--http2-max-streams-per-connection",
            streams,
            "is out of range",
            "give 0 for the default or a positive number",
        );
    }
    if options.cert_dir.exists() && !options.cert_dir.is_dir() {
        faults.add(
            "--cert-dir",
            options.cert_dir.display(),
            "is not a directory",
            "name a directory to be made or used",
        );
    }
}

fn chainplate(options: &CompletedOptions, faults: &mut Faults) {
    let chainplate = &options.given.chainplate;
    faults.readable("--chain-config", chainplate.chain_config.as_deref());
    if chainplate.max_connections == 0 {
        faults.add("--max-connections", 0, "would serve nobody", "give at least 1");
    }
    if chainplate.data_dir.exists() && !chainplate.data_dir.is_dir() {
        faults.add(
            "--data-dir",
            chainplate.data_dir.display(),
            "is not a directory",
            "name a directory to be made or used",
        );
    }
}
