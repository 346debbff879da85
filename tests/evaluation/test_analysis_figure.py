"""The figure of an analysis."""

from __future__ import annotations

import json

import pytest
from cli_shell import run_here
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written
from matplotlib.image import imread


@pytest.mark.parametrize("windows", [[[0.0, 8.0, 0.9]], [[0.0, 8.0, 17.0]], []])
def test_a_figure_of_every_part(tmp_path, windows):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    changed = with_change(PREDICTIONS, 1, pred_relevant_windows=windows)
    guess = written(tmp_path / "guess.jsonl", changed)
    picture = tmp_path / "analysis.png"
    asked = ("analyze", guess, "--ground-truth", truth, "--json", "--plot")
    done = run_here(*asked, picture)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"] == "rdmf.analysis/1"
    pixels = imread(picture)[..., :3]
    assert pixels.shape[1] > pixels.shape[0] > 500
    assert len({tuple(pixel) for pixel in pixels[::7, ::7].reshape(-1, 3).tolist()}) > 5
    wrong = run_here(*asked, tmp_path / "analysis.xyz")
    assert wrong.returncode != 0
    assert "does not end with the suffix of a figure format" in wrong.stdout
    kept = run_here(*asked, truth, "--force")
    assert kept.returncode == 2
    assert truth.read_text().startswith('{"qid"')
