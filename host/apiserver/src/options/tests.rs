use super::*;
use std::time::Duration;

fn parse(args: &[&str]) -> Options {
    Options::from_args(args).expect("arguments parse")
}

#[test]
fn defaults_are_upstreams() {
    let options = parse(&[]).complete();
    assert_eq!(options.bind, "0.0.0.0:6443".parse().expect("address"));
    assert_eq!(options.request_timeout(), Duration::from_secs(60));
    assert_eq!(options.min_watch_timeout(), Duration::from_secs(1800));
    assert_eq!(options.given.generic.max_requests_inflight, 400);
    assert_eq!(options.given.generic.max_mutating_requests_inflight, 200);
    assert!(options.given.authentication.anonymous_auth);
    assert_eq!(options.service_ip(), Some("10.0.0.1".parse().expect("address")));
    assert_eq!(options.http2_max_streams(), 250);
    assert_eq!(options.cert_dir, PathBuf::from("chainplate-data/certs"));
    assert_eq!(options.kubeconfig, PathBuf::from("chainplate-data/certs/admin.kubeconfig"));
    assert!(!options.advertise_address.is_unspecified());
    assert_eq!(options.service_account_issuers, ["https://kubernetes.default.svc.cluster.local"]);
    assert_eq!(options.api_audiences, options.service_account_issuers);
    assert!(options.given.authentication.service_account_extend_token_expiration);
    assert_eq!(options.validate(), Ok(()));
}

#[test]
fn booleans_take_go_forms() {
    for (args, anonymous, retry_after) in [
        (vec!["--anonymous-auth=false"], false, false),
        (vec!["--anonymous-auth", "--shutdown-send-retry-after"], true, true),
        (vec!["--shutdown-send-retry-after=true"], true, true),
    ] {
        let options = parse(&args);
        assert_eq!(options.authentication.anonymous_auth, anonymous, "{args:?}");
        assert_eq!(options.generic.shutdown_send_retry_after, retry_after, "{args:?}");
    }
    assert_eq!(parse(&["-v=4"]).logging.verbosity, 4);
    assert_eq!(parse(&["--v=2"]).logging.verbosity, 2);
}

#[test]
fn unknown_flags_and_bad_durations_are_refused() {
    for args in
        [["--etcd-no-such=x"], ["--request-timeout=60"], ["--secure-port=65536"], ["--bind-address=here"]]
    {
        assert!(Options::from_args(args).is_err(), "{args:?}");
    }
}

#[test]
fn every_fault_is_reported_at_once() {
    let errors = parse(&[
        "--request-timeout=-1s",
        "--etcd-servers=127.0.0.1:2379",
        "--etcd-prefix=registry",
        "--etcd-certfile=/nowhere/etcd.pem",
        "--event-ttl=0s",
        "--max-requests-inflight=-1",
        "--goaway-chance=0.5",
        "--service-cluster-ip-range=10.0.0.0/8",
        "--tls-min-version=VersionTLS11",
        "--tls-cipher-suites=TLS_RSA_WITH_RC4_128_SHA",
        "--tls-cert-file=/nowhere/cert.pem",
        "--token-auth-file=/nowhere/tokens",
        "--service-account-issuer=https://a.example.com",
        "--service-account-issuer=https://a.example.com",
        "--service-account-issuer=",
        "--service-account-signing-key-file=/nowhere/sa.key",
        "--service-account-key-file=/nowhere/sa.pub",
        "--service-account-max-token-expiration=59m",
        "--service-account-jwks-uri=http://a.example.com/keys",
        "--advertise-address=0.0.0.0",
        "--authorization-always-allow-paths=/a*b",
        "--max-connections=0",
    ])
    .complete()
    .validate()
    .expect_err("faults");
    let flags: Vec<&str> = errors.iter().map(|error| error.flag).collect();
    assert_eq!(
        flags,
        [
            "--advertise-address",
            "--request-timeout",
            "--event-ttl",
            "--max-requests-inflight",
            "--goaway-chance",
            "--service-cluster-ip-range",
            "--tls-cert-file",
            "--tls-cert-file",
            "--tls-min-version",
            "--tls-cipher-suites",
            "--etcd-servers",
            "--etcd-prefix",
            "--etcd-certfile",
            "--etcd-certfile",
            "--token-auth-file",
            "--service-account-signing-key-file",
            "--service-account-key-file",
            "--service-account-issuer",
            "--service-account-issuer",
            "--service-account-max-token-expiration",
            "--service-account-jwks-uri",
            "--authorization-always-allow-paths",
            "--max-connections",
        ]
    );
    assert_eq!(
        errors[4].to_string(),
        "--goaway-chance=0.5: must be between 0 and 0.02; give 0 for a single server, 0.001 behind a load balancer"
    );
}

#[test]
fn audiences_are_the_issuers_unless_they_are_given() {
    let issuers = ["--service-account-issuer=https://a.example.com", "--service-account-issuer=b"];
    let options = parse(&issuers).complete();
    assert_eq!(options.api_audiences, ["https://a.example.com", "b"]);
    assert_eq!(options.validate(), Ok(()));
    let options = parse(&[issuers[0], "--api-audiences=api,b"]).complete();
    assert_eq!(options.api_audiences, ["api", "b"]);
    assert_eq!(options.service_account_issuers, ["https://a.example.com"]);
}

#[test]
fn service_ranges_are_checked_as_upstream_does() {
    for (range, fine) in [
        ("10.96.0.0/12", true),
        ("10.96.0.0/11", false),
        ("fd00::/108", true),
        ("fd00::/64", false),
        ("10.0.0.0/24,fd00::/112", true),
        ("10.0.0.0/24,10.1.0.0/24", false),
        ("10.0.0.0/30", false),
        ("10.0.0.0", false),
        ("10.0.0.0/33", false),
    ] {
        let options = parse(&[&format!("--service-cluster-ip-range={range}")]).complete();
        assert_eq!(options.validate().is_ok(), fine, "{range}");
    }
}

#[test]
fn certificates_name_what_clients_dial() {
    let options = parse(&["--bind-address=127.0.0.2", "--advertise-address=10.1.2.3"]).complete();
    let (names, addresses) = options.certificate_names();
    assert!(names.contains(&"kubernetes.default.svc".to_owned()));
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["127.0.0.1", "::1", "127.0.0.2", "10.1.2.3", "10.0.0.1"]);
}

#[test]
fn ranges_give_their_addresses() {
    let range: Cidr = "10.0.0.77/24".parse().expect("range");
    assert_eq!(range.to_string(), "10.0.0.0/24");
    assert_eq!(range.nth(10), Some("10.0.0.10".parse().expect("address")));
    assert_eq!(range.nth(256), None);
}
