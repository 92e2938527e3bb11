//! A resource as it is served: its versions, its server, its definition.

use super::{
    ResourceServer,
    convert::{self, Version},
    resource_server::Plain,
    subresource,
};
use crate::{
    Collection, Outcome, Request, Resource, Store,
    custom::{self, Behaviour, Definition, ROWS, Transforms},
    registry::{Context, Subresource},
    resource::{self, Attributes},
};
use chainplate_apimachinery::{
    Status, Value,
    field::{self, Path},
    object,
    schema::definition::{Options, validate_schema},
};
use serde_json::json;
use std::{borrow::Cow, cell::OnceCell, fmt, fmt::Display, rc::Rc};

/// A resource with its server and its versions: `Served::new(WebsiteServer).version::<v1alpha1::Website>()`.
///
/// Objects are stored in the version that is the server's type. Every other version is converted from and to it, by
/// `From` or `TryFrom` in both directions.
pub struct Served<R: ResourceServer> {
    server: R,
    versions: Vec<Version<R::Object>>,
}

impl<R: ResourceServer> fmt::Debug for Served<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<&str> = self.versions.iter().map(|version| version.name).collect();
        f.debug_struct("Served").field("of", &R::Object::crd_name()).field("versions", &versions).finish()
    }
}

impl<T: Resource> Served<Plain<T>> {
    /// A resource that is what its type says.
    pub fn plain() -> Self {
        Self::new(Plain::new())
    }
}

impl<R: ResourceServer> Served<R> {
    /// A resource in the version of the server's type.
    pub fn new(server: R) -> Self {
        Self { server, versions: vec![Version::of::<R::Object>()] }
    }

    /// Serves it in another version, too.
    #[must_use]
    pub fn version<V>(mut self) -> Self
    where
        V: Resource + TryFrom<R::Object, Error: Display> + TryInto<R::Object, Error: Display>,
    {
        self.versions.push(Version::of::<V>());
        self
    }

    fn find(&self, version: &str) -> Option<&Version<R::Object>> {
        self.versions.iter().find(|known| known.name == version)
    }

    /// A document of a version as the hooks see it.
    fn hub(&self, version: &str, document: &Value) -> Result<R::Object, String> {
        let known = self.find(version).ok_or_else(|| format!("the version {version} is not served"))?;
        (known.read)(document)
    }

    /// Lets `run` change a document of a version.
    fn change(&self, version: &str, document: &mut Value, run: impl FnOnce(&mut R::Object)) {
        let Some(known) = self.find(version) else { return };
        // What the type cannot read, validation refuses.
        let Ok(before) = (known.read)(document) else { return };
        let mut after = before.clone();
        run(&mut after);
        if let (Ok(before), Ok(after)) = ((known.write)(before), (known.write)(after)) {
            convert::transfer(&before, &after, document);
        }
    }

    /// Both states of an object as the hooks see them.
    ///
    /// # Errors
    /// What the type cannot read although the schema takes it, as the error of a field.
    fn pair(
        &self,
        version: &str,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<(R::Object, Option<R::Object>), field::Error> {
        let unreadable = |why: String| field::Error::invalid(&Path::Root.child("spec"), "", why);
        let object = self.hub(version, object).map_err(unreadable)?;
        // What was stored before may be of an older schema: then it is as if nothing had been there.
        Ok((object, old.and_then(|old| self.hub(version, old).ok())))
    }
}

impl<R: ResourceServer> Behaviour for Served<R> {
    fn stored_version(&self) -> Option<&str> {
        Some(R::Object::ATTRIBUTES.version)
    }

    fn convert(&self, document: &mut Value, from: &str, to: &str) -> Result<(), Status> {
        let name = object::name(document).to_owned();
        let refuse = |why: String| {
            let what = R::Object::crd_name();
            Status::internal(format_args!("{what} {name:?} cannot be converted from {from} to {to}: {why}"))
        };
        let target = self.find(to).ok_or_else(|| refuse(format!("the version {to} is not served")))?;
        let converted = self.hub(from, document).and_then(target.write).map_err(refuse)?;
        convert::replace(document, converted);
        Ok(())
    }

    fn default(&self, version: &str, object: &mut Value) {
        self.change(version, object, |object| self.server.default(object));
    }

    fn prepare(&self, context: &Context<'_>, version: &str, object: &mut Value, old: Option<&Value>) {
        if context.subresource == "status" {
            return;
        }
        let Some(old) = old else {
            return self.change(version, object, |object| self.server.prepare_for_create(context, object));
        };
        if let Ok(old) = self.hub(version, old) {
            self.change(version, object, |object| self.server.prepare_for_update(context, object, &old));
        }
    }

