//! Collections and stored objects.

use super::{to_wire, verb_from_wire};
use crate::{
    bindings::chainplate::server::{storage, types as wire},
    instance::State,
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_plan::{Collection, Column, FieldLabel, TransformRef};
use chainplate_storage::{Error, Key, ListRequest, Object, Store};
use std::{sync::Arc, time::Duration};
use wasmtime::component::Resource;

/// A collection that a component opened.
#[derive(Debug)]
pub struct CollectionHandle {
    pub(crate) collection: Arc<Collection>,
    /// How long objects live after a write; `None`: for ever.
    ttl: Option<Duration>,
}

/// An object that a component read or wrote.
#[derive(Debug)]
pub struct StoredHandle(pub(crate) Arc<Object>);

/// Most names in one `get-many`.
const MAX_NAMES: usize = 1000;
/// Most objects in one page.
const MAX_PAGE: usize = 500;

impl CollectionHandle {
    /// The object's key, if namespace and name are single path segments and fit the scope.
    fn key(&self, namespace: Option<&str>, name: &str) -> Result<Key, Status> {
        let collection = &self.collection;
        let segment = |text: &str| !text.is_empty() && text != "." && text != ".." && !text.contains('/');
        if !segment(name) || namespace.is_some_and(|namespace| !segment(namespace)) {
            return Err(Status::bad_request(format!(
                "{:?} in namespace {:?} is no name of an object of {}",
                name,
                namespace.unwrap_or_default(),
                collection.resource
            )));
        }
        if namespace.is_some() != collection.namespaced {
            return Err(Status::bad_request(format!(
                "{} is {}; the component addressed {name:?} the other way",
                collection.resource,
                if collection.namespaced { "namespaced" } else { "cluster-scoped" }
            )));
        }
        Ok(Key::new(Arc::clone(&collection.storage_prefix), namespace, name))
    }

    /// A storage error in the words of the API.
    fn status(&self, name: &str, error: Error) -> Status {
        let (group, resource) = (&*self.collection.group, &*self.collection.resource);
        match error {
            Error::AlreadyExists(_) => Status::already_exists(group, resource, name),
            Error::NotFound(_) => Status::not_found(group, resource, name),
            Error::Conflict { .. } => Status::modified(group, resource, name),
            Error::BadValue { why, .. } => {
                Status::too_large(format!("{resource} {name:?} cannot be stored: {why}"))
            }
            Error::Closed => Status::unavailable("the server is shutting down").with_retry_after(1),
            Error::Compacted { .. } | Error::FutureRevision { .. } => Status::expired(error.to_string()),
            other => Status::internal(other),
        }
    }
}

impl State {
    fn collection(&self, this: &Resource<CollectionHandle>) -> wasmtime::Result<&CollectionHandle> {
        Ok(self.table.get(this)?)
    }

    fn edit(&mut self, this: &Resource<CollectionHandle>) -> wasmtime::Result<&mut Collection> {
        Ok(Arc::make_mut(&mut self.table.get_mut(this)?.collection))
    }

    async fn write(
        &mut self,
        this: &Resource<CollectionHandle>,
        namespace: Option<&str>,
        name: &str,
        operation: impl AsyncFnOnce(&Store, Key, Option<Duration>) -> Result<Arc<Object>, Error>,
    ) -> wasmtime::Result<Result<Resource<StoredHandle>, wire::Status>> {
        let handle = self.collection(this)?;
        let written = match handle.key(namespace, name) {
            Ok(key) => operation(&self.plugin.store, key, handle.ttl)
                .await
                .map_err(|error| handle.status(name, error)),
            Err(status) => Err(status),
        };
        Ok(match written {
            Ok(object) => Ok(self.table.push(StoredHandle(object))?),
            Err(status) => Err(to_wire(status)),
        })
    }
}

impl storage::HostStoredObject for State {
    fn value(&mut self, this: Resource<StoredHandle>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&this)?.0.json().to_vec())
    }

    fn revision(&mut self, this: Resource<StoredHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.0.revision())
    }

    fn drop(&mut self, this: Resource<StoredHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl storage::Host for State {}

impl storage::HostCollection for State {
    fn open(
        &mut self,
        group: String,
        version: String,
        resource: String,
        kind: String,
        namespaced: bool,
        storage_prefix: String,
    ) -> wasmtime::Result<Result<Resource<CollectionHandle>, wire::Status>> {
        let plugin = &self.plugin;
        if !plugin.grants.allows_storage(&storage_prefix) {
            return Ok(Err(to_wire(Status::forbidden(
                &group,
                &resource,
                "",
                &format!(
                    "component {:?} may not use the storage prefix {storage_prefix:?}; add it to grants.storage of this component",
                    plugin.name
                ),
            ))));
        }
        let collection = Collection {
            list_kind: format!("{kind}List"),
            group,
            version,
            resource,
            kind,
            namespaced,
            storage_prefix: storage_prefix.into(),
            items_with_type_meta: false,
            field_labels: Vec::new(),
            columns: Vec::new(),
            rows: None,
            conversion: None,
        };
        Ok(Ok(self.table.push(CollectionHandle { collection: Arc::new(collection), ttl: None })?))
    }

    fn set_list_kind(&mut self, this: Resource<CollectionHandle>, kind: String) -> wasmtime::Result<()> {
        self.edit(&this)?.list_kind = kind;
        Ok(())
    }

    fn set_field_labels(
        &mut self,
        this: Resource<CollectionHandle>,
        labels: Vec<storage::FieldLabel>,
    ) -> wasmtime::Result<()> {
        let labels =
            labels.into_iter().map(|it| FieldLabel { label: it.label, path: it.path, default: it.default });
        self.edit(&this)?.field_labels = labels.collect();
        Ok(())
    }

    fn set_item_type_meta(&mut self, this: Resource<CollectionHandle>, keep: bool) -> wasmtime::Result<()> {
        self.edit(&this)?.items_with_type_meta = keep;
        Ok(())
    }

    fn set_table(
        &mut self,
        this: Resource<CollectionHandle>,
        columns: Vec<storage::Column>,
        rows_transform: String,
        argument: Vec<u8>,
    ) -> wasmtime::Result<()> {
        let columns = columns.into_iter().map(|column| Column {
            name: column.name,
            type_: column.type_,
            format: column.format,
            description: column.description,
            priority: column.priority,
        });
        let collection = self.edit(&this)?;
        collection.columns = columns.collect();
        collection.rows = Some(TransformRef { name: rows_transform, argument: argument.into() });
        Ok(())
    }

    fn set_conversion(
        &mut self,
        this: Resource<CollectionHandle>,
        transform: String,
        argument: Vec<u8>,
    ) -> wasmtime::Result<()> {
        self.edit(&this)?.conversion = Some(TransformRef { name: transform, argument: argument.into() });
        Ok(())
    }

    fn set_ttl(&mut self, this: Resource<CollectionHandle>, seconds: u32) -> wasmtime::Result<()> {
        let ttl = Duration::from_secs(seconds.into());
        self.table.get_mut(&this)?.ttl = (seconds > 0).then_some(ttl);
        Ok(())
    }

    fn get(
        &mut self,
        this: Resource<CollectionHandle>,
        namespace: Option<String>,
        name: String,
    ) -> wasmtime::Result<Option<Resource<StoredHandle>>> {
        let Ok(key) = self.collection(&this)?.key(namespace.as_deref(), &name) else { return Ok(None) };
        let Some(object) = self.plugin.store.get(&key) else { return Ok(None) };
        Ok(Some(self.table.push(StoredHandle(object))?))
    }

    fn get_many(
        &mut self,
        this: Resource<CollectionHandle>,
        namespace: Option<String>,
        names: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<Resource<StoredHandle>>>, wire::Status>> {
        if names.len() > MAX_NAMES {
            let status = Status::bad_request(format!("get-many takes at most {MAX_NAMES} names"));
            return Ok(Err(to_wire(status)));
        }
        let mut found = Vec::with_capacity(names.len());
        for name in &names {
            let key = self.collection(&this)?.key(namespace.as_deref(), name);
            let object = key.ok().and_then(|key| self.plugin.store.get(&key));
            found.push(object.map(|object| self.table.push(StoredHandle(object))).transpose()?);
        }
        Ok(Ok(found))
    }

    fn page(
        &mut self,
        this: Resource<CollectionHandle>,
        namespace: Option<String>,
        label_selector: String,
        field_selector: String,
        limit: u32,
        after: Option<String>,
    ) -> wasmtime::Result<Result<storage::Page, wire::Status>> {
        let collection = Arc::clone(&self.collection(&this)?.collection);
        let filter = match chainplate_plan::Filter::parse(&collection, &label_selector, &field_selector) {
            Ok(filter) => filter,
            Err(status) => return Ok(Err(to_wire(status))),
        };
        let limit = if limit == 0 { MAX_PAGE } else { MAX_PAGE.min(limit as usize) };
        let request = ListRequest {
            prefix: &collection.storage_prefix,
            namespace: namespace.as_deref(),
            after: after.as_deref(),
            limit,
            at: None,
        };
        let list = match self.plugin.store.list(&request) {
            Ok(list) => list,
            Err(error) => return Ok(Err(to_wire(Status::internal(error)))),
        };
        let last = list.objects.last().map(|object| object.key().path.to_string());
        let next = last.filter(|_| list.remaining > 0);
        let mut items = Vec::with_capacity(list.objects.len());
        for object in list.objects {
            if filter.matches(&object) {
                items.push(self.table.push(StoredHandle(object))?);
            }
        }
        Ok(Ok(storage::Page { items, next }))
    }

    async fn create(
        &mut self,
        this: Resource<CollectionHandle>,
        namespace: Option<String>,
        name: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<Resource<StoredHandle>, wire::Status>> {
        self.write(&this, namespace.as_deref(), &name, async |store, key, ttl| {
            store.create(key, Bytes::from(value), ttl).await
        })
        .await
    }

    async fn update(
        &mut self,
        this: Resource<CollectionHandle>,
        namespace: Option<String>,
        name: String,
        value: Vec<u8>,
        expected: u64,
    ) -> wasmtime::Result<Result<Resource<StoredHandle>, wire::Status>> {
        self.write(&this, namespace.as_deref(), &name, async |store, key, ttl| {
            store.update(key, Bytes::from(value), Some(expected), ttl).await
        })
        .await
    }

    async fn delete(
        &mut self,
        this: Resource<CollectionHandle>,
        namespace: Option<String>,
        name: String,
        expected: u64,
    ) -> wasmtime::Result<Result<Resource<StoredHandle>, wire::Status>> {
        self.write(&this, namespace.as_deref(), &name, async |store, key, _| {
            store.delete(key, Some(expected)).await
        })
        .await
    }

    fn admit(
        &mut self,
        this: Resource<CollectionHandle>,
        operation: wire::Verb,
        namespace: Option<String>,
        name: String,
    ) -> wasmtime::Result<Result<(), wire::Status>> {
        let collection = &self.collection(&this)?.collection;
        let asked = crate::admission::Asked {
            collection,
            operation: verb_from_wire(operation),
            namespace: namespace.as_deref(),
            name: &name,
        };
        Ok(crate::admission::namespace_lifecycle(&self.plugin.store, &asked).map_err(to_wire))
    }

    fn drop(&mut self, this: Resource<CollectionHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
