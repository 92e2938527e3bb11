//! What `#[resource(…)]` says.

use darling::{FromDeriveInput, FromMeta, ast::NestedMeta, util::Override};
use quote::ToTokens;
use syn::{Ident, Path, Visibility, parse::Parse, punctuated::Punctuated};

#[derive(Debug, FromDeriveInput)]
#[darling(attributes(resource), supports(struct_named))]
pub(crate) struct Attributes {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) root: Option<String>,
    pub(crate) plural: Option<String>,
    pub(crate) singular: Option<String>,
    #[darling(default)]
    pub(crate) namespaced: bool,
    #[darling(multiple, rename = "shortname")]
    pub(crate) shortnames: Vec<String>,
    #[darling(multiple, rename = "category")]
    pub(crate) categories: Vec<String>,
    pub(crate) status: Option<Path>,
    pub(crate) scale: Option<Scale>,
    #[darling(multiple, rename = "printcolumn")]
    repeated: Vec<PrintColumn>,
    #[darling(default, rename = "printcolumns")]
    listed: PrintColumns,
    #[darling(multiple)]
    pub(crate) selectable: Vec<String>,
    pub(crate) doc: Option<String>,
    pub(crate) deprecated: Option<Override<String>>,
    #[darling(multiple, rename = "derive")]
    pub(crate) derives: Vec<Path>,
}

#[derive(Debug, FromMeta)]
pub(crate) struct Scale {
    pub(crate) spec_replicas_path: String,
    pub(crate) status_replicas_path: String,
    pub(crate) label_selector_path: Option<String>,
}

#[derive(Debug, FromMeta)]
pub(crate) struct PrintColumn {
    pub(crate) name: String,
    pub(crate) type_: String,
    pub(crate) json_path: String,
    #[darling(default)]
    pub(crate) priority: i32,
    #[darling(default)]
    pub(crate) description: String,
    #[darling(default)]
    pub(crate) format: String,
}

/// Several columns as one attribute, `[(name = "…", …), (…)]`. Written one by one they have the same `type_` twice before
/// long, which clippy takes for a mistake (`duplicated_attributes`).
#[derive(Debug, Default)]
struct PrintColumns(Vec<PrintColumn>);

/// One of them, in its parentheses.
struct Parenthesized(PrintColumn);

impl Parse for Parenthesized {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        let span = input.span();
        let content;
        syn::parenthesized!(content in input);
        let items = NestedMeta::parse_meta_list(content.parse()?)?;
        PrintColumn::from_list(&items).map(Self).map_err(|error| syn::Error::new(span, error))
    }
}

impl FromMeta for PrintColumns {
    fn from_expr(expr: &syn::Expr) -> darling::Result<Self> {
        let syn::Expr::Array(list) = expr else {
            return Err(darling::Error::custom("write printcolumns = [(name = \"…\", …), …]").with_span(expr));
        };
        let columns = list.elems.to_token_stream();
        let columns = syn::parse::Parser::parse2(
            Punctuated::<Parenthesized, syn::Token![,]>::parse_terminated,
            columns,
        )?;
        Ok(Self(columns.into_iter().map(|column| column.0).collect()))
    }
}

impl Attributes {
    /// The columns of tables, those of their own attributes first.
    pub(crate) fn printcolumns(&self) -> impl Iterator<Item = &PrintColumn> {
        self.repeated.iter().chain(&self.listed.0)
    }
}

