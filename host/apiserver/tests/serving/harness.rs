//! A running server with a handler that does as the path says, and clients for it.

use bytes::Bytes;
use chainplate_apiserver::{
    Body, BoxFuture, GenericServer, Handler, RequestBody, RequestContext, ServerError, ShutdownTrigger,
    authz::{Attributes, Authorizer, Decision, Verdict},
    options::Options,
    response::{json_response, status_response, text},
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::Semaphore, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) const ROOT: &str = "root-token";
pub(crate) const ALICE: &str = "alice-token";

/// Answers by the object's name: `echo`, `hang`, `panic`, `warn`, `read`, or a watch.
#[derive(Debug)]
pub(crate) struct TestHandler {
    /// A permit for each request that hangs.
    pub(crate) entered: Semaphore,
    /// Each permit lets one hanging request go on.
    pub(crate) release: Semaphore,
}

impl Handler for TestHandler {
    fn handle(
        self: Arc<Self>,
        request: Request<RequestBody>,
        context: RequestContext,
    ) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let name = context.info.name.as_str();
            match name {
                _ if context.info.verb == chainplate_apimachinery::request::Verb::Watch => watch(context),
                "panic" => panic!("as asked"),
                "panic-later" => Response::new(
                    StreamBody::new(futures_util::stream::poll_fn(|_| panic!("as asked"))).boxed_unsync(),
                ),
                "hang" => {
                    self.entered.add_permits(1);
                    self.release.acquire().await.expect("open").forget();
                    text(StatusCode::OK, "released")
                }
                "warn" => {
                    context.warnings.add("old");
                    text(StatusCode::OK, "warned")
                }
                "read" => match request.into_body().collect_bounded(RequestBody::LIMIT).await {
                    Ok(bytes) => text(StatusCode::OK, bytes.len().to_string()),
                    Err(status) => status_response(&status),
                },
                _ => echo(&request, &context),
            }
        })
    }
}

/// One line at once, and the end when the server shuts down.
fn watch(mut context: RequestContext) -> Response<Body> {
    let first = futures_util::stream::once(async { Ok(Frame::data(Bytes::from_static(b"{}\n"))) });
    let end = futures_util::stream::once(async move {
        context.shutdown.wait_for(|ends| *ends).await.expect("server");
        Ok(Frame::data(Bytes::from_static(b"end\n")))
    });
    Response::new(StreamBody::new(futures_util::StreamExt::chain(first, end)).boxed_unsync())
}

fn echo(request: &Request<RequestBody>, context: &RequestContext) -> Response<Body> {
    let headers: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
    let mut response = json_response(
        StatusCode::OK,
        &json!({
            "user": context.user.name,
            "groups": context.user.groups,
            "resource": context.info.resource,
            "verb": context.info.verb.as_str(),
            "headers": headers,
            "audit": &*context.audit_id,
        }),
    );
    *response.version_mut() = request.version();
    response
}

/// Alice may do all but touch secrets.
#[derive(Debug)]
struct AliceRules;

impl Authorizer for AliceRules {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        let allowed = attributes.user.name == "alice" && attributes.info.resource != "secrets";
        let decision = if allowed { Decision::Allow } else { Decision::NoOpinion };
        Box::pin(std::future::ready(Ok(Verdict::silent(decision))))
    }
}

/// A server that runs in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) directory: TempDir,
    pub(crate) trigger: ShutdownTrigger,
    pub(crate) handler: Arc<TestHandler>,
    pub(crate) task: JoinHandle<Result<(), ServerError>>,
}

impl Server {
    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::start_with(args, |server| server).await
    }

    pub(crate) async fn start_with(args: &[&str], edit: impl FnOnce(GenericServer) -> GenericServer) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let handler = Arc::new(TestHandler { entered: Semaphore::new(0), release: Semaphore::new(0) });
        let server = edit(assemble(directory.path(), args, handler.clone()));
        let prepared = server.prepare().await.expect("prepares");
        let trigger = ShutdownTrigger::new();
        let address = prepared.local_address();
        let task = tokio::spawn(prepared.run(trigger.clone()));
        Self { address, directory, trigger, handler, task }
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.directory.path().join("certs").join(name)).expect(name)
    }

    /// The administrator's certificate and key.
    pub(crate) fn admin(&self) -> (Vec<u8>, Vec<u8>) {
        (self.file("admin.crt"), self.file("admin.key"))
    }

    pub(crate) async fn tls(&self, h2: bool, identity: Option<(Vec<u8>, Vec<u8>)>) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("connects");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.file("ca.crt")).expect("CA")).expect("CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(
                    CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().expect("chain"),
                    PrivateKeyDer::from_pem_slice(&key).expect("key"),
                )
                .expect("identity"),
        };
        config.alpn_protocols = vec![if h2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let name = ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("handshake")
    }

    pub(crate) async fn http1(&self) -> Client {
        self.client(false, None).await
    }

    pub(crate) async fn http2(&self) -> Client {
        self.client(true, None).await
    }

    pub(crate) async fn client(&self, h2: bool, identity: Option<(Vec<u8>, Vec<u8>)>) -> Client {
        let io = TokioIo::new(self.tls(h2, identity).await);
        if h2 {
            let (sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2");
            tokio::spawn(connection);
            Client::Http2(sender)
        } else {
            let (sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("h1");
            tokio::spawn(connection);
            Client::Http1(sender)
        }
    }

    /// Pulls the trigger and waits for the end.
    pub(crate) async fn stop(self) -> Result<(), ServerError> {
        self.trigger.initiate();
        self.task.await.expect("the server does not panic")
    }
}

pub(crate) fn assemble(directory: &Path, args: &[&str], handler: Arc<TestHandler>) -> GenericServer {
    let tokens = directory.join("tokens.csv");
    std::fs::write(&tokens, format!("{ROOT},root,0,system:masters\n{ALICE},alice,1,devs\nbob-token,bob,2\n"))
        .expect("tokens");
    let mut all = vec![
        "--bind-address=127.0.0.1".to_owned(),
        format!("--token-auth-file={}", tokens.display()),
        format!("--data-dir={}", directory.display()),
    ];
    all.extend(args.iter().map(|&arg| arg.to_owned()));
    if !args.iter().any(|arg| arg.starts_with("--secure-port")) {
        all.push("--secure-port=0".to_owned());
    }
    let options = Options::from_args(all).expect("arguments").complete();
    options.validate().expect("valid");
    GenericServer::new(options, handler).with_authorizer(Arc::new(AliceRules))
}

/// A connection.
pub(crate) enum Client {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

pub(crate) fn request(method: &str, path: &str, token: Option<&str>) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "localhost");
    if let Some(token) = token {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    builder.body(Full::default()).expect("request")
}

impl Client {
    pub(crate) async fn start(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Client::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Client::Http2(sender) => {
                request.headers_mut().remove("host");
                let path = request.uri().to_string();
                *request.uri_mut() = format!("https://localhost{path}").parse().expect("URI");
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.start(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            code: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }

    pub(crate) async fn get(&mut self, path: &str, token: Option<&str>) -> Answer {
        self.send(request("GET", path, token)).await
    }
}

/// Where the handler's objects are.
pub(crate) fn object(name: &str) -> String {
    format!("/api/v1/namespaces/x/configmaps/{name}")
}
