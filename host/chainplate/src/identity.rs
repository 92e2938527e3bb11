//! Authenticators and authorizers of the chain, as the generic server asks them; and tokens, as the chain asks for them.

use chainplate_apimachinery::{Map, Status, Value, time};
use chainplate_apiserver::{
    BoxFuture,
    authn::{
        AuthenticationError, BoundObject, BoundObjects, ServiceAccountAuthenticator, ServiceAccountTokens,
        SigningError, TokenAuthentication, TokenAuthenticator, TokenAuthenticators, TokenEntry,
        TokenIdentity,
    },
    authz::{self, Attributes, Authorizer, AuthorizerEntry, Authorizers, Verdict},
    options::CompletedOptions,
    tls::TlsError,
};
use chainplate_chain::{AccessRequest, Chain, Decision, Plugin, Tokens};
use std::sync::{Arc, Weak};

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
    pub(crate) service_accounts: Arc<ServiceAccountTokens>,
}

impl Identity {
    /// Nobody is asked yet; the keys of service account tokens are there.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub(crate) fn load(options: &CompletedOptions) -> Result<Self, TlsError> {
        let service_accounts = Arc::new(ServiceAccountTokens::load(options)?);
        let audiences = service_accounts.audiences().to_vec();
        Ok(Self {
            tokens: Arc::new(TokenAuthenticators::new(audiences, Vec::new())),
            access: Arc::new(Authorizers::new(Vec::new())),
            service_accounts,
        })
    }

    /// What components may ask about tokens.
    pub(crate) fn of_components(&self) -> Arc<dyn Tokens> {
        let Self { tokens, service_accounts, .. } = self;
        Arc::new(HostTokens { tokens: Arc::downgrade(tokens), service_accounts: service_accounts.clone() })
    }

    /// Asks the components of this chain from now on, and finds what tokens are bound to in it.
    pub(crate) fn follow(&self, chain: &Arc<Chain>) {
        let objects = Arc::new(Objects(Arc::clone(chain)));
        let accounts = ServiceAccountAuthenticator::new(self.service_accounts.clone(), objects);
        let mut entries = vec![TokenEntry::new("service-account", Arc::new(accounts))];
        entries.extend(
            members(chain, Plugin::is_authenticator).map(|(name, member)| TokenEntry::new(name, member)),
        );
        self.tokens.replace(entries);
        self.access.replace(access(chain));
    }
}

/// Tokens for components that are granted it.
#[derive(Debug)]
struct HostTokens {
    /// They hold the chain that holds this.
    tokens: Weak<TokenAuthenticators>,
    service_accounts: Arc<ServiceAccountTokens>,
}

impl Tokens for HostTokens {
    fn sign(&self, claims: Map) -> Result<String, Status> {
        self.service_accounts.sign(claims).map_err(|error| match error {
            SigningError::Missing(_) | SigningError::TooLong => Status::bad_request(error.to_string()),
            error => Status::internal(format_args!("failed to generate token: {error}")),
        })
    }

    fn review<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, Result<Option<chainplate_chain::Identity>, String>> {
        Box::pin(async move {
            let Some(tokens) = self.tokens.upgrade() else { return Ok(None) };
            let found = tokens.review(token, audiences).await.map_err(|error| error.0)?;
            Ok(found.map(|TokenIdentity { user, audiences }| chainplate_chain::Identity {
                user: Arc::unwrap_or_clone(user),
                audiences,
            }))
        })
    }
}

/// What service account tokens are bound to, found in a chain.
#[derive(Debug)]
struct Objects(Arc<Chain>);

impl BoundObjects for Objects {
    fn find<'a>(
        &'a self,
        resource: &'static str,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<BoundObject>, String>> {
        Box::pin(async move {
            let found = self.0.object_metadata("", "v1", resource, namespace, name).await;
            let found = found.map_err(|status| status.message().to_owned())?;
            Ok(found.map(|metadata| {
                let text = |name: &str| metadata.get(name).and_then(Value::as_str);
                BoundObject {
                    uid: text("uid").unwrap_or_default().to_owned(),
                    deleted: text("deletionTimestamp")
                        .and_then(time::parse)
                        .map(|deleted| deleted.as_second()),
                }
            }))
        })
    }
}

fn members(chain: &Arc<Chain>, is: fn(&Plugin) -> bool) -> impl Iterator<Item = (String, Arc<Member>)> {
    chain.plugins().iter().filter(move |plugin| is(plugin)).map(|plugin| {
        let member = Member { plugin: Arc::clone(plugin), _chain: Arc::clone(chain) };
        (plugin.name().to_owned(), Arc::new(member))
    })
}

fn access(chain: &Arc<Chain>) -> Vec<AuthorizerEntry> {
    members(chain, Plugin::is_authorizer).map(|(name, member)| AuthorizerEntry::new(name, member)).collect()
}

impl TokenAuthenticator for Member {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, TokenAuthentication> {
        Box::pin(async move {
            let found = self.plugin.authenticate(token, audiences).await.map_err(AuthenticationError)?;
            Ok(found.map(|chainplate_chain::Identity { user, audiences }| TokenIdentity {
                user: Arc::new(user),
                audiences,
            }))
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
