"""Targets and losses: right numbers in cases that can be computed by hand, 0 without targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.datasets import Annotation, Sample
from rdmf_cli.features.files import normalise_rows
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.decoder import Decoded
from rdmf_cli.heads.learned.torch.metric import Metrics
from rdmf_cli.heads.learned.torch.network import Network
from rdmf_cli.moments import span_iou
from rdmf_cli.training.clips import some_clips
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.losses import (
    contrast_loss,
    foreground_loss,
    losses,
    pairwise_iou,
    presence_loss,
    saliency_loss,
    span_losses,
    target_score,
)
from rdmf_cli.training.targets import collate_targets, target_of

CLIPS = 20
RECIPE = Hyperparameters()


def sample(clips=CLIPS, clip_length=2.0, seed=0, **annotation):
    rng = np.random.default_rng(seed)
    windows = annotation.pop("windows", None)
    return Sample(
        annotation=Annotation(
            qid=seed,
            query="q",
            vid=f"v{seed}",
            duration=clips * clip_length,
            windows=None if windows is None else np.array(windows, float).reshape(-1, 2),
            **annotation,
        ),
        rows=normalise_rows(rng.normal(size=(clips, 8))),
        matching=slice(0, 8),
        sentence=normalise_rows(rng.normal(size=8)),
        words=normalise_rows(rng.normal(size=(3, 8))),
        clip_length=clip_length,
        duration=clips * clip_length,
    )


# ------------------------------------------------------------------------------- targets


def test_windows_become_clips_and_scales():
    target = target_of(sample(clips=40, windows=[[4, 12], [20, 44], [46, 80]]))
    assert target.windows.tolist() == [[2, 6], [10, 22], [23, 40]]
    lit = target.foreground > 0
    assert np.flatnonzero(lit[:, 0]).tolist() == [*range(2, 6), *range(10, 22), *range(23, 40)]
    assert np.flatnonzero(lit[:, 1]).tolist() == [*range(2, 6)]  # 8 s
    assert np.flatnonzero(lit[:, 2]).tolist() == [*range(10, 22)]  # 24 s
    assert np.flatnonzero(lit[:, 3]).tolist() == [*range(23, 40)]  # 34 s


@pytest.mark.parametrize(
    ("window", "clip"), [([7.0, 7.0], 3), ([40.0, 40.0], None), ([39.9, 41.0], 19), ([0, 0.4], 0)]
)
def test_a_moment_too_short_for_a_clip_still_has_one(window, clip):
    target = target_of(sample(windows=[window]))
    lit = np.flatnonzero(target.foreground[:, 0]).tolist()
    assert lit == ([] if clip is None else [clip])
    assert (target.windows[:, 1] - target.windows[:, 0] > 0.04).all()


def test_saliency_is_the_mean_mark():
    target = target_of(
        sample(
            windows=[[4, 10]],
            clip_ids=np.array([2, 3, 25]),  # one clip after the last
            ratings=np.array([[1, 2, 3], [4, 4, 1], [4, 4, 4]], float),
        )
    )
    assert target.saliency[2:5].tolist() == [2.0, 3.0, 0.0]  # clip 4 has no rating
    assert (np.delete(target.saliency, [2, 3, 4]) == -9.0).all()


def test_without_marks_saliency_is_the_moment():
    target = target_of(sample(windows=[[4, 10]]))
    assert np.flatnonzero(target.saliency == 0).tolist() == [2, 3, 4]
    assert (np.delete(target.saliency, [2, 3, 4]) == -9.0).all()


def test_labels_are_saliency_and_no_windows():
    labels = np.stack([np.arange(CLIPS), np.arange(CLIPS) + 2], axis=1)
    target = target_of(sample(labels=labels))
    assert not target.windowed
    assert not target.absent
    assert len(target.windows) == 0
    assert target.saliency.tolist() == pytest.approx(np.linspace(0, 4, CLIPS).tolist())


def test_a_target_runs_backwards():
    target = target_of(sample(windows=[[4, 10], [20, 40]])).reversed()
    assert target.windows.tolist() == [[15, 18], [0, 10]]
    assert np.flatnonzero(target.foreground[:, 1]).tolist() == [15, 16, 17]
    again = target.reversed()
    assert again.windows.tolist() == [[2, 5], [10, 20]]


def test_windows_shrink_with_the_clips_they_lose():
    target = target_of(sample(windows=[[4, 10], [21, 39]]))  # clips [2, 5), [10.5, 19.5)
    shown = target.kept(np.array([0, 3, 4, 10, 11, 19]))
    assert shown.windows.tolist() == [[1, 3], [3.5, 5.5]]
    assert shown.foreground[:, 0].tolist() == target.foreground[[0, 3, 4, 10, 11, 19], 0].tolist()
    assert target.kept(np.array([0, 1, 5, 6])).windows.tolist() == []
    assert target.kept(np.arange(CLIPS)).windows.tolist() == target.windows.tolist()
    assert target_of(sample(windows=[])).kept(np.array([1, 2])).windows.shape == (0, 2)


@given(st.integers(0, 2**31), st.floats(0, 36), st.floats(0.6, 40))
def test_some_moment_is_always_shown(seed, start, length):
    target = target_of(sample(windows=[[start, min(start + length, 40)]]))
    hyper = Hyperparameters(cropped=1, thinned=1, most_thinned=0.99)
    clips = some_clips(target, hyper, torch.Generator().manual_seed(seed))
    if clips is None:
        return
    assert len(clips) < CLIPS
    assert (np.diff(clips) > 0).all()
    ((first, last),) = target.kept(clips).windows
    assert 0 <= first < last <= len(clips)


# -------------------------------------------------------------------------------- losses

spans = st.tuples(st.floats(0, 30), st.floats(0.1, 20)).map(lambda p: [p[0], p[0] + p[1]])


@given(st.lists(spans, min_size=1, max_size=4), st.lists(spans, min_size=1, max_size=4))
def test_overlaps_are_those_of_suppression(ones, others):
    mine = pairwise_iou(torch.tensor([ones]), torch.tensor([others]))[0].numpy()
    theirs = span_iou(np.array(ones)[:, None], np.array(others)[None])
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_worth_lies_between_the_overlap_and_the_thresholds_it_passes():
    assert target_score(
        torch.tensor([0.0, 0.45, 0.7, 0.95, 1.0]), RECIPE
    ).tolist() == pytest.approx([0.0, 0.225, 0.6, 0.975, 1.0])


def decoded_as(spans, scores):
    return Decoded(torch.tensor([spans]), torch.tensor([scores]))


def test_a_slot_that_fits_and_is_sure_of_it_costs_little():
    targets = collate_targets([target_of(sample(windows=[[4, 12]]))])
    slots, real = torch.tensor([[[2.0, 6.0], [14.0, 20.0]]]), torch.ones(1, 2, dtype=torch.bool)
    right = span_losses(decoded_as(slots[0].tolist(), [9.0, -9.0]), slots, real, targets, RECIPE)
    assert right["iou"].item() == right["ends"].item() == 0.0
    assert right["score"].item() < 1e-3
    wrong = span_losses(
        decoded_as([[2.0, 8.0], [14, 20]], [-9.0, 9.0]), slots, real, targets, RECIPE
    )
    assert wrong["iou"].item() == pytest.approx(1 / 3)  # 4 of 6 clips, of the slot that is near
    assert wrong["ends"].item() == pytest.approx(2 / 4)
    assert wrong["score"].item() > 2.0
    assert wrong["rank"].item() > right["rank"].item() + 5


def test_slots_that_are_not_real_and_samples_without_windows_are_not_scored():
    targets = collate_targets([target_of(sample(windows=[[4, 12]])), target_of(sample(windows=[]))])
    slots = torch.tensor([[[2.0, 6.0], [2.0, 6.0]]] * 2)
    real = torch.tensor([[True, False]] * 2)
    scores = torch.tensor([[1.0, 5.0], [3.0, 3.0]], requires_grad=True)
    made = span_losses(Decoded(slots, scores), slots, real, targets, RECIPE)
    (made["score"] + made["rank"]).backward()
    assert scores.grad[0, 0] != 0
    assert not scores.grad[0, 1]
    assert not scores.grad[1].any()


def test_every_window_teaches_a_random_slot_however_far_it_is():
    targets = collate_targets([target_of(sample(windows=[[4, 8]]))])
    slots, real = torch.tensor([[[10.0, 20.0], [0.0, 20.0]]]), torch.ones(1, 2, dtype=torch.bool)
    made = Decoded(slots.clone().requires_grad_(), torch.zeros(1, 2))
    for kind, taught in (("pattern", False), ("random", True)):
        ends = span_losses(made, slots, real, targets, RECIPE, kind)["ends"]
        assert bool(ends.item()) == taught


def test_clips_compete_by_their_marks():
    marks = {"clip_ids": np.array([2, 3]), "ratings": np.array([[1, 1, 1], [4, 4, 4]], float)}
    targets = collate_targets([target_of(sample(windows=[[4, 8]], **marks))])
    mask = torch.ones(1, CLIPS, dtype=torch.bool)

    def cost(clip):
        logits = torch.zeros(1, CLIPS)
        logits[0, clip] = 5.0
        return saliency_loss(logits, mask, targets, RECIPE).item()

    assert cost(3) < cost(2) < cost(10)


def test_foreground_is_learned_at_every_scale():
    targets = collate_targets([target_of(sample(windows=[[4, 8]]))])
    mask = torch.ones(1, CLIPS, dtype=torch.bool)
    right = 20 * targets.foreground - 10
    assert foreground_loss(right, mask, targets).item() < 1e-3
    flipped = right.clone()
    flipped[:, 3] *= -1
    assert foreground_loss(flipped, mask, targets).item() == pytest.approx(5.0, abs=0.01)


def test_contrast_wants_own_clips_above_all_of_the_batch():
    targets = collate_targets(
        [target_of(sample(windows=[[0, 8]])), target_of(sample(windows=[[0, 8]]))]
    )
    mask = torch.ones(2, CLIPS, dtype=torch.bool)
    clips = torch.zeros(2, CLIPS, 2)
    clips[0, :4, 0] = clips[1, :4, 1] = 1.0  # each video shows its own query
    query = torch.eye(2)
    match = torch.zeros(2, CLIPS)
    hot = torch.tensor(20.0)
    right = contrast_loss(Metrics(clips, query, match), hot, mask, targets)
    assert right.item() == pytest.approx(np.log(4), abs=1e-3)  # one of four equal entries
    wrong = contrast_loss(Metrics(clips, query.flip(0), match), hot, mask, targets)
    assert wrong.item() == pytest.approx(20 + np.log(4), abs=1e-3)


# ------------------------------------------------------------ what a batch cannot teach


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    config = ModelConfig(
        head="full",
        video_width=8,
        sentence_width=8,
        words_width=8,
        matching=(0, 8),
        width=16,
        fusion_channels=8,
        steps=2,
        slot_width=16,
    )
    return Network(config)


def losses_of(network, *samples):
    batch = collate([inputs_of(one, network.config) for one in samples])
    return losses(network, batch, collate_targets([target_of(one) for one in samples]), RECIPE)


LABELS = np.arange(CLIPS)[:, None] % 3.0


@pytest.mark.parametrize(
    ("kind", "taught"),
    [
        ({"windows": [[4, 12]]}, {"foreground", "saliency", "score", "rank", "contrast"}),
        ({"windows": []}, {"foreground"}),
        ({"labels": LABELS}, {"saliency"}),
        ({}, set()),
    ],
    ids=["charades", "absent", "labels", "nothing"],
)
def test_what_is_not_annotated_costs_nothing(network, kind, taught):
    made = losses_of(network, sample(**kind), sample(seed=1, **kind))
    silent = {"foreground", "saliency", "score", "rank", "contrast", "iou", "ends"} - taught
    assert all(made[name].item() > 0 for name in taught)
    assert all(made[name].item() == 0 for name in silent - {"iou", "ends"})
    assert made["presence"].item() > 0
    assert torch.isfinite(made["total"])


def test_a_mixed_batch_costs_what_its_parts_cost(network):
    network.eval()
    shown, absent = sample(windows=[[4, 12]]), sample(seed=1, windows=[])
    together, alone = losses_of(network, shown, absent), losses_of(network, shown)
    for name in ("saliency", "score", "rank", "iou", "ends"):
        assert together[name].item() == pytest.approx(alone[name].item(), rel=1e-4)


def test_presence_learns_who_is_shown(network):
    """The features are fixed; the weights of presence alone separate shown from absent queries."""
    shown = [sample(seed=k, windows=[[4, 12]]) for k in range(4)]
    absent = [sample(seed=k, windows=[]) for k in range(4, 8)]
    batch = collate([inputs_of(one, network.config) for one in (*shown, *absent)])
    targets = collate_targets([target_of(one) for one in (*shown, *absent)])
    optimizer = torch.optim.Adam(network.present.parameters(), lr=0.1)
    features = network.eval().fuse(batch).features
    for _ in range(40):
        presence = network.presence(features, batch.mask, batch.evidence)
        optimizer.zero_grad()
        presence_loss(network, presence, targets, None).backward()
        optimizer.step()
    presence = network.fuse(batch).presence
    assert (presence[:4] > 0).all()
    assert (presence[4:] < 0).all()


def test_a_recipe_is_refused_that_cannot_be():
    with pytest.raises(ValueError, match="score"):
        Hyperparameters(score=-1.0)
    with pytest.raises(ValueError, match="taste"):
        Hyperparameters(taste=1.0)
