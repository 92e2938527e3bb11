//! What a component asks of the server that it is a part of: requests, controllers, conversions, tokens.

use super::{from_wire, user_from_wire};
use crate::{
    authenticator::Identity,
    bindings::chainplate::server::{
        client as wire_client, controllers as wire_controllers, service_account_tokens, token_review,
    },
    controllers::Controller,
};
use chainplate_apimachinery::Status;

/// Sends a request to this very server and waits for the answer's body, at most 16 MiB. `method` is upper case, `path` may
/// carry a query, `media_type` is that of the body.
///
/// # Errors
/// The server's Status for anything but 2xx; 403 without the grant.
pub(crate) fn client_send(
    method: &str,
    path: &str,
    media_type: &str,
    body: &[u8],
) -> Result<Vec<u8>, Status> {
    wire_client::send(method, path, media_type, body).map_err(from_wire)
}

pub(crate) fn start_controller(controller: Controller) -> Result<(), Status> {
    let of = controller.of;
    let handle = wire_controllers::Controller::new(&controller.name, &of.group, &of.version, &of.resource);
    for owned in &controller.owns {
        handle.owns(&owned.group, &owned.version, &owned.resource);
    }
    for watched in &controller.watches {
        handle.watches(&watched.group, &watched.version, &watched.resource);
    }
    if let Some(seconds) = controller.resync_seconds {
        handle.set_resync(seconds);
    }
    wire_controllers::start(handle).map_err(from_wire)
}

pub(crate) fn sign_token(claims: &[u8]) -> Result<String, Status> {
    service_account_tokens::sign(claims).map_err(from_wire)
}

pub(crate) fn review_token(token: &str, audiences: &[String]) -> Result<Option<Identity>, String> {
    let found = token_review::authenticate(token, audiences)?;
    Ok(found.map(|found| Identity { user: user_from_wire(found.user), audiences: found.audiences }))
}

/// Conversion in code of custom resources, by `converter` components.
pub mod conversion {
    use super::from_wire;
    use crate::bindings::chainplate::server::conversion as wire;
    use chainplate_apimachinery::Status;

    /// Whether a component converts objects of that kind.
    pub fn converts(group: &str, kind: &str) -> bool {
        wire::converts(group, kind)
    }

    /// Converts objects, in JSON, to `api_version`; as many results as objects, in their order.
    ///
    /// # Errors
    /// The converter's Status; 500 if it cannot answer.
    pub fn convert(
        group: &str,
        kind: &str,
        api_version: &str,
        objects: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, Status> {
        wire::convert(group, kind, api_version, objects).map_err(from_wire)
    }
}
