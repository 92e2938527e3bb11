//! What wasmtime makes of `wit/`: the imports once, and the exports of each world.
#![allow(
    missing_docs,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "server",
    imports: {
        // Durable writes, bodies and other components are waited for; everything else is answered from memory, without a
        // fiber switch.
        "chainplate:server/storage.[method]collection.create": async | trappable,
        "chainplate:server/storage.[method]collection.update": async | trappable,
        "chainplate:server/storage.[method]collection.delete": async | trappable,
        "chainplate:server/http.[method]request.body": async | trappable,
        "chainplate:server/publication.openapi-v3": async | trappable,
        "chainplate:server/admission-control.[method]attributes.mutate": async | trappable,
        "chainplate:server/admission-control.[method]attributes.validate": async | trappable,
        "chainplate:server/conversion.convert": async | trappable,
        "chainplate:server/client.send": async | trappable,
        "chainplate:server/token-review.authenticate": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "chainplate:server/storage.collection": crate::imports::CollectionHandle,
        "chainplate:server/storage.stored-object": crate::imports::StoredHandle,
        "chainplate:server/http.request": crate::imports::RequestHandle,
        "chainplate:server/http.draft": crate::imports::DraftHandle,
        "chainplate:server/http.response": crate::imports::ResponseHandle,
        "chainplate:server/publication.group-version": crate::imports::GroupVersionHandle,
        "chainplate:server/admission-control.attributes": crate::imports::AttributesHandle,
        "chainplate:server/controllers.controller": crate::imports::ControllerHandle,
    },
});

/// The exports of a world beside `server`, whose imports are those of above; further ones follow its name.
macro_rules! world {
    ($(#[$documentation:meta])* $module:ident, $world:tt $(, $import:tt: $handle:path)*) => {
        $(#[$documentation])*
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../../wit",
                world: $world,
                imports: { default: trappable },
                exports: { default: async },
                with: {
                    "chainplate:server/types": super::chainplate::server::types,
                    "chainplate:server/storage": super::chainplate::server::storage,
                    "chainplate:server/telemetry": super::chainplate::server::telemetry,
                    "chainplate:server/tasks": super::chainplate::server::tasks,
                    "chainplate:server/client": super::chainplate::server::client,
                    $($import: $handle,)*
                },
            });
        }
    };
}

world!(
    /// The life that all components have.
    plugin,
    "plugin"
);
world!(
    /// Admission plugins.
    admission,
    "admission",
    "chainplate:server/review.admission-request": crate::imports::ReviewHandle
);
world!(
    /// Conversions of custom resources.
    converter,
    "converter"
);
world!(
    /// Authenticators of tokens.
    authenticator,
    "authenticator"
);
world!(
    /// Authorizers.
    authorizer,
    "authorizer",
    "chainplate:server/access.access-request": crate::imports::AccessHandle
);
