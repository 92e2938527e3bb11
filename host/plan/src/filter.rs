//! What a list or watch selects.

use crate::{Collection, document::Document};
use chainplate_apimachinery::{
    Status,
    list_options::ListOptions,
    selector::{FieldSelector, LabelSelector, scan},
};
use chainplate_storage::{Key, Object};
use std::{borrow::Cow, sync::Arc};

const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// Label and field selectors of a request, checked against the collection.
#[derive(Debug, Clone)]
pub struct Filter {
    collection: Arc<Collection>,
    labels: LabelSelector,
    fields: FieldSelector,
    /// Whether a field beyond name and namespace is asked for.
    content: bool,
}

impl Filter {
    /// Reads the selectors of a component's own reads.
    ///
    /// # Errors
    /// 400 for a selector that cannot be parsed, or a field label that the collection has not.
    pub fn parse(
        collection: &Arc<Collection>,
        label_selector: &str,
        field_selector: &str,
    ) -> Result<Self, Status> {
        let bad =
            |error: chainplate_apimachinery::selector::ParseError| Status::bad_request(error.to_string());
        let options = ListOptions {
            labels: LabelSelector::parse(label_selector).map_err(bad)?,
            fields: FieldSelector::parse(field_selector).map_err(bad)?,
            ..ListOptions::default()
        };
        Self::new(collection, &options, "")
    }

    /// `name` is that of the request (`RequestInfo`), empty for none.
    ///
    /// # Errors
    /// 400 for a field label that the collection has not, or a selector that contradicts the name.
    pub(crate) fn new(
        collection: &Arc<Collection>,
        options: &ListOptions,
        name: &str,
    ) -> Result<Self, Status> {
        for term in options.fields.requirements() {
            check_label(collection, &term.label)?;
        }
        let mut fields = options.fields.clone();
        if !name.is_empty() {
            if fields.is_empty() {
                fields = FieldSelector::by_name(name);
            } else if fields.exact(NAME) != Some(name) {
                return Err(Status::bad_request("fieldSelector metadata.name doesn't match requested name"));
            }
        }
        let content =
            fields.requirements().iter().any(|term| !matches!(term.label.as_str(), NAME | NAMESPACE));
        Ok(Self { collection: collection.clone(), labels: options.labels.clone(), fields, content })
    }

    /// Whether everything is selected.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The only name that can be selected, if it is one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.exact(NAME)
    }

    /// Whether fields are looked at that only the converted object has.
    pub(crate) fn needs_conversion(&self) -> bool {
        self.content && self.collection.conversion.is_some()
    }

    /// Whether labels, name and namespace are selected.
    pub(crate) fn matches_metadata(&self, object: &Object) -> bool {
        self.labels.matches_metadata(object.metadata())
            && self.fields.requirements().iter().all(|term| {
                let value = match term.label.as_str() {
                    NAME => object.key().name(),
                    NAMESPACE => namespace(object.key()),
                    _ => return true,
                };
                (value == term.value) == term.equal
            })
    }

    /// Whether the other fields are selected.
    pub(crate) fn matches_content(&self, document: &Document) -> bool {
        if !self.content {
            return true;
        }
        let json: &[u8] = match document {
            Document::Stored(object) => object.json(),
            Document::Left(json) | Document::Served(json) => json,
        };
        self.fields.requirements().iter().all(|term| {
            let Some(label) = self.collection.field_labels.iter().find(|label| label.label == term.label)
            else {
                return true;
            };
            let value = scan::walk(json, &label.path).and_then(scan::scalar);
            (value.unwrap_or(Cow::Borrowed(&label.default)) == term.value.as_str()) == term.equal
        })
    }

    /// Whether an object is selected; for filters that need no conversion.
    pub fn matches(&self, object: &Arc<Object>) -> bool {
        self.is_empty()
            || (self.matches_metadata(object)
                && (!self.content || self.matches_content(&Document::Stored(object.clone()))))
    }
}

fn namespace(key: &Key) -> &str {
    key.namespace().unwrap_or_default()
}

/// Types that registered a conversion of field labels tell unknown ones in other words than those that did not
/// (`runtime.DefaultMetaV1FieldSelectorConversion`).
fn check_label(collection: &Collection, label: &str) -> Result<(), Status> {
    let registered = collection.items_with_type_meta || !collection.field_labels.is_empty();
    let known = match label {
        NAME => true,
        NAMESPACE => collection.namespaced || !registered,
        _ => collection.field_labels.iter().any(|known| known.label == label),
    };
    if known {
        return Ok(());
    }
    let kind = &collection.kind;
    Err(Status::bad_request(match (registered, collection.group.as_str(), kind.as_str()) {
        (true, "batch", "Job") => format!("field label {label:?} not supported for batchv1.{kind}"),
        (true, ..) => format!("field label not supported: {label}"),
        (false, ..) => {
            format!("{label:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
        }
    }))
}
