"""Compare one rdmf command with the code of two checkouts: seconds, CPU seconds and memory.

    python benchmarks/against.py OTHER_CHECKOUT [--rounds 5] [--cold] -- eval --features FOLDER ...

In each round, both checkouts run the command, one after the other; the first checkout changes from
round to round. The ratios are medians of the ratios of the rounds. `{n}` in the command stands for
0 (this checkout) or 1 (the other checkout), for files that differ. With --cold, each run has an
empty cache; otherwise each checkout has its own cache, which a first run fills.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from start_up import HERE, environment_of

CHECKOUTS = ("this checkout", "other checkout")


class Run(NamedTuple):
    seconds: float
    cpu: float
    megabytes: float


def measured(command: list[str], environment: dict[str, str], folder: str) -> Run:
    """Run `python -m rdmf_cli` with these arguments in its own process."""
    begun = time.perf_counter()
    with open(Path(folder, "said"), "w+b") as said:
        arguments = [sys.executable, "-m", "rdmf_cli", *command]
        process = subprocess.Popen(
            arguments,
            env=environment,
            cwd=folder,  # Python imports from here first, so not from a checkout
            stdout=said,
            stderr=said,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{command} failed: {said.read().decode()[-2000:]}")
    return Run(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="the folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="an empty cache for each run")
    parser.add_argument("command", nargs="+", help="the command and its options, after --")
    args = parser.parse_args()
    trees = [HERE, args.other.resolve()]
    with tempfile.TemporaryDirectory() as folder:
        environments = [environment_of(tree, folder, i) for i, tree in enumerate(trees)]

        def run(tree: int, number: int) -> Run:
            command = [part.replace("{n}", str(tree)) for part in args.command]
            cache = Path(folder, f"cache{tree}", str(number) if args.cold else "")
            return measured(command, {**environments[tree], "RDMF_CACHE_DIR": str(cache)}, folder)

        for tree in range(2):  # this run compiles the modules and fills the cache
            run(tree, -1)
        rounds = []
        for number in range(args.rounds):
            order = (0, 1) if number % 2 else (1, 0)
            both = {tree: run(tree, number) for tree in order}
            rounds.append((both[0], both[1]))
    report(rounds)


def report(rounds: list[tuple[Run, Run]]) -> None:
    """Print the medians of both checkouts, and the ratios other / this."""
    print(f"{'':16s} {'seconds':>8s} {'CPU s':>8s} {'MB':>6s}")
    for tree, name in enumerate(CHECKOUTS):
        seconds, cpu, megabytes = zip(*(both[tree] for both in rounds), strict=True)
        middle = statistics.median
        print(f"{name:16s} {middle(seconds):8.2f} {middle(cpu):8.2f} {max(megabytes):6.0f}")
    ratios = [
        statistics.median(other[i] / this[i] for this, other in rounds)
        for i in range(len(Run._fields))
    ]
    print(f"{'other / this':16s} " + " ".join(f"{ratio:8.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
