//! Resources as Rust types: what `#[derive(Resource)]` makes of a struct, and what follows from it.
//!
//! A derived type is a CustomResourceDefinition that was known when the component was compiled: [`Resource::crd`] is
//! that definition, and [`custom`](crate::custom) serves it.

mod attributes;
mod meta;
mod schema;

pub use attributes::{Attributes, PrintColumn, ScalePaths, definition};
pub use meta::{ObjectMeta, OwnerReference};
pub use schema::structural;

use chainplate_apimachinery::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug};

/// A type of objects: `#[derive(Resource)]` implements it for the root type that it makes.
///
/// The methods are those of kube-rs' `Resource`, `ResourceExt` and `CustomResourceExt` where they exist there.
pub trait Resource: Clone + Debug + Serialize + DeserializeOwned + 'static {
    /// What is wanted.
    type Spec: JsonSchema;
    /// What the attributes of the derive say.
    const ATTRIBUTES: Attributes;

    /// The metadata.
    fn meta(&self) -> &ObjectMeta;
    /// The metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// What is wanted.
    fn spec(&self) -> &Self::Spec;
    /// What is wanted, to change.
    fn spec_mut(&mut self) -> &mut Self::Spec;
    /// The schemas of the parts, as schemars makes them.
    fn schemas(generator: &mut SchemaGenerator) -> Schemas;

    /// The name; empty while it is not known.
    fn name_any(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// The namespace; none for cluster-scoped objects.
    fn namespace(&self) -> Option<&str> {
        self.meta().namespace.as_deref()
    }

    /// The uid; none until the object is stored.
    fn uid(&self) -> Option<&str> {
        self.meta().uid.as_deref()
    }

    /// The revision that the object was read at.
    fn resource_version(&self) -> Option<&str> {
        self.meta().resource_version.as_deref()
    }

    /// The labels.
    fn labels(&self) -> &BTreeMap<String, String> {
        &self.meta().labels
    }

    /// The labels, to change.
    fn labels_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.meta_mut().labels
    }

    /// The annotations.
    fn annotations(&self) -> &BTreeMap<String, String> {
        &self.meta().annotations
    }

    /// The annotations, to change.
    fn annotations_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.meta_mut().annotations
    }

    /// The finalizers.
    fn finalizers(&self) -> &[String] {
        &self.meta().finalizers
    }

    /// `web.example.com/v1`.
    fn api_version() -> String {
        format!("{}/{}", Self::ATTRIBUTES.group, Self::ATTRIBUTES.version)
    }

    /// The name of the definition, `websites.web.example.com`.
    fn crd_name() -> String {
        format!("{}.{}", Self::ATTRIBUTES.plural, Self::ATTRIBUTES.group)
    }

    /// The definition with this version alone.
    fn crd() -> Value {
        definition(&Self::ATTRIBUTES, vec![Self::crd_version()])
    }

    /// This version in a definition (`CustomResourceDefinitionVersion`), as the one that objects are stored in.
    fn crd_version() -> Value {
        attributes::version(&Self::ATTRIBUTES, &schema::object::<Self>())
    }
}

/// A type of objects with a status.
pub trait HasStatus: Resource {
    /// What was observed.
    type Status: JsonSchema;
    /// What was observed, if anything.
    fn status(&self) -> Option<&Self::Status>;
    /// What was observed, to change.
    fn status_mut(&mut self) -> &mut Option<Self::Status>;
}

/// The schemas of the parts of an object.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// That of `spec`.
    pub spec: Schema,
    /// That of `status`, if there is one.
    pub status: Option<Schema>,
}

#[cfg(test)]
mod tests;
