#!/usr/bin/env python3
"""Replay the recorded scenarios against the program, and hold the result against the ratchet.

The scenarios live beside the checkout (../shared/conformance, or $CHAINPLATE_CONFORMANCE); without them there is
nothing to do. `.ci/not-passing.txt` names the scenarios that do not pass yet. It only shrinks: a scenario outside it
that fails is an error, and so is one inside it that passes. `--write` writes the file anew.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from server import ROOT, TOKEN, running

RATCHET = ROOT / ".ci" / "not-passing.txt"


def replay(conformance, directory):
    """Runs every scenario against a fresh server; name -> result."""
    results = directory / "results.json"
    with running(directory) as (url, _):
        subprocess.run(
            [sys.executable, conformance / "replay.py", "--server", url, "--token", TOKEN, "--quiet",
             "--json", results], check=False)
    return json.loads(results.read_text())


def main():
    beside = ROOT.parent / "shared" / "conformance"
    conformance = pathlib.Path(os.environ.get("CHAINPLATE_CONFORMANCE", beside))
    if not (conformance / "replay.py").is_file():
        print("no scenarios here, nothing to replay")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        results = replay(conformance, pathlib.Path(directory))
    failing = {name for name, result in results.items() if result["passed"] != result["steps"]}
    if "--write" in sys.argv:
        RATCHET.write_text("".join(f"{name}\n" for name in sorted(failing)))
        return 0
    listed = set(RATCHET.read_text().split()) if RATCHET.exists() else set()
    bad = sorted(failing - listed)
    for name in bad:
        print(f"\n{name} fails:")
        print("\n".join(f"  {line}" for line in results[name]["report"][:40]))
    good = sorted((listed & results.keys()) - failing)
    for name in good:
        print(f"{name} passes: take it out of {RATCHET.relative_to(ROOT)}")
    return 1 if bad or good else 0


if __name__ == "__main__":
    sys.exit(main())
