//! Custom resources.

mod scale;
mod serve;
mod strategy;
mod transforms;

pub(crate) use serve::serve;
pub(crate) use transforms::Transforms;
