//! What a value may look like: the one description that decoding, merging, apply and managed fields share.
//!
//! Built-in types (tables made at build time) and custom resources (structural schemas) both implement
//! [`Shape`], so that a rule about lists, maps and ownership stands in one place. It corresponds to the typed
//! schema of structured-merge-diff together with the patch tags of Go structs.

use crate::Value;
use std::borrow::Cow;

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A leaf.
    Scalar(Scalar),
    /// An object with known members; [`Shape::field`] knows them.
    Struct {
        /// Owned and replaced as a whole (`x-kubernetes-map-type: atomic`).
        atomic: bool,
    },
    /// An object with free keys, all values of the shape [`Shape::element`].
    Map {
        /// Owned and replaced as a whole.
        atomic: bool,
    },
    /// A list of [`Shape::element`].
    List(ListKind),
    /// Anything: its form is told by the value itself. Objects in it are merged by key (or, if `atomic`, not
    /// at all), lists are atomic.
    Any {
        /// Owned and replaced as a whole.
        atomic: bool,
    },
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Not at all: the list is replaced as a whole. What a list is unless its type says otherwise.
    Atomic,
    /// By value (`x-kubernetes-list-type: set`).
    Set,
    /// By the members named by [`Shape::list_keys`] (`x-kubernetes-list-type: map`).
    Map,
}

/// The form of a leaf in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// Any number.
    Float,
    /// base64 text (Go's `[]byte`).
    Bytes,
    /// RFC 3339 text with whole seconds (`meta/v1.Time`).
    Time,
    /// RFC 3339 text with six digits of a second (`meta/v1.MicroTime`).
    MicroTime,
    /// A `resource.Quantity`: text, or a number on the way in.
    Quantity,
    /// A whole number of 32 bits, or text.
    IntOrString,
}

/// What a strategic merge patch does with a field (`patchStrategy` of the Go struct tag).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// `merge`: lists are merged by [`Shape::merge_key`], or as a set of scalars; without it they are replaced.
    /// Objects are merged without being told to.
    pub merge: bool,
    /// `replace`: an object is replaced as a whole.
    pub replace: bool,
    /// `retainKeys`: members not named by `$retainKeys` of the patch are cleared.
    pub retain_keys: bool,
}

/// A place in a type. Cheap to copy: a reference into a table or a schema.
pub trait Shape: Copy {
    /// The form of the value.
    fn kind(&self) -> Kind;

    /// The shape of the member `name` of a struct, of the value at any key of a map, or of a member of
    /// [`Kind::Any`]. `None` for an unknown member of a struct, and for leaves and lists.
    fn field(&self, name: &str) -> Option<Self>;

    /// The shape of a list's items or of a map's values.
    fn element(&self) -> Option<Self>;

    /// The number of members that tell the items of a [`ListKind::Map`] apart.
    fn list_key_count(&self) -> usize {
        0
    }

    /// The name of such a member, `index` below [`Shape::list_key_count`], in the order of the type.
    fn list_key(&self, index: usize) -> Option<&str> {
        let _ = index;
        None
    }

    /// The default of a member, where it takes part in a list's key (`protocol: TCP` of a port).
    fn default_value(&self) -> Option<Cow<'_, Value>> {
        None
    }

    /// What a strategic merge patch does with this field.
    fn patch_strategy(&self) -> PatchStrategy {
        PatchStrategy::default()
    }

    /// The member by which a strategic merge patch tells the items of this list apart (`patchMergeKey`).
    fn merge_key(&self) -> Option<&str> {
        None
    }

    /// Whether the value is an object with apiVersion, kind and metadata of its own
    /// (`x-kubernetes-embedded-resource`).
    fn is_embedded_resource(&self) -> bool {
        false
    }
}
