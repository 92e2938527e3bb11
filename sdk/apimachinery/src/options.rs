//! The options of writes (`meta/v1` CreateOptions, UpdateOptions, PatchOptions, DeleteOptions).

/// Options of a DELETE.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds until the object goes; negative ones are taken as 1.
    pub grace_period_seconds: Option<i64>,
    /// The uid that the object must have.
    pub precondition_uid: Option<String>,
    /// The resourceVersion that the object must have.
    pub precondition_resource_version: Option<String>,
    /// The legacy form of a propagation policy.
    pub orphan_dependents: Option<bool>,
    /// `Orphan`, `Background` or `Foreground`.
    pub propagation_policy: Option<String>,
    /// The values of `dryRun`; not empty means that nothing is stored.
    pub dry_run: Vec<String>,
}
