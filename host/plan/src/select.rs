//! What a list holds: the snapshot, the page, the token for the rest.

use crate::{
    Collection, Transformer,
    answer::Failure,
    body::CHUNK,
    document::{self, Document},
    filter::Filter,
    get::{unreadable, wait_for},
};
use chainplate_apimachinery::{
    Status,
    list_options::{ContinueToken, ListOptions, Position},
};
use chainplate_storage::{Error, List, ListRequest, Object, Revision, Store};
use std::sync::Arc;

/// The objects of one answer.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) documents: Vec<Document>,
    pub(crate) revision: Revision,
    /// `metadata.continue`, if there is more.
    pub(crate) continue_token: Option<String>,
    /// `metadata.remainingItemCount`; only without selectors.
    pub(crate) remaining: Option<usize>,
}

/// How many objects are looked at in one step when a page is filled through a selector.
const STEP: usize = 500;

const EXPIRED: &str = "The resourceVersion for the provided list is too old.";
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You \
    can start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Where and what to list.
pub(crate) struct Selector<'a> {
    pub(crate) store: &'a Store,
    pub(crate) collection: &'a Arc<Collection>,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) filter: &'a Filter,
    pub(crate) transformer: &'a dyn Transformer,
}

impl Selector<'_> {
    /// Takes the page that the options ask for.
    ///
    /// # Errors
    /// 400 for malformed options, 410 for a revision that is gone, 504 for one that does not come.
    pub(crate) async fn select(&self, options: &ListOptions) -> Result<Selection, Failure> {
        let position = options.position()?;
        let limit = usize::try_from(options.limit).unwrap_or(0);
        let (at, after) = match &position {
            Position::Present => (None, None),
            Position::Exact(revision) => {
                wait_for(self.store, *revision).await?;
                (Some(*revision), None)
            }
            Position::NotOlderThan(revision) => {
                wait_for(self.store, *revision).await?;
                (None, None)
            }
            Position::Continue(token) => {
                (Revision::try_from(token.revision).ok(), Some(self.absolute(token)))
            }
        };
        match self.page(at, after, limit).await {
            Err(Fault::Storage(Error::Compacted { .. })) => Err(match position {
                Position::Continue(token) => Failure {
                    status: Status::expired(CONTINUE_EXPIRED),
                    continue_token: Some(ContinueToken { revision: -1, ..token }.encode()),
                },
                _ => Status::expired(EXPIRED).into(),
            }),
            Err(Fault::Storage(error)) => Err(unreadable(&error).into()),
            Err(Fault::Status(status)) => Err(status.into()),
            Ok(selection) => Ok(selection),
        }
    }

    /// Everything at present; for the start of a watch.
    ///
    /// # Errors
    /// What storage or a conversion answers.
    pub(crate) async fn present(&self) -> Result<Selection, Status> {
        self.page(None, None, 0).await.map_err(|fault| match fault {
            Fault::Storage(error) => unreadable(&error),
            Fault::Status(status) => status,
        })
    }

    async fn page(
        &self,
        at: Option<Revision>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Selection, Fault> {
        if let Some(name) = self.filter.name()
            && (self.namespace.is_some() || !self.collection.namespaced)
        {
            return self.single(at, name).await;
        }
        if self.filter.is_empty() {
            let List { revision, objects, remaining } = self.read(at, after.as_deref(), limit)?;
            let more = limit > 0 && remaining > 0;
            let last = objects.last().filter(|_| more).map(|object| self.relative(object).to_owned());
            return Ok(Selection {
                continue_token: last.map(|last| token(&last, revision)),
                remaining: more.then_some(remaining),
                documents: objects.into_iter().map(Document::Stored).collect(),
                revision,
            });
        }
        if limit == 0 {
            let list = self.read(at, after.as_deref(), 0)?;
            let documents =
                self.filtered(list.objects).await?.into_iter().map(|(_, document)| document).collect();
            return Ok(Selection {
                documents,
                revision: list.revision,
                continue_token: None,
                remaining: None,
            });
        }
        self.fill(at, after, limit).await
    }

    /// A page of `limit` selected objects. There is more if any object, selected or not, comes behind the last.
    async fn fill(
        &self,
        mut at: Option<Revision>,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<Selection, Fault> {
        let mut documents = Vec::new();
        loop {
            let list = self.read(at, after.as_deref(), limit.max(STEP))?;
            at = Some(list.revision);
            let more = list.remaining > 0;
            let last_read = list.objects.last().map(|object| object.key().path.to_string());
            for (object, document) in self.filtered(list.objects).await? {
                documents.push(document);
                if documents.len() == limit {
                    let behind = more || last_read.as_deref() != Some(&object.key().path);
                    return Ok(Selection {
                        documents,
                        revision: list.revision,
                        continue_token: behind.then(|| token(self.relative(&object), list.revision)),
                        remaining: None,
                    });
                }
            }
            if !more {
                return Ok(Selection {
                    documents,
                    revision: list.revision,
                    continue_token: None,
                    remaining: None,
                });
            }
            after = last_read;
        }
    }

    /// The one object that a selector names; limits do not matter.
    async fn single(&self, at: Option<Revision>, name: &str) -> Result<Selection, Fault> {
        let path = self.path(name);
        let mut list = self.read(at, before(&path).as_deref(), 1)?;
        list.objects.retain(|object| *object.key().path == *path);
        let documents =
            self.filtered(list.objects).await?.into_iter().map(|(_, document)| document).collect();
        Ok(Selection { documents, revision: list.revision, continue_token: None, remaining: None })
    }

    fn read(&self, at: Option<Revision>, after: Option<&str>, limit: usize) -> Result<List, Fault> {
        let prefix = &self.collection.storage_prefix;
        let request = ListRequest { prefix, namespace: self.namespace, after, limit, at };
        self.store.list(&request).map_err(Fault::Storage)
    }

    /// The objects that the filter lets through, converted where it had to look at what is served.
    async fn filtered(&self, objects: Vec<Arc<Object>>) -> Result<Vec<(Arc<Object>, Document)>, Fault> {
        if !self.filter.needs_conversion() {
            let matching = objects.into_iter().filter(|object| self.filter.matches(object));
            return Ok(matching.map(|object| (object.clone(), Document::Stored(object))).collect());
        }
        let candidates: Vec<_> =
            objects.into_iter().filter(|object| self.filter.matches_metadata(object)).collect();
        let mut out = Vec::new();
        for batch in batches(&candidates) {
            let mut documents: Vec<_> = batch.iter().cloned().map(Document::Stored).collect();
            document::convert(self.collection, self.transformer, &mut documents)
                .await
                .map_err(Fault::Status)?;
            let pairs = batch.iter().cloned().zip(documents);
            out.extend(pairs.filter(|(_, document)| self.filter.matches_content(document)));
        }
        Ok(out)
    }

    fn path(&self, relative: &str) -> String {
        match self.namespace {
            Some(namespace) if self.collection.namespaced => format!("{namespace}/{relative}"),
            _ => relative.to_owned(),
        }
    }

    /// The key of an object relative to what is listed, as tokens have it.
    fn relative<'o>(&self, object: &'o Object) -> &'o str {
        if self.namespace.is_some() { object.key().name() } else { &object.key().path }
    }

    /// The path behind which a token goes on.
    fn absolute(&self, token: &ContinueToken) -> String {
        match token.last() {
            Some(last) => self.path(last),
            // Not a token of ours: it names the first object itself.
            None => before(&self.path(&token.start)).unwrap_or_default(),
        }
    }
}

fn token(last: &str, revision: Revision) -> String {
    ContinueToken::after(last, i64::try_from(revision).unwrap_or(i64::MAX)).encode()
}

/// A path behind which `path` is the first possible one: paths are ASCII, so nothing stands between.
fn before(path: &str) -> Option<String> {
    let mut chars = path.chars();
    let last = chars.next_back()?;
    let previous = char::from_u32(u32::from(last).checked_sub(1)?)?;
    Some(format!("{}{previous}\u{10ffff}", chars.as_str()))
}

/// Slices of a list for transforms: between one and two chunks, or one large object.
pub(crate) fn batches(objects: &[Arc<Object>]) -> impl Iterator<Item = &[Arc<Object>]> {
    let mut rest = objects;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut size = 0;
        let mut count = 0;
        for object in rest {
            size += object.json().len();
            count += 1;
            if size >= CHUNK {
                break;
            }
        }
        let (batch, behind) = rest.split_at(count);
        rest = behind;
        Some(batch)
    })
}

enum Fault {
    Storage(Error),
    Status(Status),
}
