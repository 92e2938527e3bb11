//! Subresources that are a document of another kind, made of the object and written back into it: scale.

use super::{
    body::{self, Format},
    ensure_namespace,
    exchange::{Exchange, Writer},
    patch::{Patch, PatchKind, Telling, misfit},
    rules::{remove_meta, set_meta},
    update::{Written, replace},
};
use crate::{Outcome, Response, StoredObject};
use chainplate_apimachinery::{
    Cause, Map, Status, Value, managed_fields, meta, object,
    options::{Write, WriteOptions, json_kind},
    request::Verb,
};
use serde_json::json;

/// Metadata that a view takes from its object.
const METADATA: [&str; 5] = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];

pub(super) fn handle(exchange: &Exchange<'_>, api_version: &str, kind: &str) -> Result<Outcome, Status> {
    let view = View { exchange, api_version, kind };
    match exchange.request.info().verb {
        Verb::Get => {
            let stored = exchange.collection.get(exchange.scope(), exchange.name);
            let object = exchange.load(&stored.ok_or_else(|| exchange.not_found())?)?;
            view.answer(&object)
        }
        Verb::Update => view.update(),
        _ => view.patch(),
    }
}

pub(super) struct View<'a> {
    exchange: &'a Exchange<'a>,
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
}

impl View<'_> {
    pub(super) fn of(&self, object: &Value) -> Result<Value, Status> {
        let mut view = self.exchange.strategy.view(self.exchange.subresource, object)?;
        let mut metadata = Map::new();
        for key in METADATA {
            if let Some(value) = object::metadata(object).and_then(|metadata| metadata.get(key)) {
                metadata.insert(key.into(), value.clone());
            }
        }
        if let Some(map) = view.as_object_mut() {
            map.insert("kind".into(), self.kind.into());
            map.insert("apiVersion".into(), self.api_version.into());
            map.insert("metadata".into(), Value::Object(metadata));
        }
        Ok(view)
    }

    fn answer(&self, object: &Value) -> Result<Outcome, Status> {
        Ok(Response::document(200, &object::encode_unsaved(&self.of(object)?)).into())
    }

    fn stored(&self, stored: &StoredObject) -> Result<Outcome, Status> {
        self.answer(&self.exchange.load(stored)?)
    }

    fn respond(&self, written: Written) -> Result<Outcome, Status> {
        match written {
            Written::Stored(stored) => self.stored(&stored),
            Written::Unsaved(object) => self.answer(&object),
            Written::Created(outcome) => Ok(outcome),
        }
    }

    fn update(&self) -> Result<Outcome, Status> {
        let exchange = self.exchange;
        let body = exchange.request.body()?;
        let options = WriteOptions::parse(exchange.request.query(), Write::Update)?;
        let format = Format::of(exchange.request, true)?;
        let default = (self.api_version, self.kind);
        let document =
            format.parse(exchange.strategy, default, &body).map_err(|why| why.status(self.kind, &body))?;
        let mut view = document.value;
        self.check_type(&view)?;
        meta::decode(&mut view, None).map_err(Status::bad_request)?;
        ensure_namespace(&mut view, exchange.namespace)?;
        exchange.check_name(&view)?;
        let writer = exchange.writer(&options);
        let written = replace(exchange, &options, false, Some(self), |old| {
            let old = old.ok_or_else(|| exchange.not_found())?;
            let mut object = self.write_back(old, &view)?;
            exchange.strategy.track(&exchange.manager(&writer), Some(old), &mut object);
            self.keep_times(old, &mut object);
            Ok(object)
        })?;
        self.respond(written)
    }

    fn patch(&self) -> Result<Outcome, Status> {
        let exchange = self.exchange;
        let kind = PatchKind::of(&body::media_type(exchange.request), exchange.descriptor)?;
        if kind == PatchKind::Apply {
            return self.apply();
        }
        // A view has no lists to merge by key.
        let kind = if kind == PatchKind::Strategic { PatchKind::Merge } else { kind };
        let bytes = exchange.request.body()?;
        let options = WriteOptions::parse(exchange.request.query(), kind.write())?;
        let patch = Patch::read(kind, &bytes, options.field_validation)?;
        let writer = exchange.writer(&options);
        let mut telling = Telling { validation: options.field_validation, done: false };
        let written = replace(exchange, &options, false, Some(self), |old| {
            let old = old.ok_or_else(|| exchange.not_found())?;
            let mut view = self.of(old)?;
            patch.apply_to(exchange, &mut view)?;
            self.check_type(&view).map_err(|status| misfit(&view, status.message()))?;
            let mut unknown = Vec::new();
            meta::decode(&mut view, Some(&mut unknown)).map_err(|text| misfit(&view, &text))?;
            telling.tell(exchange, &view, body::unknown_fields(&unknown).collect())?;
            ensure_namespace(&mut view, exchange.namespace)?;
            exchange.check_name(&view)?;
            let mut object = self.write_back(old, &view)?;
            exchange.strategy.track(&exchange.manager(&writer), Some(old), &mut object);
            self.keep_times(old, &mut object);
            Ok(object)
        })?;
        self.respond(written)
    }

    /// Applies a view: what it says is applied to the object, by a manager of the subresource.
    ///
    /// Upstream applies to the view and translates the owners of the one field both ways
    /// (`apimachinery/pkg/util/managedfields/scalehandler.go`); here the field is that of the object all along.
    fn apply(&self) -> Result<Outcome, Status> {
        let exchange = self.exchange;
        let bytes = exchange.request.body()?;
        let options = WriteOptions::parse(exchange.request.query(), PatchKind::Apply.write())?;
        let patch = Patch::read(PatchKind::Apply, &bytes, options.field_validation);
        drop(bytes);
        let writer = exchange.writer(&options);
        let mut telling = Telling { validation: options.field_validation, done: false };
        // What is wrong with the patch is told once the object is found.
        let mut patch = Some(patch);
        let mut read: Option<Patch> = None;
        let written = replace(exchange, &options, false, Some(self), |old| {
            if let Some(result) = patch.take() {
                read = Some(result?);
            }
            let Some(patch) = &read else { return Err(Status::internal("a patch was read and is gone")) };
            let old = old.ok_or_else(|| exchange.not_found())?;
            let document = patch.applied(self.api_version, self.kind)?;
            let merged = self.merge(old, document, &writer, options.force.unwrap_or_default())?;
            let mut view = self.of(&merged)?;
            for key in ["uid", "resourceVersion"] {
                let wanted = object::meta_str(document, key);
                if !wanted.is_empty() {
                    set_meta(&mut view, key, wanted.into());
                }
            }
            telling.tell(exchange, &view, patch.told())?;
            let mut object = self.write_back(old, &view)?;
            match object::metadata(&merged).and_then(|metadata| metadata.get("managedFields")) {
                Some(owners) => set_meta(&mut object, "managedFields", owners.clone()),
                None => remove_meta(&mut object, "managedFields"),
            }
            self.keep_times(old, &mut object);
            Ok(object)
        })?;
        self.respond(written)
    }

    /// The object after what the view `document` says was applied to it.
    fn merge(&self, old: &Value, document: &Value, writer: &Writer, force: bool) -> Result<Value, Status> {
        let exchange = self.exchange;
        self.check_fields(document)?;
        let name = object::meta_str(document, "name");
        let mut named = old.clone();
        set_meta(&mut named, "name", name.into());
        exchange.check_name(&named)?;
        ensure_namespace(&mut document.clone(), exchange.namespace)?;
        let mut config = json!({
            "apiVersion": exchange.descriptor.api_version(),
            "kind": exchange.descriptor.kind,
            "metadata": {"name": name},
        });
        if !exchange.namespace.is_empty() {
            set_meta(&mut config, "namespace", exchange.namespace.into());
        }
        if document.pointer("/spec/replicas").is_some_and(|replicas| !replicas.is_null()) {
            exchange.strategy.set_from_view(exchange.subresource, &mut config, document)?;
        }
        exchange.strategy.apply(&exchange.manager(writer), force, Some(old), config).map_err(as_told_of_view)
    }

    /// Refuses what a Scale does not have, with the words of a typed patch.
    fn check_fields(&self, document: &Value) -> Result<(), Status> {
        const MEMBERS: [(&str, &[&str]); 3] = [
            ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
            ("/spec", &["replicas"]),
            ("/status", &["replicas", "selector"]),
        ];
        let mut faults = Vec::new();
        for (place, known) in MEMBERS {
            let there = document.pointer(place).and_then(Value::as_object);
            for name in there.into_iter().flat_map(Map::keys).filter(|name| !known.contains(&name.as_str())) {
                faults.push(format!("{}.{name}: field not declared in schema", place.replace('/', ".")));
            }
        }
        let replicas = document.pointer("/spec/replicas");
        if replicas.is_some_and(|replicas| !replicas.is_number() && !replicas.is_null()) {
            let kind = replicas.map_or("", json_kind);
            faults.push(format!(".spec.replicas: expected numeric (int or float), got {kind}"));
        }
        let why = match faults.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            several => format!("errors:\n  {}", several.join("\n  ")),
        };
        let (namespace, name) = (object::namespace(document), object::name(document));
        Err(Status::new(
            500,
            "",
            format!(
                "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {why}",
                self.api_version, self.kind
            ),
        ))
    }

    /// Owners who come through the subresource have no time but the one they had.
    fn keep_times(&self, old: &Value, object: &mut Value) {
        let (Some(before), Some(mut entries)) = (managed_fields::decode(old), managed_fields::decode(object))
        else {
            return;
        };
        let mut changed = false;
        for entry in entries.iter_mut().filter(|entry| entry.subresource == self.exchange.subresource) {
            let same = before.iter().find(|before| {
                (before.operation, &before.manager, &before.subresource, &before.api_version)
                    == (entry.operation, &entry.manager, &entry.subresource, &entry.api_version)
            });
            let time = same.and_then(|before| before.time.clone());
            changed |= std::mem::replace(&mut entry.time, time.clone()) != time;
        }
        if changed {
            managed_fields::encode(object, entries);
        }
    }

    fn check_type(&self, view: &Value) -> Result<(), Status> {
        let text = |key: &str| view.get(key).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let fits = |have: &str, want: &str| have.is_empty() || have == want;
        if view.is_object() && fits(api_version, self.api_version) && fits(kind, self.kind) {
            return Ok(());
        }
        let version = api_version.rsplit('/').next().unwrap_or_default();
        Err(Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            self.kind
        )))
    }

    /// The object with what the view says, and with the view's uid and resourceVersion as conditions.
    pub(super) fn write_back(&self, old: &Value, view: &Value) -> Result<Value, Status> {
        let exchange = self.exchange;
        let errors = exchange.strategy.validate_view(exchange.subresource, view);
        if !errors.is_empty() {
            let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
            return Err(Status::invalid(group, self.kind, exchange.name, &errors));
        }
        let uid = object::uid(view);
        if !uid.is_empty() && uid != object::uid(old) {
            return Err(exchange.conflict(&format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                object::uid(old)
            )));
        }
        let mut object = old.clone();
        exchange.strategy.set_from_view(exchange.subresource, &mut object, view)?;
        let version = object::meta_str(view, "resourceVersion");
        if version.is_empty() || version == "0" {
            // Without a version the view replaces whatever is there, even where the object itself could not be.
            return Ok(object);
        }
        remove_meta(&mut object, "resourceVersion");
        set_meta(&mut object, "resourceVersion", version.into());
        Ok(object)
    }
}

/// Conflicts about the object's field, told of the view's.
fn as_told_of_view(status: Status) -> Status {
    const FIELD: &str = ".spec.replicas";
    let Some(causes) = status.details().and_then(|details| details.get("causes")).and_then(Value::as_array)
    else {
        return status;
    };
    let mut message = status.message().to_owned();
    let mut told = Vec::new();
    for cause in causes {
        let text = |key: &str| cause.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (reason, of, field) = (text("reason"), text("message"), text("field"));
        if reason != "FieldManagerConflict" {
            return status;
        }
        message = message.replace(&field, FIELD);
        told.push(Cause { reason, message: of, field: FIELD.into() });
    }
    Status::new(status.code(), status.reason(), message).with_causes(told)
}
