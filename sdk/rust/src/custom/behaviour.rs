//! What code adds to a schema.

use crate::{
    Collection, Outcome, Request,
    registry::{Context, Malformed},
};
use chainplate_apimachinery::{Status, Value, field};

/// The part of a resource that no schema can say. Each hook does nothing unless it is written.
///
/// `version` is the version of the documents at hand: the one that the request names.
pub trait Behaviour {
    /// Turns a document in protobuf (`DeleteOptions` of a few clients) into its JSON form; see
    /// [`Strategy::decode_protobuf`](crate::registry::Strategy::decode_protobuf).
    ///
    /// # Errors
    /// What is wrong with the body; the client is told in a 400.
    fn decode_protobuf(&self, _body: &[u8], _default: (&str, &str)) -> Result<Value, Malformed> {
        Err(Malformed::untyped("protobuf is not understood here: send JSON"))
    }

    /// The version that objects are stored in, whatever version they were sent in. `None`: in the version they came in,
    /// which is enough where versions differ in nothing but their schema.
    fn stored_version(&self) -> Option<&str> {
        None
    }

    /// Turns an object of one version into another; the engine sets `apiVersion` and fits it to the schema. `from` may be
    /// a version that is served no more.
    ///
    /// # Errors
    /// 500 when there is no conversion.
    fn convert(&self, _object: &mut Value, _from: &str, _to: &str) -> Result<(), Status> {
        Ok(())
    }

    /// Fills what the defaults of the schema cannot say; they are there already. The object may be invalid.
    fn default(&self, _version: &str, _object: &mut Value) {}

    /// Wipes or puts back what this writer may not set; `old` is absent at create.
    fn prepare(&self, _context: &Context<'_>, _version: &str, _object: &mut Value, _old: Option<&Value>) {}

    /// What is wrong with an object that is valid by its schema; `old` is absent at create.
    fn validate(
        &self,
        _context: &Context<'_>,
        _version: &str,
        _object: &Value,
        _old: Option<&Value>,
    ) -> Vec<field::Error> {
        Vec::new()
    }

    /// What the writer should be told.
    fn warnings(
        &self,
        _context: &Context<'_>,
        _version: &str,
        _object: &Value,
        _old: Option<&Value>,
    ) -> Vec<String> {
        Vec::new()
    }

    /// The last step before an object is stored, also of dry runs.
    ///
    /// # Errors
    /// The Status that the writer gets.
    fn before_write(
        &self,
        _context: &Context<'_>,
        _version: &str,
        _object: &mut Value,
        _old: Option<&Value>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// A word before an object is deleted, or marked as being deleted.
    ///
    /// # Errors
    /// The Status that the caller gets.
    fn before_delete(&self, _context: &Context<'_>, _version: &str, _object: &Value) -> Result<(), Status> {
        Ok(())
    }

    /// Answers a subresource that the descriptor has as [`Custom`](crate::registry::SubresourceForm::Custom).
    ///
    /// # Errors
    /// The Status that the client gets.
    fn subresource(&self, _request: &Request<'_>, _collection: &Collection) -> Result<Outcome, Status> {
        Err(Status::unknown_resource())
    }
}
