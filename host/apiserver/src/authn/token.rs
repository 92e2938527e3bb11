//! Bearer tokens from a file: `token,user,uid,"group1,group2"`.

use super::{AUTHENTICATED, Credentials};
use crate::tls::{Reload, TlsError};
use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chainplate_apimachinery::request::UserInfo;
use http::{HeaderMap, header};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Users by the digest of their token: what is looked up takes the same time for every wrong token, and a dump
/// of the memory shows no token.
type Users = HashMap<[u8; 32], Arc<UserInfo>>;

/// The static token file.
pub struct TokenFile {
    path: PathBuf,
    users: ArcSwap<Users>,
    digest: Mutex<[u8; 32]>,
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TokenFile {
    /// Reads the file.
    ///
    /// # Errors
    /// A file that cannot be read, or a line with fewer than three columns.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        let text = read(path)?;
        let users = parse(&text).map_err(|problem| content(path, problem))?;
        Ok(Self {
            path: path.to_owned(),
            users: ArcSwap::from_pointee(users),
            digest: Mutex::new(Sha256::digest(&text).into()),
        })
    }

    /// The user of a token; `None` if it is not in the file.
    pub fn user(&self, token: &str) -> Option<Arc<UserInfo>> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        self.users.load().get(&digest).cloned()
    }
}

const FLAG: &str = "--token-auth-file";

fn content(path: &Path, problem: String) -> TlsError {
    TlsError::Content { flag: FLAG, path: path.to_owned(), problem }
}

fn read(path: &Path) -> Result<String, TlsError> {
    std::fs::read_to_string(path).map_err(|source| TlsError::File {
        flag: FLAG,
        path: path.to_owned(),
        source,
    })
}

impl Reload for TokenFile {
    fn reload(&self) -> Result<bool, String> {
        let text = read(&self.path).map_err(|error| error.to_string())?;
        let fresh: [u8; 32] = Sha256::digest(&text).into();
        let mut digest = self.digest.lock();
        if *digest == fresh {
            return Ok(false);
        }
        let users = parse(&text).map_err(|problem| content(&self.path, problem).to_string())?;
        self.users.store(Arc::new(users));
        *digest = fresh;
        Ok(true)
    }
}

/// The bearer token of a request: from the Authorization header or, for a browser's WebSocket, from the
/// subprotocol `base64url.bearer.authorization.k8s.io.<token>`.
pub(super) fn bearer_token(credentials: Credentials<'_>) -> Option<String> {
    if let Some(value) = credentials.headers.get(header::AUTHORIZATION) {
        let value = value.to_str().ok()?.trim();
        let mut parts = value.splitn(3, ' ');
        let scheme = parts.next()?;
        let token = parts.next()?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        if token.is_empty() {
            // A second space in front of the token is a common slip, and an anonymous answer a puzzling one.
            if parts.next().is_some() {
                credentials.warnings.add(
                    "the provided Authorization header contains extra space before the bearer token, and is ignored",
                );
            }
            return None;
        }
        return Some(token.to_owned());
    }
    websocket_token(credentials.headers)
}

fn websocket_token(headers: &HeaderMap) -> Option<String> {
    let upgrade = headers.get(header::UPGRADE)?.to_str().ok()?;
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return None;
    }
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let encoded = protocols
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(WEBSOCKET_BEARER))?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

/// The subprotocol that carries a token, `authentication/request/websocket/protocol.go`. Not passed on.
pub(crate) const WEBSOCKET_BEARER: &str = "base64url.bearer.authorization.k8s.io.";

/// Reads the file's lines as CSV. Lines that start with `#` are no comments: upstream has none.
fn parse(text: &str) -> Result<Users, String> {
    let mut users = Users::new();
    for (index, record) in records(text)?.into_iter().enumerate() {
        let number = index + 1;
        let [token, name, uid, rest @ ..] = &record[..] else {
            return Err(format!(
                "record {number} has {} columns, at least 3 are needed (token, user name, user uid)",
                record.len()
            ));
        };
        if token.is_empty() {
            tracing::warn!(record = number, "a record of the token file has an empty token and is left out");
            continue;
        }
        let mut groups: Vec<String> =
            rest.first().map(|groups| groups.split(',').map(str::to_owned).collect()).unwrap_or_default();
        groups.push(AUTHENTICATED.to_owned());
        let user = UserInfo { name: name.clone(), uid: uid.clone(), groups, extra: Vec::new() };
        if users.insert(Sha256::digest(token).into(), Arc::new(user)).is_some() {
            tracing::warn!(record = number, "a token is in the token file twice, the last record counts");
        }
    }
    Ok(users)
}

