"""The task of `rdmf train`: the content of a batch, the scores, and every published layout."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from made_up_sets import SETS, save, write_lines, write_own
from rich.console import Console

from rdmf_cli.channels.channels import channels
from rdmf_cli.datasets import (
    DATASETS,
    find_annotations,
    open_annotations,
    open_samples,
)
from rdmf_cli.datasets.split import video_of
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import normalise_rows
from rdmf_cli.outputs.payloads.training import TrainedReport, Training
from rdmf_cli.outputs.training import TrainingTables
from rdmf_cli.training import TrainingOptions, background
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.loop import train
from rdmf_cli.training.retrieval import RetrievalTask
from rdmf_cli.training.seeds import generator_of

SMALL = {
    "width": 16,
    "fusion_channels": 8,
    "steps": 3,
    "blocks": 1,
    "metric": 16,
    "projection": 8,
    "slot_width": 32,
    "slot_features": 8,
}
AS_IT_IS = Hyperparameters(plain_query=1, backwards=0, mismatched=0, cropped=0, thinned=0)
OPTIONS = TrainingOptions(epochs=1, batch_size=8, device="cpu", precision="float32")


def samples_of(name, folder, videos=5):
    features = SETS[name](folder, videos, 2)
    path = find_annotations("train", features, DATASETS[name])
    return open_samples(DATASETS[name], path, features=features)


def own_samples(folder, videos=6, **kinds):
    features = write_own(folder, videos, 1)
    for change in kinds.values():
        change(features)
    dataset, annotations = open_annotations(str(features / "train.jsonl"), folder=features)
    return open_samples(dataset, annotations, features=features)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return own_samples(tmp_path_factory.mktemp("own"))


def but(**changes):
    """Return hyperparameters without augmentation, except for the given probabilities."""
    return AS_IT_IS.model_copy(update=changes)


def task_of(samples, head="universal", hyper=AS_IT_IS, **more):
    return RetrievalTask(samples, {"head": head, **SMALL}, OPTIONS, hyper=hyper, **more)


def batch_of(task, *indices, seed=0):
    return task.batch(list(indices), generator_of(seed))


def same(one, other):
    return all(
        (a is None and b is None) or torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


# ------------------------------------------------------------------------------- batches


def test_a_batch_is_the_samples_side_by_side(own):
    task = task_of(own, "full")
    batch = batch_of(task, 3, 0)
    for row, index in enumerate((3, 0)):
        sample = task.samples[index]
        clips = len(sample.video)
        assert batch.shown.mask[row].sum() == clips
        assert np.array_equal(batch.shown.video[row, :clips], sample.video)
        assert not batch.shown.video[row, clips:].any()
        assert np.array_equal(batch.shown.sentence[row], sample.sentence)
        words = len(sample.words)
        assert np.array_equal(batch.shown.words[row, :words], sample.words)
        windows = batch.targets.windows[row][batch.targets.window_mask[row]]
        assert np.allclose(windows * sample.clip_length, sample.annotation.windows)
    assert batch.unrelated is None


def test_half_of_the_videos_run_backwards_with_all_that_belongs_to_them(own):
    forwards = batch_of(task_of(own, "full"), 0)
    backwards = batch_of(task_of(own, "full", but(backwards=1)), 0)
    assert torch.equal(backwards.shown.video, forwards.shown.video.flip(1))
    torch.testing.assert_close(backwards.shown.edges, forwards.shown.edges.flip(1))
    assert torch.equal(backwards.targets.foreground, forwards.targets.foreground.flip(2))
    similarity, change_before, change_after = (
        [x.shown.channels[0, :, c] for x in (forwards, backwards)] for c in (0, 4, 5)
    )
    torch.testing.assert_close(similarity[1], similarity[0].flip(0))
    torch.testing.assert_close(change_before[1], change_after[0].flip(0))
    either = task_of(own, hyper=but(backwards=0.5))
    drawn = {
        tuple(batch_of(either, 0, seed=n).targets.windows.flatten().tolist()) for n in range(12)
    }
    assert len(drawn) == 2


def test_clips_are_left_out_with_all_that_belongs_to_them(own):
    whole = batch_of(task_of(own, "full"), 0)
    rows = whole.shown.video[0]
    for chances in ({"cropped": 1}, {"thinned": 1}, {"cropped": 1, "thinned": 1}):
        task = task_of(own, "full", but(**chances))
        parts = [batch_of(task, 0, seed=n) for n in range(20)]
        assert len({part.shown.video.shape[1] for part in parts}) > 3
        for part in parts:
            kept = [int((rows == row).all(1).nonzero()[0]) for row in part.shown.video[0]]
            assert kept == sorted(set(kept))
            assert torch.equal(part.targets.foreground[0], whole.targets.foreground[0][:, kept])
            assert torch.equal(part.targets.saliency[0], whole.targets.saliency[0][kept])
            alone = channels(part.shown.video[0].numpy(), part.shown.sentence[0].numpy())
            np.testing.assert_array_equal(part.shown.channels[0], alone)
            assert part.targets.window_mask.any()
            for start, end in part.targets.windows[0][part.targets.window_mask[0]]:
                inside = torch.arange(len(kept)).add(0.5)
                lit = (start < inside) & (inside < end)
                assert (part.targets.foreground[0, 0][lit] > 0).all()


def test_paraphrases_stand_in_for_the_query(own):
    task = task_of(own, "full", but(plain_query=0))
    texts = own.paraphrases(task.samples.annotations.entries[1])
    seen = [batch_of(task, 1, seed=n) for n in range(12)]
    which = {
        next(
            k
            for k, text in enumerate(texts)
            if np.array_equal(one.shown.sentence[0], text.sentence)
        )
        for one in seen
    }
    assert which == {0, 1}
    for one in seen:
        k = [np.array_equal(one.shown.sentence[0], text.sentence) for text in texts].index(True)
        assert np.array_equal(one.shown.words[0], texts[k].words)
    channels = {one.shown.channels.numpy().tobytes() for one in seen}
    assert len(channels) == 2  # they belong to the text that is shown


def test_unrelated_queries_are_of_other_videos_and_say_something_else(own):
    task = task_of(own, "full", but(mismatched=1))
    entries = task.samples.annotations.entries
    by_sentence = {task.samples[i].sentence.tobytes(): i for i in range(len(task))}
    for seed in range(10):
        batch = batch_of(task, *range(len(task)), seed=seed)
        assert len(batch.unrelated.mask) == len(task)
        assert torch.equal(batch.unrelated.video, batch.shown.video)
        for index, row in enumerate(batch.unrelated.sentence.numpy()):
            other = by_sentence[row.tobytes()]
            assert video_of(entries[other].vid) != video_of(entries[index].vid)
            assert entries[other].query != entries[index].query
        assert not torch.equal(batch.unrelated.channels, batch.shown.channels)


def test_a_sample_is_drawn_alike_in_any_company(own):
    task = task_of(own, "full", Hyperparameters())
    together = batch_of(task, 0, 1, 2, 3, seed=5)
    for index in range(4):
        alone = batch_of(task, index, seed=5)
        clips = int(alone.shown.mask.sum())
        assert torch.equal(alone.shown.video[0], together.shown.video[index, :clips])
        assert torch.equal(alone.shown.sentence[0], together.shown.sentence[index])
        assert torch.equal(alone.shown.channels[0], together.shown.channels[index, :clips])


def test_what_is_remembered_is_what_would_be_computed(own):
    task = task_of(own, hyper=Hyperparameters())
    first, again = (batch_of(task, 0, 1, 2, seed=3) for _ in range(2))
    anew = batch_of(task_of(own, hyper=Hyperparameters()), 0, 1, 2, seed=3)
    assert same(first.shown, again.shown)
    assert same(first.shown, anew.shown)


def test_evidence_comes_with_a_background_and_is_sometimes_held_back(own):
    rows = normalise_rows(np.random.default_rng(0).normal(size=(9, 16)))
    assert not batch_of(task_of(own), 0, 1).shown.evidence.any()
    always = but(mismatched=1, no_background=0)
    batch = batch_of(task_of(own, hyper=always, background=rows), 0, 1)
    assert (batch.shown.evidence[:, 1] == 1).all()
    assert (batch.unrelated.evidence[:, 1] == 1).all()
    assert (batch.shown.evidence[:, 0] > 2).all()  # shown queries have high evidence
    never = Hyperparameters(no_background=1)
    assert not batch_of(task_of(own, hyper=never, background=rows), 0).shown.evidence.any()


def test_a_folder_may_hold_background_sentences(tmp_path):
    features = write_own(tmp_path, 2, 1)
    assert background.in_folder(features) is None
    rows = np.random.default_rng(0).normal(size=(7, 16))
    save(features / "text" / "background.npz", pooler_output=rows)
    found = background.in_folder(features)
    assert np.array_equal(found, normalise_rows(rows))
    for wrong in (rows[0], rows[:0], np.full((2, 16), np.nan)):
        save(features / "text" / "background.npz", pooler_output=wrong)
        with pytest.raises(RdmfError, match=r"background\.npz: .*background sentences"):
            background.in_folder(features)


def test_a_background_of_another_encoder(own):
    task = task_of(own, background=np.ones((3, 5), np.float32))
    with pytest.raises(RdmfError, match="background sentences are 5 wide, clips 16; encode them"):
        batch_of(task, 0)


# ------------------------------------------------------------------------------- scores

METRICS = {
    "qvhighlights": ("R1@0.5", "R1@0.7", "mAP", "HIT@1"),
    "grounding": ("R1@0.5", "R1@0.7", "mAP"),
    "tvsum": ("HL-mAP",),
    "youtube-highlights": ("HL-mAP",),
}


@pytest.mark.parametrize("name", SETS)
def test_every_published_layout_trains(tmp_path, name):
    """One epoch, with scores and report; a universal head if there is a joint space."""
    samples = samples_of(name, tmp_path)
    assert len(samples) >= 5
    for head in ("full",) if samples[0].matching is None else ("universal", "full"):
        task = task_of(samples, head, Hyperparameters())
        result = train(task, OPTIONS, tmp_path / head)
        assert set(result.scores) == {"goal", *METRICS[DATASETS[name].protocol]}
        wanted = [v for k, v in result.scores.items() if k in ("R1@0.5", "mAP", "HL-mAP")]
        assert result.scores["goal"] == pytest.approx(np.mean(wanted))
        assert json.loads(json.dumps(result.report))["config"]["head"] == head


@pytest.mark.parametrize("name", ["charades-vgg", "tvsum"])
def test_a_universal_head_needs_a_joint_space(tmp_path, name):
    said = "a universal head reads the similarity .* share no space in these features .*; train a f"
    with pytest.raises(RdmfError, match=said):
        task_of(samples_of(name, tmp_path))


@pytest.mark.parametrize("head", ["universal", "full"])
def test_training_finds_more_moments_than_not_training(tmp_path, head):
    samples = own_samples(tmp_path / "own", videos=20)
    options = TrainingOptions(
        epochs=4, batch_size=8, rate=5e-3, ema=0.8, device="cpu", precision="float32"
    )
    task = RetrievalTask(samples, {"head": head, **SMALL}, options)
    with torch.no_grad():
        untrained = task.score(task.model.eval())
    result = train(task, options, tmp_path / "out")
    assert result.scores["goal"] > untrained["goal"] + 10
    with torch.no_grad():
        assert task.score(task.model)["goal"] == pytest.approx(result.scores["goal"])


def test_in_bfloat16_it_learns_too(own, tmp_path):
    options = TrainingOptions(epochs=1, batch_size=8, device="cpu", precision="bfloat16")
    for head in ("universal", "full"):
        task = RetrievalTask(own, {"head": head, **SMALL}, options)
        result = train(task, options, tmp_path / head)
        assert np.isfinite(result.scores["goal"])
        assert all(torch.isfinite(p).all() for p in task.model.parameters())


def test_a_tenth_of_the_videos_is_held_out_unless_others_are_given(own, tmp_path):
    task = task_of(own)
    held = {a.vid for a in task.held_out.annotations}
    assert len(held) == 1
    assert held.isdisjoint({a.vid for a in task.samples.annotations})
    assert len(task) + len(task.held_out) == len(own)
    others = own_samples(tmp_path, videos=2)
    given = task_of(own, held_out=others)
    assert (len(given), given.held_out) == (len(own), others)


def test_all_may_be_learned_from(own):
    everything = TrainingOptions(hold_out=0, device="cpu")
    task = RetrievalTask(own, {"head": "universal", **SMALL}, everything)
    assert len(task) == len(own)
    assert task.score(task.model.eval()) == {}


def test_a_single_video_is_judged_by_itself(tmp_path):
    task = task_of(own_samples(tmp_path, videos=1), hyper=Hyperparameters(mismatched=1))
    assert len(task) == len(task.held_out) == 2
    assert batch_of(task, 0).unrelated is None  # there is no other video
    assert task.score(task.model.eval())["goal"] >= 0


def test_absent_queries_are_learned_and_not_scored(tmp_path):
    def some_are_absent(features):
        lines = [json.loads(line) for line in (features / "train.jsonl").read_text().splitlines()]
        for record in lines[::2]:
            record["relevant_windows"] = []
        write_lines(features / "train.jsonl", lines)

    task = task_of(own_samples(tmp_path, videos=8, absent=some_are_absent), hyper=Hyperparameters())
    batch = batch_of(task, *range(len(task)))
    assert batch.targets.absent.tolist() == [i % 2 == 0 for i in range(len(task))]
    losses = task.losses(batch)
    assert all(torch.isfinite(x) for x in losses.values())
    assert task.score(task.model.eval())["goal"] >= 0


def test_the_first_weights_depend_on_the_seed_alone(own):
    torch.manual_seed(1)
    one = task_of(own).model.state_dict()
    torch.manual_seed(2)
    again = task_of(own).model.state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    other = RetrievalTask(own, {"head": "universal", **SMALL}, TrainingOptions(seed=7))
    assert not torch.equal(other.model.embed[0].weight, one["embed.0.weight"])


# -------------------------------------------------------------------------------- report


def test_the_report_tells_regimes_of_every_group(own):
    task = task_of(own)
    rows = task.report(task.model)["rates"]
    assert {row["group"] for row in rows} == {f"1 ±{d}" for d in (1, 2, 4, 8)}
    assert sum(row["channels"] for row in rows) == SMALL["fusion_channels"]
    for row in rows:
        assert (row["spacing_seconds"] is not None) == (row["regime"] == "turing")
        assert 0 < row["D_v"] < row["D_u"]
    assert any(row["regime"] == "bistable" and row["r_star"] == pytest.approx(0.5) for row in rows)


def test_the_report_and_its_table_tell_which_parts_matter(own):
    task = task_of(own)
    found = task.report(task.model)["importance"]
    assert (found["samples"], found["held_out"]) == (len(task.held_out), True)
    names = {(part["kind"], part["name"]) for part in found["parts"]}
    groups = {("fusion", f"1 ±{d}") for d in (1, 2, 4, 8)}
    assert names == groups | {("input", name) for name in task.config.channels}
    rises = [part["rise"] for part in found["parts"]]
    assert rises == sorted(rises, reverse=True)
    report = TrainedReport(config={}, rates=(), importance=found)
    ended = Training(best_epoch=1, scores={}, checkpoint="c", epochs=1, seconds=1.0,
                     report=report, model="m")  # fmt: skip
    screen = Console(width=80, file=io.StringIO())
    screen.print(TrainingTables(ended))
    said = screen.file.getvalue()
    assert f"held-out loss {found['loss']:.3f}" in said
    assert f"{rises[0]:+.3f}" in said
    assert f"{len(names) - 8} parts with less: --json" in said


def test_without_reaction_diffusion_there_are_no_rates(own):
    task = RetrievalTask(own, {"head": "universal", "fusion": "none", **SMALL}, OPTIONS)
    assert task.report(task.model)["rates"] == []


# ------------------------------------------------------------------------ other footage


def test_batches_show_videos_in_clips_of_other_lengths(own):
    plain = batch_of(task_of(own, "full"), 0, 1)
    for chance, factor in (("short_clips", 0.5), ("long_clips", 2.0)):
        batch = batch_of(task_of(own, "full", but(**{chance: 1})), 0, 1)
        assert torch.equal(batch.shown.clip_length, factor * plain.shown.clip_length)
        clips = torch.ceil(plain.shown.mask.sum(1) / factor).long()
        assert torch.equal(batch.shown.mask.sum(1), clips)
        torch.testing.assert_close(
            factor * batch.targets.windows[batch.targets.window_mask],
            plain.targets.windows[plain.targets.window_mask],
        )


def test_clips_repeat_are_replaced_inserted_and_joined_with_all_that_belongs_to_them(own):
    rows = torch.from_numpy(own[0].video)
    lengths: dict[str, set[int]] = {}
    for chance in ("repeated", "foreign", "inserted", "joined"):
        task = task_of(own, "full", but(**{chance: 1}))
        batches = [batch_of(task, 0, seed=n) for n in range(10)]
        lengths[chance] = {len(batch.shown.video[0]) for batch in batches}
        for batch in batches:
            shown = batch.shown.video[0]
            known = (shown[:, None] == rows[None]).all(-1)
            assert known.any(0).sum() >= len(rows) // 2 - 1
            (window,) = batch.targets.windows[0][batch.targets.window_mask[0]]
            middles = torch.arange(len(shown)) + 0.5
            lit = (window[0] < middles) & (middles < window[1])
            assert torch.equal(batch.targets.foreground[0, 0] > 0, lit)
            rated = batch.targets.saliency[0] > 0
            assert not (rated & ~known.any(1)).any()
            alone = channels(shown.numpy(), batch.shown.sentence[0].numpy())
            np.testing.assert_array_equal(batch.shown.channels[0], alone)
    assert lengths["repeated"] == lengths["foreign"] == {len(rows)}
    assert min(lengths["inserted"] | lengths["joined"]) > len(rows)


def test_other_footage_is_drawn_alike_in_any_company_and_leaves_other_draws_alone(own):
    chances = dict.fromkeys(("repeated", "foreign", "inserted"), 0.5)
    mixed = task_of(own, "full", Hyperparameters(**chances, short_clips=0.5))
    together = batch_of(mixed, 0, 1, 2, seed=5)
    for index in range(3):
        alone = batch_of(mixed, index, seed=5)
        clips = int(alone.shown.mask.sum())
        assert torch.equal(alone.shown.video[0], together.shown.video[index, :clips])
    plain, repeated = (
        batch_of(task_of(own, "full", Hyperparameters(repeated=chance)), 1, seed=3)
        for chance in (0.0, 1.0)
    )
    assert torch.equal(plain.shown.sentence, repeated.shown.sentence)
    assert torch.equal(plain.shown.mask, repeated.shown.mask)
