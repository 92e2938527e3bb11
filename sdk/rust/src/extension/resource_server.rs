//! What the author of a resource may say beyond its type.

use crate::{
    Column, Outcome, Request, Resource, Store,
    registry::{Context, Subresource},
};
use chainplate_apimachinery::{Status, Value, field};
use std::{fmt, marker::PhantomData};

/// The behaviour of a resource. Everything has a default: what a type says by itself (its schema with defaults, its
/// status, scale, columns) needs no word here.
///
/// All hooks see the object in the version that is stored, whatever version the request was made in. They are pure but
/// for lookups: a request may be tried several times, and dry runs go through all of them.
///
/// | request | hooks, in this order |
/// |---|---|
/// | create | `default` → `prepare_for_create` → `validate_create` → `warnings` → `before_write` |
/// | update, patch, apply | `default` → `prepare_for_update` → `validate_update` → `warnings` → `before_write` |
/// | `/status` | `default` → `validate_status` → `warnings` → `before_write` |
/// | `/scale` | `prepare_for_update` → `validate_update` → `warnings` → `before_write` |
/// | delete | `validate_delete` |
pub trait ResourceServer: 'static {
    /// The objects, in the version that is stored.
    type Object: Resource;

    /// Fills what the defaults of the schema (`#[serde(default)]`) cannot say, such as what depends on other fields. Not
    /// called for objects that the type cannot read; validation will refuse them.
    fn default(&self, _object: &mut Self::Object) {}

    /// Wipes what a creator may not set.
    fn prepare_for_create(&self, _context: &Context<'_>, _object: &mut Self::Object) {}

    /// Puts back what a writer may not change. The status is put back already.
    fn prepare_for_update(&self, _context: &Context<'_>, _object: &mut Self::Object, _old: &Self::Object) {}

    /// What is wrong with a new object that is valid by its schema.
    fn validate_create(&self, _context: &Context<'_>, _object: &Self::Object) -> Vec<field::Error> {
        Vec::new()
    }

    /// What is wrong with an object that replaces `old`. By default what is wrong with a new one.
    fn validate_update(
        &self,
        context: &Context<'_>,
        object: &Self::Object,
        _old: &Self::Object,
    ) -> Vec<field::Error> {
        self.validate_create(context, object)
    }

    /// What is wrong with a new status.
    fn validate_status(
        &self,
        _context: &Context<'_>,
        _object: &Self::Object,
        _old: &Self::Object,
    ) -> Vec<field::Error> {
        Vec::new()
    }

    /// Whether an object may be deleted.
    ///
    /// # Errors
    /// The Status that the caller gets: `Status::forbidden(…)`, `Status::conflict(…)`.
    fn validate_delete(&self, _context: &Context<'_>, _object: &Self::Object) -> Result<(), Status> {
        Ok(())
    }

    /// The last word before a valid object is stored: the place for what depends on other objects. `old` is absent at
    /// create.
    ///
    /// # Errors
    /// The Status that the writer gets.
    fn before_write(
        &self,
        _context: &Context<'_>,
        _object: &Self::Object,
        _old: Option<&Self::Object>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// What the writer should be told (`Warning` headers).
    fn warnings(
        &self,
        _context: &Context<'_>,
        _object: &Self::Object,
        _old: Option<&Self::Object>,
    ) -> Vec<String> {
        Vec::new()
    }

    /// Columns of tables whose cells are made by [`cells`](ResourceServer::cells), after those of `printcolumn`.
    fn columns(&self) -> Vec<Column> {
        Vec::new()
    }

    /// The cells of [`columns`](ResourceServer::columns): as many, text, numbers, booleans or null. Must depend on the object
    /// alone: the host keeps them.
    fn cells(&self, _object: &Self::Object) -> Vec<Value> {
        Vec::new()
    }

    /// Further subresources, [`Subresource::custom`].
    fn subresources(&self) -> Vec<Subresource> {
        Vec::new()
    }

    /// Answers one of [`subresources`](ResourceServer::subresources); `request.info()` has its name and the object's.
    /// Admission was asked about all but reads: a document in the body is as admission left it.
    ///
    /// # Errors
    /// The Status that the client gets.
    fn subresource(&self, _request: &Request<'_>, _store: &Store<Self::Object>) -> Result<Outcome, Status> {
        Err(Status::unknown_resource())
    }
}

/// The server of a resource that is what its type says.
pub struct Plain<T>(PhantomData<fn() -> T>);

impl<T> Plain<T> {
    /// The only one.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Plain<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}

impl<T: Resource> ResourceServer for Plain<T> {
    type Object = T;
}
