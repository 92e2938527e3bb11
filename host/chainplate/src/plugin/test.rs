//! `chainplate plugin test`: the cases of a plugin, each against a server of its own.

use super::{
    log::CapturedLog,
    throwaway::{PACE, Throwaway, chain_with},
};
use crate::client::Client;
use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use chainplate_apiserver::ShutdownTrigger;
use chainplate_plugin_tools::{
    Component,
    cases::{self, Answer, Case, DISCOVERY, Expected, Mismatch, Place},
    chain,
};
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Longest wait for what follows from a write: a definition that is established, what a controller does.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for an answer; of a watch without `timeoutSeconds` say.
const ANSWER: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Runs the cases and tells on standard output how they went.
///
/// # Errors
/// Cases that are not understood, or how many failed.
pub(super) async fn test(
    component: &Component,
    directory: &Path,
    filter: Option<&str>,
    log: &CapturedLog,
) -> anyhow::Result<()> {
    let all = cases::read(directory, filter)?;
    if all.is_empty() {
        match filter {
            Some(filter) => bail!("{} has no case with {filter:?} in its name", directory.display()),
            None => bail!(
                "{} has no cases; make a directory with request.yaml and expected.yaml",
                directory.display()
            ),
        }
    }
    let data = tempfile::tempdir()?;
    println!("running {} case{} of {}", all.len(), if all.len() == 1 { "" } else { "s" }, component.name());
    let started = Instant::now();
    let mut failures = Vec::new();
    for case in &all {
        clear(data.path())?;
        let begun = Instant::now();
        let outcome = run(component, case, data.path()).await;
        let took = begun.elapsed().as_secs_f32();
        let log = log.take();
        let told = match outcome {
            Ok(mismatches) if mismatches.is_empty() => {
                println!("case {} ... ok ({took:.2} s)", case.name);
                continue;
            }
            Ok(mismatches) => mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("{error:#}"),
        };
        println!("case {} ... FAILED ({took:.2} s)", case.name);
        failures.push(format!("---- {} ----\n{told}\n\nthe server's log:\n{log}", case.name));
    }
    for failure in &failures {
        println!("\n{}", failure.trim_end());
    }
    let (failed, passed) = (failures.len(), all.len() - failures.len());
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let took = started.elapsed().as_secs_f32();
    println!("\ntest result: {word}. {passed} passed; {failed} failed; finished in {took:.2} s");
    if failed > 0 {
        bail!("{failed} of {} cases failed", all.len());
    }
    Ok(())
}

/// Takes away what the case before has left. Certificates and compiled code may stay: they cost the most, and no case can
/// change them.
fn clear(data: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("certs") && !path.ends_with("code") {
                fs::remove_dir_all(path)?;
            }
        } else {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

async fn run(component: &Component, case: &Case, data: &Path) -> anyhow::Result<Vec<Mismatch>> {
    let file = data.join("plugin.wasm");
    fs::write(&file, &component.bytes)?;
    let mut chain = chain_with(component, &file)?;
    if let Some(changes) = &case.chain {
        chain::overlay(&mut chain, changes);
    }
    let server = Throwaway::start(data, &chain, 0, ShutdownTrigger::new()).await?;
    let outcome = exchange(&server.client, case).await;
    server.stop().await?;
    outcome
}

async fn exchange(client: &Client, case: &Case) -> anyhow::Result<Vec<Mismatch>> {
    for object in &case.objects {
        make(client, object).await?;
    }
    let mut mismatches = Vec::new();
    let several = case.exchanges.len() > 1;
    for (index, (request, expected)) in case.exchanges.iter().enumerate() {
        let (method, path) = (request.method(), &request.path);
        let answer = send(client, request).await.with_context(|| format!("{method} {path}"))?;
        let mut found = expected.judge(&answer);
        found.extend(find(client, expected).await?);
        if several && !found.is_empty() {
            let number = index + 1;
            found
                .iter_mut()
                .for_each(|it| it.place = format!("request {number}, {method} {path}: {}", it.place));
        }
        mismatches.extend(found);
    }
    Ok(mismatches)
}

/// Makes an object, with its status, as the administrator.
async fn make(client: &Client, object: &Value) -> anyhow::Result<()> {
    let place = place_of(client, object).await?;
    let name = format!("{} {:?}", object["kind"].as_str().unwrap_or_default(), place.name);
    let succeeded = |answer: Answer| match answer.code {
        200..300 => Ok(()),
        code => Err(anyhow!("{name} cannot be made: {code}: {}", String::from_utf8_lossy(&answer.body))),
    };
    succeeded(ask(client, "POST", &place.collection, "application/json", object.to_string()).await?)?;
    if let Some(status) = object.get("status") {
        let (path, body) = (format!("{}/status", place.path()), json!({ "status": status }).to_string());
        let answer = ask(client, "PATCH", &path, "application/merge-patch+json", body).await?;
        // Where there is no such subresource, the status was made with the object.
        if answer.code != 404 {
            succeeded(answer)?;
        }
    }
    Ok(())
}

/// Where an object is served. Its definition may have been made just now.
async fn place_of(client: &Client, object: &Value) -> anyhow::Result<Place> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut discovery = Vec::new();
        for path in ["/api", "/apis"] {
            let request = Request::get(path).header(header::ACCEPT, DISCOVERY).body(Full::default())?;
            discovery.extend(answer(client, true, request).await?.document());
        }
        match cases::place(&discovery, object).map_err(|why| anyhow!(why))? {
            Some(place) => return Ok(place),
            None if Instant::now() > deadline => {
                bail!("nobody serves {} {}", object["apiVersion"], object["kind"])
            }
            None => tokio::time::sleep(PACE).await,
        }
    }
}

