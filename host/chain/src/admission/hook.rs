//! A hook of an admission component.

use super::{Attributes, Change};
use crate::{
    imports::ReviewHandle,
    instance::Call,
    plugin::{Fault, Judgement, Plugin},
};
use bytes::Bytes;
use chainplate_apimachinery::{
    Status, Value, patch,
    selector::{LabelSelector, scan},
};
use chainplate_manifest::{FailurePolicy, MatchPolicy, Narrowing, Operation, Reinvocation, Rule};
use chainplate_storage::{Key, Store};
use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

/// A hook as the manifest declares it and the operator narrows it.
#[derive(Debug)]
pub(crate) struct Hook {
    plugin: Weak<Plugin>,
    /// The hook's name in the manifest.
    hook: String,
    /// `<component>/<hook>`, as clients and logs know it.
    name: String,
    rules: Vec<Rule>,
    /// The operator's; all of them match if there are none.
    narrowed: Vec<Rule>,
    match_policy: MatchPolicy,
    namespace_selectors: Vec<LabelSelector>,
    object_selectors: Vec<LabelSelector>,
    failure_policy: FailurePolicy,
    reinvocation: Reinvocation,
    timeout: Option<Duration>,
}

/// Largest object that a hook may make, in bytes: that of a request's body.
const MAX_OBJECT: usize = 3 << 20;

impl Hook {
    /// # Errors
    /// A selector that cannot be read.
    pub(crate) fn new(
        plugin: &Arc<Plugin>,
        declared: &chainplate_manifest::Hook,
        narrowing: Option<&Narrowing>,
    ) -> Result<Self, String> {
        let selectors = |own: &Option<Value>, narrowed: Option<&Value>| {
            own.iter()
                .chain(narrowed)
                .map(LabelSelector::from_json)
                .filter(|selector| selector.as_ref().is_ok_and(|it| !it.is_empty()) || selector.is_err())
                .collect::<Result<Vec<_>, _>>()
        };
        let seconds = narrowing.and_then(|it| it.timeout_seconds).or(declared.timeout_seconds);
        Ok(Self {
            plugin: Arc::downgrade(plugin),
            hook: declared.name.clone(),
            name: format!("{}/{}", plugin.name(), declared.name),
            rules: declared.rules.clone(),
            narrowed: narrowing.map(|it| it.rules.clone()).unwrap_or_default(),
            match_policy: declared.match_policy,
            namespace_selectors: selectors(
                &declared.namespace_selector,
                narrowing.and_then(|it| it.namespace_selector.as_ref()),
            )?,
            object_selectors: selectors(
                &declared.object_selector,
                narrowing.and_then(|it| it.object_selector.as_ref()),
            )?,
            failure_policy: narrowing.and_then(|it| it.failure_policy).unwrap_or(declared.failure_policy),
            reinvocation: declared.reinvocation_policy,
            timeout: seconds.map(Duration::from_secs),
        })
    }

    pub(super) fn reinvocation(&self) -> Reinvocation {
        self.reinvocation
    }

