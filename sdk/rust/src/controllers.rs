//! Controllers: which objects the host wakes a server for.
//!
//! A controller is started in [`Plugin::prepare`](crate::Plugin::prepare); from then on the host calls
//! [`Server::reconcile`](crate::Server::reconcile) for every object that is there, and for each that changes.

use chainplate_apimachinery::Status;
use std::time::Duration;

/// A controller of the objects of one resource, and what else it watches. All of it takes the grant `resources`, with the
/// verb `watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a controller does nothing until it is started"]
pub struct Controller {
    pub(crate) name: String,
    pub(crate) of: Watched,
    pub(crate) owns: Vec<Watched>,
    pub(crate) watches: Vec<Watched>,
    pub(crate) resync_seconds: Option<u32>,
}

/// A resource that a controller follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The API group, empty for core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural resource.
    pub resource: String,
}

impl Watched {
    fn new(group: &str, version: &str, resource: &str) -> Self {
        Self { group: group.into(), version: version.into(), resource: resource.into() }
    }
}

impl Controller {
    /// A controller of the objects of one resource. The name tells the component's controllers apart.
    pub fn new(name: &str, group: &str, version: &str, resource: &str) -> Self {
        Self {
            name: name.into(),
            of: Watched::new(group, version, resource),
            owns: Vec::new(),
            watches: Vec::new(),
            resync_seconds: None,
        }
    }

    /// A change of such an object wakes for the object that controls it (`ownerReferences` with `controller: true`).
    pub fn owns(mut self, group: &str, version: &str, resource: &str) -> Self {
        self.owns.push(Watched::new(group, version, resource));
        self
    }

    /// A change of such an object wakes for each object of the controller.
    pub fn watches(mut self, group: &str, version: &str, resource: &str) -> Self {
        self.watches.push(Watched::new(group, version, resource));
        self
    }

    /// How often every object is looked at again, in whole seconds; zero for never. Ten hours without the call.
    pub fn resync(mut self, every: Duration) -> Self {
        self.resync_seconds = Some(u32::try_from(every.as_secs()).unwrap_or(u32::MAX));
        self
    }

    /// Starts it once the chain serves.
    ///
    /// # Errors
    /// 403 without the grants.
    pub fn start(self) -> Result<(), Status> {
        crate::host::start_controller(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// An object of a controller's resource, which may be gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectReference {
    /// Its namespace; none for cluster-scoped resources.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What follows when an object was reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action(Option<Duration>);

impl Action {
    /// Nothing, until the object or what belongs to it changes.
    pub fn await_change() -> Self {
        Self(None)
    }

    /// It is looked at again after that time, and when it changes before that.
    pub fn requeue(after: Duration) -> Self {
        Self(Some(after))
    }

    /// The time after which it is looked at again.
    pub fn requeue_after(self) -> Option<Duration> {
        self.0
    }
}
