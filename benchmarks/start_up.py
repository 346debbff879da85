"""Whole-process seconds of what a person waits for: help, version, a cold and a warm answer.

    python benchmarks/start_up.py [--runs 7]

Each command in turn, round by round, so that a drift of the machine's speed meets all alike;
medians, with the fastest and the slowest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from rdmf_cli.resources import example_video

QUESTION = ["query", str(example_video()), "the face of a cat", "--json", "--encoder", "embedded"]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "rdmf --version": ["-m", "rdmf_cli", "--version"],
    "rdmf --help": ["-m", "rdmf_cli", "--help"],
    "rdmf query, cold": ["-m", "rdmf_cli", *QUESTION, "--no-cache"],
    "rdmf query, warm": ["-m", "rdmf_cli", *QUESTION],
}


def seconds(arguments: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "RDMF_CACHE_DIR": cache}
        seconds(COMMANDS["rdmf query, warm"], environment)  # fills the cache
        rounds = [
            {name: seconds(arguments, environment) for name, arguments in COMMANDS.items()}
            for _ in range(args.runs)
        ]
    print(f"{'seconds':18s} {'median':>7s} {'min':>7s} {'max':>7s}")
    for name in COMMANDS:
        taken = [one[name] for one in rounds]
        print(f"{name:18s} {statistics.median(taken):7.2f} {min(taken):7.2f} {max(taken):7.2f}")


if __name__ == "__main__":
    main()
