//! What wit-bindgen makes of `wit/`: everything that can be imported, once, and what each world exports.
//!
//! A component exports the lifecycle and the exports of one world or of several. So these are generated apart, and
//! wit-component makes one world of those that are used; imports that are not used are dropped.
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
    inline: "
        package chainplate:sdk;
        world life {
            import chainplate:server/types@0.2.0;
            import chainplate:server/storage@0.2.0;
            import chainplate:server/http@0.2.0;
            import chainplate:server/router@0.2.0;
            import chainplate:server/publication@0.2.0;
            import chainplate:server/tasks@0.2.0;
            import chainplate:server/admission-control@0.2.0;
            import chainplate:server/conversion@0.2.0;
            import chainplate:server/client@0.2.0;
            import chainplate:server/controllers@0.2.0;
            import chainplate:server/service-account-tokens@0.2.0;
            import chainplate:server/token-review@0.2.0;
            import chainplate:server/telemetry@0.2.0;
            import chainplate:server/review@0.2.0;
            import chainplate:server/access@0.2.0;
            export chainplate:server/lifecycle@0.2.0;
        }
    ",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_lifecycle",
    default_bindings_module: "chainplate_sdk::bindings",
});

/// The exports of one world, in a module of their own, on the types above.
macro_rules! exports {
    (
        $(#[$doc:meta])* $module:ident, $export:literal, $path:literal,
        { $($interface:literal: $shared:ident),* }, $wit:literal
    ) => {
        $(#[$doc])*
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                inline: $wit,
                with: { $($interface: crate::bindings::chainplate::server::$shared),* },
                generate_all,
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: $path,
            });
        }
    };
}

exports!(
    /// World `server`.
    server,
    "export_server",
    "chainplate_sdk::bindings::server",
    {
        "chainplate:server/types@0.2.0": types,
        "chainplate:server/storage@0.2.0": storage,
        "chainplate:server/http@0.2.0": http
    },
    "
        package chainplate:sdk;
        world server-exports {
            export chainplate:server/handler@0.2.0;
            export chainplate:server/transforms@0.2.0;
            export chainplate:server/documents@0.2.0;
            export chainplate:server/background@0.2.0;
            export chainplate:server/reconciler@0.2.0;
        }
    "
);

exports!(
    /// World `admission`.
    admission,
    "export_admission",
    "chainplate_sdk::bindings::admission",
    { "chainplate:server/types@0.2.0": types, "chainplate:server/review@0.2.0": review },
    "
        package chainplate:sdk;
        world admission-exports { export chainplate:server/admission-hooks@0.2.0; }
    "
);

exports!(
    /// World `converter`.
    converter,
    "export_converter",
    "chainplate_sdk::bindings::converter",
    { "chainplate:server/types@0.2.0": types },
    "
        package chainplate:sdk;
        world converter-exports { export chainplate:server/version-conversion@0.2.0; }
    "
);

exports!(
    /// World `authenticator`.
    authenticator,
    "export_authenticator",
    "chainplate_sdk::bindings::authenticator",
    { "chainplate:server/types@0.2.0": types },
    "
        package chainplate:sdk;
        world authenticator-exports { export chainplate:server/token-review@0.2.0; }
    "
);

exports!(
    /// World `authorizer`.
    authorizer,
    "export_authorizer",
    "chainplate_sdk::bindings::authorizer",
    { "chainplate:server/types@0.2.0": types, "chainplate:server/access@0.2.0": access },
    "
        package chainplate:sdk;
        world authorizer-exports { export chainplate:server/access-review@0.2.0; }
    "
);
