//! What wasmtime makes of `wit/`.
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
        // Durable writes and bodies are waited for; everything else is answered from memory, without a fiber switch.
        "chainplate:server/storage.[method]collection.create": async | trappable,
        "chainplate:server/storage.[method]collection.update": async | trappable,
        "chainplate:server/storage.[method]collection.delete": async | trappable,
        "chainplate:server/http.[method]request.body": async | trappable,
        "chainplate:server/publication.openapi-v3": async | trappable,
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
    },
});
