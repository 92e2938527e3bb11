//! An admission policy: every ConfigMap says whose it is.

use chainplate_sdk::{
    Plugin,
    admission::{Admission, AdmissionRequest, Decision},
    apimachinery::{Status, Value},
};

struct Policy;

impl Plugin for Policy {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(_config: Value) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Admission for Policy {
    /// `hook` is the name of the hook in `plugin.yaml`, which also says what is asked about here.
    fn admit(&self, _hook: &str, request: &AdmissionRequest<'_>) -> Result<Decision, Status> {
        let object: Value = request.object()?;
        if object.pointer("/metadata/labels/owner").is_none() {
            return Err(request.deny("the label \"owner\" is missing"));
        }
        Ok(Decision::Allow)
    }
}

chainplate_sdk::export!(admission: Policy);
