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

/// The life that all components have.
pub mod plugin {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "chainplate:server/types": super::chainplate::server::types,
            "chainplate:server/storage": super::chainplate::server::storage,
            "chainplate:server/telemetry": super::chainplate::server::telemetry,
            "chainplate:server/tasks": super::chainplate::server::tasks,
            "chainplate:server/client": super::chainplate::server::client,
        },
    });
}

/// Admission plugins.
pub mod admission {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "admission",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "chainplate:server/types": super::chainplate::server::types,
            "chainplate:server/storage": super::chainplate::server::storage,
            "chainplate:server/telemetry": super::chainplate::server::telemetry,
            "chainplate:server/tasks": super::chainplate::server::tasks,
            "chainplate:server/client": super::chainplate::server::client,
            "chainplate:server/review.admission-request": crate::imports::ReviewHandle,
        },
    });
}

/// Conversions of custom resources.
pub mod converter {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "converter",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "chainplate:server/types": super::chainplate::server::types,
            "chainplate:server/storage": super::chainplate::server::storage,
            "chainplate:server/telemetry": super::chainplate::server::telemetry,
            "chainplate:server/tasks": super::chainplate::server::tasks,
            "chainplate:server/client": super::chainplate::server::client,
        },
    });
}

/// Authenticators of tokens.
pub mod authenticator {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "authenticator",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "chainplate:server/types": super::chainplate::server::types,
            "chainplate:server/storage": super::chainplate::server::storage,
            "chainplate:server/telemetry": super::chainplate::server::telemetry,
            "chainplate:server/tasks": super::chainplate::server::tasks,
            "chainplate:server/client": super::chainplate::server::client,
        },
    });
}

/// Authorizers.
pub mod authorizer {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "authorizer",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "chainplate:server/types": super::chainplate::server::types,
            "chainplate:server/storage": super::chainplate::server::storage,
            "chainplate:server/telemetry": super::chainplate::server::telemetry,
            "chainplate:server/tasks": super::chainplate::server::tasks,
            "chainplate:server/client": super::chainplate::server::client,
            "chainplate:server/access.access-request": crate::imports::AccessHandle,
        },
    });
}
