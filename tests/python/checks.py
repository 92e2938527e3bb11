"""What the round trip checks with: comparisons, refusals, watches."""
import datetime
import json
import re
import threading
import time

from kubernetes import client, dynamic, watch
from kubernetes.client.exceptions import ApiException

# Longest wait, in seconds, for anything that should happen soon.
SOON = 30


class Difference(Exception):
    """What is not as a kube-apiserver does it."""


def check(condition, what):
    if not condition:
        raise Difference(what)


def time_of(value):
    """A time in any of its spellings, or None."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\dT", value):
        return None
    return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))


def differences(sent, got, path="", exact=False):
    """Where an answer lacks what was sent; with `exact`, also where it holds more. Null is nothing."""
    if isinstance(sent, dict) and isinstance(got, dict):
        for key, value in sent.items():
            if key in got:
                yield from differences(value, got[key], f"{path}.{key}", exact)
            elif value is not None:
                yield f"{path}.{key}: {value!r} is missing"
        if exact:
            more = [key for key in sorted(got.keys() - sent.keys()) if got[key] is not None]
            yield from (f"{path}.{key}: {got[key]!r} is too much" for key in more)
    elif isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        for index, (one, other) in enumerate(zip(sent, got)):
            yield from differences(one, other, f"{path}[{index}]", exact)
    elif sent != got and (time_of(sent) is None or time_of(sent) != time_of(got)):
        yield f"{path}: {sent!r} became {got!r}"


def same(sent, got, what, exact=False):
    found = list(differences(sent, got, exact=exact))
    check(not found, f"{what}: {'; '.join(found)}")


def status_of(call, code, reason, what):
    """The Status that a refused call raises."""
    try:
        call()
    except ApiException as error:
        status = json.loads(error.body)
        told = (error.status, status.get("kind"), status.get("status"), status.get("code"), status.get("reason"))
        check(told == (code, "Status", "Failure", code, reason), f"{what}: {told} instead of {code} {reason}: {status}")
        media_type = error.headers["Content-Type"]
        check(media_type == "application/json", f"{what}: a Status as {media_type}")
        check(status.get("message"), f"{what}: no message")
        return status
    raise Difference(f"{what}: accepted instead of {code} {reason}")


def until(ready, what):
    """Asks until it holds; what it answered."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        answer = ready()
        if answer:
            return answer
        time.sleep(0.05)
    raise Difference(f"{what} takes too long")


class Watched(threading.Thread):
    """The events of one object, from a version of the collection to its deletion."""

    def __init__(self, function, arguments, name, version, model="object"):
        super().__init__(daemon=True)
        self.call, self.model = (function, arguments), model
        self.options = {"resource_version": version, "field_selector": f"metadata.name={name}", "timeout_seconds": SOON}
        self.events, self.error = [], None
        self.start()

    def run(self):
        function, arguments = self.call
        # The client finds the model of most types by itself; that of ResourceClaim it misses.
        stream = watch.Watch(self.model)
        try:
            for event in stream.stream(function, *arguments, **self.options):
                self.events.append((event["type"], event["raw_object"]["metadata"]["resourceVersion"]))
                if event["type"] == "DELETED":
                    stream.stop()
        except Exception as error:  # It is told by the thread that waits.
            self.error = error

    def expect(self, versions, alone=True):
        """The first version was added, the others modified; then came the deletion. Unless the test is `alone` in
        writing the object, there may be more versions between them."""
        self.join(SOON)
        check(self.error is None, f"watch: {self.error!r}")
        told = f"watch: {self.events}; written were {versions}"
        kinds, seen = [kind for kind, _ in self.events], [version for _, version in self.events]
        check(kinds == ["ADDED"] + ["MODIFIED"] * (len(kinds) - 2) + ["DELETED"], told)
        check(seen[0] == versions[0] and sorted(set(seen), key=int) == seen, told)
        check(set(versions) <= set(seen[:-1]), told)
        check(not alone or len(seen) == len(versions) + 1, told)


def plain(value):
    """An answer as JSON."""
    if isinstance(value, dynamic.ResourceInstance):
        return value.to_dict()
    return client.ApiClient().sanitize_for_serialization(value)
