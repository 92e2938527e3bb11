//! What wit-bindgen makes of `wit/`.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "server",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "chainplate_sdk::bindings",
});
