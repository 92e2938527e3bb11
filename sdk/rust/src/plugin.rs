//! What every component has, whatever worlds it is made for, and the line that makes it a component.

use chainplate_apimachinery::Value;

/// A plugin: the life that all worlds share. One value per instance, one call at a time.
///
/// All calls but [`configure`](Plugin::configure) run on one instance only.
pub trait Plugin: Sized + 'static {
    /// The component's name, in logs, metrics and errors.
    const NAME: &'static str;
    /// The component's own version.
    const VERSION: &'static str;

    /// Makes the plugin from its configuration, a JSON object; called first, on every instance.
    ///
    /// # Errors
    /// Why the configuration will not do; the host refuses to start with that text.
    fn configure(config: Value) -> Result<Self, String>;

    /// Claims routes, publishes documents and starts controllers, before the host listens.
    ///
    /// # Errors
    /// Why the plugin cannot serve; the host refuses to start with that text.
    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    /// Runs once the host listens; `/readyz` waits for it.
    ///
    /// # Errors
    /// Why it failed; the host tries again with back-off and stays unready until it succeeds.
    fn post_start(&self) -> Result<(), String> {
        Ok(())
    }

    /// Runs when a shutdown begins, before connections are drained.
    ///
    /// # Errors
    /// Why it failed; the host logs it and goes on.
    fn pre_shutdown(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether the plugin can serve.
    ///
    /// # Errors
    /// Why not; shown in `/readyz?verbose`.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Makes types the plugins of this component, each for a world: `export!(admission: Hosts)`, or of several:
/// `export!(server: Sites, admission: Policy)`. A type that is there for several worlds is one value; the first gives the
/// component its name. `export!(Sites)` is a server. Compiled natively it makes nothing.
///
/// The worlds are `server`, `admission`, `converter`, `authenticator` and `authorizer`.
#[macro_export]
macro_rules! export {
    ($server:ty) => {
        $crate::export!(server: $server);
    };
    ($($world:ident: $plugin:ty),+ $(,)?) => {
        #[cfg(target_family = "wasm")]
        mod chainplate_component {
            #![allow(unsafe_code, missing_docs, clippy::all, reason = "generated")]
            use super::*;
            type ChainplateLife = $crate::guest::Component<$crate::__plugins!($($plugin),+)>;
            $crate::bindings::export_lifecycle!(ChainplateLife with_types_in $crate::bindings);
            $($crate::__export_world!($world, $plugin);)+
        }
        // Natively: that they are plugins, at least.
        $(
            #[cfg(not(target_family = "wasm"))]
            const _: &str = <$plugin as $crate::Plugin>::NAME;
        )+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __plugins {
    () => { () };
    ($first:ty $(, $rest:ty)*) => { ($first, $crate::__plugins!($($rest),*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_world {
    (server, $plugin:ty) => {
        type ChainplateServer = $crate::guest::Serves<$plugin>;
        $crate::bindings::server::export_server!(ChainplateServer with_types_in $crate::bindings::server);
    };
    (admission, $plugin:ty) => {
        type ChainplateAdmission = $crate::guest::Judges<$plugin>;
        $crate::bindings::admission::export_admission!(
            ChainplateAdmission with_types_in $crate::bindings::admission
        );
    };
    (converter, $plugin:ty) => {
        type ChainplateConverter = $crate::guest::Converts<$plugin>;
        $crate::bindings::converter::export_converter!(
            ChainplateConverter with_types_in $crate::bindings::converter
        );
    };
    (authenticator, $plugin:ty) => {
        type ChainplateAuthenticator = $crate::guest::Authenticates<$plugin>;
        $crate::bindings::authenticator::export_authenticator!(
            ChainplateAuthenticator with_types_in $crate::bindings::authenticator
        );
    };
    (authorizer, $plugin:ty) => {
        type ChainplateAuthorizer = $crate::guest::Authorizes<$plugin>;
        $crate::bindings::authorizer::export_authorizer!(
            ChainplateAuthorizer with_types_in $crate::bindings::authorizer
        );
    };
}
