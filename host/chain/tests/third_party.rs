//! A chain with somebody else's component: how it is called, and what it may ask of services outside, which are on this
//! machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, UserInfo},
};
use chainplate_chain::{Answer, Body, Chain, Host, Metrics, Request, config::ServerChainConfiguration};
use chainplate_plan::Plan;
use chainplate_storage::Store;
use futures_util::FutureExt;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Longest wait for anything that should happen soon.
const SOON: Duration = Duration::from_secs(30);

/// The fetching component, built for these tests.
fn fetcher() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../components");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&root).args(["build", "--locked", "--quiet", "--profile", "component"]);
        cargo.args(["--target", "wasm32-wasip2", "-p", "fetcher", "--target-dir"]).arg(&target);
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_") || name.starts_with("RUSTC") || name == "RUSTFLAGS" {
                cargo.env_remove(name);
            }
        }
        assert!(cargo.status().unwrap().success(), "the test component does not build");
        target.join("wasm32-wasip2/component/fetcher.wasm")
    })
}

/// Held while the component is loaded: the first test compiles it for the others.
static LOADING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A chain of the fetching component alone.
struct Server {
    chain: Arc<Chain>,
    metrics: Metrics,
}

impl Server {
    /// `grants` beside that for its path, and `limits`, as in the configuration file in flow style.
    async fn start(grants: &str, limits: &str) -> Self {
        Self::load(grants, &format!("limits: {{{limits}}}")).await.unwrap()
    }

    async fn load(grants: &str, rest: &str) -> Result<Self, String> {
        let wasm = fetcher().display().to_string();
        let component = format!(
            "name: fetcher, source: {{path: {wasm:?}}}, grants: {{paths: [/fetch], {grants}}}, {rest}"
        );
        let text = format!(
            "{{apiVersion: chainplate.dev/v1alpha1, kind: ServerChainConfiguration, components: [{{{component}}}]}}"
        );
        let configuration =
            ServerChainConfiguration::parse("test", &text).map_err(|error| error.to_string())?;
        let metrics = Metrics::default();
        let store = Store::open(Default::default()).await.unwrap();
        // One directory for all tests, so that the component is compiled once.
        let code_cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outbound-code");
        let host = Host::new(store, |_| None, code_cache, metrics.clone());
        let one_at_a_time = LOADING.lock().await;
        let chain = Chain::load(&configuration, &host, false).await.map_err(|error| error.to_string())?;
        drop(one_at_a_time);
        chain.prepare().await.map_err(|error| error.to_string())?;
        Ok(Self { chain, metrics })
    }

    async fn fetch(&self, url: &str) -> Result<(u16, Bytes), Status> {
        self.send("/fetch", url, "").await
    }

    async fn send(&self, path: &str, url: &str, body: &str) -> Result<(u16, Bytes), Status> {
        let request = Request {
            info: Arc::new(RequestInfo::parse("POST", path, "").unwrap()),
            query: url.to_owned(),
            headers: http::HeaderMap::new(),
            user: Arc::new(UserInfo::default()),
            audit_id: String::new(),
            deadline: None,
            body: Body::ready(body.to_owned()),
            warn: Arc::new(|_| {}),
            annotate: Arc::new(|_, _| {}),
            depth: 0,
        };
        match tokio::time::timeout(SOON, self.chain.handle(request)).await.unwrap() {
            Answer::Plan(execution, _) => match execution.plan {
                Plan::Bytes { code, body, .. } => Ok((code, body)),
                other => panic!("{other:?}"),
            },
            Answer::Status(status) => Err(status),
            Answer::NotFound | Answer::NotInstalled => panic!("{path} is not served"),
        }
    }

    async fn code(&self, url: &str) -> u16 {
        match self.fetch(url).await {
            Ok((code, _)) => code,
            Err(status) => status.code(),
        }
    }