/// What is wrong beyond the form, each with the attribute that it is about.
pub(crate) fn faults(attributes: &Attributes) -> Vec<String> {
    let mut faults = Vec::new();
    if !attributes.group.contains('.') {
        faults.push(format!("group = {:?}: a group needs a domain, `{0}.example.com`", attributes.group));
    }
    let version = attributes.version.strip_prefix('v').unwrap_or_default();
    if !version.starts_with(|first: char| first.is_ascii_digit()) {
        faults.push(format!(
            "version = {:?}: a version looks like v1, v1beta2 or v2alpha1",
            attributes.version
        ));
    }
    if !attributes.kind.starts_with(|first: char| first.is_ascii_uppercase()) {
        faults.push(format!("kind = {:?}: a kind begins with a capital", attributes.kind));
    }
    for column in attributes.printcolumns() {
        if !matches!(column.type_.as_str(), "string" | "integer" | "number" | "boolean" | "date") {
            let (name, type_) = (&column.name, &column.type_);
            faults.push(format!(
                "printcolumn {name:?}: type_ = {type_:?} is none of string, integer, number, boolean, date"
            ));
        }
    }
    let scale = attributes.scale.iter().flat_map(|scale| {
        [
            Some(&scale.spec_replicas_path),
            Some(&scale.status_replicas_path),
            scale.label_selector_path.as_ref(),
        ]
    });
    let columns = attributes.printcolumns().map(|column| &column.json_path);
    for path in scale.flatten().chain(columns).chain(&attributes.selectable) {
        if !path.starts_with('.') {
            faults.push(format!("{path:?}: a path begins with a dot, `.spec.replicas`"));
        }
    }
    if attributes.scale.is_some() && attributes.status.is_none() {
        faults.push("scale(…) needs a status, where the observed replicas stand".to_owned());
    }
    faults
}

/// The plural of a kind, in lower case.
pub(crate) fn plural(kind: &str) -> String {
    let word = kind.to_lowercase();
    let consonant_y = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    if let Some(stem) = consonant_y {
        return format!("{stem}ies");
    }
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end));
    format!("{word}{}", if hissing { "es" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn plurals_follow_english() {
        for (kind, wanted) in [
            ("Website", "websites"),
            ("Policy", "policies"),
            ("Ingress", "ingresses"),
            ("Key", "keys"),
            ("Box", "boxes"),
        ] {
            assert_eq!(plural(kind), wanted);
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused_when_it_is_compiled() {
        let input: syn::DeriveInput = parse_quote! {
            #[resource(group = "web", version = "1", kind = "thing", selectable = "spec.x")]
            #[resource(printcolumn(name = "A", type_ = "text", json_path = ".spec.a"))]
            #[resource(scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas"))]
            struct Spec { x: String }
        };
        let attributes = Attributes::from_derive_input(&input).unwrap();
        let faults = faults(&attributes);
        assert_eq!(faults.len(), 6, "{faults:#?}");
        assert!(faults[3].contains("none of string, integer"), "{faults:#?}");
    }

    #[test]
    fn columns_may_stand_in_one_list() {
        let input: syn::DeriveInput = parse_quote! {
            #[resource(group = "a.b", version = "v1", kind = "A")]
            #[resource(printcolumn(name = "A", type_ = "string", json_path = ".spec.a"))]
            #[resource(printcolumns = [
                (name = "B", type_ = "string", json_path = ".spec.b", priority = 1),
                (name = "C", type_ = "string", json_path = ".spec.c", priority = 1),
            ])]
            struct Spec { x: String }
        };
        let attributes = Attributes::from_derive_input(&input).unwrap();
        let columns: Vec<_> =
            attributes.printcolumns().map(|column| (column.name.as_str(), column.priority)).collect();
        assert_eq!(columns, [("A", 0), ("B", 1), ("C", 1)]);
        for wrong in [
            parse_quote! { #[resource(group = "a.b", version = "v1", kind = "A", printcolumns = "B")] struct Spec {} },
            parse_quote! { #[resource(group = "a.b", version = "v1", kind = "A", printcolumns = [(name = "B")])] struct Spec {} },
            parse_quote! { #[resource(group = "a.b", version = "v1", kind = "A", printcolumns = ["B"])] struct Spec {} },
        ] {
            let wrong: syn::DeriveInput = wrong;
            Attributes::from_derive_input(&wrong).unwrap_err();
        }
    }

    #[test]
    fn unknown_attributes_are_refused_by_name() {
        let input: syn::DeriveInput = parse_quote! { #[resource(group = "a.b", version = "v1", kind = "A", short = "x")] struct Spec {} };
        let error = Attributes::from_derive_input(&input).unwrap_err().to_string();
        assert!(error.contains("short"), "{error}");
    }
}
