#!/usr/bin/env python3
"""Run the round trip of the Python client against the program. The interpreter needs the package `kubernetes`."""
import pathlib
import subprocess
import sys
import tempfile

from server import ROOT, running


def main():
    with tempfile.TemporaryDirectory() as directory, running(pathlib.Path(directory)) as (_, kubeconfig):
        return subprocess.run([sys.executable, ROOT / "tests" / "python" / "round_trip.py", kubeconfig]).returncode


if __name__ == "__main__":
    sys.exit(main())
