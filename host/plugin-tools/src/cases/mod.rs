//! The cases of a plugin: what is asked of a server with the plugin in its chain, and what the answers should be.
//!
//! A case is a directory:
//! - `objects/*.yaml`: objects that are there first, made in the order of the files' names;
//! - `request.yaml`: a request, or a list of them ([`Request`]);
//! - `expected.yaml`: the answer, or a list of them, one for each request ([`Expected`]). One answer to several requests
//!   is that to the last; those before must succeed;
//! - `chain.yaml`, if the plugin's entry shall be another than the usual one: components, by name, with the members that
//!   differ ([`overlay`](crate::chain::overlay)).

mod compare;
mod place;

pub use compare::{Mismatch, compare};
pub use place::{DISCOVERY, Place, place};

use crate::{Error, read_text};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The name of its directory.
    pub name: String,
    /// What is there first.
    pub objects: Vec<Value>,
    /// What is asked, and what the answers should be.
    pub exchanges: Vec<(Request, Expected)>,
    /// What differs in the chain.
    pub chain: Option<Value>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method; without one GET, or POST where there is a body.
    method: Option<String>,
    /// The path, with a query if need be.
    pub path: String,
    /// Who asks, by impersonation; the administrator if nobody is named.
    pub user: Option<String>,
    /// The groups of `user`.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Further headers. With `Authorization` the administrator's certificate stays at home.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// An object, or text that is sent as it is.
    body: Option<Value>,
}

impl Request {
    /// The method, in upper case.
    pub fn method(&self) -> String {
        let default = if self.body.is_some() { "POST" } else { "GET" };
        self.method.as_deref().unwrap_or(default).to_uppercase()
    }

    /// The body, empty if there is none.
    pub fn body(&self) -> String {
        match &self.body {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(document) => document.to_string(),
        }
    }

    /// The media type of the body, where the headers name none.
    pub fn media_type(&self) -> Option<&'static str> {
        let patch = self.method() == "PATCH";
        Some(match self.body.as_ref()? {
            Value::String(_) => "application/yaml",
            Value::Array(_) if patch => "application/json-patch+json",
            _ if patch => "application/merge-patch+json",
            _ => "application/json",
        })
    }
}

/// What an answer should be. What is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The status code.
    pub code: Option<u16>,
    /// A part of the document ([`compare`]), or the whole text.
    pub body: Option<Value>,
    /// A part of the Status' message.
    pub message: Option<String>,
    /// The Status' reason.
    pub reason: Option<String>,
    /// As many warnings, each with such a part.
    pub warnings: Option<Vec<String>>,
    /// Parts of objects that are there afterwards, each with apiVersion, kind and metadata.name.
    #[serde(default)]
    pub objects: Vec<Value>,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The texts of its warnings.
    pub warnings: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as a document, if it is one.
    pub fn document(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The text in a `Warning` header (RFC 7234, 5.5): `299 - "text"`.
pub fn warning_text(header: &str) -> String {
    let quoted = header.find('"').and_then(|start| header.get(start + 1..header.rfind('"')?));
    let mut text = String::new();
    let mut escaped = false;
    for c in quoted.unwrap_or(header).chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(c);
            escaped = false;
        }
    }
    text
}

impl Expected {
    /// That the request succeeds, and nothing else.
    fn success() -> Self {
        Self::default()
    }

