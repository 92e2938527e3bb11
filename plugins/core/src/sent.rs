//! What is sent to a subresource and stored nowhere, on its way through admission: a document by POST
//! (`endpoints/handlers/create.go`), the options of a connection in the query (`rest.go`, `ConnectResource`).

use crate::{body, resources::Resource};
use chainplate_sdk::{
    Collection, Request,
    admission::Operation,
    apimachinery::{
        Map, Status, Value, object,
        options::{Write, WriteOptions},
        request::{Verb, query_pairs},
    },
    registry::{self, SubresourceAdmission},
};

/// A document that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The document, as admission left it.
    pub(crate) document: Value,
    /// The options of the request.
    pub(crate) options: WriteOptions,
    admission: SubresourceAdmission,
}

impl Sent {
    /// Reads the body as a document of a kind, and has it changed by whoever may.
    ///
    /// # Errors
    /// Those of [`body::read`]; 400 for another namespace than the request's; 403 in a namespace that is terminating; the
    /// refusal of admission, and 500 for what it made of the document if that is none of the kind any more.
    pub(crate) fn read(
        request: &Request<'_>,
        of: &Collection,
        group: &str,
        version: &str,
        kind: &str,
    ) -> Result<Self, Status> {
        let info = request.info();
        let options = WriteOptions::parse(request.query(), Write::Create)?;
        let mut document = body::read(request, group, version, kind)?;
        registry::ensure_namespace(&mut document, &info.namespace)?;
        let name = if info.name.is_empty() { object::name(&document) } else { &info.name };
        let namespace = Some(info.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        of.admit(Verb::Create, namespace, name)?;
        let admission = SubresourceAdmission::new(request, of, Operation::Create, name)
            .with_kind(group, version, kind)
            .with_options(&options);
        if let Some(changed) = admission.mutate(Some(&document))? {
            document = body::typed(changed, group, version, kind).map_err(|status| {
                let why = status.message();
                Status::internal(format_args!("the {kind} that admission plugins made cannot be read: {why}"))
            })?;
        }
        Ok(Self { document, options, admission })
    }

    /// Has it judged, right before what it asks for is done.
    ///
    /// # Errors
    /// The refusal of admission.
    pub(crate) fn validate(&self) -> Result<(), Status> {
        self.admission.validate(Some(&self.document))
    }
}

/// The options of a connection to a subresource, as admission left them. It is asked before anybody looks for the
/// object.
///
/// # Errors
/// 400 for options that cannot be read and for a dry run; the refusal of admission.
pub(crate) fn connect(resource: &Resource, request: &Request<'_>, of: &Collection) -> Result<Value, Status> {
    let info = request.info();
    if query_pairs(request.query()).any(|(name, _)| name == "dryRun") {
        return Err(Status::bad_request("dryRun is not supported"));
    }
    let kind = resource.subresource(&info.subresource).map_or("", |found| found.kind);
    let options = connect_options(kind, request)?;
    let admission = SubresourceAdmission::new(request, of, Operation::Connect, &info.name).with_kind(
        resource.group,
        resource.version,
        kind,
    );
    let options = admission.mutate(Some(&options))?.unwrap_or(options);
    admission.validate(Some(&options))?;
    Ok(options)
}

/// How an option stands in the query.
#[derive(Clone, Copy)]
enum Form {
    Switch,
    Text,
    Texts,
    Numbers,
}

/// The options that each kind takes (`k8s.io/api/core/v1`, `Pod*Options` and the like), but for the path of proxies.
fn fields(kind: &str) -> &'static [(&'static str, Form)] {
    const EXEC: &[(&str, Form)] = &[
        ("stdin", Form::Switch),
        ("stdout", Form::Switch),
        ("stderr", Form::Switch),
        ("tty", Form::Switch),
        ("container", Form::Text),
        ("command", Form::Texts),
    ];
    match kind {
        "PodExecOptions" => EXEC,
        "PodAttachOptions" => EXEC.get(..5).unwrap_or(EXEC),
        "PodPortForwardOptions" => &[("ports", Form::Numbers)],
        _ => &[],
    }
}

/// Makes the document of the options in the query; what is empty is left out.
fn connect_options(kind: &str, request: &Request<'_>) -> Result<Value, Status> {
    let mut options = Map::new();
    options.insert("kind".into(), kind.into());
    options.insert("apiVersion".into(), "v1".into());
    for (name, form) in fields(kind) {
        let values: Vec<_> =
            query_pairs(request.query()).filter(|(key, _)| key == name).map(|(_, value)| value).collect();
        let Some(first) = values.first() else { continue };
        let value = match form {
            Form::Switch if *first == "0" || first.eq_ignore_ascii_case("false") => continue,
            Form::Switch => true.into(),
            Form::Text if first.is_empty() => continue,
            Form::Text => first.as_ref().into(),
            Form::Texts => values.iter().map(AsRef::as_ref).collect::<Vec<&str>>().into(),
            Form::Numbers => values
                .iter()
                .flat_map(|value| value.split(','))
                .map(|text| {
                    text.parse::<i32>()
                        .map_err(|error| Status::bad_request(format!("{name}: {text:?} {error}")))
                })
                .collect::<Result<Vec<i32>, Status>>()?
                .into(),
        };
        options.insert((*name).to_owned(), value);
    }
    let info = request.info();
    if info.subresource == "proxy" {
        let below = info.parts.get(3..).unwrap_or_default().join("/");
        let slash = if info.path.ends_with('/') { "/" } else { "" };
        let path = if below.is_empty() { slash.to_owned() } else { format!("/{below}{slash}") };
        if !path.is_empty() {
            options.insert("path".into(), path.into());
        }
    }
    Ok(Value::Object(options))
}
