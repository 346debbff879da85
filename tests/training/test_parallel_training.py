"""Several processes train as one: equal weights, one log, and they resume from one state."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from itertools import chain

import pytest
import torch
import toy_task
from toy_task import ToyTask, log_lines, options, weights

from rdmf_cli.errors import UsageError
from rdmf_cli.training.loop import train
from rdmf_cli.training.parallel import Processes

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def program(folder, **changes):
    return [toy_task.__file__, str(folder), json.dumps({"batch_size": 6, **changes})]


def torchrun(*words):
    """Start two processes as a user does."""
    shell = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*shell, *words], env=ONE_THREAD, capture_output=True, text=True, timeout=100
    )


def start_two(*words):
    """Start the two processes one by one, to see the exit code of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        subprocess.Popen(
            [sys.executable, *words],
            env={**ONE_THREAD, **meeting, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.DEVNULL,
        )
        for rank in ("0", "1")
    ]


def test_two_processes_end_as_one_does_even_when_killed_on_the_way(tmp_path):
    """There are 19 samples in batches of 6, so in the last batch one process has no sample."""
    killed = start_two(*program(tmp_path / "two", die_at=6))
    assert -9 in [process.wait(timeout=100) for process in killed]
    assert len(log_lines(tmp_path / "two", "epoch")) == 1
    finished = torchrun(*program(tmp_path / "two"))
    assert finished.returncode == 0, finished.stderr
    alone = train(ToyTask(), options(batch_size=6), tmp_path / "one")
    together = weights(tmp_path / "two" / "best.pt")
    for name, expected in weights(alone.checkpoint).items():
        torch.testing.assert_close(together[name], expected, rtol=1e-5, atol=1e-6)
    same_log(log_lines(tmp_path / "two"), log_lines(tmp_path / "one"))


def same_log(lines, expected):
    assert (lines[0].pop("processes"), expected[0].pop("processes")) == (2, 1)
    assert len(lines) == len(expected)
    for line, like in zip(lines, expected, strict=True):
        for key in ("losses", "scores", "gradient_norm"):
            if key in like:
                assert line.pop(key) == pytest.approx(like.pop(key), rel=1e-4)
        assert line == like


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shares_are_even_and_hold_every_sample_once(count):
    cpu = torch.device("cpu")
    for samples in range(1, 12):
        shares = [Processes(cpu, rank, count).share(list(range(samples))) for rank in range(count)]
        assert sorted(chain(*shares)) == list(range(samples))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_nothing_is_exchanged():
    alone = Processes(torch.device("cpu"))
    parameter = torch.nn.Parameter(torch.ones(2))
    numbers = torch.ones(3)
    assert alone.sum(numbers, [parameter]) is numbers
    assert parameter.grad is None
    assert alone.from_first(lambda: "made") == "made"
    assert alone.first


def test_more_processes_than_samples_is_a_usage_error():
    processes = Processes(torch.device("cpu"), count=3)
    processes.check_shares(3)
    message = "3 processes cannot share batches of 2 samples; start fewer processes, or give more"
    with pytest.raises(UsageError, match=message):
        processes.check_shares(2)