    /// In what an answer differs. Where no code is named, it must be one of success.
    pub fn judge(&self, answer: &Answer) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        let document = answer.document();
        let text = String::from_utf8_lossy(&answer.body);
        let member = |name: &str| document.as_ref().and_then(|it| it[name].as_str());
        let says = || member("message").unwrap_or(&text).to_owned();
        let right = self.code.map_or(answer.code < 400, |code| code == answer.code);
        if !right {
            let wanted = self.code.map_or("200 to 399".to_owned(), |code| code.to_string());
            mismatches.push(Mismatch::new("code", wanted, format!("{}: {}", answer.code, says())));
        }
        if let Some(reason) = &self.reason
            && member("reason") != Some(reason)
        {
            mismatches.push(Mismatch::new("reason", reason, member("reason").unwrap_or("none")));
        }
        if let Some(message) = &self.message
            && !says().contains(message)
        {
            mismatches.push(Mismatch::new("message", format!("… {message} …"), says()));
        }
        match (&self.body, &document) {
            (None, _) => {}
            (Some(Value::String(wanted)), _) if wanted != "*" => {
                if text.trim_end() != wanted.trim_end() {
                    mismatches.push(Mismatch::new("body", wanted, text));
                }
            }
            (Some(wanted), Some(document)) => mismatches.extend(compare("body", wanted, document)),
            (Some(wanted), None) => mismatches.push(Mismatch::new("body", wanted, text)),
        }
        if let Some(wanted) = &self.warnings {
            let pairs = wanted.iter().zip(&answer.warnings);
            if wanted.len() != answer.warnings.len() || pairs.into_iter().any(|(part, it)| !it.contains(part))
            {
                let list = |list: &[String]| if list.is_empty() { "none".into() } else { list.join("\n") };
                mismatches.push(Mismatch::new("warnings", list(wanted), list(&answer.warnings)));
            }
        }
        mismatches
    }
}

/// Reads the cases of a directory, in the order of their names; with a filter only those whose names contain it.
///
/// # Errors
/// A directory that cannot be read, or a case that is not understood.
pub fn read(directory: &Path, filter: Option<&str>) -> Result<Vec<Case>, Error> {
    let mut cases = Vec::new();
    for path in entries(directory)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && filter.is_none_or(|filter| name.contains(filter)) {
            cases.push(case(&path, name)?);
        }
    }
    Ok(cases)
}

fn case(directory: &Path, name: String) -> Result<Case, Error> {
    let mut objects = Vec::new();
    let there = directory.join("objects");
    if there.is_dir() {
        for path in entries(&there)? {
            if path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "json") {
                let several: Vec<Value> = serde_saphyr::from_multiple(&read_text(&path)?)
                    .map_err(|error| Error::unfit(&path, error.to_string()))?;
                objects.extend(several.into_iter().filter(|object| !object.is_null()));
            }
        }
    }
    let requests: Vec<Request> = many(&directory.join("request.yaml"))?.0;
    let path = directory.join("expected.yaml");
    let (mut expected, listed): (Vec<Expected>, bool) = many(&path)?;
    if !listed {
        let mut all = vec![Expected::success(); requests.len().saturating_sub(1)];
        all.append(&mut expected);
        expected = all;
    }
    if expected.len() != requests.len() {
        let (answers, requests) = (expected.len(), requests.len());
        let why = format!("it has {answers} answers to {requests} requests; give one for each, or one alone");
        return Err(Error::unfit(&path, why));
    }
    if let Some(request) = requests.iter().find(|request| !request.path.starts_with('/')) {
        let why = format!("the path {:?} must begin with '/'", request.path);
        return Err(Error::unfit(&directory.join("request.yaml"), why));
    }
    let chain = directory.join("chain.yaml");
    let chain = chain.exists().then(|| yaml(&chain)).transpose()?;
    Ok(Case { name, objects, exchanges: requests.into_iter().zip(expected).collect(), chain })
}

/// A document, or a list of them; whether it is a list.
fn many<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, bool), Error> {
    let document: Value = yaml(path)?;
    let listed = document.is_array();
    let documents = match document {
        Value::Array(documents) => documents,
        one => vec![one],
    };
    let read = documents.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
    Ok((read.map_err(|error| Error::unfit(path, error.to_string()))?, listed))
}

fn yaml<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_saphyr::from_str(&read_text(path)?).map_err(|error| Error::unfit(path, error.to_string()))
}

