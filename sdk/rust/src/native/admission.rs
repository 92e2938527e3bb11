//! Admission without a host: what a test says that others answer, and requests to plugins that a test makes up.

use super::{Collection, Request, TOLD};
use crate::admission::{GroupVersionName, Operation};
use chainplate_apimachinery::{Status, Value, request::UserInfo};
use std::{cell::RefCell, rc::Rc};

type Mutate = Rc<dyn Fn(&Attributes, Option<&[u8]>, Option<&[u8]>) -> Result<Option<Vec<u8>>, Status>>;
type Validate = Rc<dyn Fn(&Attributes, Option<&[u8]>, Option<&[u8]>) -> Result<(), Status>>;

thread_local! {
    static MUTATE: RefCell<Option<Mutate>> = const { RefCell::new(None) };
    static VALIDATE: RefCell<Option<Validate>> = const { RefCell::new(None) };
}

pub(super) fn reset() {
    MUTATE.set(None);
    VALIDATE.set(None);
}

/// Has this thread's writes changed by `mutate(attributes, object, old object)`, until [`reset`](super::reset).
pub fn mutate_with(
    mutate: impl Fn(&Attributes, Option<&[u8]>, Option<&[u8]>) -> Result<Option<Vec<u8>>, Status> + 'static,
) {
    MUTATE.set(Some(Rc::new(mutate)));
}

/// Has this thread's writes judged by `validate(attributes, object, old object)`, until [`reset`](super::reset).
pub fn validate_with(
    validate: impl Fn(&Attributes, Option<&[u8]>, Option<&[u8]>) -> Result<(), Status> + 'static,
) {
    VALIDATE.set(Some(Rc::new(validate)));
}

/// What a server said of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// What is done.
    pub operation: Operation,
    /// The subresource, empty for the main resource.
    pub subresource: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The name; empty where it is yet to be made.
    pub name: String,
    /// The kind, where it is not the collection's.
    pub kind: Option<GroupVersionName>,
    /// The options, in JSON.
    pub options: Option<Vec<u8>>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// One write on its way to storage.
#[derive(Debug)]
pub struct AdmissionAttributes(RefCell<Attributes>);

impl AdmissionAttributes {
    /// What is about to be done.
    pub fn new(
        _request: &Request<'_>,
        _of: &Collection,
        operation: Operation,
        subresource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Self {
        Self(RefCell::new(Attributes {
            operation,
            subresource: subresource.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            kind: None,
            options: None,
            dry_run: false,
        }))
    }

    /// The kind of the document, where it is not the collection's.
    pub fn set_kind(&self, group: &str, version: &str, kind: &str) {
        let kind = GroupVersionName { group: group.into(), version: version.into(), name: kind.into() };
        self.0.borrow_mut().kind = Some(kind);
    }

    /// The name, once it is made.
    pub fn set_name(&self, name: &str) {
        self.0.borrow_mut().name = name.to_owned();
    }

    /// The options of the request, in JSON.
    pub fn set_options(&self, json: &[u8]) {
        self.0.borrow_mut().options = Some(json.to_owned());
    }

    /// Says that nothing will be stored.
    pub fn set_dry_run(&self) {
        self.0.borrow_mut().dry_run = true;
    }

    /// Whether [`mutate_with`] was called.
    pub fn mutates(&self) -> bool {
        MUTATE.with_borrow(Option::is_some)
    }

    /// Whether [`validate_with`] was called.
    pub fn validates(&self) -> bool {
        VALIDATE.with_borrow(Option::is_some)
    }

    /// Has the object changed.
    ///
    /// # Errors
    /// The test's.
    pub fn mutate(&self, object: Option<&[u8]>, old: Option<&[u8]>) -> Result<Option<Vec<u8>>, Status> {
        match MUTATE.with_borrow(Clone::clone) {
            Some(mutate) => mutate(&self.0.borrow(), object, old),
            None => Ok(None),
        }
    }

    /// Has the object judged.
    ///
    /// # Errors
    /// The test's.
    pub fn validate(&self, object: Option<&[u8]>, old: Option<&[u8]>) -> Result<(), Status> {
        match VALIDATE.with_borrow(Clone::clone) {
            Some(validate) => validate(&self.0.borrow(), object, old),
            None => Ok(()),
        }
    }
}

/// The write to be judged.
#[derive(Debug, Clone)]
pub struct AdmissionRequest<'a> {
    attributes: Attributes,
    kind: GroupVersionName,
    resource: GroupVersionName,
    user: UserInfo,
    object: Option<Value>,
    old_object: Option<Value>,
    lifetime: std::marker::PhantomData<&'a ()>,
}

