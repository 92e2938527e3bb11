//! OpenAPI v2 of everything that is served, made from the OpenAPI v3 documents of the group-versions: what publishes
//! a group-version describes it once.
//!
//! Facts: `kube-openapi/pkg/{builder,builder3,handler}` (the forms, and that version 2 tells no defaults),
//! `apiextensions-apiserver/pkg/controller/openapi/v2/conversion.go` (what old clients cannot read and is left out).

mod gnostic;
mod v2;

pub use v2::Swagger;
