//! Subresources that are a document of another kind, made of the object and written back into it: scale.

use super::{
    body::{self, Format},
    exchange::Exchange,
    patch::{Patch, PatchKind, Telling, misfit},
    rules::{remove_meta, set_meta},
    unsupported_patch,
    update::{Written, replace},
};
use crate::{Outcome, Response, StoredObject};
use chainplate_apimachinery::{
    Map, Status, Value, meta, object,
    options::{Write, WriteOptions},
    request::Verb,
};

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

struct View<'a> {
    exchange: &'a Exchange<'a>,
    api_version: &'a str,
    kind: &'a str,
}

impl View<'_> {
    fn of(&self, object: &Value) -> Result<Value, Status> {
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
        exchange.ensure_namespace(&mut view)?;
        exchange.check_name(&view)?;
        let writer = exchange.writer(&options);
        let written = replace(exchange, &options, false, |old| {
            let old = old.ok_or_else(|| exchange.not_found())?;
            let mut object = self.write_back(old, &view)?;
            exchange.strategy.track(&exchange.manager(&writer), Some(old), &mut object);
            Ok(object)
        })?;
        self.respond(written)
    }

    fn patch(&self) -> Result<Outcome, Status> {
        let exchange = self.exchange;
        let kind = PatchKind::of(&body::media_type(exchange.request), exchange.descriptor)?;
        if kind == PatchKind::Apply {
            return Err(unsupported_patch(exchange.descriptor));
        }
        // A view has no lists to merge by key.
        let kind = if kind == PatchKind::Strategic { PatchKind::Merge } else { kind };
        let bytes = exchange.request.body()?;
        let options = WriteOptions::parse(exchange.request.query(), kind.write())?;
        let patch = Patch::read(kind, &bytes, options.field_validation)?;
        let writer = exchange.writer(&options);
        let mut telling = Telling { validation: options.field_validation, done: false };
        let written = replace(exchange, &options, false, |old| {
            let old = old.ok_or_else(|| exchange.not_found())?;
            let mut view = self.of(old)?;
            patch.apply_to(exchange, &mut view)?;
            self.check_type(&view).map_err(|status| misfit(&view, status.message()))?;
            let mut unknown = Vec::new();
            meta::decode(&mut view, Some(&mut unknown)).map_err(|text| misfit(&view, &text))?;
            telling.tell(exchange, &view, body::unknown_fields(&unknown).collect())?;
            exchange.ensure_namespace(&mut view)?;
            exchange.check_name(&view)?;
            let mut object = self.write_back(old, &view)?;
            exchange.strategy.track(&exchange.manager(&writer), Some(old), &mut object);
            Ok(object)
        })?;
        self.respond(written)
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
    fn write_back(&self, old: &Value, view: &Value) -> Result<Value, Status> {
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