    /// Whether its rules mean such a write, whatever the object.
    pub(super) fn means(&self, attributes: &Attributes) -> bool {
        let target = attributes.target();
        let one = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(&target, self.match_policy));
        one(&self.rules) && (self.narrowed.is_empty() || one(&self.narrowed))
    }

    /// Whether it is asked.
    pub(super) fn matches(&self, store: &Store, attributes: &Attributes, change: &Change) -> bool {
        self.means(attributes)
            && self.matches_object(change)
            && self.matches_namespace(store, attributes, change)
    }

    /// The new object or the old one (`webhook/predicates/object`).
    fn matches_object(&self, change: &Change) -> bool {
        self.object_selectors.iter().all(|selector| {
            [&change.object, &change.old].into_iter().flatten().any(|object| has_labels(selector, object))
        })
    }

    /// The object's namespace, or the namespace that is the object; other cluster-scoped objects always match
    /// (`webhook/predicates/namespace`).
    fn matches_namespace(&self, store: &Store, attributes: &Attributes, change: &Change) -> bool {
        if self.namespace_selectors.is_empty() {
            return true;
        }
        if attributes.is_namespace()
            && matches!(attributes.operation, Operation::Create | Operation::Update)
            && let Some(object) = &change.object
        {
            return self.namespace_selectors.iter().all(|selector| has_labels(selector, object));
        }
        let name = match &attributes.namespace {
            _ if attributes.is_namespace() => &attributes.name,
            Some(namespace) => namespace,
            None => return true,
        };
        let there = store.get(&Key::new("namespaces", None, name));
        let metadata = there.as_ref().map_or(&b"{}"[..], |there| there.metadata());
        self.namespace_selectors.iter().all(|selector| selector.matches_metadata(metadata))
    }

    /// Asks a mutating hook; the changed object, if it changes it.
    pub(super) async fn mutate(
        &self,
        attributes: &Attributes,
        change: &Change,
        call: Call,
    ) -> Result<Option<Bytes>, Status> {
        match self.ask(attributes, change, call).await {
            Ok(Judgement::Allow) => Ok(None),
            Ok(judgement) => match changed(judgement, change) {
                Ok(object) => Ok(object),
                Err(why) => self.failed(&why).map(|()| None),
            },
            Err(Refusal::Denied(status)) => Err(status),
            Err(Refusal::Failed(why)) => self.failed(&why).map(|()| None),
        }
    }

    /// Asks a validating hook.
    pub(super) async fn validate(
        &self,
        attributes: &Attributes,
        change: &Change,
        call: Call,
    ) -> Result<(), Status> {
        match self.ask(attributes, change, call).await {
            Ok(Judgement::Allow) => Ok(()),
            Ok(_) => self.failed("it changed the object, which only mutating hooks may"),
            Err(Refusal::Denied(status)) => Err(status),
            Err(Refusal::Failed(why)) => self.failed(&why),
        }
    }

    async fn ask(&self, attributes: &Attributes, change: &Change, call: Call) -> Result<Judgement, Refusal> {
        let gone = || Refusal::Failed("its chain is gone".to_owned());
        let plugin = self.plugin.upgrade().ok_or_else(gone)?;
        let limit = self.timeout.unwrap_or(Duration::MAX).min(plugin.context.limits.timeout);
        let call = call.within(limit);
        // Before the copy, which would have one of its own.
        attributes.uid();
        let review = ReviewHandle {
            attributes: attributes.clone(),
            change: change.clone(),
            component: plugin.name().to_owned(),
        };
        let started = Instant::now();
        let answer = plugin.admit(call, &self.hook, review).await;
        let outcome = match &answer {
            Ok(Ok(_)) => "allow",
            Ok(Err(_)) => "deny",
            Err(_) => "fault",
        };
        plugin.context.metrics.admitted(&self.hook, outcome, started.elapsed());
        match answer {
            Ok(Ok(judgement)) => Ok(judgement),
            Ok(Err(status)) => Err(Refusal::Denied(self.denial(status))),
            Err(fault) => Err(Refusal::Failed(told(&fault))),
        }
    }

    /// A denial in the form of upstream's (`webhook/errors.ToStatusErr`).
    fn denial(&self, status: Status) -> Status {
        let denied = format!("admission plugin {:?} denied the request", self.name);
        let message = match (status.message(), status.reason()) {
            ("", "") => format!("{denied} without explanation"),
            ("", reason) => format!("{denied}: {reason}"),
            (message, _) => format!("{denied}: {message}"),
        };
        status.with_message(message)
    }

    /// What a failure comes to.
    fn failed(&self, why: &str) -> Result<(), Status> {
        match self.failure_policy {
            FailurePolicy::Ignore => {
                tracing::warn!(hook = self.name, "failed and is ignored, as its failurePolicy says: {why}");
                Ok(())
            }
            FailurePolicy::Fail => {
                Err(Status::internal(format_args!("failed calling admission plugin {:?}: {why}", self.name)))
            }
        }
    }
}

