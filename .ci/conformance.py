#!/usr/bin/env python3
"""Replay the recorded scenarios against the program, and hold the result against the ratchet.

The scenarios live beside the checkout (../shared/conformance, or $CHAINPLATE_CONFORMANCE); without them there is
nothing to do. `.ci/not-passing.txt` names the scenarios that do not pass yet. It only shrinks: a scenario outside it
that fails is an error, and so is one inside it that passes. `--write` writes the file anew.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATCHET = ROOT / ".ci" / "not-passing.txt"
TOKEN = "conformance"


def program():
    """The program as `cargo test --workspace` built it: `cargo run` would choose other features and build it anew."""
    cargo = os.environ.get("CARGO", "cargo")
    metadata = [cargo, "metadata", "--no-deps", "--locked", "--format-version=1"]
    target = json.loads(subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True).stdout)["target_directory"]
    subprocess.run([cargo, "test", "--workspace", "--locked", "--no-run", "--quiet"], cwd=ROOT, check=True)
    return pathlib.Path(target) / "debug" / "chainplate"


def wait_for_url(server, log):
    """The URL that the server tells once it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("chainplate serves on "):
                return line.split()[-1]
        time.sleep(0.05)
    sys.exit(f"the server did not start:\n{log.read_text(errors='replace')}")


def replay(conformance, directory):
    """Runs every scenario against a fresh server; name -> result."""
    tokens, log, results = directory / "tokens.csv", directory / "log", directory / "results.json"
    tokens.write_text(f'{TOKEN},conformance,1,"system:masters"\n')
    options = ["--bind-address=127.0.0.1", "--secure-port=0", f"--data-dir={directory / 'data'}", f"--token-auth-file={tokens}"]
    with log.open("wb") as sink:
        server = subprocess.Popen([program()] + options, cwd=ROOT, stderr=sink, stdout=sink, start_new_session=True)
        try:
            url = wait_for_url(server, log)
            subprocess.run(
                [sys.executable, conformance / "replay.py", "--server", url, "--token", TOKEN, "--quiet",
                 "--json", results], check=False)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
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
