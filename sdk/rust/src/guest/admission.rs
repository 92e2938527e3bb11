//! World `admission`.

use super::plugin_or_status;
use crate::{
    admission::{Admission, AdmissionRequest, Decision},
    bindings::{
        admission::exports::chainplate::server::admission_hooks::{self, AdmissionRequest as Wire},
        chainplate::server::types::Status,
    },
    wasm,
};
use std::marker::PhantomData;

/// The exports of an admission plugin.
#[derive(Debug)]
pub struct Judges<A>(PhantomData<A>);

impl<A: Admission> admission_hooks::Guest for Judges<A> {
    fn admit(hook: String, request: &Wire) -> Result<admission_hooks::Decision, Status> {
        match plugin_or_status::<A>()?.admit(&hook, &AdmissionRequest::new(request)) {
            Ok(Decision::Allow) => Ok(admission_hooks::Decision::Allow),
            Ok(Decision::Patch(patch)) => Ok(admission_hooks::Decision::Patch(patch)),
            Ok(Decision::Replace(object)) => Ok(admission_hooks::Decision::Replace(object)),
            Err(status) => Err(wasm::to_wire(status)),
        }
    }
}
