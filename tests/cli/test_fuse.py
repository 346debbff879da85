"""rdmf fuse: the pattern, for people and for programs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

CAT = "the face of a cat"


def test_the_pattern_in_the_terminal(run, cached_tour):
    result = run("fuse", cached_tour, CAT)
    assert result.returncode == 0
    assert "channel 0" in result.stdout
    assert "r*" in result.stdout
    assert "regime" in result.stdout
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_analysis_alone(run, cached_tour):
    assert len(run("fuse", cached_tour, CAT, "--analyze").stdout) < len(
        run("fuse", cached_tour, CAT).stdout
    )


def test_the_numbers_behind_it(run, cached_tour):
    told = json.loads(run("fuse", cached_tour, CAT, "--json").stdout)
    assert told["schema"] == "rdmf.fuse/1"
    for channel in told["channels"]:
        u, v, r = (np.array(channel[name]) for name in "uvr")
        assert len(u) == len(v) == len(r) == len(told["similarity"])
        assert ((u >= 0) & (u <= 1)).all()
        assert (v >= 0).all()
        for level in channel["level_sets"]:
            inside = np.zeros(len(v), bool)
            for start, end in level["spans"]:
                inside[round(start / 2) : round(end / 2)] = True
            assert np.array_equal(inside, v >= level["height"] - 1e-6)


@pytest.mark.needs("matplotlib")
def test_a_figure(run, cached_tour, tmp_path):
    file = tmp_path / "pattern.png"
    assert run("fuse", cached_tour, CAT, "--plot", file).returncode == 0
    with Image.open(file) as image:
        assert image.width > 500
        assert len(image.convert("RGB").getcolors(1 << 24)) > 50  # something is drawn


@pytest.mark.needs("matplotlib")
def test_an_unknown_kind_of_figure(run, cached_tour, tmp_path):
    result = run("fuse", cached_tour, CAT, "--plot", tmp_path / "pattern.docx")
    assert result.returncode == 1
    assert "docx" in result.stderr


def test_a_learned_head_has_no_such_fusion_to_show(run, video, learned):
    result = run("fuse", video, "a red square", "--checkpoint", learned)
    assert result.returncode == 2
    assert "head.rdmf is a learned head, but rdmf fuse shows only the training" in result.stderr


def test_the_video_itself_is_never_replaced_by_the_figure(run, video):
    before = video.read_bytes()
    figure = video.rename(video.with_suffix(".png"))
    result = run("fuse", figure, "a red square", "--plot", figure, "--force")
    assert result.returncode == 2
    assert "which this command reads" in result.stderr
    assert figure.read_bytes() == before


def test_a_figure_replaces_no_head_and_no_encoder(run, video, tmp_path):
    read = tmp_path / "read.png"
    read.write_text("a head, say")
    for option in ("--checkpoint", "--encoder"):
        result = run("fuse", video, "a red square", option, read, "--plot", read, "--force")
        assert result.returncode == 2
        assert f"the figure would replace {read}, which this command reads" in result.stderr
        assert read.read_text() == "a head, say"
