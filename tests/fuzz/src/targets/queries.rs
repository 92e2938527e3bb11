//! What stands in URLs and headers.

use super::{assert_refused, text};
use crate::{Target, mutate::PART};
use chainplate_apimachinery::{
    decode,
    list_options::{ContinueToken, ListOptions},
    negotiation::{self, Encoding, Endpoint, LIST_TYPES, OBJECT_TYPES, Preferences},
    options::{DeleteOptions, Write, WriteOptions, manager_of_user_agent},
    request::RequestInfo,
    selector::{FieldSelector, LabelSelector},
};

pub(super) const LABEL_SELECTOR: Target =
    Target { name: "label_selector", check: label_selector, seeds: label_seeds, words: SELECTOR_WORDS };
pub(super) const FIELD_SELECTOR: Target =
    Target { name: "field_selector", check: field_selector, seeds: field_seeds, words: SELECTOR_WORDS };
pub(super) const CONTINUE_TOKEN: Target = Target {
    name: "continue_token",
    check: continue_token,
    seeds: token_seeds,
    words: &["meta.k8s.io/v1", "..", "/"],
};
pub(super) const ACCEPT: Target =
    Target { name: "accept", check: accept, seeds: accept_seeds, words: ACCEPT_WORDS };
pub(super) const OPTIONS: Target =
    Target { name: "options", check: options, seeds: option_seeds, words: OPTION_WORDS };

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

const SELECTOR_WORDS: &[&str] = &[
    "in",
    "notin",
    "(",
    ")",
    ",",
    "=",
    "==",
    "!=",
    "!",
    "<",
    ">",
    " ",
    "a",
    "a.example.com/b",
    "metadata.name",
    "\\,",
    "\\=",
    "-1",
    "9223372036854775808",
    "é",
];

fn label_seeds() -> Vec<Vec<u8>> {
    let mut seeds =
        bytes(&["app=web,tier in (front, back),!legacy,x!=y,n>5,m<7,e", "a notin (b,c,,d),e==f", ""]);
    seeds.push(format!("a in ({})", "b,".repeat(10_000)).into_bytes());
    seeds
}

fn label_selector(input: &[u8]) {
    let text = text(input);
    match LabelSelector::parse(&text) {
        Ok(selector) => {
            let matched = selector.matches(|key| (key != "legacy").then_some("web"));
            assert!(matched || !selector.is_empty(), "an empty selector selects all");
            let _ = selector.matches_metadata(input);
            let _ = selector.matches_metadata(br#"{"labels":{"app":"web","n":"6"}}"#);
        }
        Err(why) => assert!(!why.to_string().is_empty(), "a refusal says why"),
    }
}

fn field_seeds() -> Vec<Vec<u8>> {
    bytes(&["metadata.name=a,status.phase!=Running,spec.nodeName==n", "a=b\\,c\\=d\\\\e", "a", ""])
}

fn field_selector(input: &[u8]) {
    match FieldSelector::parse(&text(input)) {
        Ok(selector) => {
            let matched = selector.matches(|label| label.to_owned());
            assert!(matched || !selector.is_empty(), "an empty selector selects all");
        }
        Err(why) => assert!(!why.to_string().is_empty(), "a refusal says why"),
    }
}

/// Tokens, as they come or before they are encoded.
fn token_seeds() -> Vec<Vec<u8>> {
    let token = ContinueToken::after("ns/name", 5).encode();
    bytes(&[
        &token,
        r#"{"v":"meta.k8s.io/v1","rv":5,"start":"ns/name\u0000"}"#,
        r#"{"v":"meta.k8s.io/v1","rv":-1,"start":"/a/../b"}"#,
        r#"{"v":"v2","rv":9223372036854775808,"start":[]}"#,
    ])
}

fn continue_token(input: &[u8]) {
    let text = text(input);
    let options = |token: &str| ListOptions { continue_token: token.to_owned(), ..ListOptions::default() };
    if let Err(status) = options(&text).position() {
        assert_refused(&status);
    }
    // The same text within a well-formed token.
    let wrapped = ContinueToken { revision: 7, start: text.into_owned() };
    if let Ok(token) = ContinueToken::decode(&wrapped.encode()) {
        assert!(!token.start.starts_with('/'), "{token:?} stays within what is listed");
        assert!(token.start.split('/').all(|part| !matches!(part, "" | "." | "..")), "{token:?} walks out");
        assert_eq!(ContinueToken::decode(&token.encode()), Ok(token), "what was read is written and read");
    }
}

const ACCEPT_WORDS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "*/*",
    "*",
    "/",
    ";",
    ",",
    "=",
    "q=",
    "as=Table",
    "g=meta.k8s.io",
    "v=v1",
    "stream=watch",
    "pretty=1",
    "sv=v1",
    "profile=nopeer",
    "NaN",
    "inf",
    "-1",
    " ",
];

