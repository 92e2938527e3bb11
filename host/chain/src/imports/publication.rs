//! Publication of discovery and OpenAPI documents.

use super::to_wire;
use crate::{
    bindings::chainplate::server::{publication, types as wire},
    instance::State,
    publications::GroupVersion,
};
use chainplate_apimachinery::Status;
use std::sync::Arc;
use wasmtime::component::Resource;

/// A group-version's documents, in the making or as published.
#[derive(Debug)]
pub struct GroupVersionHandle(Arc<GroupVersion>);

impl State {
    fn document(&mut self, this: &Resource<GroupVersionHandle>) -> wasmtime::Result<&mut GroupVersion> {
        Ok(Arc::make_mut(&mut self.table.get_mut(this)?.0))
    }
}

impl publication::HostGroupVersion for State {
    fn new(&mut self, group: String, version: String) -> wasmtime::Result<Resource<GroupVersionHandle>> {
        let document = GroupVersion { group, version, ..GroupVersion::default() };
        Ok(self.table.push(GroupVersionHandle(Arc::new(document)))?)
    }

    fn set_discovery(&mut self, this: Resource<GroupVersionHandle>, json: Vec<u8>) -> wasmtime::Result<()> {
        self.document(&this)?.discovery = json.into();
        Ok(())
    }

    fn set_openapi_v3(&mut self, this: Resource<GroupVersionHandle>, json: Vec<u8>) -> wasmtime::Result<()> {
        self.document(&this)?.openapi_v3 = Some(json.into());
        Ok(())
    }

    fn set_priorities(
        &mut self,
        this: Resource<GroupVersionHandle>,
        group_priority_minimum: i32,
        version_priority: i32,
    ) -> wasmtime::Result<()> {
        let document = self.document(&this)?;
        document.group_priority_minimum = group_priority_minimum;
        document.version_priority = version_priority;
        Ok(())
    }

    fn group(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.0.group.clone())
    }

    fn version(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.0.version.clone())
    }

    fn discovery(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&this)?.0.discovery.to_vec())
    }

    fn openapi_v3_hash(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.0.openapi_v3_hash.clone())
    }

    fn group_priority_minimum(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<i32> {
        Ok(self.table.get(&this)?.0.group_priority_minimum)
    }

    fn version_priority(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<i32> {
        Ok(self.table.get(&this)?.0.version_priority)
    }

    fn publisher(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.0.publisher.clone())
    }

    fn drop(&mut self, this: Resource<GroupVersionHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl publication::Host for State {
    fn publish(
        &mut self,
        group_versions: Vec<Resource<GroupVersionHandle>>,
    ) -> wasmtime::Result<Result<(), wire::Status>> {
        self.publish(None, group_versions)
    }

    fn replace(
        &mut self,
        group: String,
        group_versions: Vec<Resource<GroupVersionHandle>>,
    ) -> wasmtime::Result<Result<(), wire::Status>> {
        self.publish(Some(&group), group_versions)
    }

    fn generation(&mut self) -> wasmtime::Result<u64> {
        Ok(self.plugin.shared.publications.generation())
    }

    fn all(&mut self) -> wasmtime::Result<Result<Vec<Resource<GroupVersionHandle>>, wire::Status>> {
        if let Err(refused) = self.may_read_publications() {
            return Ok(Err(refused));
        }
        let mut handles = Vec::new();
        for item in self.plugin.shared.publications.all() {
            handles.push(self.table.push(GroupVersionHandle(item))?);
        }
        Ok(Ok(handles))
    }

    async fn openapi_v3(
        &mut self,
        group: String,
        version: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, wire::Status>> {
        if let Err(refused) = self.may_read_publications() {
            return Ok(Err(refused));
        }
        let shared = Arc::clone(&self.plugin.shared);
        Ok(shared
            .publications
            .openapi_v3(&group, &version)
            .await
            .map(|found| found.map(Vec::from))
            .map_err(to_wire))
    }
}

impl State {
    /// Publishes; what the component published in `whole_group` before is taken back.
    fn publish(
        &mut self,
        whole_group: Option<&str>,
        handles: Vec<Resource<GroupVersionHandle>>,
    ) -> wasmtime::Result<Result<(), wire::Status>> {
        let mut documents = Vec::with_capacity(handles.len());
        for handle in handles {
            documents.push(Arc::unwrap_or_clone(self.table.delete(handle)?.0));
        }
        let plugin = &self.plugin;
        let groups = documents.iter().map(|item| item.group.as_str()).chain(whole_group);
        let refused = |why: &str| Ok(Err(to_wire(Status::forbidden("", "", "", why))));
        for group in groups {
            if !plugin.grants.allows_group(group) {
                return refused(&format!(
                    "component {:?} may not publish the group {group:?}; add it to grants.groups of this component",
                    plugin.name
                ));
            }
            if whole_group.is_some_and(|whole| whole != group) {
                return refused(&format!(
                    "component {:?} replaces a group with a version of {group:?}; replace each group by itself",
                    plugin.name
                ));
            }
        }
        for item in &documents {
            let told = [("discovery", Some(&item.discovery)), ("OpenAPI", item.openapi_v3.as_ref())];
            for (what, json) in told.into_iter().filter_map(|(what, json)| Some((what, json?))) {
                if let Err(why) = plugin.check_json(json) {
                    return Ok(Err(to_wire(Status::bad_request(format!(
                        "component {:?} publishes for {}/{} a document of {what} that is no JSON: {why}",
                        plugin.name, item.group, item.version
                    )))));
                }
            }
        }
        let publications = &plugin.shared.publications;
        Ok(publications.publish(&plugin.name, &plugin.digest, whole_group, documents).map_err(to_wire))
    }

    fn may_read_publications(&self) -> Result<(), wire::Status> {
        if self.plugin.grants.publications {
            return Ok(());
        }
        let why = format!(
            "component {:?} may not read publications; set grants.publications of this component",
            self.plugin.name
        );
        Err(to_wire(Status::forbidden("", "", "", &why)))
    }
}
