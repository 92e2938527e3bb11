//! World `admission`: plugins that change or refuse writes before they are stored.
//!
//! ```
//! use chainplate_sdk::{
//!     Plugin,
//!     admission::{Admission, AdmissionRequest, Decision},
//!     apimachinery::{Status, Value},
//! };
//!
//! struct Owners;
//!
//! impl Plugin for Owners {
//!     const NAME: &'static str = "owners";
//!     const VERSION: &'static str = "0.1.0";
//!
//!     fn configure(_config: Value) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//! }
//!
//! impl Admission for Owners {
//!     fn admit(&self, _hook: &str, request: &AdmissionRequest<'_>) -> Result<Decision, Status> {
//!         let object: Value = request.object()?;
//!         match object.pointer("/metadata/labels/owner") {
//!             Some(_) => Ok(Decision::Allow),
//!             None => Err(request.deny("the label \"owner\" is missing")),
//!         }
//!     }
//! }
//!
//! chainplate_sdk::export!(admission: Owners);
//! ```

mod diff;
#[cfg(test)]
mod tests;

pub use crate::host::{AdmissionAttributes, AdmissionRequest};
pub use diff::diff;

use crate::Plugin;
use chainplate_apimachinery::{Status, Value, field};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// An admission plugin.
pub trait Admission: Plugin {
    /// Judges a write for the hook of that name in the manifest.
    ///
    /// # Errors
    /// A denial, with that Status: see [`AdmissionRequest::deny`].
    fn admit(&self, hook: &str, request: &AdmissionRequest<'_>) -> Result<Decision, Status>;
}

/// What an admission plugin has to say of a write that it does not deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing to object, nothing to change.
    Allow,
    /// Changed by this JSON patch. Mutating hooks only.
    Patch(Vec<u8>),
    /// Changed: this object instead, in JSON. Mutating hooks only.
    Replace(Vec<u8>),
}

impl Decision {
    /// Changed by the operations of a JSON patch (RFC 6902); none of them is the same as [`Decision::Allow`].
    ///
    /// # Errors
    /// 500 if they cannot be written as JSON.
    pub fn patch<T: Serialize>(operations: &[T]) -> Result<Self, Status> {
        if operations.is_empty() {
            return Ok(Self::Allow);
        }
        serde_json::to_vec(operations).map(Self::Patch).map_err(Status::internal)
    }

    /// Changed: this object instead. It must be the whole object; what a type does not know is lost, so for such a type
    /// see [`Decision::edit`].
    ///
    /// # Errors
    /// 500 if it cannot be written as JSON.
    pub fn replace<T: Serialize>(object: &T) -> Result<Self, Status> {
        serde_json::to_vec(object).map(Self::Replace).map_err(Status::internal)
    }

    /// Has `change` edit the object, as a [`Value`] or as any type that reads and writes a part of it, and makes a JSON
    /// patch of what it did. What the type does not know stays as it is.
    ///
    /// # Errors
    /// 400 if the request has no object or one that the type cannot hold; 500 if it cannot be written as JSON.
    pub fn edit<T: Serialize + DeserializeOwned>(
        request: &AdmissionRequest<'_>,
        change: impl FnOnce(&mut T),
    ) -> Result<Self, Status> {
        let whole: Value = request.object()?;
        let mut typed: T = T::deserialize(&whole).map_err(|error| unreadable("object", &error))?;
        let before = serde_json::to_value(&typed).map_err(Status::internal)?;
        change(&mut typed);
        let after = serde_json::to_value(&typed).map_err(Status::internal)?;
        let mut changed = whole.clone();
        diff::carry(&mut changed, &before, &after);
        Self::patch(&diff(&whole, &changed))
    }

    /// What becomes of an object; for tests.
    ///
    /// # Errors
    /// Why the patch does not apply, or what is no JSON.
    pub fn apply(&self, object: &Value) -> Result<Value, String> {
        use chainplate_apimachinery::patch;
        match self {
            Self::Allow => Ok(object.clone()),
            Self::Replace(json) => serde_json::from_slice(json).map_err(|error| error.to_string()),
            Self::Patch(json) => {
                let operations = serde_json::from_slice(json).map_err(|error| error.to_string())?;
                let operations = patch::operations(operations, &mut Vec::new())?;
                let mut object = object.clone();
                patch::apply(&mut object, &operations).map_err(|refused| refused.to_string())?;
                Ok(object)
            }
        }
    }
}

/// What is done to an object, as admission sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is replaced or patched, or a subresource of it written.
    Update,
    /// It is removed.
    Delete,
    /// A subresource that is a connection or an action.
    Connect,
}

impl Operation {
    /// The name in AdmissionReview and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind or a resource in a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct GroupVersionName {
    /// The group, empty for core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind or the plural resource.
    pub name: String,
}

impl AdmissionRequest<'_> {
    /// The object to be stored.
    ///
    /// # Errors
    /// 400 if there is none (DELETE), or one that the type cannot hold.
    pub fn object<T: DeserializeOwned>(&self) -> Result<T, Status> {
        read("object", self.object_json())
    }

    /// The object that is there.
    ///
    /// # Errors
    /// 400 if there is none (CREATE), or one that the type cannot hold.
    pub fn old_object<T: DeserializeOwned>(&self) -> Result<T, Status> {
        read("oldObject", self.old_object_json())
    }

    /// CreateOptions, UpdateOptions, PatchOptions or DeleteOptions; an empty document if the request came without.
    ///
    /// # Errors
    /// 400 if the type cannot hold them.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, Status> {
        read("options", self.options_json().or_else(|| Some(b"{}".to_vec())))
    }

    /// A denial, as upstream's own admission plugins word it: 403 `pods "x" is forbidden: <why>`. Causes may be added
    /// with [`Status::with_causes`].
    pub fn deny(&self, why: impl fmt::Display) -> Status {
        let resource = self.resource();
        Status::forbidden(&resource.group, &resource.name, &self.name(), &why.to_string())
    }

    /// A denial that names fields: 422 `Ingress.networking.k8s.io "x" is invalid: …`, with a cause for each.
    pub fn invalid(&self, errors: &[field::Error]) -> Status {
        let kind = self.kind();
        Status::invalid(&kind.group, &kind.name, &self.name(), errors)
    }
}

fn read<T: DeserializeOwned>(what: &str, json: Option<Vec<u8>>) -> Result<T, Status> {
    let json = json.ok_or_else(|| Status::bad_request(format!("the request has no {what} to be judged")))?;
    serde_json::from_slice(&json).map_err(|error| unreadable(what, &error))
}

fn unreadable(what: &str, error: &serde_json::Error) -> Status {
    Status::bad_request(format!("the request's {what} cannot be read: {error}"))
}
