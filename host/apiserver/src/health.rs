//! `/healthz`, `/livez` and `/readyz`: named checks, one by one and together. Texts are those of upstream's
//! `server/healthz/healthz.go`.

use crate::{
    authz::quote,
    body::Body,
    response::{nosniff, text, text_error},
};
use chainplate_apimachinery::request::query_pairs;
use http::{Response, StatusCode};
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// A named check. The error goes to the log and to those who may ask for the single check; it must not hold
/// secrets.
#[derive(Clone)]
pub struct Check {
    name: String,
    run: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

impl Check {
    /// A check. It is called on every request for health, so it must be quick and must not block.
    pub fn new(
        name: impl Into<String>,
        run: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), run: Arc::new(run) }
    }

    /// The check's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it.
    ///
    /// # Errors
    /// What is not healthy.
    pub fn run(&self) -> Result<(), String> {
        (self.run)()
    }

    /// The same check, passing until a time is reached: upstream's liveness grace period.
    fn passing_until(self, start: Instant, grace: Duration) -> Self {
        if grace.is_zero() {
            return self;
        }
        let run = self.run;
        Self { name: self.name, run: Arc::new(move || if start.elapsed() < grace { Ok(()) } else { run() }) }
    }
}

/// One of the three documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// The oldest: all checks but the readiness ones.
    Healthz,
    /// Whether the process should be restarted.
    Livez,
    /// Whether requests should be sent here.
    Readyz,
}

impl Endpoint {
    /// The name, which is the path without its slash.
    pub const fn name(self) -> &'static str {
        match self {
            Endpoint::Healthz => "healthz",
            Endpoint::Livez => "livez",
            Endpoint::Readyz => "readyz",
        }
    }

    const ALL: [Endpoint; 3] = [Endpoint::Healthz, Endpoint::Livez, Endpoint::Readyz];
}

/// The registry of checks. Clones share one registry; checks may be added while the server runs.
#[derive(Debug, Clone)]
pub struct Health {
    checks: Arc<RwLock<[Vec<Check>; 3]>>,
    start: Instant,
    livez_grace: Duration,
}

impl Health {
    /// A registry with `ping` in all documents. Boot-sequence checks pass in `/livez` for `livez_grace`.
    pub fn new(livez_grace: Duration) -> Self {
        let health = Self { checks: Arc::default(), start: Instant::now(), livez_grace };
        health.add(Check::new("ping", || Ok(())));
        health
    }

    /// Adds a check to all three documents.
    pub fn add(&self, check: Check) {
        for endpoint in Endpoint::ALL {
            self.add_to(endpoint, check.clone());
        }
    }

    /// Adds a check of the start, `poststarthook/…`: to all three documents, with `--livez-grace-period`.
    pub fn add_boot_sequence(&self, check: Check) {
        self.add_to(Endpoint::Healthz, check.clone());
        self.add_to(Endpoint::Livez, check.clone().passing_until(self.start, self.livez_grace));
        self.add_to(Endpoint::Readyz, check);
    }

    /// Adds a check to one document. A check of the same name is replaced.
    pub fn add_to(&self, endpoint: Endpoint, check: Check) {
        let list = &mut self.checks.write()[endpoint as usize];
        match list.iter_mut().find(|there| there.name == check.name) {
            Some(there) => *there = check,
            None => list.push(check),
        }
    }

    /// Whether all checks of a document pass.
    pub fn is_healthy(&self, endpoint: Endpoint) -> bool {
        self.checks(endpoint).iter().all(|check| check.run().is_ok())
    }

    fn checks(&self, endpoint: Endpoint) -> Vec<Check> {
        self.checks.read()[endpoint as usize].clone()
    }

    /// The paths of all documents and checks, for the index.
    pub fn paths(&self) -> Vec<String> {
        let checks = self.checks.read();
        Endpoint::ALL
            .into_iter()
            .flat_map(|endpoint| {
                let name = endpoint.name();
                let single =
                    checks[endpoint as usize].iter().map(move |check| format!("/{name}/{}", check.name));
                std::iter::once(format!("/{name}")).chain(single)
            })
            .collect()
    }

