"""The program for checks from outside: where it is, and a running one."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A token of the administrators' group.
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


@contextlib.contextmanager
def running(directory):
    """A server with fresh data in the directory, for as long as the block runs: its URL, and its kubeconfig."""
    tokens, log, data = directory / "tokens.csv", directory / "log", directory / "data"
    tokens.write_text(f'{TOKEN},conformance,1,"system:masters"\n')
    options = ["--bind-address=127.0.0.1", "--secure-port=0", f"--data-dir={data}", f"--token-auth-file={tokens}"]
    with log.open("wb") as sink:
        server = subprocess.Popen([program()] + options, cwd=ROOT, stderr=sink, stdout=sink, start_new_session=True)
        try:
            yield wait_for_url(server, log), data / "certs" / "admin.kubeconfig"
        finally:
            # It may have ended by itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
