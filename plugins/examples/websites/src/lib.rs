//! An API group that somebody might really want: `websites` in `web.example.com`, with validation, defaults, status, scale,
//! columns, a field to select by, and two versions. All of it follows from the types in [`v1`] and [`v1alpha1`] and the
//! few rules below; a controller makes of each website what it needs.

mod reconcile;
pub mod v1;
pub mod v1alpha1;

#[cfg(test)]
mod tests;

use chainplate_sdk::{
    Action, Api, Extension, ObjectReference, Plugin, ResourceServer, Served, Store,
    apimachinery::{
        Status, Value,
        field::{self, Path},
        names,
    },
    extension::Endpoint,
    logging::Counter,
    registry::Context,
};
use std::collections::BTreeSet;
use v1::{Source, Tls, Website};

/// Deletions that were refused because somebody protected the website.
static PROTECTED: Counter = Counter::new("protected_deletions");
/// The annotation that protects a website from being deleted.
const PROTECT: &str = "web.example.com/protect";
/// Websites looked at in one call.
const PAGE: u32 = 500;

/// What holds for websites beyond their types.
#[derive(Debug)]
struct Websites;

impl ResourceServer for Websites {
    type Object = Website;

    fn default(&self, website: &mut Website) {
        let local = website.spec.host == "localhost" || website.spec.host.ends_with(".localhost");
        website.spec.tls.get_or_insert(if local { Tls::Off } else { Tls::Automatic });
    }

    fn validate_create(&self, _context: &Context<'_>, website: &Website) -> Vec<field::Error> {
        let mut errors = Vec::new();
        let spec = Path::Root.child("spec");
        let mut hosts = BTreeSet::new();
        let mut host = |path: &Path<'_>, host: &str| {
            errors.extend(
                names::subdomain(host, false).into_iter().map(|why| field::Error::invalid(path, host, why)),
            );
            if !hosts.insert(host.to_owned()) {
                errors.push(field::Error::duplicate(path, host));
            }
        };
        host(&spec.child("host"), &website.spec.host);
        let aliases = spec.child("aliases");
        for (index, alias) in website.spec.aliases.iter().enumerate() {
            host(&aliases.index(index).child("host"), &alias.host);
        }
        if let Source::Git { url, .. } = &website.spec.source
            && !url.starts_with("https://")
        {
            let (source, why) = (spec.child("source"), "must begin with https://");
            errors.push(field::Error::invalid(&source.child("git").child("url"), url.as_str(), why));
        }
        errors
    }

    fn validate_update(&self, context: &Context<'_>, website: &Website, old: &Website) -> Vec<field::Error> {
        let mut errors = self.validate_create(context, website);
        if website.spec.host != old.spec.host {
            let spec = Path::Root.child("spec");
            errors.push(field::Error::forbidden(
                &spec.child("host"),
                "a website keeps its host; make another one",
            ));
        }
        errors
    }

    fn validate_delete(&self, _context: &Context<'_>, website: &Website) -> Result<(), Status> {
        if website.metadata.annotations.get(PROTECT).is_none_or(|value| value != "true") {
            return Ok(());
        }
        PROTECTED.increment();
        let why = format!("it is protected; take the annotation {PROTECT} away first");
        let name = website.metadata.name.as_deref().unwrap_or_default();
        Err(Status::forbidden("web.example.com", "websites", name, &why))
    }

    /// A host belongs to one website, whatever its namespace.
    fn before_write(
        &self,
        _context: &Context<'_>,
        website: &Website,
        old: Option<&Website>,
    ) -> Result<(), Status> {
        if old.is_some() {
            return Ok(());
        }
        let store = Store::<Website>::open()?.also_stored_as::<v1alpha1::Website>();
        let host = &website.spec.host;
        let page = store.page(None, "", &format!("spec.host={host}"), PAGE, None)?;
        let Some(other) = page.items.iter().find(|other| other.spec.host == *host) else { return Ok(()) };
        let (namespace, name) = (other.metadata.namespace.as_deref(), other.metadata.name.as_deref());
        let why = format!(
            "the host {host} belongs to {}/{}",
            namespace.unwrap_or_default(),
            name.unwrap_or_default()
        );
        let name = website.metadata.name.as_deref().unwrap_or_default();
        Err(Status::conflict("web.example.com", "websites", name, &why))
    }

    fn warnings(&self, _context: &Context<'_>, website: &Website, _old: Option<&Website>) -> Vec<String> {
        let open = website.spec.tls == Some(Tls::Off) && !website.spec.host.ends_with("localhost");
        open.then(|| format!("spec.tls: {} will be served without TLS", website.spec.host))
            .into_iter()
            .collect()
    }
}

/// The extension.
#[derive(Debug)]
pub struct Web;

impl Plugin for Web {
    const NAME: &'static str = "websites";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(_config: Value) -> Result<Self, String> {
        Ok(Self)
    }

    fn prepare(&self) -> Result<(), String> {
        reconcile::start().map_err(|status| status.to_string())
    }
}

impl Api for Web {
    fn resources(&self) -> Vec<Endpoint> {
        vec![Served::new(Websites).version::<v1alpha1::Website>().into()]
    }

    fn reconcile(&self, _controller: &str, object: &ObjectReference) -> Result<Action, String> {
        reconcile::reconcile(object).map_err(|status| status.to_string())
    }
}

chainplate_sdk::export!(Extension<Web>);