/// CSV as RFC 4180 has it: fields in quotes may hold commas, line ends and doubled quotes. Empty lines are
/// skipped.
fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records = Vec::new();
    let mut record: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            ('"', true) => {
                quoted = false;
                if chars.peek().is_some_and(|next| !matches!(next, ',' | '\n' | '\r')) {
                    return Err(format!("record {}: text after a closing quote", records.len() + 1));
                }
            }
            ('"', false) if field.is_empty() => quoted = true,
            ('"', false) => return Err(format!("record {}: a bare quote in a field", records.len() + 1)),
            (',', false) => record.push(std::mem::take(&mut field)),
            ('\r', false) if chars.peek() == Some(&'\n') => {}
            ('\n', false) => {
                if !record.is_empty() || !field.is_empty() {
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
            }
            (c, _) => field.push(c),
        }
    }
    if quoted {
        return Err(format!("record {}: a quote is not closed", records.len() + 1));
    }
    if !record.is_empty() || !field.is_empty() {
        record.push(field);
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Warnings;

    fn file(text: &str) -> (tempfile::TempDir, TokenFile) {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("tokens.csv");
        std::fs::write(&path, text).expect("written");
        let file = TokenFile::load(&path).expect("loads");
        (directory, file)
    }

    /// The token of a request with this header, and the warnings.
    fn sent(header: &str) -> (Option<String>, Warnings) {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, header.parse().expect("header"));
        let warnings = Warnings::default();
        (bearer_token(Credentials::new(&headers, None, &warnings)), warnings)
    }

    #[test]
    fn tokens_become_users() {
        let (_directory, file) = file("t0,alice,1,\"a,b\"\r\n\nt1,bob,2\n,nobody,3\n");
        let user = file.user("t0").expect("user");
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("alice", "1"));
        assert_eq!(user.groups, ["a", "b", AUTHENTICATED]);
        assert_eq!(file.user("t1").expect("user").name, "bob");
        assert_eq!(file.user("wrong"), None);
    }

    #[test]
    fn other_schemes_bring_no_token() {
        assert_eq!(sent("bearer t1 ignored").0.as_deref(), Some("t1"));
        for header in ["Basic YTpi", "Bearer", "Bearer ", "nonsense"] {
            assert_eq!(sent(header).0, None, "{header}");
        }
        let (token, warnings) = sent("Bearer  t0");
        assert_eq!((token, warnings.texts().len()), (None, 1));
    }

    #[test]
    fn a_websocket_brings_its_token_as_a_subprotocol() {
        let mut headers = HeaderMap::new();
        headers.insert(header::UPGRADE, "WebSocket".parse().expect("header"));
        let protocol = format!("v4.channel.k8s.io, {WEBSOCKET_BEARER}{}", URL_SAFE_NO_PAD.encode("t0"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol.parse().expect("header"));
        let warnings = Warnings::default();
        let token = bearer_token(Credentials::new(&headers, None, &warnings));
        assert_eq!(token.as_deref(), Some("t0"));
    }

    #[test]
    fn a_changed_file_is_taken_and_a_broken_one_is_not() {
        let (_directory, file) = file("t0,alice,1\n");
        assert_eq!(file.reload(), Ok(false));
        std::fs::write(&file.path, "t1,bob,2\n").expect("written");
        assert_eq!(file.reload(), Ok(true));
        assert_eq!(file.user("t0"), None);
        std::fs::write(&file.path, "t1,bob\n").expect("written");
        let error = file.reload().expect_err("broken");
        assert!(error.contains("record 1 has 2 columns") && !error.contains("t1"), "{error}");
        assert!(file.user("t1").is_some());
    }

    #[test]
    fn broken_quotes_are_told() {
        for text in ["a,\"b", "a,b\"c,d", "a,\"b\"c,d"] {
            assert!(records(text).is_err(), "{text}");
        }
        assert_eq!(records("a,\"b \"\"c\"\"\nd\",e").expect("records"), [["a", "b \"c\"\nd", "e"]]);
    }
}
