"""Videos of any length: window by window, the same as at once, in bounded room and time."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from random_heads import FULL, random_network, sample

from rdmf_cli.model.config import ModelConfig
from rdmf_cli.model.export import TorchGraphs, export
from rdmf_cli.model.inputs import inputs_of
from rdmf_cli.model.network import Network
from rdmf_cli.model.windows import Field, find, fuse
from rdmf_cli.moments import overlaps

CLIPS = 2000


@pytest.mark.parametrize("config", [{}, {"fusion": "convolution"}, FULL])
def test_windows_are_fused_as_the_whole_video_is(config):
    graphs = TorchGraphs(random_network(**config))
    inputs = inputs_of(sample(CLIPS), graphs.config)
    by_window, at_once = fuse(graphs, inputs), fuse(graphs, inputs, window=CLIPS)
    for name in ("features", "pattern", "saliency", "curves"):
        one, other = getattr(by_window, name), getattr(at_once, name)
        np.testing.assert_allclose(one, other, atol=1e-5)
    for one, other in zip(find(graphs, by_window, 2.0), find(graphs, at_once, 2.0), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def lit(clips: int, *moments: tuple[int, int]) -> Field:
    """A field whose pattern is high in some spans of clips."""
    pattern = np.full((4, clips), -4, np.float32)
    pattern += 0.3 * np.random.default_rng(0).normal(size=pattern.shape).astype(np.float32)
    for start, end in moments:
        pattern[:, start:end] += 8
    rest = np.zeros((clips, 64), np.float32)
    return Field(rest, pattern, pattern[0], 0.0, rest[:, :6])


@pytest.mark.parametrize(
    "moment", [(700, 705), (508, 516), (0, 40), (1100, 1300), (2950, 3000), (900, 1800)]
)
def test_a_moment_is_found_wherever_it_lies_and_however_long_it_is(moment):
    fresh = TorchGraphs(Network(ModelConfig()))  # which leaves slots where they are
    found = find(fresh, lit(3000, moment, (2000, 2003)), 2.0)
    assert overlaps(found.spans, np.array(moment)).max() > 0.9
    assert overlaps(found.spans, np.array([2000, 2003])).max() > 0.9
    assert ((found.spans >= 0) & (found.spans <= 3000)).all()


def test_no_window_cuts_a_moment():
    fresh = TorchGraphs(Network(ModelConfig()))
    spans = find(fresh, lit(1500, (400, 650)), 2.0).spans
    inside = (spans[:, 0] > 380) & (spans[:, 1] < 670) & (spans[:, 1] - spans[:, 0] > 50)
    np.testing.assert_allclose(spans[inside], np.tile([400, 650], (inside.sum(), 1)), atol=1)


ASK = """
import resource, sys
import numpy as np
from rdmf_cli.model.head import LearnedHead
head = LearnedHead.load(__import__("pathlib").Path(sys.argv[1]))
rows = np.random.default_rng(0).normal(size=(int(sys.argv[2]), 16)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
assert len(head.read(rows, rows[0], clip_length=1.0).spans) == 10
assert "torch" not in sys.modules
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # kB
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux alone")
def test_three_hours_take_seconds_and_little_more_room_than_ten_minutes(tmp_path):
    path = export(random_network(), tmp_path / "head.rdmf")
    rooms = []
    for clips in (600, 3 * 3600):
        begun = time.perf_counter()
        shell = [sys.executable, "-c", ASK, str(path), str(clips)]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=60, check=True)
        rooms.append(int(done.stdout) / 1024)
        took = time.perf_counter() - begun
    assert took < 20
    assert rooms[1] - rooms[0] < 80  # MB
