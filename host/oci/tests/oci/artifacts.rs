//! Components go to a registry and come back, or the reason is said.

use crate::registry::{Login, Registry, known};
use bytes::Bytes;
use chainplate_oci::{
    Access, Annotations, CONFIG_MEDIA_TYPE, Credentials, DEFAULT_LIMIT, Digest, Error, LAYER_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE, pull, push,
};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use std::sync::Arc;

/// A component that imports an instance `a:b/c@0.1.0` and exports it as `a:b/d@0.1.0`.
pub(crate) fn component() -> Bytes {
    let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
    let mut section = |id: u8, content: &[u8]| {
        wasm.extend([id, u8::try_from(content.len()).unwrap()]);
        wasm.extend(content);
    };
    let name = |name: &str| [&[0, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
    // One type: an instance with nothing in it.
    section(7, &[1, 0x42, 0]);
    // One import of that type, and an export of the imported instance.
    section(10, &[&[1], name("a:b/c@0.1.0").as_slice(), &[5, 0]].concat());
    section(11, &[&[1], name("a:b/d@0.1.0").as_slice(), &[5, 0, 0]].concat());
    wasm.into()
}

#[tokio::test]
async fn what_is_pushed_comes_back() {
    let registry = Registry::start(Login::Open).await;
    let reference = registry.reference(":1.2.0");
    let annotations = Annotations {
        name: Some("plugin".into()),
        version: Some("1.2.0".into()),
        others: [("com.example.team".to_owned(), "blue".to_owned())].into(),
        ..Annotations::default()
    };
    let access = Access::default();
    let digest = push(&reference, component(), &annotations, &access).await.unwrap();

    for reference in [reference.clone(), reference.pinned(&digest), registry.reference(&format!("@{digest}"))]
    {
        let pulled = pull(&reference, DEFAULT_LIMIT, &access).await.unwrap();
        assert_eq!(pulled.wasm, component());
        assert_eq!(pulled.digest, digest);
        assert_eq!(pulled.annotations["org.opencontainers.image.title"], "plugin");
        assert_eq!(pulled.annotations["org.opencontainers.image.version"], "1.2.0");
        assert_eq!(pulled.annotations["com.example.team"], "blue");
    }
}

#[tokio::test]
async fn the_layout_is_the_standard_one() {
    let registry = Registry::start(Login::Open).await;
    let created = Some("2026-01-02T03:04:05Z".parse().unwrap());
    let annotations = Annotations { created, ..Annotations::default() };
    let reference = registry.reference(":1");
    let digest = push(&reference, component(), &annotations, &Access::default()).await.unwrap();
    let again = push(&reference, component(), &annotations, &Access::default()).await.unwrap();
    assert_eq!(digest, again, "the same content at the same time is the same artefact");
    assert_eq!(registry.seen("POST"), 2, "what the registry has is not uploaded again");

    let content = Digest::of(&component());
    let manifest = registry.manifest("1");
    let config = manifest["config"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(
        manifest,
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "config": { "mediaType": CONFIG_MEDIA_TYPE, "digest": config, "size": manifest["config"]["size"] },
            "layers": [{
                "mediaType": LAYER_MEDIA_TYPE, "digest": content.as_str(), "size": component().len(),
            }],
            "annotations": { "org.opencontainers.image.created": "2026-01-02T03:04:05Z" },
        })
    );
    let state = registry.content.lock().unwrap();
    assert_eq!(state.manifests["1"].0, MANIFEST_MEDIA_TYPE);
    let config: serde_json::Value = serde_json::from_slice(&state.blobs[&config]).unwrap();
    assert_eq!(
        config,
        serde_json::json!({
            "created": "2026-01-02T03:04:05Z",
            "author": null,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [content.as_str()],
            "component": { "exports": ["a:b/d@0.1.0"], "imports": ["a:b/c@0.1.0"] },
        })
    );
}

#[tokio::test]
async fn only_components_and_tags_are_pushed() {
    let registry = Registry::start(Login::Open).await;
    let (annotations, access) = (Annotations::default(), Access::default());
    let module = Bytes::from_static(b"\0asm\x01\0\0\0");
    let error = push(&registry.reference(":1"), module, &annotations, &access).await.unwrap_err();
    assert!(matches!(error, Error::NotAComponent(_)), "{error}");
    let pinned = registry.reference(":1").pinned(&Digest::of(b""));
    let error = push(&pinned, component(), &annotations, &access).await.unwrap_err();
    assert!(matches!(error, Error::PushToDigest { .. }), "{error}");
    assert_eq!(registry.seen(""), 0);
}

#[tokio::test]
async fn a_changed_layer_is_refused() {
    let registry = Registry::start(Login::Open).await;
    let reference = registry.reference(":1");
    push(&reference, component(), &Annotations::default(), &Access::default()).await.unwrap();
    {
        let mut content = registry.content.lock().unwrap();
        let blob = content.blobs.get_mut(Digest::of(&component()).as_str()).unwrap();
        let mut bytes = blob.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        *blob = bytes.into();
    }
    let error = pull(&reference, DEFAULT_LIMIT, &Access::default()).await.unwrap_err();
    assert!(matches!(&error, Error::DigestDiffers { what: "content", .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_of_another_digest_than_the_pin_is_refused() {
    let registry = Registry::start(Login::Open).await;
    let reference = registry.reference(":1");
    let digest = push(&reference, component(), &Annotations::default(), &Access::default()).await.unwrap();
    let change = |manifest: &mut serde_json::Value| manifest["annotations"] = serde_json::json!({ "a": "b" });
    // A registry that says nothing of digests, and one that stands by what it changed.
    for silent in [true, false] {
        registry.content.lock().unwrap().silent = silent;
        registry.change_manifest(digest.as_str(), change);
        let error = pull(&reference.pinned(&digest), DEFAULT_LIMIT, &Access::default()).await.unwrap_err();
        assert!(
            matches!(&error, Error::DigestDiffers { what: "manifest", expected, .. } if *expected == digest),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_larger_than_the_limit_is_not_read() {
    let registry = Registry::start(Login::Open).await;
    let reference = registry.reference(":1");
    let access = Access::default();
    push(&reference, component(), &Annotations::default(), &access).await.unwrap();
    let size = component().len() as u64;
    pull(&reference, size, &access).await.unwrap();
    let reads = registry.seen("GET /v2/team/plugin/blobs/");
    let error = pull(&reference, size - 1, &access).await.unwrap_err();
    assert!(matches!(&error, Error::TooLarge { what: "component", .. }), "{error}");
    assert_eq!(registry.seen("GET /v2/team/plugin/blobs/"), reads);

    // A manifest that lies about the size does not get more than it said.
    registry.change_manifest("1", |manifest| manifest["layers"][0]["size"] = 8.into());
    let error = pull(&reference, size, &access).await.unwrap_err();
    assert!(matches!(&error, Error::TooLarge { what: "content", limit: 8, .. }), "{error}");

    // Nor does a manifest that is too large itself.
    let large = Bytes::from(vec![b' '; (4 << 20) + 1]);
    registry.content.lock().unwrap().manifests.insert("2".into(), (MANIFEST_MEDIA_TYPE.into(), large));
    let error = pull(&registry.reference(":2"), size, &access).await.unwrap_err();
    assert!(matches!(&error, Error::TooLarge { what: "manifest", .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let registry = Registry::start(Login::Open).await;
    let error = pull(&registry.reference(":none"), DEFAULT_LIMIT, &Access::default()).await.unwrap_err();
    assert!(matches!(&error, Error::NotFound { reference } if reference.ends_with(":none")), "{error}");
}

type Change = Box<dyn FnOnce(&mut serde_json::Value)>;

#[tokio::test]
async fn other_artefacts_are_named() {
    let registry = Registry::start(Login::Open).await;
    let reference = registry.reference(":1");
    let access = Access::default();
    let set = |path: &'static str, value: serde_json::Value| {
        move |manifest: &mut serde_json::Value| *manifest.pointer_mut(path).unwrap() = value
    };
    let changes: [(Change, &str); 4] = [
        (
            Box::new(set("/layers/0/mediaType", "application/vnd.oci.image.layer.v1.tar".into())),
            "layer.v1.tar",
        ),
        (Box::new(set("/layers", serde_json::json!([]))), "0 layers"),
        (
            Box::new(set("/config/mediaType", "application/vnd.oci.image.config.v1+json".into())),
            "image.config",
        ),
        (
            Box::new(|manifest| *manifest = serde_json::json!({ "schemaVersion": 2, "manifests": [] })),
            "an index",
        ),
    ];
    for (change, reason) in changes {
        push(&reference, component(), &Annotations::default(), &access).await.unwrap();
        registry.change_manifest("1", change);
        let error = pull(&reference, DEFAULT_LIMIT, &access).await.unwrap_err();
        assert!(matches!(&error, Error::Layout { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
}

#[tokio::test]
async fn a_registry_that_asks_is_told_who_asks() {
    for login in [Login::Basic, Login::Bearer] {
        let registry = Registry::start(login).await;
        let reference = registry.reference(":1");
        push(&reference, component(), &Annotations::default(), &known()).await.unwrap();
        assert_eq!(pull(&reference, DEFAULT_LIMIT, &known()).await.unwrap().wasm, component());
        let tokens = if login == Login::Bearer { 2 } else { 0 };
        assert_eq!(registry.seen("GET /token"), tokens, "one token for each operation");

        let wrong = Credentials::Basic { username: "ann".into(), password: "wrong".into() };
        for credentials in [Credentials::Anonymous, wrong] {
            let access = Access { credentials, ..Access::default() };
            let error = pull(&reference, DEFAULT_LIMIT, &access).await.unwrap_err();
            assert!(matches!(&error, Error::Unauthorized { .. }), "{error}");
            assert!(error.to_string().contains("docker login") && !error.to_string().contains("wrong"));
        }
    }
    let registry = Registry::start(Login::Bearer).await;
    let access = Access { credentials: Credentials::Bearer("a-token".into()), ..Access::default() };
    push(&registry.reference(":1"), component(), &Annotations::default(), &access).await.unwrap();
}

#[tokio::test]
async fn content_is_read_where_it_is_stored_and_without_the_credentials() {
    let registry = Registry::start(Login::Basic).await;
    let reference = registry.reference(":1");
    push(&reference, component(), &Annotations::default(), &known()).await.unwrap();

    // A store behind TLS, at another address, that refuses everybody who shows credentials.
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let store = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service =
                hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                    let known = request.headers().contains_key(http::header::AUTHORIZATION);
                    let status = if known { http::StatusCode::BAD_REQUEST } else { http::StatusCode::OK };
                    http::Response::builder().status(status).body(Full::new(component()))
                });
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        }
    });
    registry.content.lock().unwrap().storage = Some(format!("https://localhost:{port}"));

    let error = pull(&reference, DEFAULT_LIMIT, &known()).await.unwrap_err();
    assert!(matches!(&error, Error::Connection { .. }), "its certificate is not trusted yet: {error}");
    let trusting = Access { certificate_authorities: Some(certificate.cert.pem().into_bytes()), ..known() };
    assert_eq!(pull(&reference, DEFAULT_LIMIT, &trusting).await.unwrap().wasm, component());
    store.abort();
}