/// What is in a directory, in the order of the names.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::File { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(fail)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(fail)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            crate::write(&directory.path().join(name), content.as_bytes()).unwrap();
        }
        directory
    }

    fn answer(code: u16, body: &Value) -> Answer {
        Answer { code, warnings: Vec::new(), body: body.to_string().into_bytes() }
    }

    fn expected(json: Value) -> Expected {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn cases_are_directories_in_the_order_of_their_names() {
        let there = directory(&[
            ("b/request.yaml", "path: /b"),
            ("b/expected.yaml", "code: 200"),
            ("a/objects/2.yaml", "kind: B"),
            ("a/objects/1.yaml", "kind: A\n---\nkind: AA"),
            ("a/objects/notes.txt", "no object"),
            ("a/request.yaml", "- {path: /x, body: {a: 1}}\n- {method: delete, path: /x/a}"),
            ("a/expected.yaml", "{code: 404, reason: NotFound}"),
            ("a/chain.yaml", "components: [{name: p, configuration: {x: 1}}]"),
            ("notes.md", "no case"),
        ]);
        let cases = read(there.path(), None).unwrap();
        assert_eq!(cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let kinds: Vec<_> = cases[0].objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["A", "AA", "B"]);
        let [(first, any), (second, last)] = &cases[0].exchanges[..] else { panic!("two requests") };
        assert_eq!((first.method().as_str(), first.body().as_str()), ("POST", r#"{"a":1}"#));
        assert_eq!(second.method(), "DELETE");
        assert_eq!((any, last.code), (&Expected::success(), Some(404)));
        assert!(cases[0].chain.is_some() && cases[1].chain.is_none());
        assert_eq!(read(there.path(), Some("b")).unwrap().len(), 1);
    }

    #[test]
    fn a_case_that_is_not_understood_is_told_with_the_file() {
        for (request, answer, wanted) in [
            ("path: /b\nbdy: 1", "code: 200", "request.yaml: unknown field `bdy`"),
            ("path: b", "code: 200", "request.yaml: the path \"b\" must begin"),
            ("path: /b", "[{code: 200}, {code: 200}]", "expected.yaml: it has 2 answers to 1 requests"),
            ("path: /b", "code: [", "expected.yaml: "),
        ] {
            let there = directory(&[("a/request.yaml", request), ("a/expected.yaml", answer)]);
            let told = read(there.path(), None).unwrap_err().to_string();
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
        assert!(
            read(Path::new("/no/such/place"), None).unwrap_err().to_string().starts_with("/no/such/place")
        );
    }

    #[test]
    fn bodies_have_the_media_type_of_their_form() {
        let media_type = |json: Value| serde_json::from_value::<Request>(json).unwrap().media_type();
        assert_eq!(media_type(json!({"path": "/"})), None);
        assert_eq!(media_type(json!({"path": "/", "body": {}})), Some("application/json"));
        assert_eq!(media_type(json!({"path": "/", "body": "a: 1"})), Some("application/yaml"));
        let patch = |body: Value| media_type(json!({"path": "/", "method": "patch", "body": body}));
        assert_eq!(patch(json!({})), Some("application/merge-patch+json"));
        assert_eq!(patch(json!([])), Some("application/json-patch+json"));
    }

    #[test]
    fn an_answer_that_is_as_expected_differs_in_nothing() {
        let body = json!({"kind": "Status", "reason": "Forbidden", "message": "hosts: a is taken"});
        let wanted =
            expected(json!({"code": 403, "reason": "Forbidden", "message": "is taken", "warnings": []}));
        assert_eq!(wanted.judge(&answer(403, &body)), []);
        let text = Answer { code: 200, warnings: vec!["a long word".into()], body: b"Moin\n".to_vec() };
        assert_eq!(expected(json!({"body": "Moin", "warnings": ["long"]})).judge(&text), []);
    }

    #[test]
    fn warnings_are_the_text_of_their_headers() {
        assert_eq!(warning_text(r#"299 - "say \"no\"""#), r#"say "no""#);
        assert_eq!(warning_text("plain"), "plain");
        assert_eq!(warning_text("299 - \""), "299 - \"");
    }

    #[test]
    fn every_difference_of_an_answer_is_told() {
        let wanted = expected(json!({"code": 201, "reason": "Invalid", "message": "x", "warnings": ["w"],
            "body": {"spec": {"a": 1}}}));
        let told: Vec<String> = wanted
            .judge(&answer(200, &json!({"spec": {"a": 2}})))
            .iter()
            .map(|it| it.place.clone())
            .collect();
        assert_eq!(told, ["code", "reason", "message", "body.spec.a", "warnings"]);
    }

    #[test]
    fn without_a_code_a_request_must_succeed() {
        assert_eq!(Expected::success().judge(&answer(201, &json!({}))), []);
        let told = Expected::success().judge(&answer(409, &json!({"message": "it is there"})));
        assert_eq!(told[0].to_string(), "code\n  - 200 to 399\n  + 409: it is there");
    }
}
