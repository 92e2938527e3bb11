//! What follows from the options that were given.

use super::{Cidr, OptionError, Options, network, validate};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Options with every default filled in. What could not be understood is kept as given and reported by
/// [`validate`](Self::validate).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompletedOptions {
    /// The options as given.
    pub given: Options,
    /// Where to listen; port 0 for any.
    pub bind: SocketAddr,
    /// The address that others reach this server at.
    pub advertise_address: IpAddr,
    /// Where certificates are kept.
    pub cert_dir: PathBuf,
    /// Where the administrator's kubeconfig goes.
    pub kubeconfig: PathBuf,
    /// This host's name, if it has one.
    pub hostname: Option<String>,
    /// The ranges of cluster IPs that could be parsed, the first one primary.
    pub service_ranges: Vec<Cidr>,
    /// Issuers of service account tokens; the first one issues.
    pub service_account_issuers: Vec<String>,
    /// What tokens for this API are made for.
    pub api_audiences: Vec<String>,
}

/// Upstream has none; this is what its installers give.
const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

impl Options {
    /// Fills in what was not given.
    pub fn complete(self) -> CompletedOptions {
        let bind = SocketAddr::new(self.serving.bind_address, self.serving.secure_port);
        let advertise_address = self.generic.advertise_address.unwrap_or_else(|| {
            if bind.ip().is_unspecified() { network::default_route_address(bind.ip()) } else { bind.ip() }
        });
        let cert_dir =
            self.serving.cert_dir.clone().unwrap_or_else(|| self.chainplate.data_dir.join("certs"));
        let kubeconfig =
            self.chainplate.kubeconfig_out.clone().unwrap_or_else(|| cert_dir.join("admin.kubeconfig"));
        let service_ranges = self
            .generic
            .service_cluster_ip_range
            .iter()
            .filter_map(|text| text.trim().parse().ok())
            .collect();
        let or = |given: &[String], default: &[String]| {
            if given.is_empty() { default.to_vec() } else { given.to_vec() }
        };
        let authentication = &self.authentication;
        let service_account_issuers =
            or(&authentication.service_account_issuer, &[DEFAULT_ISSUER.to_owned()]);
        let api_audiences = or(&authentication.api_audiences, &service_account_issuers);
        CompletedOptions {
            bind,
            advertise_address,
            cert_dir,
            kubeconfig,
            hostname: network::hostname(),
            service_ranges,
            service_account_issuers,
            api_audiences,
            given: self,
        }
    }
}

impl CompletedOptions {
    /// Checks everything and reports all faults at once.
    ///
    /// # Errors
    /// One error for each fault; each names the flag, the value and what to do.
    pub fn validate(&self) -> Result<(), Vec<OptionError>> {
        validate::validate(self)
    }

    /// The cluster IP of the `kubernetes` Service, the first of the range.
    pub fn service_ip(&self) -> Option<IpAddr> {
        self.service_ranges.first().and_then(|range| range.nth(1))
    }

    /// The names that the serving certificate is made for.
    pub fn certificate_names(&self) -> (Vec<String>, Vec<IpAddr>) {
        let mut names: Vec<String> = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec();
        names.extend(self.hostname.clone().filter(|name| name != "localhost"));
        let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let more = [Some(self.bind.ip()), Some(self.advertise_address), self.service_ip()];
        for address in more.into_iter().flatten().filter(|address| !address.is_unspecified()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        (names, addresses)
    }

    /// The host that clients on this machine dial.
    pub fn local_host(&self) -> IpAddr {
        match self.bind.ip() {
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        }
    }

    /// `--request-timeout`.
    pub fn request_timeout(&self) -> Duration {
        self.given.generic.request_timeout.get()
    }

    /// `--min-request-timeout`.
    pub fn min_watch_timeout(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.given.generic.min_request_timeout).unwrap_or(0))
    }

    /// Streams of one HTTP/2 connection; upstream's default is 250.
    pub fn http2_max_streams(&self) -> u32 {
        match u32::try_from(self.given.serving.http2_max_streams_per_connection) {
            Ok(0) | Err(_) => 250,
            Ok(count) => count,
        }
    }
}