/// Why a hook did not let a write pass.
enum Refusal {
    Denied(Status),
    Failed(String),
}

/// A fault as clients are told: a trap's own words are for the log.
fn told(fault: &Fault) -> String {
    match fault {
        Fault::Trap(_) | Fault::Start(_) => "it trapped; see the server's log".to_owned(),
        other => other.to_string(),
    }
}

fn has_labels(selector: &LabelSelector, object: &[u8]) -> bool {
    selector.matches_metadata(scan::member(object, "metadata").unwrap_or(b"{}"))
}

/// The object that a mutating hook makes; none if it is the same.
///
/// # Errors
/// Why it cannot be taken.
fn changed(judgement: Judgement, change: &Change) -> Result<Option<Bytes>, String> {
    let before = change.object.as_deref().ok_or("it changes an object where there is none")?;
    let before: Value = serde_json::from_slice(before).map_err(|error| error.to_string())?;
    let after = match judgement {
        Judgement::Allow => return Ok(None),
        Judgement::Replace(object) => {
            serde_json::from_slice(&object).map_err(|error| format!("its object is no JSON: {error}"))?
        }
        Judgement::Patch(bytes) => {
            let parsed =
                serde_json::from_slice(&bytes).map_err(|error| format!("its patch is no JSON: {error}"))?;
            let operations =
                patch::operations(parsed, &mut Vec::new()).map_err(|why| format!("its patch: {why}"))?;
            if operations.len() > patch::MAX_OPERATIONS {
                return Err(format!("its patch has more than {} operations", patch::MAX_OPERATIONS));
            }
            let mut after = before.clone();
            patch::apply(&mut after, &operations)
                .map_err(|why| format!("its patch does not apply: {why}"))?;
            after
        }
    };
    if after == before {
        return Ok(None);
    }
    // Whose object it is was decided by who asked, and checked.
    for place in [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/generateName",
        "/metadata/namespace",
        "/metadata/uid",
    ] {
        if before.pointer(place) != after.pointer(place) {
            return Err(format!("it changed {place}, which no hook may"));
        }
    }
    let object = chainplate_apimachinery::object::encode_unsaved(&after);
    if object.len() > MAX_OBJECT {
        return Err(format!("its object has {} bytes, {MAX_OBJECT} are the limit", object.len()));
    }
    Ok(Some(object.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change {
            object: Some(br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#[..].into()),
            old: None,
        }
    }

    #[test]
    fn a_patch_changes_the_object() {
        let patch = br#"[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]"#.to_vec();
        let object = changed(Judgement::Patch(patch), &change()).unwrap().unwrap();
        let object: Value = serde_json::from_slice(&object).unwrap();
        assert_eq!(object.pointer("/metadata/labels/a"), Some(&Value::from("b")));
    }

    #[test]
    fn what_cannot_be_taken_is_told() {
        for (judgement, part) in [
            (Judgement::Patch(b"nope".to_vec()), "no JSON"),
            (Judgement::Patch(br#"[{"op":"remove","path":"/spec"}]"#.to_vec()), "does not apply"),
            (
                Judgement::Replace(br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}"#.to_vec()),
                "/metadata/name",
            ),
            (Judgement::Replace(b"[".to_vec()), "no JSON"),
        ] {
            let told = changed(judgement, &change()).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
        assert!(changed(Judgement::Patch(b"[]".to_vec()), &Change::default()).is_err());
    }

    #[test]
    fn an_equal_object_is_no_change() {
        let same = br#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#.to_vec();
        assert_eq!(changed(Judgement::Replace(same), &change()), Ok(None));
    }
}
