//! Stored objects as Rust types.

use crate::{Collection, Resource, StoredObject, custom::definition::field_label};
use chainplate_apimachinery::{Status, Value, generate_name, object, time};
use std::marker::PhantomData;

/// The stored objects of a derived resource, for what an extension does by itself: lookups, and writes that no request
/// asked for.
///
/// Writes go straight to storage. They are seen by every watch, but nothing is validated, defaulted, admitted or recorded
/// in managed fields: that is what requests are for.
#[derive(Debug)]
pub struct Store<T> {
    collection: Collection,
    older: Vec<(&'static str, Read<T>)>,
    of: PhantomData<fn() -> T>,
}

/// Reads a document of some version.
type Read<T> = fn(Value) -> Result<T, String>;

/// A page of objects.
#[derive(Debug, Clone)]
pub struct Items<T> {
    /// The objects, in key order.
    pub items: Vec<T>,
    /// Pass it to the next call; none at the end.
    pub next: Option<String>,
}

impl<T: Resource> Store<T> {
    /// Opens the storage of the resource, `<group>/<plural>`.
    ///
    /// # Errors
    /// 403 without a grant for it.
    pub fn open() -> Result<Self, Status> {
        let resource = T::ATTRIBUTES;
        let prefix = format!("{}/{}", resource.group, resource.plural);
        let (group, version, plural) = (resource.group, resource.version, resource.plural);
        let collection =
            Collection::open(group, version, plural, resource.kind, resource.namespaced, &prefix)?;
        let labels: Vec<_> = resource.selectable.iter().filter_map(|path| field_label(path)).collect();
        collection.set_field_labels(&labels);
        Ok(Self { collection, older: Vec::new(), of: PhantomData })
    }

    /// Has objects converted that an earlier release of the extension stored as `V`.
    #[must_use]
    pub fn also_stored_as<V: Resource + TryInto<T>>(mut self) -> Self {
        let read: Read<T> = |document| {
            let older: V = serde_json::from_value(document).map_err(|error| error.to_string())?;
            let into = older.try_into();
            into.map_err(|_| format!("a {} cannot be converted to {}", V::api_version(), T::api_version()))
        };
        self.older.push((V::ATTRIBUTES.version, read));
        self
    }

    /// The collection below, for what is not typed here.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// One object.
    ///
    /// # Errors
    /// 500 for a stored document that is none of the type.
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Result<Option<T>, Status> {
        self.collection.get(namespace, name).map(|stored| self.read(&stored)).transpose()
    }

    /// A page of objects in key order, at most 500: of a namespace, or of all. Empty selectors select everything; `after` is
    /// [`Items::next`] of the page before.
    ///
    /// # Errors
    /// 400 for selectors that cannot be parsed; 500 as [`get`](Store::get).
    pub fn page(
        &self,
        namespace: Option<&str>,
        label_selector: &str,
        field_selector: &str,
        limit: u32,
        after: Option<&str>,
    ) -> Result<Items<T>, Status> {
        let page = self.collection.page(namespace, label_selector, field_selector, limit, after)?;
        let items = page.items.iter().map(|stored| self.read(stored)).collect::<Result<_, _>>()?;
        Ok(Items { items, next: page.next })
    }

    /// Makes an object; the server's part of its metadata is filled in.
    ///
    /// # Errors
    /// 409 `AlreadyExists`; 400 without a name.
    pub fn create(&self, object: &T) -> Result<T, Status> {
        let mut object = object.clone();
        let meta = object.meta_mut();
        meta.uid.get_or_insert_with(generate_name::uid);
        meta.creation_timestamp.get_or_insert_with(|| time::format(time::now()));
        meta.generation.get_or_insert(1);
        let name = named(&object)?;
        let stored = self.collection.create(self.namespace(&object), name, &encode(&object)?)?;
        self.read(&stored)
    }

    /// Replaces an object that was read before.
    ///
    /// # Errors
    /// 409 `Conflict` if somebody else wrote it since, 404 if it is gone; 400 without a resourceVersion.
    pub fn update(&self, object: &T) -> Result<T, Status> {
        let revision = revision(object)?;
        let (namespace, name) = (self.namespace(object), named(object)?);
        let stored = self.collection.update(namespace, name, &encode(object)?, revision)?;
        self.read(&stored)
    }

    /// Removes an object that was read before, at once: its finalizers are not asked.
    ///
    /// # Errors
    /// As [`update`](Store::update).
    pub fn delete(&self, object: &T) -> Result<T, Status> {
        let revision = revision(object)?;
        let stored = self.collection.delete(self.namespace(object), named(object)?, revision)?;
        self.read(&stored)
    }

    fn namespace<'a>(&self, object: &'a T) -> Option<&'a str> {
        T::ATTRIBUTES.namespaced.then(|| object.namespace().unwrap_or_default())
    }

    fn read(&self, stored: &StoredObject) -> Result<T, Status> {
        let unreadable = |why: String| {
            let resource = T::ATTRIBUTES;
            Status::internal(format_args!("a stored object of {}.{}: {why}", resource.plural, resource.group))
        };
        let document: Value =
            serde_json::from_slice(&stored.value()).map_err(|error| unreadable(error.to_string()))?;
        let stored_as = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let version = stored_as.rsplit('/').next().unwrap_or_default();
        if version != T::ATTRIBUTES.version {
            let Some((_, read)) = self.older.iter().find(|(older, _)| *older == version) else {
                return Err(unreadable(format!("it is stored as {stored_as}, not as {}", T::api_version())));
            };
            return read(document).map_err(unreadable);
        }
        serde_json::from_value(document).map_err(|error| unreadable(error.to_string()))
    }
}

fn named<T: Resource>(object: &T) -> Result<&str, Status> {
    match object.name_any() {
        "" => Err(Status::bad_request(format!("a {} needs a name to be stored", T::ATTRIBUTES.kind))),
        name => Ok(name),
    }
}

fn revision<T: Resource>(object: &T) -> Result<u64, Status> {
    object.resource_version().and_then(|version| version.parse().ok()).ok_or_else(|| {
        let (kind, name) = (T::ATTRIBUTES.kind, object.name_any());
        Status::bad_request(format!("{kind} {name:?} was not read from storage: it has no resourceVersion"))
    })
}

fn encode<T: Resource>(value: &T) -> Result<Vec<u8>, Status> {
    let value =
        document(value).map_err(|error| Status::internal(format_args!("{}: {error}", T::crd_name())))?;
    Ok(object::encode(&value))
}

/// A typed object as a document. A field without a value is not there, whether or not its type says so.
pub(crate) fn document<T: Resource>(value: &T) -> Result<Value, String> {
    let mut value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    drop_nulls(&mut value);
    Ok(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
