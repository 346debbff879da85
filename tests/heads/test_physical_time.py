"""Heads with distances in seconds: the same video in clips of another length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_batches import network, question, small

from rdmf_cli.channels.channels import channels
from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import normalise_rows
from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.fusion.operators import laplacian
from rdmf_cli.heads.learned.archive import OnnxGraphs
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.export import TorchGraphs, exported
from rdmf_cli.heads.learned.torch.looped import LoopedReactionDiffusion
from rdmf_cli.heads.learned.torch.torch_head import TorchHead

SECONDS = {"steps": 3, "dilations": (1, 2), "time": "seconds"}


def evolve(channels_=4, **changes):
    torch.manual_seed(0)
    return ReactionDiffusion(channels_, **{"steps": 4, "dilations": (1, 4), **changes}).double()


def smooth(clips: int, clip_length: float) -> torch.Tensor:
    """Return four slow waves (1, 4, L), at the middles of clips that cover 48 seconds."""
    time = (torch.arange(clips, dtype=torch.double) + 0.5) * clip_length / 48.0
    waves = [0.5 + 0.4 * torch.cos(np.pi * q * time) for q in range(4)]
    return torch.stack(waves)[None]


def fields(clip_length: float) -> torch.Tensor:
    """Return u and v (2, 4, L) at a clip length, with rates for clips of 2 s."""
    clips = round(48.0 / clip_length)
    drive = smooth(clips, clip_length)
    with torch.no_grad():
        u, v = evolve()(drive, 0.5 * drive, u0=drive, r=2 * drive, stretch=2.0 / clip_length)
    return torch.cat([u, v])


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_clips_cut_into_equal_parts_have_the_same_fields(parts):
    torch.manual_seed(1)
    drive, edges = torch.rand(1, 4, 25).double(), torch.rand(1, 24).double()
    fine = drive.repeat_interleave(parts, -1)
    inner = torch.ones(1, 25, parts).double()
    inner[:, :-1, -1] = edges
    with torch.no_grad():
        coarse = evolve()(drive, drive, u0=drive, r=drive, edges=edges)
        cut = evolve()(
            *(fine, fine), u0=fine, r=fine, edges=inner.flatten(1)[:, :-1], stretch=float(parts)
        )
    for one, other in zip(coarse, cut, strict=True):
        torch.testing.assert_close(other, one.repeat_interleave(parts, -1))


@pytest.mark.parametrize("clip_length", [1.0, 0.5, 4.0, 3.0])
def test_a_video_at_two_clip_lengths_has_the_same_fields_to_the_order_of_the_scheme(clip_length):
    coarse, fine = sorted((2.0, clip_length), reverse=True)
    whole = fields(fine)
    if clip_length == 3.0:  # their middles are not on a grid of 2 s, so means over 6 s are compared
        means = [fields(c).unflatten(-1, (8, -1)).mean(-1) for c in (2.0, 3.0)]
    else:
        parts = round(coarse / fine)
        means = [fields(coarse), whole.unflatten(-1, (-1, parts)).mean(-1)]
    inside = slice(4, -4) if clip_length != 3.0 else slice(2, -2)
    difference = (means[0] - means[1])[..., inside].abs().max()
    assert difference < 0.03
    assert (whole >= 0).all()


@settings(max_examples=40)
@given(st.floats(0.05, 9.0), st.integers(0, 6))
def test_the_decay_of_a_mode_is_that_of_its_distance_in_seconds(stretch, mode):
    evolved = evolve(2, dilations=(1,), steps=1)
    clips = 40
    distance = max(int(np.ceil(stretch - 1e-6)), 1)
    wave = torch.cos(np.pi * mode * (torch.arange(clips) + 0.5) / clips).double()
    drive = torch.zeros(1, 2, clips).double()
    with torch.no_grad():
        rates = evolved.learned()
        u, _ = evolved(wave.expand(1, 2, -1), 0 * drive, u0=drive, r=drive, stretch=stretch)
        a = (rates.a_u * (stretch / distance) ** 2)[:, None]
        expected = wave + a * laplacian(wave, dilation=distance)
    assert (a <= 0.5).all()
    torch.testing.assert_close(u[0] * (1 + rates.f[:, None]), expected.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("stretch", [0.5, 1.0, 1.5, 2.0, 7.3])
def test_the_loop_of_exports_is_the_same(stretch):
    made = evolve().float()
    torch.manual_seed(2)
    drive, edges = torch.rand(1, 4, 60), torch.rand(1, 59)
    given_ = {"u0": drive, "r": drive, "edges": edges}
    with torch.no_grad():
        plain = made(drive, drive, **given_, stretch=stretch)
        looped = LoopedReactionDiffusion(made)(
            drive, drive, **given_, stretch=torch.tensor([stretch])
        )
    for one, other in zip(plain, looped, strict=True):
        torch.testing.assert_close(one, other)


def seen(config, clips):
    """Make a question; its matching columns have unit length, like the streams of features."""
    asked = question(config, clips)
    rows = asked.rows.copy()
    rows[..., asked.matching] = normalise_rows(rows[..., asked.matching])
    return replace(asked, rows=rows)


def in_parts(asked, parts):
    """Return the question on the same video, with every clip divided into equal parts."""
    rows = np.repeat(asked.rows, parts, axis=0)
    return replace(asked, rows=rows, clip_length=asked.clip_length / parts)


@pytest.mark.parametrize("name", [n for n in FUSIONS if "attention" not in n])
def test_a_head_gives_the_same_pattern_where_clips_are_cut(name):
    config = small("full", fusion=name, **SECONDS)
    asked = seen(config, 60)
    model = network(config)
    with torch.no_grad():
        patterns = [
            model.fuse(collate([inputs_of(one, config)])).pattern[0]
            for one in (asked, in_parts(asked, 2))
        ]
    cut = patterns[1].unflatten(-1, (-1, 2))
    inside = slice(14, -14)  # the ends differ, within the reach of two blocks
    tolerance = {"gaussian": 0.1, "gated-recurrence": 0.1}.get(name, 1e-4)  # in parts of a clip
    difference = (cut - patterns[0][..., None])[:, inside].abs().max()
    assert difference < tolerance


def test_clips_of_several_lengths_in_one_batch_are_fused_as_each_alone():
    config = small("full", **SECONDS)
    model = network(config)
    asked = [question(config, 20, seed=n) for n in range(3)]
    asked[1] = replace(asked[1], clip_length=1.0)
    head = TorchHead(model)
    together = head.read_many(asked)
    for one, alone in zip(asked, together, strict=True):
        np.testing.assert_allclose(head.read(one).saliency, alone.saliency, atol=1e-5)


@pytest.mark.parametrize("name", ["reaction-diffusion", "joint-attention", "none"])
@pytest.mark.parametrize("clip_length", [0.5, 1.3, 2.0, 4.0])
def test_an_exported_head_answers_alike_at_every_clip_length(name, clip_length):
    config = small("full", fusion=name, **SECONDS)
    model = network(config)
    asked = replace(question(config, 40), clip_length=clip_length, duration=40 * clip_length)
    onnx = LearnedHead(OnnxGraphs(exported(model), "head")).read(asked)
    for head in (TorchHead(model), LearnedHead(TorchGraphs(model))):
        read = head.read(asked)
        np.testing.assert_allclose(read.v, onnx.v, atol=1e-4)
        np.testing.assert_allclose(read.spans, onnx.spans, atol=1e-2)


def test_smoothing_in_seconds_is_not_exported():
    with pytest.raises(RdmfError, match="gaussian with distances in seconds cannot be exported"):
        exported(network(small(fusion="gaussian", **SECONDS)))


def test_a_head_in_clips_reads_every_clip_length_alike():
    config = small("full")
    asked = question(config, 30)
    short = replace(asked, clip_length=0.5)
    one, other = (inputs_of(x, config) for x in (asked, short))
    np.testing.assert_array_equal(one.channels, other.channels)
    assert config.stretch(0.5) == 1.0


def test_lags_of_visual_change_are_in_seconds():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 8))
    rows = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    plain = channels(rows, rows[0])
    cut = channels(np.repeat(rows, 2, axis=0), rows[0], 2.0)
    np.testing.assert_allclose(
        cut[8:-8].reshape(-1, 2, plain.shape[1])[:, 0], plain[4:-4], atol=2e-3
    )