fn accept_seeds() -> Vec<Vec<u8>> {
    let mut seeds = bytes(&[
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;q=0.5,*/*;q=0.1\0pretty=true\0curl/8",
        "application/vnd.kubernetes.protobuf;stream=watch\0\0kubectl",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1beta1, text/html;q=NaN",
        "",
    ]);
    seeds.push(b"a/b;q=0.1,*/*,".repeat(4_000));
    seeds
}

fn accept(input: &[u8]) {
    let text = text(input);
    let mut parts = text.split(char::from(PART));
    let mut next = || parts.next().unwrap_or_default();
    let preferences = Preferences { accept: next(), query: next(), user_agent: next() };
    let all = [Encoding::Json, Encoding::Yaml, Encoding::Protobuf];
    for endpoint in [Endpoint::Document, Endpoint::Resource] {
        for supported in [&all[..], &all[..2]] {
            let agreed = negotiation::negotiate(preferences, endpoint, supported, &all[..1])
                .and_then(|media| negotiation::negotiate_stream(&media));
            if let Err(status) = agreed {
                assert_eq!(status.code(), 406, "{}", status.message());
            }
        }
    }
    for available in [&OBJECT_TYPES[..], &LIST_TYPES[..]] {
        if let Err(status) = negotiation::route(preferences.accept, available) {
            assert_eq!(status.code(), 406, "{}", status.message());
        }
    }
    let _ = negotiation::first_met(preferences.accept, |kind, subtype, parameters| {
        (parameters.len() < 3).then_some((kind.len(), subtype.len()))
    });
    assert!(manager_of_user_agent(preferences.accept).len() <= 128, "a manager's name is short");
}

const OPTION_WORDS: &[&str] = &[
    "&",
    "=",
    "%",
    "%00",
    "%ff",
    "+",
    ";",
    "labelSelector",
    "fieldSelector",
    "limit",
    "continue",
    "watch",
    "dryRun=All",
    "fieldManager",
    "fieldValidation=Strict",
    "force",
    "resourceVersion",
    "resourceVersionMatch",
    "NotOlderThan",
    "Exact",
    "timeoutSeconds",
    "sendInitialEvents",
    "propagationPolicy",
    "gracePeriodSeconds",
    "pretty",
    "true",
    "-1",
    "99999999999999999999",
    "/api/v1",
    "/apis/",
    "namespaces",
    "..",
    "proxy",
];

/// Method and path, then a query, then `DeleteOptions`.
fn option_seeds() -> Vec<Vec<u8>> {
    let mut seeds = bytes(&[
        "GET /api/v1/namespaces/a/pods\0labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&limit=5&watch=1&timeoutSeconds=3",
        "GET /apis/apps/v1/deployments\0resourceVersion=5&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true",
        "PATCH /apis/apps/v1/namespaces/a/deployments/b/scale\0fieldManager=x&force=true&dryRun=All&fieldValidation=Strict",
        "DELETE /api/v1/nodes/a\0gracePeriodSeconds=0&propagationPolicy=Foreground\0{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":-1,\"orphanDependents\":true,\"preconditions\":{\"uid\":\"a\"}}",
        "GET /api/v1/watch/namespaces/a/services/b/proxy/c%2fd\0continue=abc",
        "POST /\0&&&=;a=b;c\0null",
    ]);
    let many: Vec<String> = (0..8000).map(|number| format!("x{number}=1")).collect();
    seeds.push(format!("GET /api\0{}", many.join("&")).into_bytes());
    seeds
}

fn options(input: &[u8]) {
    let text = text(input);
    let mut parts = text.splitn(3, char::from(PART));
    let (line, query) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    let _ = RequestInfo::parse(method, path, query);
    match ListOptions::parse(query) {
        Ok(options) => drop(options.position().map_err(|status| assert_refused(&status))),
        Err(status) => assert_refused(&status),
    }
    for write in [Write::Create, Write::Update, Write::Patch, Write::Apply] {
        if let Err(status) = WriteOptions::parse(query, write) {
            assert_refused(&status);
        }
    }
    let body = decode::json(parts.next().unwrap_or_default().as_bytes()).map(|found| found.value);
    let read =
        [Some(DeleteOptions::from_query(query)), body.ok().map(|value| DeleteOptions::from_value(&value))];
    for read in read.into_iter().flatten() {
        if let Err(status) = read.and_then(|options| options.validate()) {
            assert_refused(&status);
        }
    }
}
