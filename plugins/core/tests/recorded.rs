//! Replays recorded scenarios against the component on the in-memory host, and holds its answers against those of a
//! reference kube-apiserver. What the host does (projections, lists, watches) is left out.
#![allow(clippy::unwrap_used, reason = "a test outside of a test module")]

use chainplate_core::Core;
use chainplate_sdk::{
    Outcome, Plugin, Request, Server,
    apimachinery::{Value, request::RequestInfo},
    native,
};
use std::path::PathBuf;

fn root() -> PathBuf {
    std::env::var_os("CHAINPLATE_CONFORMANCE").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
        PathBuf::from,
    )
}

/// Answers that came out as recorded when this was last looked at.
const LEAST: usize = 830;

const AREAS: [&str; 5] = ["types", "crud", "delete", "errors", "patch"];

#[test]
fn recorded_answers_come_out_as_recorded() {
    let only = std::env::var("CHAINPLATE_SCENARIO").unwrap_or_default();
    let (mut good, mut bad) = (0, 0);
    for area in AREAS {
        let Ok(files) = std::fs::read_dir(root().join("scenarios").join(area)) else { continue };
        let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        for file in files {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            if !only.is_empty() && !name.contains(&only) {
                continue;
            }
            let scenario: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let (ok, differences) = replay(&scenario);
            good += ok;
            bad += differences.len();
            for difference in differences {
                println!("{area}/{name}: {difference}");
            }
        }
    }
    println!("{good} answers as recorded, {bad} not");
    // A ratchet: what is right stays right.
    assert!(good == 0 || !only.is_empty() || good >= LEAST, "{good} answers as recorded, {LEAST} before");
}

struct Replay {
    core: Core,
    saved: Vec<(String, String)>,
}

fn replay(scenario: &Value) -> (usize, Vec<String>) {
    native::reset();
    let core = Core::configure(serde_json::json!({})).unwrap();
    core.prepare().unwrap();
    core.post_start().unwrap();
    let mut replay = Replay { core, saved: vec![("ns".into(), "conf".into()), ("rand".into(), "r7".into())] };
    let namespace = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"conf"}}"#;
    replay.send("POST", "/api/v1/namespaces", &[("content-type", "application/json")], namespace.into());
    let mut good = 0;
    let mut differences = Vec::new();
    for step in scenario["steps"].as_array().unwrap() {
        let Some(method) = step["method"].as_str() else { continue };
        match replay.step(method, step) {
            Ok(true) => good += 1,
            Ok(false) => {}
            Err(difference) => differences.push(difference),
        }
    }
    (good, differences)
}

