//! The derive macro of `chainplate-sdk`.

mod attributes;
mod resource;

use proc_macro::TokenStream;

/// Makes a resource of the struct that is its spec.
///
/// The struct is called `…Spec` or anything else; the macro makes the root type, named as the kind, with `metadata`,
/// `spec` and, if there is one, `status`, and implements `chainplate_sdk::Resource` for it. The struct itself derives
/// `serde::Serialize`, `serde::Deserialize` and `schemars::JsonSchema`. Documentation comments become descriptions.
///
/// What `#[resource(…)]` takes, with the names of kube-rs' `CustomResource`:
///
/// | attribute | meaning |
/// |---|---|
/// | `group`, `version`, `kind` | who it is; all three are needed |
/// | `root = "…"` | the name of the root type, if not that of the kind |
/// | `namespaced` | objects live in namespaces |
/// | `plural`, `singular` | names; by default made of the kind |
/// | `shortname`, `category` | further names; may be repeated |
/// | `status = "FooStatus"` | the type of the status, which gets `/status` |
/// | `scale(spec_replicas_path = "…", status_replicas_path = "…", label_selector_path = "…")` | `/scale` |
/// | `printcolumn(name = "…", type_ = "…", json_path = "…", priority = 1, description = "…", format = "…")` | a column of `kubectl get` |
/// | `printcolumns = [(name = "…", …), (…)]` | several columns; each as `printcolumn` |
/// | `selectable = ".spec.x"` | a field for `--field-selector`; may be repeated |
/// | `doc = "…"` | the description of the kind |
/// | `deprecated`, `deprecated = "…"` | whoever uses this version is warned |
/// | `derive = "PartialEq"` | a further derive of the root type; may be repeated |
#[proc_macro_derive(Resource, attributes(resource))]
pub fn resource(input: TokenStream) -> TokenStream {
    resource::derive(input.into()).into()
}