    /// Answers a path of this registry; `None` for other paths and unknown checks.
    pub(crate) fn answer(&self, path: &str, query: &str) -> Option<Response<Body>> {
        let (name, rest) = match path.strip_prefix('/')?.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path.strip_prefix('/')?, None),
        };
        let endpoint = Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name)?;
        match rest {
            None => Some(self.document(endpoint, query)),
            Some(single) => {
                let check = self.checks(endpoint).into_iter().find(|check| check.name == single)?;
                Some(match check.run() {
                    Ok(()) => text(StatusCode::OK, "ok"),
                    Err(error) => text_error(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        &format!("internal server error: {error}"),
                    ),
                })
            }
        }
    }

    fn document(&self, endpoint: Endpoint, query: &str) -> Response<Body> {
        let mut verbose = false;
        // Excluded names, and whether one matched.
        let mut excluded: BTreeMap<String, bool> = BTreeMap::new();
        for (key, value) in query_pairs(query) {
            match &*key {
                "verbose" => verbose = true,
                "exclude" => drop(excluded.insert(value.into_owned(), false)),
                _ => {}
            }
        }
        let mut lines = String::new();
        let mut failed = BTreeSet::new();
        for check in self.checks(endpoint) {
            let name = &check.name;
            if let Some(matched) = excluded.get_mut(name) {
                *matched = true;
                lines.push_str(&format!("[+]{name} excluded: ok\n"));
                continue;
            }
            match check.run() {
                Ok(()) => lines.push_str(&format!("[+]{name} ok\n")),
                Err(error) => {
                    tracing::debug!(check = %name, document = endpoint.name(), %error, "a health check failed");
                    // Everybody may read this document, so the cause stays in the log.
                    lines.push_str(&format!("[-]{name} failed: reason withheld\n"));
                    failed.insert(name.clone());
                }
            }
        }
        let unknown: Vec<String> =
            excluded.into_iter().filter(|(_, matched)| !matched).map(|(name, _)| quote(&name)).collect();
        if !unknown.is_empty() {
            lines.push_str(&format!(
                "warn: some health checks cannot be excluded: no matches for {}\n",
                unknown.join(",")
            ));
        }
        let name = endpoint.name();
        if !failed.is_empty() {
            text_error(StatusCode::INTERNAL_SERVER_ERROR, &format!("{lines}{name} check failed"))
        } else if verbose {
            nosniff(text(StatusCode::OK, format!("{lines}{name} check passed\n")))
        } else {
            nosniff(text(StatusCode::OK, "ok"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn get(health: &Health, path: &str) -> (u16, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let response = health.answer(path, query).expect("a path of the registry");
        let code = response.status().as_u16();
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        let body = response.into_body().collect().await.expect("body").to_bytes();
        (code, String::from_utf8(body.to_vec()).expect("text"))
    }

    fn health() -> Health {
        let health = Health::new(Duration::ZERO);
        health.add_to(Endpoint::Readyz, Check::new("bad", || Err("secret".into())));
        health
    }

    #[tokio::test]
    async fn documents_say_what_upstream_says() {
        let health = health();
        let all = |text: &str| (200, text.to_owned());
        assert_eq!(get(&health, "/healthz").await, all("ok"));
        assert_eq!(get(&health, "/livez?verbose").await, all("[+]ping ok\nlivez check passed\n"));
        assert_eq!(
            get(&health, "/readyz").await,
            (500, "[+]ping ok\n[-]bad failed: reason withheld\nreadyz check failed\n".to_owned())
        );
        assert_eq!(get(&health, "/readyz?exclude=bad").await, all("ok"));
        assert_eq!(
            get(&health, "/readyz?verbose&exclude=bad&exclude=x&exclude=a").await,
            all(
                "[+]ping ok\n[+]bad excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"a\",\"x\"\nreadyz check passed\n"
            )
        );
    }

    #[tokio::test]
    async fn single_checks_have_paths() {
        let health = health();
        health.add_boot_sequence(Check::new("poststarthook/a/b", || Ok(())));
        assert_eq!(get(&health, "/healthz/ping").await, (200, "ok".to_owned()));
        assert_eq!(get(&health, "/livez/poststarthook/a/b").await, (200, "ok".to_owned()));
        assert_eq!(get(&health, "/readyz/bad").await, (500, "internal server error: secret\n".to_owned()));
        for path in ["/livez/bad", "/healthz/", "/healthzx", "/", "/x/ping"] {
            assert!(health.answer(path, "").is_none(), "{path}");
        }
        assert!(health.paths().contains(&"/readyz/bad".to_owned()));
    }

    #[test]
    fn liveness_forgives_the_start_for_the_grace_period() {
        let health = Health::new(Duration::from_secs(3600));
        health.add_boot_sequence(Check::new("poststarthook/slow", || Err("not yet".into())));
        assert!(health.is_healthy(Endpoint::Livez));
        assert!(!health.is_healthy(Endpoint::Readyz));
    }
}
