"""A whole training: it learns, keeps the best epoch, stops early, and reports errors."""

from __future__ import annotations

import json
from itertools import chain

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from toy_task import ToyTask, log_lines, options, same_result, weights

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.training.events import Callback
from rdmf_cli.training.loop import train
from rdmf_cli.training.schedule import rate_share


def test_it_learns(tmp_path):
    task = ToyTask()
    with torch.no_grad():
        untrained = task.score(task.model.eval())
    result = train(task, options(epochs=20), tmp_path)
    assert result.scores["error"] < 0.4 * untrained["error"]


def test_the_same_seed_is_the_same_result_and_another_is_not(tmp_path):
    one, two, other = (
        train(ToyTask(dropout=0.2), options(seed=seed), tmp_path / name)
        for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    assert same_result(one, two)
    assert not same_result(one, other)
    assert log_lines(tmp_path / "one") == log_lines(tmp_path / "two")


def test_every_epoch_has_every_sample_once_in_an_order_of_its_own(tmp_path):
    task = ToyTask()
    train(task, options(epochs=2), tmp_path)
    assert [len(batch) for batch in task.seen] == [8, 8, 3] * 2
    first, second = ([*chain(*task.seen[part])] for part in (slice(0, 3), slice(3, 6)))
    assert sorted(first) == sorted(second) == list(range(19))
    assert first != second


def test_the_best_epoch_is_kept_and_is_what_the_model_ends_with(tmp_path):
    task = ToyTask(goals=[0.1, 0.5, 0.4, 0.5])
    result = train(task, options(), tmp_path)
    assert (result.best_epoch, result.scores["goal"], result.epochs) == (2, 0.5, 4)
    kept = torch.load(result.checkpoint, weights_only=True)
    assert (kept["schema"], kept["epoch"], kept["scores"]) == ("rdmf.trained/1", 2, result.scores)
    assert not task.model.training
    for name, value in task.model.state_dict().items():
        assert torch.equal(value, kept["model"][name])
    with torch.no_grad():
        assert task.score(task.model)["error"] == result.scores["error"]
    assert result.report == task.report(task.model)


def test_where_nothing_is_held_out_the_last_epoch_is_kept(tmp_path):
    result = train(ToyTask(judged=False), options(epochs=3, hold_out=0), tmp_path)
    assert (result.best_epoch, result.scores) == (3, {})
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    kept = torch.load(result.checkpoint, weights_only=True)["model"]
    assert all(torch.equal(kept[name], value) for name, value in last["average"].items())
    with pytest.raises(UsageError, match=r"patience needs held-out videos"):
        options(hold_out=0, patience=2)


def test_what_is_scored_and_kept_is_the_average_of_the_steps_weights(tmp_path):
    class Steps(Callback):
        def __init__(self, model: nn.Module):
            self.model, self.scales = model, [model.scale.item()]

        def stepped(self, step):
            self.scales.append(self.model.scale.item())

    task = ToyTask(goals=[1.0])
    steps = Steps(task.model)
    result = train(task, options(epochs=1, ema=0.15), tmp_path, callback=steps)
    mean, *later = steps.scales
    for decay, scale in zip((0.1, 0.15, 0.15), later, strict=True):
        mean = decay * mean + (1 - decay) * scale
    assert len(set(steps.scales)) == 4
    assert weights(result.checkpoint)["scale"].item() == pytest.approx(mean, rel=1e-6)


def test_without_an_average_the_last_weights_are_kept(tmp_path):
    class Last(Callback):
        def stepped(self, step):
            self.scale = task.model.scale.item()

    task, last = ToyTask(goals=[1.0, 2.0]), Last()
    result = train(task, options(epochs=2, ema=None), tmp_path, callback=last)
    assert weights(result.checkpoint)["scale"].item() == last.scale


def test_it_stops_when_patience_runs_out(tmp_path):
    said = []

    class Notes(Callback):
        def note(self, text):
            said.append(text)

    task = ToyTask(goals=[0.1, 0.3, 0.2, 0.3, 0.25, 0.9])
    result = train(task, options(epochs=6, patience=3), tmp_path, callback=Notes())
    assert (result.epochs, result.best_epoch) == (5, 2)
    assert said == ["stopped early: the held-out score did not improve in 3 epochs"]
    again = train(ToyTask(), options(epochs=6, patience=3), tmp_path)
    assert same_result(result, again)


def test_gradients_are_shortened(tmp_path):
    free = train(ToyTask(), options(epochs=1, clip_norm=None), tmp_path / "free")
    loose = train(ToyTask(), options(epochs=1, clip_norm=1e6), tmp_path / "loose")
    short = train(ToyTask(), options(epochs=1, clip_norm=0.01), tmp_path / "short")
    assert same_result(free, loose)
    assert not same_result(free, short)
    norms = [line["gradient_norm"] for line in log_lines(tmp_path / "short", "step")]
    assert min(norms) > 0.1  # the norm before clipping


def test_bfloat16_runs_the_losses_coarsely_and_scores_finely(tmp_path):
    seen = []

    class Told(ToyTask):
        def losses(self, batch):
            seen.append(self.model.mix(batch[0][:, None]).dtype)
            return super().losses(batch)

        def score(self, model):
            seen.append(model.mix(self.clean[:, None]).dtype)
            return super().score(model)

    result = train(Told(), options(epochs=1, precision="bfloat16"), tmp_path)
    assert seen == [torch.bfloat16] * 3 + [torch.float32]
    assert all(value.dtype == torch.float32 for value in weights(result.checkpoint).values())


def test_auto_is_float32_on_a_processor_whichever_it_is(tmp_path):
    train(ToyTask(), options(epochs=1, precision="auto"), tmp_path)
    (begun,) = log_lines(tmp_path, "begun")
    assert begun["settings"]["precision"] == "auto"
    assert begun["precision"] == "float32"


def test_the_log_holds_every_step_and_epoch(tmp_path):
    how = options(epochs=2, warm_up=0.5, log_interval=2)
    result = train(ToyTask(goals=[0.5, 0.1]), how, tmp_path, about={"head": "toy"})
    begun, *lines = log_lines(tmp_path)
    assert begun["settings"] == {**how.as_dict(), "samples": 19, "head": "toy"}
    assert (begun["steps"], begun["parameters"]) == (3, 176)
    told = [(line["kind"], line["epoch"], line["step"]) for line in lines]
    assert told == [
        ("step", 1, 2), ("epoch", 1, 3), ("step", 2, 4), ("step", 2, 6), ("epoch", 2, 6),
    ]  # fmt: skip
    for line in lines:
        assert line["rate"] == how.rate * rate_share(line["step"] - 1, 6, 3)
        assert line["gradient_norm"] > 0
        assert line["losses"]["total"] == pytest.approx(
            line["losses"]["square"] + 0.1 * line["losses"]["slope"], rel=1e-6
        )
    assert [line["best"] for line in lines if line["kind"] == "epoch"] == [True, False]
    assert lines[1]["scores"] == result.scores


def test_an_epochs_losses_are_means_over_its_samples(tmp_path):
    train(ToyTask(), options(epochs=1), tmp_path)
    steps, (epoch,) = log_lines(tmp_path, "step"), log_lines(tmp_path, "epoch")
    total = sum(step["losses"]["square"] * step["samples"] for step in steps)
    assert epoch["losses"]["square"] == pytest.approx(total / 19, rel=1e-12)


def test_tensorboard_has_the_logs_numbers(tmp_path):
    train(ToyTask(), options(epochs=2), tmp_path)
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(curves.Tags()["scalars"]) == {
        "loss/total", "loss/square", "loss/slope", "rate", "gradient_norm", "held_out/goal",
        "held_out/error",
    }  # fmt: skip
    points = {point.step: point.value for point in curves.Scalars("loss/total")}
    logged = {line["step"]: line["losses"]["total"] for line in log_lines(tmp_path, "step")}
    assert points == pytest.approx(logged, rel=1e-6)
    assert [point.step for point in curves.Scalars("held_out/goal")] == [3, 6]


def test_without_tensorboard_it_trains_and_says_so(tmp_path, monkeypatch):
    said = []

    class Notes(Callback):
        def note(self, text):
            said.append(text)

    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    train(ToyTask(), options(epochs=1), tmp_path, callback=Notes())
    assert said == ["no TensorBoard log: tensorboard is not installed (pip install tensorboard)"]
    assert not (tmp_path / "tensorboard").exists()


def test_a_loss_that_is_no_number_is_named_with_its_step(tmp_path):
    class Broken(ToyTask):
        def losses(self, batch):
            losses = super().losses(batch)
            if self.batches == 5:
                losses["slope"] = losses["slope"] * float("nan")
                losses["total"] = losses["total"] + losses["slope"]
            return losses

    with pytest.raises(RdmfError) as failed:
        train(Broken(), options(), tmp_path)
    assert str(failed.value) == (
        "the loss total (nan), slope (nan) is not finite at step 5, in epoch 2; try a lower "
        "learning rate or float32, and check the features for NaN and infinity"
    )
    assert [line["epoch"] for line in log_lines(tmp_path, "epoch")] == [1]


def test_a_gradient_that_is_no_number_ends_it_before_the_weights_are_spoilt(tmp_path):
    class Broken(ToyTask):
        def losses(self, batch):
            total = super().losses(batch)["total"]
            return {"total": total + (self.model.scale * 0).sqrt().sum()}

    task = Broken()
    with pytest.raises(RdmfError, match="the gradient is not finite at step 1, in epoch 1"):
        train(task, options(), tmp_path)
    assert all(p.isfinite().all() for p in task.model.parameters())


def test_a_goal_that_is_no_number_is_an_error(tmp_path):
    with pytest.raises(RdmfError, match="the held-out score after epoch 2 is nan; check the held"):
        train(ToyTask(goals=[0.5, float("nan")]), options(), tmp_path)


def test_without_samples_it_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there are no samples to train on; check the annot"):
        train(ToyTask(samples=0), options(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unusable_device_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"this device cannot be used .*choose one of: auto, cpu"):
        train(ToyTask(), options(device="abacus"), tmp_path)


def test_a_folder_that_is_a_file_is_a_usage_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match=r"taken cannot be written .*choose another --out"):
        train(ToyTask(), options(), tmp_path / "taken")


def test_two_trainings_cannot_share_a_folder(tmp_path):
    def second(number: int) -> None:
        with pytest.raises(RdmfError, match="another training run is writing here; wait for it"):
            train(ToyTask(), options(), tmp_path)

    train(ToyTask(samples=4, on_batch=second), options(epochs=1), tmp_path)
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["epoch"] == 1
