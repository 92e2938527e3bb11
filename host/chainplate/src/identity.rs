//! Authenticators and authorizers of the chain, as the generic server asks them.

use chainplate_apiserver::{
    BoxFuture,
    authn::{Authentication, AuthenticationError, TokenAuthenticator, TokenAuthenticators, TokenEntry},
    authz::{self, Attributes, Authorizer, AuthorizerEntry, Authorizers, Verdict},
};
use chainplate_chain::{AccessRequest, Chain, Decision, Plugin};
use std::sync::Arc;

/// A component with its chain, which must live as long as the component is asked: it may need others of it.
#[derive(Debug)]
struct Member {
    plugin: Arc<Plugin>,
    _chain: Arc<Chain>,
}

/// Who is asked about tokens and access besides the server itself; replaced with the chain.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) tokens: Arc<TokenAuthenticators>,
    pub(crate) access: Arc<Authorizers>,
}

impl Identity {
    pub(crate) fn of(chain: &Arc<Chain>) -> Self {
        Self {
            tokens: Arc::new(TokenAuthenticators::new(Vec::new(), tokens(chain))),
            access: Arc::new(Authorizers::new(access(chain))),
        }
    }

    /// Asks the components of this chain from now on.
    pub(crate) fn follow(&self, chain: &Arc<Chain>) {
        self.tokens.replace(tokens(chain));
        self.access.replace(access(chain));
    }
}

fn members(chain: &Arc<Chain>, is: fn(&Plugin) -> bool) -> impl Iterator<Item = (String, Arc<Member>)> {
    chain.plugins().iter().filter(move |plugin| is(plugin)).map(|plugin| {
        let member = Member { plugin: Arc::clone(plugin), _chain: Arc::clone(chain) };
        (plugin.name().to_owned(), Arc::new(member))
    })
}

fn tokens(chain: &Arc<Chain>) -> Vec<TokenEntry> {
    members(chain, Plugin::is_authenticator).map(|(name, member)| TokenEntry::new(name, member)).collect()
}

fn access(chain: &Arc<Chain>) -> Vec<AuthorizerEntry> {
    members(chain, Plugin::is_authorizer).map(|(name, member)| AuthorizerEntry::new(name, member)).collect()
}

impl TokenAuthenticator for Member {
    fn authenticate<'a>(&'a self, token: &'a str, audiences: &'a [String]) -> BoxFuture<'a, Authentication> {
        Box::pin(async move {
            let found = self.plugin.authenticate(token, audiences).await.map_err(AuthenticationError)?;
            let good = |identity: &chainplate_chain::Identity| {
                // Without audiences of its own it is good for whoever asks, as upstream takes a webhook's answer.
                audiences.is_empty()
                    || identity.audiences.is_empty()
                    || audiences.iter().any(|audience| identity.audiences.contains(audience))
            };
            match found {
                Some(identity) if !good(&identity) => {
                    Err(AuthenticationError("the token is not meant for this server".into()))
                }
                found => Ok(found.map(|identity| Arc::new(identity.user))),
            }
        })
    }
}

impl Authorizer for Member {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        Box::pin(async move {
            let info = attributes.info;
            let request = AccessRequest {
                user: attributes.user.clone(),
                verb: attributes.verb.to_owned(),
                is_resource: info.is_resource,
                path: info.path.clone(),
                group: info.group.clone(),
                version: info.version.clone(),
                namespace: info.namespace.clone(),
                resource: info.resource.clone(),
                subresource: info.subresource.clone(),
                name: info.name.clone(),
            };
            let (decision, reason) = match self.plugin.authorize(request).await? {
                Decision::Allow(reason) => (authz::Decision::Allow, reason),
                Decision::Deny(reason) => (authz::Decision::Deny, reason),
                Decision::NoOpinion(reason) => (authz::Decision::NoOpinion, reason),
            };
            Ok(Verdict { decision, reason })
        })
    }
}
