//! What components serve, told to the host for those in front of them.

use crate::plugin::Plugin;
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_engine::CodeCache;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// The documents of one group and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupVersion {
    /// The group, empty for core.
    pub group: String,
    /// The version.
    pub version: String,
    /// `APIVersionDiscovery`, in JSON.
    pub discovery: Bytes,
    /// The OpenAPI v3 document, in JSON; without it the publisher is asked.
    pub openapi_v3: Option<Bytes>,
    /// Changes when the OpenAPI v3 document may have.
    pub openapi_v3_hash: String,
    /// The greater, the earlier its group stands.
    pub group_priority_minimum: i32,
    /// The greater, the earlier it stands in its group.
    pub version_priority: i32,
    /// The component.
    pub publisher: String,
}

type Published = BTreeMap<(String, String), Arc<GroupVersion>>;

/// Everything that is published, replaced as a whole: readers see all of a publication or nothing.
#[derive(Debug, Default)]
pub struct Publications {
    published: RwLock<Arc<Published>>,
    generation: AtomicU64,
    /// The components, to ask for documents that they make when asked.
    components: RwLock<HashMap<String, Weak<Plugin>>>,
    made: Mutex<Made>,
}

/// Most bytes of documents that were made when asked for and are kept. Those of all built-in types are somewhat more.
const MOST_MADE: usize = 8 << 20;

/// Documents that their publishers made: as good for as long as the publication is the same.
#[derive(Debug, Default)]
struct Made {
    bytes: usize,
    documents: HashMap<(String, String), (Arc<GroupVersion>, Bytes)>,
}

impl Made {
    fn get(&self, item: &Arc<GroupVersion>) -> Option<Bytes> {
        let (of, document) = self.documents.get(&(item.group.clone(), item.version.clone()))?;
        Arc::ptr_eq(of, item).then(|| document.clone())
    }

    /// Keeps a document. When there is no room, all others go: who reads so many reads them once.
    fn put(&mut self, item: Arc<GroupVersion>, document: Bytes) {
        let key = (item.group.clone(), item.version.clone());
        if let Some((_, before)) = self.documents.remove(&key) {
            self.bytes -= before.len();
        }
        if document.len() > MOST_MADE {
            return;
        }
        if self.bytes + document.len() > MOST_MADE {
            *self = Self::default();
        }
        self.bytes += document.len();
        self.documents.insert(key, (item, document));
    }
}

impl Publications {
    /// Says who can be asked for documents.
    pub(crate) fn introduce(&self, plugin: &Arc<Plugin>) {
        self.components.write().insert(plugin.name().to_owned(), Arc::downgrade(plugin));
    }

    /// Publishes in one step; whatever else the publisher has in `whole_group` is taken back. `digest` is that of the
    /// publisher's code.
    ///
    /// # Errors
    /// 403 if another component publishes one of them.
    pub fn publish(
        &self,
        publisher: &str,
        digest: &str,
        whole_group: Option<&str>,
        group_versions: Vec<GroupVersion>,
    ) -> Result<(), Status> {
        let mut published = self.published.write();
        for item in &group_versions {
            let key = (item.group.clone(), item.version.clone());
            if let Some(there) = published.get(&key).filter(|there| there.publisher != publisher) {
                return Err(Status::forbidden(
                    "",
                    "",
                    "",
                    &format!(
                        "component {publisher:?} cannot publish {}/{}: component {:?} does; grant the group to one of them",
                        item.group, item.version, there.publisher
                    ),
                ));
            }
        }
        let mut next = Published::clone(&published);
        next.retain(|_, there| there.publisher != publisher || Some(there.group.as_str()) != whole_group);
        for mut item in group_versions {
            item.publisher = publisher.to_owned();
            item.openapi_v3_hash = match &item.openapi_v3 {
                Some(document) => CodeCache::digest(document),
                None => CodeCache::digest(format!("{digest} {}/{}", item.group, item.version).as_bytes()),
            }
            .trim_start_matches("sha256:")
            .to_ascii_uppercase();
            next.insert((item.group.clone(), item.version.clone()), Arc::new(item));
        }
        if next != **published {
            *published = Arc::new(next);
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Changes with every publication.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Everything, by group and version.
    pub fn all(&self) -> Vec<Arc<GroupVersion>> {
        let published = Arc::clone(&self.published.read());
        published.values().cloned().collect()
    }

    /// The OpenAPI v3 document of a group-version, made by its publisher if it was not published with it.
    ///
    /// # Errors
    /// 500 when the publisher fails.
    pub async fn openapi_v3(&self, group: &str, version: &str) -> Result<Option<Bytes>, Status> {
        let found = self.published.read().get(&(group.to_owned(), version.to_owned())).cloned();
        let Some(item) = found else { return Ok(None) };
        if item.openapi_v3.is_some() {
            return Ok(item.openapi_v3.clone());
        }
        if let Some(made) = self.made.lock().get(&item) {
            return Ok(Some(made));
        }
        let plugin = self.components.read().get(&item.publisher).and_then(Weak::upgrade);
        let Some(plugin) = plugin else { return Ok(None) };
        let Some(made) = plugin.openapi_v3(group, version).await? else { return Ok(None) };
        plugin.context.check_json(&made).map_err(|why| {
            let name = plugin.name();
            Status::internal(format_args!(
                "component {name:?} made a document of OpenAPI for {group}/{version} that is no JSON: {why}"
            ))
        })?;
        self.made.lock().put(item, made.clone());
        Ok(Some(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: &str) -> GroupVersion {
        GroupVersion { group: group.into(), version: "v1".into(), ..GroupVersion::default() }
    }

    #[test]
    fn made_documents_are_kept_for_their_publication_and_within_bounds() {
        let (mut made, item) = (Made::default(), Arc::new(of("a.example.com")));
        made.put(item.clone(), Bytes::from_static(b"{}"));
        assert_eq!(made.get(&item), Some(Bytes::from_static(b"{}")));
        assert_eq!(made.get(&Arc::new(of("a.example.com"))), None, "published anew");
        for number in 0..20 {
            made.put(Arc::new(of(&format!("{number}.example.com"))), vec![b' '; MOST_MADE / 3].into());
            assert!(made.bytes <= MOST_MADE);
            assert_eq!(made.bytes, made.documents.values().map(|(_, json)| json.len()).sum::<usize>());
        }
        made.put(item.clone(), vec![b' '; MOST_MADE + 1].into());
        assert_eq!(made.get(&item), None);
    }

    #[test]
    fn a_publication_is_all_or_nothing_and_belongs_to_its_component() {
        let publications = Publications::default();
        publications.publish("a", "digest", None, vec![of("a.example.com")]).unwrap();
        let refused = publications
            .publish("b", "digest", None, vec![of("b.example.com"), of("a.example.com")])
            .unwrap_err();
        assert!(refused.message().contains("component \"a\" does"), "{refused}");
        assert_eq!(publications.all().len(), 1);
        publications.publish("b", "digest", Some("a.example.com"), vec![]).unwrap();
        publications.publish("a", "digest", Some("a.example.com"), vec![of("a.example.com")]).unwrap();
        assert_eq!((publications.all().len(), publications.generation()), (1, 1), "nothing changed");
        publications.publish("a", "digest", Some("a.example.com"), vec![]).unwrap();
        assert_eq!((publications.all().len(), publications.generation()), (0, 2));
    }
}
