//! The root type of a resource.

use crate::attributes::{self, Attributes};
use darling::{FromDeriveInput, util::Override};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Error;

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let attributes = match Attributes::from_derive_input(&input) {
        Ok(attributes) => attributes,
        Err(errors) => return errors.write_errors(),
    };
    let faults = attributes::faults(&attributes);
    if !faults.is_empty() {
        let errors =
            faults.iter().map(|fault| Error::new(attributes.ident.span(), fault).into_compile_error());
        return errors.collect();
    }
    root(&attributes)
}

fn root(attributes: &Attributes) -> TokenStream {
    let Attributes { ident: spec, vis, group, version, kind, .. } = attributes;
    let root = format_ident!("{}", attributes.root.as_ref().unwrap_or(kind), span = spec.span());
    let derives = &attributes.derives;
    let doc = attributes.doc.clone().unwrap_or_else(|| format!("A {kind} of {group}/{version}."));
    let api_version = format!("{group}/{version}");
    let constant = constant(attributes, &doc);
    let members = if attributes.status.is_some() { 5_usize } else { 4 };
    let status = attributes.status.iter();
    let (field, new, serialize, schema) = match &attributes.status {
        Some(status) => (
            quote! {
                /// What was observed.
                #[serde(default)]
                pub status: ::core::option::Option<#status>,
            },
            quote!(status: ::core::option::Option::None,),
            quote! {
                match &self.status {
                    ::core::option::Option::Some(status) => state.serialize_field("status", status)?,
                    ::core::option::Option::None => state.skip_field("status")?,
                }
            },
            quote!(::core::option::Option::Some(generator.subschema_for::<#status>())),
        ),
        None => (quote!(), quote!(), quote!(), quote!(::core::option::Option::None)),
    };
    quote! {
        #[doc = #doc]
        #[derive(
            ::core::clone::Clone, ::core::fmt::Debug, ::chainplate_sdk::serde::Deserialize, #(#derives),*
        )]
        #[serde(crate = "::chainplate_sdk::serde")]
        #vis struct #root {
            /// What every object has.
            #[serde(default)]
            pub metadata: ::chainplate_sdk::ObjectMeta,
            /// What is wanted.
            pub spec: #spec,
            #field
        }

        impl #root {
            /// An object of that name.
            pub fn new(name: &str, spec: #spec) -> Self {
                let name = ::core::option::Option::Some(::std::borrow::ToOwned::to_owned(name));
                let metadata = ::chainplate_sdk::ObjectMeta { name, ..::core::default::Default::default() };
                Self { metadata, spec, #new }
            }
        }

        impl ::chainplate_sdk::serde::Serialize for #root {
            fn serialize<S: ::chainplate_sdk::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                use ::chainplate_sdk::serde::ser::SerializeStruct as _;
                let mut state = serializer.serialize_struct(#kind, #members)?;
                state.serialize_field("kind", #kind)?;
                state.serialize_field("apiVersion", #api_version)?;
                state.serialize_field("metadata", &self.metadata)?;
                state.serialize_field("spec", &self.spec)?;
                #serialize
                state.end()
            }
        }

        impl ::chainplate_sdk::Resource for #root {
            type Spec = #spec;
            const ATTRIBUTES: ::chainplate_sdk::resource::Attributes = #constant;

            fn meta(&self) -> &::chainplate_sdk::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ::chainplate_sdk::ObjectMeta {
                &mut self.metadata
            }

            fn spec(&self) -> &#spec {
                &self.spec
            }

            fn spec_mut(&mut self) -> &mut #spec {
                &mut self.spec
            }

            fn schemas(
                generator: &mut ::chainplate_sdk::schemars::SchemaGenerator,
            ) -> ::chainplate_sdk::resource::Schemas {
                ::chainplate_sdk::resource::Schemas {
                    spec: generator.subschema_for::<#spec>(),
                    status: #schema,
                }
            }
        }

        #(
            impl ::chainplate_sdk::HasStatus for #root {
                type Status = #status;

                fn status(&self) -> ::core::option::Option<&#status> {
                    self.status.as_ref()
                }

                fn status_mut(&mut self) -> &mut ::core::option::Option<#status> {
                    &mut self.status
                }
            }
        )*
    }
}

/// The constant that tells the attributes.
fn constant(attributes: &Attributes, doc: &str) -> TokenStream {
    let Attributes { group, version, kind, namespaced, shortnames, categories, selectable, .. } = attributes;
    let plural = attributes.plural.clone().unwrap_or_else(|| attributes::plural(kind));
    let singular = attributes.singular.clone().unwrap_or_else(|| kind.to_lowercase());
    let status = attributes.status.is_some();
    let (deprecated, warning) = match &attributes.deprecated {
        None => (false, option(None)),
        Some(Override::Inherit) => (true, option(None)),
        Some(Override::Explicit(text)) => (true, option(Some(text))),
    };
    let scale = match &attributes.scale {
        None => quote!(::core::option::Option::None),
        Some(scale) => {
            let (spec, status) = (&scale.spec_replicas_path, &scale.status_replicas_path);
            let selector = option(scale.label_selector_path.as_deref());
            quote!(::core::option::Option::Some(::chainplate_sdk::resource::ScalePaths {
                spec_replicas_path: #spec,
                status_replicas_path: #status,
                label_selector_path: #selector,
            }))
        }
    };
    let columns = attributes.printcolumns().map(|column| {
        let attributes::PrintColumn { name, type_, json_path, priority, description, format } = column;
        quote!(::chainplate_sdk::resource::PrintColumn {
            name: #name, type_: #type_, json_path: #json_path, priority: #priority,
            description: #description, format: #format,
        })
    });
    quote!(::chainplate_sdk::resource::Attributes {
        group: #group,
        version: #version,
        kind: #kind,
        plural: #plural,
        singular: #singular,
        namespaced: #namespaced,
        shortnames: &[#(#shortnames),*],
        categories: &[#(#categories),*],
        status: #status,
        scale: #scale,
        printcolumns: &[#(#columns),*],
        selectable: &[#(#selectable),*],
        deprecated: #deprecated,
        deprecation_warning: #warning,
        doc: #doc,
    })
}

fn option(text: Option<&str>) -> TokenStream {
    match text {
        Some(text) => quote!(::core::option::Option::Some(#text)),
        None => quote!(::core::option::Option::None),
    }
}