impl Replay {
    fn fill(&self, text: &str) -> String {
        self.saved
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// The code and the document; none for what only the host can answer.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<(u16, Value)> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let info = RequestInfo::parse(method, path, query).ok()?;
        let mut request = Request::new(info, query);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "content-type") {
            request = request.with_header(&name.to_lowercase(), value);
        }
        let request = if body.is_empty() {
            request
        } else {
            let kind = headers.iter().find(|(n, _)| *n == "content-type").map(|(_, v)| *v).unwrap_or("");
            request.with_body(kind, body)
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.core.handle(&request)));
        match result {
            Ok(Ok(Outcome::Respond(response))) => match response.plan() {
                native::Plan::Object(..) => match response.json() {
                    Some(answer) => Some(answer),
                    None => Some((404, Value::Null)),
                },
                native::Plan::Bytes(code, ..) => Some((*code, Value::Null)),
                _ => response.json(),
            },
            Ok(Ok(_)) => None,
            Ok(Err(status)) => Some((status.code(), status.to_value())),
            Err(_) => Some((0, Value::from("panicked"))),
        }
    }

    fn step(&mut self, method: &str, step: &Value) -> Result<bool, String> {
        let path = self.fill(step["path"].as_str().unwrap());
        let body = match (&step["body"], step["raw"].as_str()) {
            (Value::Null, Some(raw)) => self.fill(raw),
            (Value::Null, None) => String::new(),
            (body, _) => self.fill(&body.to_string()),
        };
        let kind = step["type"].as_str().unwrap_or(match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        });
        let mut headers = vec![("content-type", kind), ("user-agent", "replay/1")];
        let table = step["headers"]["Accept"].as_str().is_some_and(|accept| accept.contains("as="));
        if body.is_empty() {
            headers.remove(0);
        }
        let own: Vec<(String, String)> = step["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.to_lowercase(), self.fill(value.as_str().unwrap_or_default())))
            .collect();
        headers.extend(own.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let Some((code, answer)) = self.send(method, &path, &headers, body.into_bytes()) else {
            return Ok(false);
        };
        if let Some(save) = step["save"].as_object() {
            for (name, pointer) in save {
                let value = answer.pointer(pointer.as_str().unwrap()).cloned().unwrap_or_default();
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.saved.push((name.clone(), text));
            }
        }
        let expect = &step["expect"];
        if expect.is_null() || step["compare"] == "none" || table {
            return Ok(false);
        }
        let want = expect["status"].as_u64().unwrap_or_default();
        let what = format!("{method} {path}");
        if u64::from(code) != want {
            return Err(format!("{what}: {code} instead of {want}: {}", short(&answer)));
        }
        if code == 404 && answer.is_null() || step["compare"] == "status" {
            return Ok(true);
        }
        let mut problems = Vec::new();
        // A saved value with quotes in it makes no JSON of the text.
        let Ok(body) = serde_json::from_str::<Value>(&self.fill(&expect["body"].to_string())) else {
            return Ok(false);
        };
        match &step["compare"] {
            Value::Array(pointers) => {
                for pointer in pointers.iter().filter_map(Value::as_str) {
                    let have = answer.pointer(pointer).unwrap_or(&Value::Null);
                    compare(pointer, have, &body[pointer], &mut problems);
                }
            }
            Value::String(_) => {}
            _ => compare("", &answer, &body, &mut problems),
        }
        let ignored: Vec<&str> =
            step["ignore"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        problems.retain(|(at, _)| !ignored.iter().any(|pointer| at.starts_with(pointer)));
        if problems.is_empty() {
            return Ok(true);
        }
        let texts: Vec<String> = problems.into_iter().map(|(at, text)| format!("{at} {text}")).collect();
        Err(format!("{what}: {}", texts.join("; ")))
    }
}

fn short(value: &Value) -> String {
    value["message"].as_str().map_or_else(|| value.to_string(), str::to_owned).chars().take(300).collect()
}

fn compare(at: &str, have: &Value, want: &Value, problems: &mut Vec<(String, String)>) {
    if let Some(text) = want.as_str()
        && (text.starts_with('<') && text.ends_with('>') || text.contains("<time>") || text.contains("<uid>"))
    {
        if have.is_null() && text != "<managedFields>" {
            problems.push((at.to_owned(), "missing".to_owned()));
        }
        return;
    }
    match (have, want) {
        (Value::Object(have), Value::Object(want)) => {
            for (key, want) in want {
                let have = have.get(key).unwrap_or(&Value::Null);
                compare(&format!("{at}/{key}"), have, want, problems);
            }
            for key in have.keys().filter(|key| !want.contains_key(*key)) {
                if key != "managedFields" {
                    problems.push((format!("{at}/{key}"), "too much".to_owned()));
                }
            }
        }
        (Value::Array(have), Value::Array(want)) if have.len() == want.len() => {
            for (index, (have, want)) in have.iter().zip(want).enumerate() {
                compare(&format!("{at}/{index}"), have, want, problems);
            }
        }
        _ if have == want => {}
        _ => {
            let clip = |value: &Value| value.to_string().chars().take(200).collect::<String>();
            problems.push((at.to_owned(), format!("{} instead of {}", clip(have), clip(want))));
        }
    }
}
