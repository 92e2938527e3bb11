//! World `authorizer`.

use super::plugin;
use crate::{
    authorizer::{AccessRequest, Authorizer, Decision},
    bindings::authorizer::exports::chainplate::server::access_review::{self, AccessRequest as Wire},
};
use std::marker::PhantomData;

/// The exports of an authorizer.
#[derive(Debug)]
pub struct Authorizes<A>(PhantomData<A>);

impl<A: Authorizer> access_review::Guest for Authorizes<A> {
    fn authorize(request: &Wire) -> Result<access_review::Decision, String> {
        Ok(match plugin::<A>()?.authorize(&AccessRequest::new(request))? {
            Decision::Allow(reason) => access_review::Decision::Allow(reason),
            Decision::Deny(reason) => access_review::Decision::Deny(reason),
            Decision::NoOpinion(reason) => access_review::Decision::NoOpinion(reason),
        })
    }
}