    fn validate(
        &self,
        context: &Context<'_>,
        version: &str,
        object: &Value,
        old: Option<&Value>,
    ) -> Vec<field::Error> {
        match (self.pair(version, object, old), context.subresource) {
            (Err(error), _) => vec![error],
            (Ok((object, Some(old))), "status") => self.server.validate_status(context, &object, &old),
            (Ok((object, Some(old))), _) => self.server.validate_update(context, &object, &old),
            (Ok((object, None)), _) => self.server.validate_create(context, &object),
        }
    }

    fn warnings(
        &self,
        context: &Context<'_>,
        version: &str,
        object: &Value,
        old: Option<&Value>,
    ) -> Vec<String> {
        match self.pair(version, object, old) {
            Ok((object, old)) => self.server.warnings(context, &object, old.as_ref()),
            Err(_) => Vec::new(),
        }
    }

    fn before_write(
        &self,
        context: &Context<'_>,
        version: &str,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let (object, old) = self.pair(version, object, old).map_err(Status::internal)?;
        self.server.before_write(context, &object, old.as_ref())
    }

    fn before_delete(&self, context: &Context<'_>, version: &str, object: &Value) -> Result<(), Status> {
        match self.hub(version, object) {
            Ok(object) => self.server.validate_delete(context, &object),
            // What cannot be read must not stay for ever.
            Err(_) => Ok(()),
        }
    }

    fn subresource(&self, request: &Request<'_>, collection: &Collection) -> Result<Outcome, Status> {
        let store = Store::open()?;
        match subresource::admit(request, collection)? {
            Some(changed) => self.server.subresource(&changed, &store),
            None => self.server.subresource(request, &store),
        }
    }
}

/// What of a [`Served`] does not depend on its type.
trait Typed: Behaviour {
    fn attributes(&self) -> Attributes;
    fn crd(&self) -> Value;
    fn check(&self) -> Result<(), String>;
    fn has_version(&self, version: &str) -> bool;
    fn compile(&self) -> Compiled;
    fn cells(&self, version: &str, document: &Value) -> Result<Vec<Value>, String>;
    fn subresources(&self) -> Vec<Subresource>;
    fn behaviour(&self) -> &dyn Behaviour;
}

impl<R: ResourceServer> Typed for Served<R> {
    fn attributes(&self) -> Attributes {
        R::Object::ATTRIBUTES
    }

    fn crd(&self) -> Value {
        let stored = R::Object::ATTRIBUTES;
        let versions = self.versions.iter().map(|version| {
            let mut crd = (version.crd)();
            crd["storage"] = (version.name == stored.version).into();
            crd
        });
        resource::definition(&stored, versions.collect())
    }

    fn check(&self) -> Result<(), String> {
        let crd = self.crd();
        for version in custom::definition::versions(&crd) {
            let name = custom::definition::text(version, "name");
            if self.versions.iter().filter(|known| known.name == name).count() > 1 {
                return Err(format!("{} has two versions {name}", R::Object::crd_name()));
            }
            let status = R::Object::ATTRIBUTES.status;
            let options = Options { status_subresource: status, ..Options::default() };
            let Some(schema) = custom::definition::schema_of(version).as_object() else { continue };
            let errors = validate_schema(schema, &options, &Path::Root);
            if !errors.is_empty() {
                let (what, why) = (R::Object::crd_name(), field::aggregate(&errors));
                return Err(format!("the schema of {what} in {name} cannot be served: {why}"));
            }
        }
        Ok(())
    }

    fn has_version(&self, version: &str) -> bool {
        self.find(version).is_some()
    }

    fn compile(&self) -> Compiled {
        let mut definition = Definition::compile(&self.crd(), false);
        let (code_columns, further) = (self.server.columns(), self.server.subresources());
        let mut rows = Vec::new();
        for version in definition.versions.iter_mut().filter_map(Rc::get_mut) {
            let argument = format!("{}/{}", R::Object::crd_name(), version.name).into_bytes();
            // An earlier release may have stored less than this one's schema says.
            version.read_argument = Some(argument.clone());
            if !code_columns.is_empty() {
                let by_path = std::mem::replace(&mut version.rows_argument, argument);
                rows.push((version.name.clone(), by_path));
                version.columns.extend(code_columns.iter().cloned());
            }
            if !further.is_empty() {
                let all = version.descriptor.subresources.iter().chain(&further).cloned();
                version.descriptor.subresources = Cow::Owned(all.collect());
            }
        }
        Compiled { definition, rows }
    }

    fn cells(&self, version: &str, document: &Value) -> Result<Vec<Value>, String> {
        self.hub(version, document).map(|object| self.server.cells(&object))
    }

