#!/usr/bin/env python3
"""The Python client (PyPI `kubernetes`) against a running server: every built-in type, there and back.

    round_trip.py KUBECONFIG

Discovery says which types there are. Each that can be created, read and deleted is taken through its life by its typed
API class, with the dynamic client as a second witness; `tests/support/minimal_objects.json` holds an object of each. A
type without an object there is an error, and so is an object without its type: nothing is skipped. The server needs to
be otherwise idle; the namespace `every-type` must not exist yet.
"""
import concurrent.futures
import datetime
import json
import pathlib
import re
import sys
import tempfile
import time
import traceback

from checks import SOON, Difference, Watched, check, plain, same, status_of, time_of, until
from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.resource import ResourceList

OBJECTS = pathlib.Path(__file__).resolve().parents[1] / "support" / "minimal_objects.json"
NAMESPACE = "every-type"
LABELS = {"round-trip": "python"}
SELECTOR = "round-trip=python"
# Deletes at once, and leaves no owner to a garbage collector.
GONE = {"propagation_policy": "Background", "grace_period_seconds": 0}
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def snake(kind):
    """The client's spelling of a kind: IPAddress is ip_address."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def notes(stored):
    """The annotations, without the one that each DaemonSet has."""
    found = dict(stored["metadata"]["annotations"])
    found.pop("deprecated.daemonset.template.generation", None)
    return found


class Type:
    """A built-in type: its typed functions, its dynamic resource, and an object of it."""

    def __init__(self, resource, entry):
        self.resource, self.kind = resource, resource.kind
        self.title = f"{resource.group_version} {resource.kind}"
        self.where = [NAMESPACE] if resource.namespaced else []
        group = resource.group.removesuffix(".k8s.io") or "core"
        words = re.split(r"[.-]", group) + [resource.api_version]
        self.api = getattr(client, "".join(word.capitalize() for word in words) + "Api")()
        self.entry = entry
        self.object = json.loads(json.dumps(entry["object"]))
        self.object.setdefault("metadata", {}).setdefault("name", NAMESPACE)
        self.object["metadata"]["labels"] = LABELS
        self.name = self.object["metadata"]["name"]
        self.versions = []

    def function(self, verb, subresource=""):
        scope = "namespaced_" if self.where else ""
        return getattr(self.api, f"{verb}_{scope}{snake(self.kind)}{subresource}")

    def read(self):
        return self.function("read")(self.name, *self.where)

    def raw(self):
        """The object as the dynamic client reads it."""
        return self.resource.get(name=self.name, namespace=NAMESPACE if self.where else None).to_dict()

    def patch(self, body, **options):
        return self.function("patch")(self.name, *self.where, body, **options)

    def wrote(self, answer, what, changed=True):
        """Notes what a write answered; it must be what is stored now."""
        sent, stored = plain(answer), self.raw()
        if self.kind == "CustomResourceDefinition" and not self.versions:
            self.versions.append(sent["metadata"]["resourceVersion"])
            sent = stored = until(self.settled, "Established")
        same(sent, stored, f"{what}: read back", exact=True)
        version = stored["metadata"]["resourceVersion"]
        if changed:
            check(version not in self.versions, f"{what}: resourceVersion stays {version}")
            self.versions.append(version)
        else:
            check(version == self.versions[-1], f"{what}: resourceVersion changes without need")
        return stored

    def settled(self):
        """A definition whose names were accepted and which is served."""
        stored = self.raw()
        return stored if len(stored["status"].get("conditions") or ()) >= 2 else None

    def life(self):
        listing = self.function("list")
        version = listing(*self.where).metadata.resource_version
        watched = Watched(listing, self.where, self.name, version, self.model_name())
        self.created()
        self.listed(listing)
        self.patched()
        self.replaced()
        self.applied()
        self.status()
        self.deleted()
        watched.expect(self.versions, alone=self.kind not in SHARED)
        if "deletecollection" in self.resource.verbs:
            self.collection(listing)

    def created(self):
        create = self.function("create")
        body = self.model(self.object)
        same(self.object, plain(body), "the client's model", exact=True)
        dry = create(*self.where, body, dry_run="All")
        same(self.object, plain(dry), "create, dry run")
        status_of(self.read, 404, "NotFound", "read after a dry run")
        stored = self.wrote(create(*self.where, body, field_validation="Strict", field_manager="creator"), "create")
        same(self.object, stored, "create")
        metadata = stored["metadata"]
        uid = metadata["uid"]
        check(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uid), f"create: uid {uid}")
        age = datetime.datetime.now(datetime.timezone.utc) - time_of(metadata["creationTimestamp"])
        check(abs(age.total_seconds()) < SOON, f"create: creationTimestamp {metadata['creationTimestamp']}")
        check(metadata.get("namespace") == (NAMESPACE if self.where else None), f"create: {metadata.get('namespace')}")
        managers = [(each["manager"], each["operation"]) for each in metadata["managedFields"]]
        check(("creator", "Update") in managers, f"create: managedFields of {managers}")
        status = status_of(lambda: create(*self.where, body), 409, "AlreadyExists", "create again")
        check(status["details"]["name"] == self.name, f"create again: {status['details']}")
        unknown = dict(self.object, nonsense=1)
        strict = {"body": unknown, "query_params": [("fieldValidation", "Strict")]}
        path = self.resource.path(namespace=NAMESPACE if self.where else None)
        send = self.resource.client.request
        status_of(lambda: send("post", path, **strict), 400, "BadRequest", "create with an unknown field")

    def model(self, value):
        return self.api.api_client.deserialize(json.dumps(value), self.model_name(), "application/json")

    def model_name(self):
        returned = self.function("read").__func__.__annotations__["return"]
        return returned if isinstance(returned, str) else returned.__name__

    def listed(self, listing):
        answer = listing(*self.where, label_selector=SELECTOR, limit=500)
        check(answer.kind == f"{self.kind}List", f"list: {answer.kind}")
        items = [plain(item) for item in answer.items if item.metadata.name == self.name]
        check(len(items) == 1, f"list: {len(items)} items")
        same({"apiVersion": self.resource.group_version, "kind": self.kind} | items[0], self.raw(), "list", exact=True)
        none = listing(*self.where, label_selector="round-trip=other").items
        check(not none, f"list with another selector: {len(none)} items")
        named = listing(*self.where, field_selector=f"metadata.name={self.name}").items
        check(len(named) == 1, f"list by name: {len(named)} items")

    def patched(self):
        note = {"metadata": {"annotations": {"strategic": "1"}}}
        stored = self.wrote(self.patch(note), "strategic merge patch")
        same(note | {"metadata": note["metadata"] | {"labels": LABELS}}, stored, "strategic merge patch")
        self.wrote(self.patch(note), "strategic merge patch, again", changed=False)
        if "patch" in self.entry:
            stored = self.wrote(self.patch(self.entry["patch"]), f"strategic merge patch {self.entry['patch']}")
            same(self.entry.get("patched", self.entry["patch"]), stored, f"strategic merge patch {self.entry['patch']}")
        note = {"metadata": {"annotations": {"strategic": None, "merge": "2"}}}
        stored = self.wrote(self.patch(note, _content_type=MERGE), "merge patch")
        same({"merge": "2"}, notes(stored), "merge patch", exact=True)
        operations = [
            {"op": "test", "path": "/metadata/annotations/merge", "value": "2"},
            {"op": "replace", "path": "/metadata/annotations/merge", "value": "3"},
        ]
        stored = self.wrote(self.patch(operations), "JSON patch")
        same({"merge": "3"}, notes(stored), "JSON patch", exact=True)
        status_of(lambda: self.patch(operations), 422, "Invalid", "JSON patch whose test fails")

    def replaced(self):
        replace = self.function("replace")
        read = self.read()
        read.metadata.annotations = {"replaced": "1"}
        dry = replace(self.name, *self.where, read, dry_run="All")
        same({"replaced": "1"}, notes(plain(dry)), "replace, dry run", exact=True)
        self.wrote(self.read(), "replace, dry run", changed=False)
        stored = self.wrote(replace(self.name, *self.where, read), "replace")
        same({"replaced": "1"}, notes(stored), "replace", exact=True)
        self.wrote(replace(self.name, *self.where, self.read()), "replace by itself", changed=False)
        status_of(lambda: replace(self.name, *self.where, read), 409, "Conflict", "replace of an old version")

    def applied(self):
        def intent(value):
            metadata = {"name": self.name, "annotations": {"applied": value}}
            return {"apiVersion": self.resource.group_version, "kind": self.kind, "metadata": metadata}

        first = {"_content_type": APPLY, "field_manager": "first"}
        stored = self.wrote(self.patch(intent("1"), **first), "apply")
        same({"applied": "1", "replaced": "1"}, notes(stored), "apply", exact=True)
        managed = [each for each in stored["metadata"]["managedFields"] if each["manager"] == "first"]
        fields = {"f:metadata": {"f:annotations": {"f:applied": {}}}}
        check(len(managed) == 1 and managed[0]["operation"] == "Apply", f"apply: managedFields {managed}")
        same(fields, managed[0]["fieldsV1"], "apply: fieldsV1", exact=True)
        self.wrote(self.patch(intent("1"), **first), "apply again", changed=False)

        second = {"body": intent("2"), "name": self.name, "field_manager": "second"}
        second["namespace"] = NAMESPACE if self.where else None
        status = status_of(
            lambda: self.resource.server_side_apply(**second), 409, "Conflict", "apply by another manager"
        )
        causes = status["details"]["causes"]
        same(
            [{"reason": "FieldManagerConflict", "field": ".metadata.annotations.applied"}], causes, "apply by another"
        )
        forced = self.resource.server_side_apply(**second, force_conflicts=True)
        stored = self.wrote(forced, "apply by force")
        managers = {each["manager"] for each in stored["metadata"]["managedFields"]}
        check("second" in managers and "first" not in managers, f"apply by force: managers {managers}")
        gone = intent("2")
        del gone["metadata"]["annotations"]
        stored = self.wrote(self.patch(gone, _content_type=APPLY, field_manager="second"), "apply without the field")
        same({"replaced": "1"}, notes(stored), "apply without the field", exact=True)

    def status(self):
        if "status" not in self.resource.subresources:
            return
        read = self.function("read", "_status")(self.name, *self.where)
        same(plain(read), self.raw(), "read status", exact=True)
        patch = self.function("patch", "_status")
        self.wrote(patch(self.name, *self.where, {"metadata": {"annotations": None}}), "patch status of nothing")

    def deleted(self):
        delete = self.function("delete")
        uid = self.raw()["metadata"]["uid"]
        wrong = client.V1Preconditions(uid="00000000-0000-0000-0000-000000000000")
        body = client.V1DeleteOptions(preconditions=wrong)
        status_of(lambda: delete(self.name, *self.where, body=body), 409, "Conflict", "delete of another uid")
        delete(self.name, *self.where, dry_run="All", **GONE)
        self.wrote(self.read(), "delete, dry run", changed=False)
        # With a body, the query counts for nothing.
        options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid), **GONE)
        delete(self.name, *self.where, body=options)
        self.release()
        status = status_of(self.read, 404, "NotFound", "read what is deleted")
        plural = self.resource.name
        check(
            status["message"].startswith(plural) and status["message"].endswith(f'"{self.name}" not found'),
            f"read what is deleted: {status['message']}",
        )
        status_of(lambda: delete(self.name, *self.where), 404, "NotFound", "delete what is deleted")

    def release(self):
        """Lets an object go that waits for a controller, which nothing runs here."""

        def gone():
            try:
                stored = self.raw()
                metadata = stored["metadata"]
                check("deletionTimestamp" in metadata, "delete: it stays as it was")
                if metadata["resourceVersion"] not in self.versions:
                    self.versions.append(metadata["resourceVersion"])
                if self.kind == "Namespace":
                    stored["spec"]["finalizers"] = []
                    self.api.replace_namespace_finalize(self.name, self.model(stored))
                elif metadata.get("finalizers") in FINALIZERS.values():
                    check(metadata["finalizers"] == FINALIZERS.get(self.kind), f"delete: {metadata['finalizers']}")
                    self.patch({"metadata": {"finalizers": None}}, _content_type=MERGE)
            except (ApiException, dynamic.exceptions.NotFoundError) as error:
                if error.status == 404:
                    return True
                raise
            return False

        until(gone, "delete")

    def collection(self, listing):
        body = dict(self.object, apiVersion=self.resource.group_version)
        self.resource.server_side_apply(
            body=body, name=self.name, namespace=NAMESPACE if self.where else None, field_manager="first"
        )
        same(body, self.raw(), "create by apply")
        delete = self.function("delete_collection")
        delete(*self.where, label_selector="round-trip=other", **GONE)
        check("deletionTimestamp" not in self.raw()["metadata"], "delete collection: took another")
        delete(*self.where, label_selector=SELECTOR, **GONE)
        self.release()
        check(not listing(*self.where, label_selector=SELECTOR).items, "delete collection: something stays")


# Types whose objects the server itself writes, too: conditions, and the mark of a deletion that comes at once.
SHARED = ("APIService", "CustomResourceDefinition", "Pod")
# What admission protects until a controller finds it unused.
FINALIZERS = {
    "PersistentVolume": ["kubernetes.io/pv-protection"],
    "PersistentVolumeClaim": ["kubernetes.io/pvc-protection"],
    "VolumeAttributesClass": ["kubernetes.io/vac-protection"],
}


def built_in(dynamic_client):
    """Every type that discovery tells of, with its object."""
    entries = {(each["object"]["apiVersion"], each["object"]["kind"]): each for each in json.loads(OBJECTS.read_text())}
    found = {}
    for resources in dynamic_client.resources:
        for resource in resources:
            # It puts lists beside the types, which act on behalf of them.
            if isinstance(resource, ResourceList) or not resource.verbs:
                continue
            if {"create", "get", "delete"} <= set(resource.verbs):
                found[resource.group_version, resource.kind] = resource
    check(found.keys() - entries.keys() == set(), f"no object of {sorted(found.keys() - entries.keys())} in {OBJECTS}")
    check(entries.keys() - found.keys() == set(), f"not served: {sorted(entries.keys() - found.keys())}")
    return [Type(resource, entries[key]) for key, resource in sorted(found.items())]


def lives(kinds):
    """What is wrong with the types of one plural: versions of one type share their objects, so one after the other."""
    return [fault for fault in map(life, kinds) if fault]


def life(kind):
    """What is wrong with a type, if anything."""
    try:
        kind.life()
    except (Difference, ApiException, dynamic.exceptions.DynamicApiError) as error:
        return f"{kind.title}: {str(error).strip()}"
    except Exception as error:  # A fault of one type must not hide those of others.
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{kind.title}: {type(error).__name__} in {where.name}: {error}"
    return None


def reviews():
    """The types that are only asked."""
    authorization, authentication = client.AuthorizationV1Api(), client.AuthenticationV1Api()
    pods = client.V1ResourceAttributes(namespace=NAMESPACE, verb="get", resource="pods")
    own = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=pods))
    check(authorization.create_self_subject_access_review(own).status.allowed, "SelfSubjectAccessReview: denied")
    spec = client.V1SubjectAccessReviewSpec(user="nobody", resource_attributes=pods)
    other = client.V1SubjectAccessReview(spec=spec)
    check(not authorization.create_subject_access_review(other).status.allowed, "SubjectAccessReview: allowed")
    local = client.V1LocalSubjectAccessReview(metadata=client.V1ObjectMeta(namespace=NAMESPACE), spec=spec)
    answer = authorization.create_namespaced_local_subject_access_review(NAMESPACE, local)
    check(not answer.status.allowed, "LocalSubjectAccessReview: allowed")
    rules = client.V1SelfSubjectRulesReview(spec=client.V1SelfSubjectRulesReviewSpec(namespace=NAMESPACE))
    rules = authorization.create_self_subject_rules_review(rules).status.resource_rules
    check(any("*" in rule.verbs for rule in rules), f"SelfSubjectRulesReview: {rules}")
    who = authentication.create_self_subject_review(client.V1SelfSubjectReview()).status.user_info
    check("system:masters" in who.groups, f"SelfSubjectReview: {who}")
    token = client.V1TokenReview(spec=client.V1TokenReviewSpec(token="none"))
    check(not authentication.create_token_review(token).status.authenticated, "TokenReview: authenticated")


def subresources():
    """Scale, binding, eviction and node-bound ones, through the typed classes."""
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    template = {
        "metadata": {"labels": {"app": "s"}},
        "spec": {"containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "s"}}, "template": template}
    metadata = {"name": "scaled"}
    model = client.ApiClient().deserialize
    body = json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    apps.create_namespaced_deployment(NAMESPACE, model(body, "V1Deployment", "application/json"))
    scale = apps.read_namespaced_deployment_scale("scaled", NAMESPACE)
    check((scale.kind, scale.spec.replicas, scale.status.selector) == ("Scale", 2, "app=s"), f"scale: {scale}")
    scale.spec.replicas = 3
    apps.replace_namespaced_deployment_scale("scaled", NAMESPACE, scale)
    patch = {"spec": {"replicas": 5}}
    check(apps.patch_namespaced_deployment_scale("scaled", NAMESPACE, patch).spec.replicas == 5, "scale: patch")
    stored = apps.read_namespaced_deployment("scaled", NAMESPACE)
    check(stored.spec.replicas == 5 and stored.metadata.generation == 3, f"scale: {stored.spec.replicas}")
    apps.delete_namespaced_deployment("scaled", NAMESPACE, **GONE)

    for name in ("bound", "evicted"):
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}
        core.create_namespaced_pod(NAMESPACE, model(json.dumps(body), "V1Pod", "application/json"))
    target = client.V1ObjectReference(api_version="v1", kind="Node", name="none")
    binding = client.V1Binding(metadata=client.V1ObjectMeta(name="bound"), target=target)
    answer = core.create_namespaced_pod_binding("bound", NAMESPACE, binding, _preload_content=False)
    check(answer.status == 201, f"binding: {answer.status}")
    check(core.read_namespaced_pod("bound", NAMESPACE).spec.node_name == "none", "binding: no node")
    status_of(
        lambda: core.create_namespaced_pod_binding("bound", NAMESPACE, binding, _preload_content=False),
        409, "Conflict", "binding again",
    )
    core.delete_namespaced_pod("bound", NAMESPACE, **GONE)
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="evicted"))
    core.create_namespaced_pod_eviction("evicted", NAMESPACE, eviction)
    status_of(lambda: core.read_namespaced_pod("evicted", NAMESPACE), 404, "NotFound", "what is evicted")


def errors():
    """The bodies of refusals, as `ApiException` holds them."""
    core = client.CoreV1Api()
    invalid = client.V1Service(metadata=client.V1ObjectMeta(name="Not_a_name"), spec=client.V1ServiceSpec())
    status = status_of(lambda: core.create_namespaced_service(NAMESPACE, invalid), 422, "Invalid", "an invalid name")
    causes = {(cause["reason"], cause["field"]) for cause in status["details"]["causes"]}
    check(("FieldValueInvalid", "metadata.name") in causes, f"an invalid name: causes {causes}")
    check(("FieldValueRequired", "spec.ports") in causes, f"a Service without ports: causes {causes}")
    status = status_of(lambda: core.read_namespaced_secret("none", NAMESPACE), 404, "NotFound", "no such object")
    expected = {"message": 'secrets "none" not found', "details": {"name": "none", "kind": "secrets"}, "metadata": {}}
    same(expected, status, "no such object")
    elsewhere = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a", namespace="other"))
    status_of(lambda: core.create_namespaced_config_map(NAMESPACE, elsewhere), 400, "BadRequest", "another namespace")
    nowhere = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"))
    status_of(lambda: core.create_namespaced_config_map("none", nowhere), 404, "NotFound", "no such namespace")
    options = {"field_selector": "data.k=v"}
    status_of(lambda: core.list_namespaced_config_map(NAMESPACE, **options), 400, "BadRequest", "a field selector")
    options = {"label_selector": "a=="}
    core.list_namespaced_config_map(NAMESPACE, **options)
    options = {"label_selector": "a in"}
    status_of(lambda: core.list_namespaced_config_map(NAMESPACE, **options), 400, "BadRequest", "a label selector")
    options = {"resource_version": "old"}
    status_of(lambda: core.list_namespaced_config_map(NAMESPACE, **options), 400, "BadRequest", "a resource version")
    patch = {"body": [{"op": "jump", "path": "/"}], "_content_type": JSON_PATCH}
    core.create_namespaced_config_map(NAMESPACE, nowhere)
    status_of(lambda: core.patch_namespaced_config_map("a", NAMESPACE, **patch), 422, "Invalid", "a JSON patch")
    core.delete_namespaced_config_map("a", NAMESPACE)


def custom_resources(dynamic_client):
    """A definition through the typed class, its objects through CustomObjectsApi and the dynamic client."""
    group, plural = "round-trip.example.com", "notes"
    definitions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    text = client.V1JSONSchemaProps(type="string", max_length=5)
    properties = {
        "spec": client.V1JSONSchemaProps(type="object", properties={"text": text}),
        "status": client.V1JSONSchemaProps(type="object", x_kubernetes_preserve_unknown_fields=True),
    }
    schema = client.V1JSONSchemaProps(type="object", properties=properties)
    version = client.V1CustomResourceDefinitionVersion(
        name="v1", served=True, storage=True,
        schema=client.V1CustomResourceValidation(open_apiv3_schema=schema),
        subresources=client.V1CustomResourceSubresources(status={}),
    )
    names = client.V1CustomResourceDefinitionNames(plural=plural, singular="note", kind="Note", list_kind="NoteList")
    spec = client.V1CustomResourceDefinitionSpec(group=group, names=names, scope="Namespaced", versions=[version])
    name = f"{plural}.{group}"
    definition = client.V1CustomResourceDefinition(metadata=client.V1ObjectMeta(name=name), spec=spec)
    definitions.create_custom_resource_definition(definition)

    def established():
        conditions = definitions.read_custom_resource_definition(name).status.conditions or []
        return any(each.type == "Established" and each.status == "True" for each in conditions)

    until(established, "Established")
    where = (group, "v1", NAMESPACE, plural)
    body = {"apiVersion": f"{group}/v1", "kind": "Note", "metadata": {"name": "a"}, "spec": {"text": "one"}}
    version = custom.list_namespaced_custom_object(*where)["metadata"]["resourceVersion"]
    watched = Watched(custom.list_namespaced_custom_object, where, "a", version)
    answers = [custom.create_namespaced_custom_object(*where, body)]
    same(body, answers[0], "custom object")
    same(answers[0], custom.get_namespaced_custom_object(*where, "a"), "custom object: read back", exact=True)
    long = {"spec": {"text": "too long"}}
    options = {"_content_type": MERGE}
    status = status_of(
        lambda: custom.patch_namespaced_custom_object(*where, "a", long, **options), 422, "Invalid", "a long text"
    )
    check(status["details"]["causes"][0]["field"] == "spec.text", f"a long text: {status}")
    status_of(
        lambda: custom.patch_namespaced_custom_object(
            *where, "a", long, _content_type="application/strategic-merge-patch+json"
        ),
        415, "UnsupportedMediaType", "a strategic merge patch of a custom object",
    )
    answers.append(custom.patch_namespaced_custom_object(*where, "a", {"spec": {"text": "two"}}, **options))
    check(answers[-1]["metadata"]["generation"] == 2, f"custom object: {answers[-1]['metadata']}")
    answers.append(custom.replace_namespaced_custom_object(*where, "a", answers[-1] | {"spec": {"text": "three"}}))
    status = {"status": {"seen": 3}}
    answers.append(custom.patch_namespaced_custom_object_status(*where, "a", status, **options))
    same({"spec": {"text": "three"}, "status": {"seen": 3}}, answers[-1], "custom object: status")
    check(answers[-1]["metadata"]["generation"] == 3, f"custom object: {answers[-1]['metadata']}")
    dynamic_client.resources.invalidate_cache()
    notes = dynamic_client.resources.get(api_version=f"{group}/v1", kind="Note")
    applied = notes.server_side_apply(
        body=body, namespace=NAMESPACE, field_manager="first", force_conflicts=True
    ).to_dict()
    answers.append(applied)
    same(body | status, applied, "custom object: apply")
    listed = custom.list_namespaced_custom_object(*where)
    check(listed["kind"] == "NoteList" and len(listed["items"]) == 1, f"custom object: list {listed}")
    custom.delete_namespaced_custom_object(*where, "a", propagation_policy="Background")
    watched.expect([answer["metadata"]["resourceVersion"] for answer in answers])
    status_of(lambda: custom.get_namespaced_custom_object(*where, "a"), 404, "NotFound", "a deleted custom object")
    for each in ("b", "c"):
        custom.create_namespaced_custom_object(*where, body | {"metadata": {"name": each}})
    custom.delete_collection_namespaced_custom_object(*where)
    check(not custom.list_namespaced_custom_object(*where)["items"], "custom object: delete collection")
    definitions.delete_custom_resource_definition(name)

    def unserved():
        try:
            custom.list_namespaced_custom_object(*where)
        except ApiException as error:
            return error.status == 404
        return False

    until(unserved, "the end of a definition")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    config.load_kube_config(config_file=sys.argv[1])
    began = time.monotonic()
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    try:
        core.create_namespaced_service_account(
            NAMESPACE, client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="default"))
        )
    except ApiException as error:
        # A controller of the server may be faster.
        if error.status != 409:
            raise
    with tempfile.TemporaryDirectory() as cache:
        dynamic_client = dynamic.DynamicClient(client.ApiClient(), cache_file=f"{cache}/discovery")
        types = built_in(dynamic_client)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            names = sorted({kind.resource.name for kind in types})
            plurals = [[kind for kind in types if kind.resource.name == name] for name in names]
            wrong = [fault for faults in pool.map(lives, plurals) for fault in faults]
        for part in (reviews, subresources, errors, lambda: custom_resources(dynamic_client)):
            try:
                part()
            except (Difference, ApiException) as error:
                wrong.append(str(error).strip())
    core.delete_namespace(NAMESPACE)
    for fault in wrong:
        print(fault, file=sys.stderr)
    print(f"{len(types)} types, {len(wrong)} of them or of the rest differ, in {time.monotonic() - began:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
