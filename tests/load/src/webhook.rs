//! A validating webhook with the rule of the fixture `rule`, in a process of its own: the other way to add a rule, as small
//! as it can be made.

use crate::client::{JSON, Target};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::CertifiedKey;
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    io::{self, Write},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// The subcommand that a webhook's process is started with.
pub(crate) const SUBCOMMAND: &str = "webhook";
/// Where reviews are posted.
pub(crate) const PATH: &str = "/validate?timeout=10s";
/// Largest review that is read: upstream's limit for a request's body, with room for the review around the object.
const LARGEST: usize = 4 << 20;

/// A webhook's process. It ends with this value.
#[derive(Debug)]
pub(crate) struct Webhook {
    /// Kept: it is ended when it is dropped.
    _child: Child,
    url: String,
}

impl Webhook {
    /// Starts the process and waits until it listens, at most `limit`.
    ///
    /// # Errors
    /// It cannot be started, or ends early.
    pub(crate) async fn start(limit: Duration) -> Result<Self> {
        let own = std::env::current_exe().context("where this program is, is not known")?;
        let mut child = Command::new(own)
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the webhook cannot be started")?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        match timeout(limit, lines.next_line()).await.context("the webhook does not listen in time")?? {
            Some(url) => Ok(Self { _child: child, url }),
            None => bail!("the webhook ended instead of listening"),
        }
    }

    /// Prepares to call it.
    ///
    /// # Errors
    /// Its URL cannot be used.
    pub(crate) async fn target(&self, limit: Duration) -> Result<Arc<Target>> {
        Ok(Arc::new(Target::new(&self.url, "none", None, limit).await?))
    }
}

/// Is a webhook: tells its URL on standard output and serves until standard input ends, with whoever started it.
///
/// # Errors
/// It cannot listen.
pub(crate) async fn serve() -> Result<()> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "https://{}", listener.local_addr()?)?;
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(acceptor.clone(), stream));
        }
    };
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    tokio::select! {
        outcome = accept => outcome,
        _ = ended => Ok(()),
    }
}

/// Answers a connection's requests. What goes wrong with it, its client tells.
async fn connection(acceptor: TlsAcceptor, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    if let Ok(stream) = acceptor.accept(stream).await {
        let service = service_fn(answer);
        let _ =
            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = Limited::new(request.into_body(), LARGEST).collect().await;
    let answered = body.map_err(|error| error.to_string()).and_then(|body| review(&body.to_bytes()));
    let (status, body) = match answered {
        Ok(json) => (StatusCode::OK, json),
        Err(why) => (StatusCode::BAD_REQUEST, why.into_bytes()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(JSON));
    Ok(response)
}

/// An AdmissionReview (`admission.k8s.io/v1`), asked or answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    request: Option<Asked<'a>>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    response: Option<Told<'a>>,
}

/// As much of the request as the rule needs.
#[derive(Debug, Serialize, Deserialize)]
struct Asked<'a> {
    uid: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Refusal>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    code: u16,
    message: &'static str,
}

/// Answers a review: the rule is that of the component.
fn review(json: &[u8]) -> Result<Vec<u8>, String> {
    let review: Review<'_> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let asked = review.request.ok_or("an AdmissionReview without a request")?;
    let object = serde_json::from_str(asked.object.get()).map_err(|error| error.to_string())?;
    let refusal = rule::judge(&object).err().map(|message| Refusal { code: 403, message });
    let told = Told { uid: asked.uid, allowed: refusal.is_none(), status: refusal };
    let review = Review { request: None, response: Some(told), ..review };
    serde_json::to_vec(&review).map_err(|error| error.to_string())
}

/// The review of the creation of a ConfigMap, as upstream's server would send it: the object with what the server adds before
/// admission, and who wants it.
pub(crate) fn review_of(namespace: &str, name: &str, config_map: &[u8]) -> Result<Vec<u8>> {
    let mut object: serde_json::Value = serde_json::from_slice(config_map)?;
    object["metadata"]["namespace"] = namespace.into();
    object["metadata"]["uid"] = "0b9b2f24-4f56-4f6f-8a3d-6a0a7b0f6f10".into();
    object["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05Z".into();
    let kind = serde_json::json!({ "group": "", "version": "v1", "kind": "ConfigMap" });
    let resource = serde_json::json!({ "group": "", "version": "v1", "resource": "configmaps" });
    let review = serde_json::json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": name, "namespace": namespace, "operation": "CREATE",
            "userInfo": { "username": "load", "uid": "load", "groups": ["system:masters", "system:authenticated"] },
            "object": object, "oldObject": null, "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    });
    Ok(serde_json::to_vec(&review)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::config_map;
    use serde_json::Value;

    #[test]
    fn an_object_of_the_generator_is_allowed_and_one_without_the_label_is_not() {
        let answered = |object: &[u8]| -> Value {
            let review = review(&review_of("default", "a", object).unwrap()).unwrap();
            serde_json::from_slice(&review).unwrap()
        };
        let allowed = answered(&config_map(3, 1024));
        assert_eq!(allowed["response"]["allowed"], true, "{allowed}");
        assert_eq!(allowed["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
        let refused = answered(br#"{"metadata": {"name": "a"}}"#);
        assert_eq!(refused["response"]["allowed"], false, "{refused}");
        assert!(refused["response"]["status"]["message"].as_str().unwrap().contains("missing"));
    }

    #[test]
    fn what_is_no_review_is_an_error() {
        for body in [&b"{"[..], br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#] {
            assert!(review(body).is_err());
        }
    }
}