    fn subresources(&self) -> Vec<Subresource> {
        self.server.subresources()
    }

    fn behaviour(&self) -> &dyn Behaviour {
        self
    }
}

/// A definition, and the arguments of the cells that are found by path where code adds others.
struct Compiled {
    definition: Definition,
    rows: Vec<(String, Vec<u8>)>,
}

/// A resource that is served, whatever its type. Its schema is made and compiled once per instance, when it is first
/// needed.
pub struct Endpoint {
    served: Box<dyn Typed>,
    compiled: OnceCell<Compiled>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.name()).finish()
    }
}

impl<R: ResourceServer> From<Served<R>> for Endpoint {
    fn from(served: Served<R>) -> Self {
        Self { served: Box::new(served), compiled: OnceCell::new() }
    }
}

impl Endpoint {
    /// The attributes of the stored version.
    pub fn attributes(&self) -> Attributes {
        self.served.attributes()
    }

    /// `websites.web.example.com`.
    pub fn name(&self) -> String {
        let attributes = self.attributes();
        format!("{}.{}", attributes.plural, attributes.group)
    }

    /// The CustomResourceDefinition that it amounts to, with all versions.
    pub fn crd(&self) -> Value {
        self.served.crd()
    }

    /// Whether its types can be served.
    ///
    /// # Errors
    /// What is wrong with them, for their author.
    pub fn check(&self) -> Result<(), String> {
        self.served.check()
    }

    pub(super) fn has_version(&self, version: &str) -> bool {
        self.served.has_version(version)
    }

    /// Adds the subresources of code to what discovery tells of the resource.
    pub(super) fn tell_subresources(&self, document: &mut Value) {
        let attributes = self.attributes();
        let kind = json!({"group": "", "version": "", "kind": attributes.kind});
        let resources = document.get_mut("resources").and_then(Value::as_array_mut).into_iter().flatten();
        for resource in resources.filter(|resource| resource["resource"] == attributes.plural) {
            for further in self.served.subresources() {
                let verbs: Vec<&str> = further.verbs.iter().map(|verb| verb.as_str()).collect();
                let told = json!({"subresource": further.name, "responseKind": kind, "verbs": verbs});
                match resource.get_mut("subresources").and_then(Value::as_array_mut) {
                    Some(list) => list.push(told),
                    None => resource["subresources"] = json!([told]),
                }
            }
        }
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| self.served.compile())
    }

    fn version(&self, name: &str) -> Result<&custom::Version, Status> {
        let found = self.compiled().definition.version(name);
        found.map(|version| &**version).ok_or_else(Status::unknown_resource)
    }

    /// Answers a request for its objects.
    ///
    /// # Errors
    /// The Status that the client gets.
    pub(super) fn serve(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let (definition, version) = (&self.compiled().definition, self.version(&request.info().version)?);
        custom::serve(request, definition, version, self.served.behaviour())
    }

    /// Brings stored documents into a version.
    ///
    /// # Errors
    /// 500 for a document that cannot be read or converted.
    pub(super) fn read(&self, version: &str, objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        let version = self.version(version)?;
        let each = |document: Vec<u8>| {
            let mut object = self.parse(&document)?;
            custom::read(version, self.served.behaviour(), &mut object)?;
            Ok(object::encode_unsaved(&object))
        };
        objects.into_iter().map(each).collect()
    }

    /// The cells of objects in a version: those by path, then those by code.
    ///
    /// # Errors
    /// 500 for a document that cannot be read.
    pub(super) fn rows(
        &self,
        version: &str,
        transforms: &Transforms,
        objects: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Status> {
        let by_path = self.compiled().rows.iter().find(|(name, _)| name == version);
        let (_, argument) = by_path.ok_or_else(Status::unknown_resource)?;
        let rows = transforms.apply(ROWS, argument, objects.clone())?;
        let each = |(row, document): (Vec<u8>, Vec<u8>)| {
            let mut row = self.parse(&row)?;
            let cells = self.served.cells(version, &self.parse(&document)?);
            if let Some(row) = row.as_array_mut() {
                // Objects that cannot be read are shown without.
                row.extend(cells.unwrap_or_default());
                row.resize(self.version(version)?.columns.len(), Value::Null);
            }
            Ok(row.to_string().into_bytes())
        };
        rows.into_iter().zip(objects).map(each).collect()
    }

    fn parse(&self, document: &[u8]) -> Result<Value, Status> {
        let name = self.name();
        serde_json::from_slice(document).map_err(|error| {
            Status::internal(format_args!("a stored object of {name} cannot be read: {error}"))
        })
    }
}
