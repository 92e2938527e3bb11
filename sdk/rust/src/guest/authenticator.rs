//! World `authenticator`.

use super::plugin;
use crate::{
    authenticator::Authenticator,
    bindings::{
        authenticator::exports::chainplate::server::token_review, chainplate::server::types::UserInfo,
    },
};
use std::marker::PhantomData;

/// The exports of an authenticator.
#[derive(Debug)]
pub struct Authenticates<A>(PhantomData<A>);

impl<A: Authenticator> token_review::Guest for Authenticates<A> {
    fn authenticate(token: String, audiences: Vec<String>) -> Result<Option<token_review::Identity>, String> {
        let identity = plugin::<A>()?.authenticate(&token, &audiences)?;
        Ok(identity.map(|identity| {
            let user = identity.user;
            let user = UserInfo { name: user.name, uid: user.uid, groups: user.groups, extra: user.extra };
            token_review::Identity { user, audiences: identity.audiences }
        }))
    }
}