/// In what the objects differ that should be there; as soon as they are as they should, or for good.
async fn find(client: &Client, expected: &Expected) -> anyhow::Result<Vec<Mismatch>> {
    let deadline = Instant::now() + PATIENCE;
    let mut places = Vec::new();
    for object in &expected.objects {
        places.push(place_of(client, object).await?.path());
    }
    loop {
        let mut mismatches = Vec::new();
        for (object, path) in expected.objects.iter().zip(&places) {
            let answer = ask(client, "GET", path, "", String::new()).await?;
            match answer.document().filter(|_| answer.code == 200) {
                Some(there) => mismatches.extend(cases::compare(path, object, &there)),
                None => mismatches.push(Mismatch::new(path, object, format!("nothing ({})", answer.code))),
            }
        }
        if mismatches.is_empty() || Instant::now() > deadline {
            return Ok(mismatches);
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Sends a request of a case.
async fn send(client: &Client, given: &cases::Request) -> anyhow::Result<Answer> {
    let mut request = Request::builder().method(given.method().as_str()).uri(&given.path);
    if let Some(user) = &given.user {
        request = request.header("Impersonate-User", user);
        for group in &given.groups {
            request = request.header("Impersonate-Group", group);
        }
    }
    if let Some(media_type) = given.media_type() {
        request = request.header(header::CONTENT_TYPE, media_type);
    }
    let mut request = request.body(Full::from(given.body()))?;
    let mut anonymous = false;
    for (name, value) in &given.headers {
        let name: HeaderName = name.parse().with_context(|| format!("header {name:?}"))?;
        anonymous |= name == header::AUTHORIZATION;
        request.headers_mut().insert(name, HeaderValue::from_str(value)?);
    }
    answer(client, !anonymous, request).await
}

async fn ask(
    client: &Client,
    method: &str,
    path: &str,
    media_type: &str,
    body: String,
) -> anyhow::Result<Answer> {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media_type);
    answer(client, true, request.body(Full::from(body))?).await
}

/// Each request on a connection of its own: some are somebody else's.
async fn answer(client: &Client, as_user: bool, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let answered = async {
        let mut connection = client.connect(as_user).await?;
        let response = connection.send(request).await?;
        let warnings = response.headers().get_all(header::WARNING).iter();
        let warnings =
            warnings.map(|it| cases::warning_text(&String::from_utf8_lossy(it.as_bytes()))).collect();
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| anyhow!("the answer's body: {error}"))?.to_bytes().to_vec();
        Ok(Answer { code, warnings, body })
    };
    let late = |_| anyhow!("no answer within {ANSWER:?}; give a watch a timeoutSeconds");
    tokio::time::timeout(ANSWER, answered).await.map_err(late)?
}