impl AdmissionRequest<'_> {
    /// The object of that plural resource is made, by a user of `system:masters`.
    pub fn create(resource: &str, object: Value) -> Self {
        Self::of(Operation::Create, resource, Some(object), None)
    }

    /// The object is replaced.
    pub fn update(resource: &str, old: Value, object: Value) -> Self {
        Self::of(Operation::Update, resource, Some(object), Some(old))
    }

    /// The object is removed.
    pub fn delete(resource: &str, old: Value) -> Self {
        Self::of(Operation::Delete, resource, None, Some(old))
    }

    /// Kind, name and namespace are those of the object.
    fn of(operation: Operation, resource: &str, object: Option<Value>, old_object: Option<Value>) -> Self {
        let any = object.as_ref().or(old_object.as_ref());
        let text = |pointer: &str| any.and_then(|any| any.pointer(pointer)?.as_str()).map(str::to_owned);
        let api_version = text("/apiVersion").unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let name = |name: String| GroupVersionName { group: group.into(), version: version.into(), name };
        let attributes = Attributes {
            operation,
            subresource: String::new(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").unwrap_or_default(),
            kind: None,
            options: None,
            dry_run: false,
        };
        let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
        Self {
            attributes,
            kind: name(text("/kind").unwrap_or_default()),
            resource: name(resource.to_owned()),
            user: UserInfo { name: "test".into(), groups, ..UserInfo::default() },
            object,
            old_object,
            lifetime: std::marker::PhantomData,
        }
    }

    /// Has somebody else do it.
    #[must_use]
    pub fn with_user(mut self, user: UserInfo) -> Self {
        self.user = user;
        self
    }

    /// Has a subresource written.
    #[must_use]
    pub fn with_subresource(mut self, subresource: &str) -> Self {
        self.attributes.subresource = subresource.to_owned();
        self
    }

    /// Gives it options.
    #[must_use]
    pub fn with_options(mut self, options: &Value) -> Self {
        self.attributes.options = Some(options.to_string().into_bytes());
        self
    }

    /// Says that nothing will be stored.
    #[must_use]
    pub fn with_dry_run(mut self) -> Self {
        self.attributes.dry_run = true;
        self
    }

    /// The request's uid.
    pub fn uid(&self) -> String {
        "00000000-0000-4000-8000-000000000000".to_owned()
    }

    /// The kind of the object.
    pub fn kind(&self) -> GroupVersionName {
        self.kind.clone()
    }

    /// The resource.
    pub fn resource(&self) -> GroupVersionName {
        self.resource.clone()
    }

    /// The subresource, empty for the main resource.
    pub fn subresource(&self) -> String {
        self.attributes.subresource.clone()
    }

    /// The name; empty where it is yet to be made.
    pub fn name(&self) -> String {
        self.attributes.name.clone()
    }

    /// The namespace; none for cluster-scoped objects.
    pub fn namespace(&self) -> Option<String> {
        self.attributes.namespace.clone()
    }

    /// What is done.
    pub fn operation(&self) -> Operation {
        self.attributes.operation
    }

    /// Who does it.
    pub fn user(&self) -> UserInfo {
        self.user.clone()
    }

    /// Whether nothing will be stored.
    pub fn is_dry_run(&self) -> bool {
        self.attributes.dry_run
    }

    /// The options of the request, in JSON.
    pub fn options_json(&self) -> Option<Vec<u8>> {
        self.attributes.options.clone()
    }

    /// The object to be stored, in JSON.
    pub fn object_json(&self) -> Option<Vec<u8>> {
        self.object.as_ref().map(|object| object.to_string().into_bytes())
    }

    /// The object that is there, in JSON.
    pub fn old_object_json(&self) -> Option<Vec<u8>> {
        self.old_object.as_ref().map(|object| object.to_string().into_bytes())
    }

    /// Adds a warning; see [`take_warnings`](super::take_warnings).
    pub fn warn(&self, text: &str) {
        TOLD.with_borrow_mut(|told| told.warnings.push(text.to_owned()));
    }

    /// Adds an audit annotation; see [`take_annotations`](super::take_annotations).
    pub fn annotate(&self, key: &str, value: &str) {
        TOLD.with_borrow_mut(|told| told.annotations.push((key.to_owned(), value.to_owned())));
    }
}
