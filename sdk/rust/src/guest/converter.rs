//! World `converter`.

use super::plugin_or_status;
use crate::{
    bindings::{
        chainplate::server::types::Status, converter::exports::chainplate::server::version_conversion,
    },
    converter::{self, Converter},
    wasm,
};
use std::marker::PhantomData;

/// The exports of a converter.
#[derive(Debug)]
pub struct Converts<C>(PhantomData<C>);

impl<C: Converter> version_conversion::Guest for Converts<C> {
    fn convert(api_version: String, objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        converter::run(&*plugin_or_status::<C>()?, &api_version, &objects).map_err(wasm::to_wire)
    }
}
