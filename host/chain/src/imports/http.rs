//! Requests, drafts and responses.

use super::{CollectionHandle, StoredHandle, to_wire, verb_to_wire};
use crate::{
    bindings::chainplate::server::{http, types as wire},
    instance::State,
    request::{Body, Request},
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_plan::Plan;
use std::{sync::Arc, time::Duration};
use wasmtime::component::Resource;

/// The request in hand.
#[derive(Debug)]
pub struct RequestHandle(pub(crate) Arc<Request>);

/// An edited request.
#[derive(Debug)]
pub struct DraftHandle {
    base: Arc<Request>,
    path_and_query: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

/// What the host shall send.
pub struct ResponseHandle {
    pub(crate) plan: Plan,
    pub(crate) headers: Vec<(String, String)>,
}

impl DraftHandle {
    /// The request as edited.
    pub(crate) fn into_request(self) -> Result<Request, Status> {
        let mut request = Request::clone(&self.base);
        if let Some(path_and_query) = self.path_and_query {
            let (path, query) = path_and_query.split_once('?').unwrap_or((&path_and_query, ""));
            let method = request.info.method.to_ascii_uppercase();
            let info = chainplate_apimachinery::request::RequestInfo::parse(&method, path, query);
            let why = |error| Status::internal(format_args!("a draft's path {path:?}: {error}"));
            request.info = Arc::new(info.map_err(why)?);
            request.query = query.to_owned();
        }
        for (name, value) in self.headers {
            let name = ::http::HeaderName::try_from(name.as_str());
            let value = ::http::HeaderValue::try_from(value.as_str());
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Status::internal("a draft has a malformed header"));
            };
            request.headers.insert(name, value);
        }
        if let Some(body) = self.body {
            request.body = Body::ready(body);
        }
        Ok(request)
    }
}

/// Most headers of one draft or response.
const MAX_HEADERS: usize = 64;

impl http::Host for State {}

impl http::HostRequest for State {
    fn info(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<wire::RequestInfo> {
        let info = &self.table.get(&this)?.0.info;
        Ok(wire::RequestInfo {
            is_resource: info.is_resource,
            verb: verb_to_wire(info.verb),
            method: info.method.clone(),
            path: info.path.clone(),
            api_prefix: info.api_prefix.clone(),
            group: info.group.clone(),
            version: info.version.clone(),
            namespace: info.namespace.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            name: info.name.clone(),
            parts: info.parts.clone(),
        })
    }

    fn query(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.0.query.clone())
    }

    fn header(&mut self, this: Resource<RequestHandle>, name: String) -> wasmtime::Result<Vec<String>> {
        let headers = &self.table.get(&this)?.0.headers;
        let values = headers.get_all(name).iter();
        Ok(values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect())
    }

    fn user(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<wire::UserInfo> {
        Ok(super::user_to_wire(&self.table.get(&this)?.0.user))
    }

    async fn body(
        &mut self,
        this: Resource<RequestHandle>,
    ) -> wasmtime::Result<Result<Vec<u8>, wire::Status>> {
        let request = Arc::clone(&self.table.get(&this)?.0);
        Ok(request.body.bytes().await.map(Vec::from).map_err(to_wire))
    }

    fn warn(&mut self, this: Resource<RequestHandle>, text: String) -> wasmtime::Result<()> {
        (self.table.get(&this)?.0.warn)(&text);
        Ok(())
    }

    fn audit_id(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.0.audit_id.clone())
    }

    fn remaining_ms(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<u32> {
        let left = self.table.get(&this)?.0.patience(Duration::from_millis(u32::MAX.into()));
        Ok(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }

    fn derive(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<Resource<DraftHandle>> {
        let base = Arc::clone(&self.table.get(&this)?.0);
        let draft = DraftHandle { base, path_and_query: None, headers: Vec::new(), body: None };
        Ok(self.table.push(draft)?)
    }

    fn drop(&mut self, this: Resource<RequestHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl http::HostDraft for State {
    fn set_path(&mut self, this: Resource<DraftHandle>, path_and_query: String) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.path_and_query = Some(path_and_query);
        Ok(())
    }

    fn set_header(
        &mut self,
        this: Resource<DraftHandle>,
        name: String,
        value: String,
    ) -> wasmtime::Result<()> {
        let headers = &mut self.table.get_mut(&this)?.headers;
        wasmtime::ensure!(headers.len() < MAX_HEADERS, "a draft takes at most {MAX_HEADERS} headers");
        headers.push((name, value));
        Ok(())
    }

    fn set_body(&mut self, this: Resource<DraftHandle>, body: Vec<u8>) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.body = Some(body.into());
        Ok(())
    }

    fn drop(&mut self, this: Resource<DraftHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    fn respond(&mut self, plan: Plan) -> wasmtime::Result<Resource<ResponseHandle>> {
        Ok(self.table.push(ResponseHandle { plan, headers: Vec::new() })?)
    }

    fn check_document(&self, json: &[u8]) -> wasmtime::Result<()> {
        let told = |why| wasmtime::format_err!("the document of an answer is no JSON: {why}");
        self.plugin.check_json(json).map_err(told)
    }

    fn plan_of(&self, of: &Resource<CollectionHandle>) -> wasmtime::Result<Arc<chainplate_plan::Collection>> {
        Ok(Arc::clone(&self.table.get(of)?.collection))
    }
}

impl http::HostResponse for State {
    fn bytes(
        &mut self,
        code: u16,
        media_type: String,
        body: Vec<u8>,
    ) -> wasmtime::Result<Resource<ResponseHandle>> {
        self.respond(Plan::Bytes { code, media_type, body: body.into() })
    }

    fn document(&mut self, code: u16, json: Vec<u8>) -> wasmtime::Result<Resource<ResponseHandle>> {
        self.check_document(&json)?;
        self.respond(Plan::Document { code, json: json.into() })
    }

    fn stored(
        &mut self,
        code: u16,
        of: Resource<CollectionHandle>,
        object: Resource<StoredHandle>,
    ) -> wasmtime::Result<Resource<ResponseHandle>> {
        let collection = self.plan_of(&of)?;
        let object = Arc::clone(&self.table.get(&object)?.0);
        self.respond(Plan::Stored { code, collection, object })
    }

    fn unsaved(
        &mut self,
        code: u16,
        of: Resource<CollectionHandle>,
        json: Vec<u8>,
    ) -> wasmtime::Result<Resource<ResponseHandle>> {
        self.check_document(&json)?;
        let collection = self.plan_of(&of)?;
        self.respond(Plan::Unsaved { code, collection, json: json.into() })
    }

    fn object(
        &mut self,
        of: Resource<CollectionHandle>,
        namespace: Option<String>,
        name: String,
    ) -> wasmtime::Result<Resource<ResponseHandle>> {
        let collection = self.plan_of(&of)?;
        self.respond(Plan::Get { collection, namespace, name })
    }

    fn list(
        &mut self,
        of: Resource<CollectionHandle>,
        namespace: Option<String>,
    ) -> wasmtime::Result<Resource<ResponseHandle>> {
        let collection = self.plan_of(&of)?;
        self.respond(Plan::List { collection, namespace })
    }

    fn set_header(
        &mut self,
        this: Resource<ResponseHandle>,
        name: String,
        value: String,
    ) -> wasmtime::Result<()> {
        let headers = &mut self.table.get_mut(&this)?.headers;
        wasmtime::ensure!(headers.len() < MAX_HEADERS, "a response takes at most {MAX_HEADERS} headers");
        headers.push((name, value));
        Ok(())
    }

    fn drop(&mut self, this: Resource<ResponseHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