    /// Requests to the outside, by what came of them.
    fn counted(&self, outcome: &str) -> u64 {
        self.metric(&format!(
            "chainplate_plugin_outbound_requests_total{{plugin=\"fetcher\",outcome=\"{outcome}\"}}"
        ))
    }

    fn metric(&self, series: &str) -> u64 {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |count| count.trim().parse().unwrap())
    }
}

/// A service that answers every connection's first request with `answer`, and tells what it was sent.
async fn service(answer: &'static str) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, asked.clone()));
        }
    });
    (port, requests)
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &'static str,
    asked: mpsc::UnboundedSender<String>,
) {
    let _ = asked.send(read_request(&mut stream).await);
    // A client may have seen enough.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Reads a request with its body, as far as `Content-Length` says.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
        }
    }
}

/// A service that leaves its answers to the test: each connection, once its request was read.
async fn manual_service() -> (u16, mpsc::UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let _ = asked.send(stream);
        }
    });
    (port, requests)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A component yields to others when it computes for long, not because it had nothing to do for long.
#[tokio::test]
async fn an_instance_that_waited_for_work_does_it_at_once() {
    let server = Server::start("", "").await;
    let plugin = &server.chain.plugins()[0];
    for _ in 0..20 {
        server.chain.health(plugin).await.unwrap();
        tokio::time::sleep(3 * chainplate_engine::EPOCH).await;
        // The machine may be busy with something else for longer than an epoch: not each time.
        if server.chain.health(plugin).now_or_never().is_some() {
            return;
        }
    }
    panic!("each call began with a pause");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_service_answers() {
    let (port, mut requests) = service(OK).await;
    let server =
        Server::start(&format!("outbound: ['http://127.0.0.1:{port}', 'http://localhost:{port}']"), "").await;
    let got = server.fetch(&format!("http://127.0.0.1:{port}/a?b=c")).await.unwrap();
    assert_eq!(got, (200, Bytes::from_static(b"ok")));
    let asked = requests.recv().await.unwrap();
    assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{asked}");

    let body = "x".repeat(10_000);
    server.send("/fetch/post", &format!("http://localhost:{port}"), &body).await.unwrap();
    let asked = requests.recv().await.unwrap();
    assert!(asked.starts_with("POST / HTTP/1.1\r\n") && asked.ends_with(&body), "{asked}");
    assert!(asked.contains("content-length: 10000\r\n") && !asked.contains("transfer-encoding"), "{asked}");

    server.fetch(&format!("http://127.0.0.1:{port}?b=c")).await.unwrap();
    let asked = requests.recv().await.unwrap();
    assert!(asked.starts_with("GET /?b=c HTTP/1.1\r\n"), "{asked}");
    assert_eq!(server.counted("2xx"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_refused_before_anything_is_sent() {
    let (port, mut requests) = service(OK).await;
    let url = format!("http://127.0.0.1:{port}/");
    for grants in [
        String::new(),
        format!("outbound: ['https://127.0.0.1:{port}']"),
        "outbound: ['http://127.0.0.1']".to_owned(),
        format!("outbound: ['http://localhost:{port}']"),
    ] {
        let server = Server::start(&grants, "").await;
        let refused = server.fetch(&url).await.unwrap_err();
        assert_eq!(refused.code(), 500, "{grants}");
        assert!(refused.message().contains("grants.outbound"), "{refused}");
        assert_eq!((server.counted("denied"), server.counted("2xx")), (1, 0), "{grants}");
    }
    // The name's parent is not below the star; nor may a name lead inside (the C library reads 127.1 as 127.0.0.1).
    let grants = format!("outbound: ['http://*.localhost:{port}', 'http://127.1:{port}']");
    let server = Server::start(&grants, "").await;
    for host in ["localhost", "127.1"] {
        let refused = server.fetch(&format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(refused.message().contains("refused by the host"), "{host}: {refused}");
    }
    assert_eq!(server.counted("denied"), 2);
    assert!(requests.try_recv().is_err(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_header_is_the_hosts() {
    let (port, mut requests) = service(OK).await;
    let server = Server::start(&format!("outbound: ['http://127.0.0.1:{port}']"), "").await;
    let refused =
        server.send("/fetch/as-another-host", &format!("http://127.0.0.1:{port}/"), "").await.unwrap_err();
    assert!(refused.message().contains("\"host\" cannot be sent"), "{refused}");
    assert!(requests.try_recv().is_err(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_answers() {
    let (port, mut requests) =
        service("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n").await;
    let server = Server::start(&format!("outbound: ['http://127.0.0.1:{port}']"), "").await;
    assert_eq!(server.fetch(&format!("http://127.0.0.1:{port}/")).await.unwrap().0, 302);
    requests.recv().await.unwrap();
    assert!(requests.try_recv().is_err(), "nobody followed it");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_limit_end_there_both_ways() {
    let limits = "outboundBytes: 16";
    for (answer, code) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef", 200),
        ("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefg", 502),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", 200),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n", 502),
        ("HTTP/1.1 200 OK\r\n\r\n0123456789abcdefg", 502),
    ] {
        let (port, _requests) = service(answer).await;
        let server = Server::start(&format!("outbound: ['http://127.0.0.1:{port}']"), limits).await;
        match server.fetch(&format!("http://127.0.0.1:{port}/")).await {
            Ok((answered, _)) => assert_eq!(answered, code, "{answer}"),
            Err(status) => {
                assert_eq!(status.code(), code, "{answer}");
                assert!(
                    status.message().contains("the answer is larger than the limit"),
                    "{answer}: {status}"
                );
            }
        }
    }
    let (port, _requests) = service(OK).await;
    let server = Server::start(&format!("outbound: ['http://127.0.0.1:{port}']"), limits).await;
    let url = format!("http://127.0.0.1:{port}/");
    assert!(server.send("/fetch/post", &url, &"x".repeat(16)).await.is_ok());
    let refused = server.send("/fetch/post", &url, &"x".repeat(17)).await.unwrap_err();
    assert!(refused.code() == 502 && refused.message().contains("the request is larger"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_service_costs_the_call_and_its_instance_and_the_connection_goes() {
    let (port, mut requests) = manual_service().await;
    let server = Server::start(&format!("outbound: ['http://127.0.0.1:{port}']"), "timeoutSeconds: 1").await;
    let url = format!("http://127.0.0.1:{port}/");
    let slow = server.fetch(&url).await.unwrap_err();
    assert!(slow.code() == 504 && slow.message().contains("did not answer within 1s"), "{slow}");
    assert_eq!(server.metric("chainplate_plugin_timeouts_total{plugin=\"fetcher\"}"), 1);
    assert_eq!(server.metric("chainplate_plugin_instances{plugin=\"fetcher\"}"), 0);
    let mut stream = requests.recv().await.unwrap();
    let gone = tokio::time::timeout(SOON, stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(gone, Ok(0) | Err(_)), "{gone:?}");

    let (answered, ()) = tokio::join!(server.fetch(&url), async {
        requests.recv().await.unwrap().write_all(OK.as_bytes()).await.unwrap();
    });
    assert_eq!(answered.unwrap().0, 200, "the next instance is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_waits_less_is_told_and_goes_on() {
    let (port, mut requests) = manual_service().await;
    let server = Server::start(&format!("outbound: ['http://127.0.0.1:{port}']"), "").await;
    let url = format!("http://127.0.0.1:{port}/");
    let slow = server.send("/fetch/briefly", &url, "").await.unwrap_err();
    assert!(slow.code() == 504 && slow.message().contains("no answer in time"), "{slow}");
    // The head in time, the body not.
    let (cut, _stream) = tokio::join!(server.send("/fetch/briefly", &url, ""), async {
        drop(requests.recv().await.unwrap());
        let mut stream = requests.recv().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no").await.unwrap();
        stream
    });
    assert_eq!(cut.unwrap_err().code(), 504);
    assert_eq!((server.counted("timeout"), server.counted("2xx")), (1, 1));
    assert_eq!(server.metric("chainplate_plugin_timeouts_total{plugin=\"fetcher\"}"), 0);
    assert_eq!(server.metric("chainplate_plugin_instances{plugin=\"fetcher\"}"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_the_limit_are_told_to_come_again() {
    let (port, mut requests) = manual_service().await;
    let grants = format!("outbound: ['http://127.0.0.1:{port}']");
    let server = Arc::new(Server::start(&grants, "outboundRequests: 1").await);
    let url = format!("http://127.0.0.1:{port}/");
    let first = tokio::spawn({
        let (server, url) = (Arc::clone(&server), url.clone());
        async move { server.fetch(&url).await.unwrap().0 }
    });
    let mut stream = requests.recv().await.unwrap();
    let refused = server.fetch(&url).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after_seconds()), (503, Some(1)), "{refused}");
    assert_eq!(server.counted("limited"), 1);
    stream.write_all(OK.as_bytes()).await.unwrap();
    assert_eq!(first.await.unwrap(), 200);
    // What was read to its end counts no more, at once.
    for _ in 0..20 {
        let (answered, ()) = tokio::join!(server.code(&url), async {
            requests.recv().await.unwrap().write_all(OK.as_bytes()).await.unwrap();
        });
        assert_eq!(answered, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_or_speaks_no_http_is_told() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (port, _requests) = service("no HTTP\r\n\r\n").await;
    let (cut, _cut_requests) = service("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok").await;
    let grants = [gone, port, cut].map(|port| format!("'http://127.0.0.1:{port}'")).join(", ");
    let server = Server::start(&format!("outbound: [{grants}, 'http://nowhere.invalid']"), "").await;
    for (url, code, said) in [
        (format!("http://127.0.0.1:{gone}/"), 503, "refused"),
        ("http://nowhere.invalid/".to_owned(), 503, "the name is not known"),
        (format!("http://127.0.0.1:{port}/"), 502, "no HTTP"),
        (format!("http://127.0.0.1:{cut}/"), 502, "incomplete"),
    ] {
        let status = server.fetch(&url).await.unwrap_err();
        assert!(status.code() == code && status.message().contains(said), "{url}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_granted_authorities_alone() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (right, wrong) = (file("right.pem", made.cert.pem()), file("wrong.pem", other.cert.pem()));
    let empty = file("empty.pem", String::new());
    let (port, mut requests) = tls_service(&made).await;
    let load = async |ca: &str| {
        let grants = format!("outbound: ['https://localhost:{port}']");
        Server::load(&grants, &format!("outboundCAFile: {ca:?}")).await
    };
    let url = format!("https://localhost:{port}/");

    let server = load(&right).await.unwrap();
    assert_eq!(server.fetch(&url).await.unwrap().0, 200);
    assert!(requests.recv().await.unwrap().starts_with("GET / HTTP/1.1\r\n"));
    let server = load(&wrong).await.unwrap();
    let status = server.fetch(&url).await.unwrap_err();
    assert!(status.code() == 503 && status.message().contains("certificate is not trusted"), "{status}");
    for (ca, said) in [(empty.as_str(), "no certificate"), ("/nowhere/ca.pem", "/nowhere/ca.pem")] {
        let refused = load(ca).await.err().unwrap();
        assert!(refused.contains("outboundCAFile") && refused.contains(said), "{refused}");
    }
}

async fn tls_service(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> (u16, mpsc::UnboundedReceiver<String>) {
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let configuration =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(configuration));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Some tests' clients do not like the certificate.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(stream, OK, asked.clone()));
            }
        }
    });
    (port, requests)
}
