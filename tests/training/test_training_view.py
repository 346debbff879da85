"""The display of a training, in a terminal and elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from toy_task import ToyTask, options

from rdmf_cli.outputs.payloads.training import TrainedSetting, Trainings
from rdmf_cli.outputs.training import TrainingsTable
from rdmf_cli.outputs.training_view import view_on
from rdmf_cli.training.events import Best, Callbacks, Epoch, Plan, Step
from rdmf_cli.training.loop import train


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), width=80, height=24, force_terminal=True, record=True)


def panel(console: Console, view) -> str:
    """Return the present panel, without colours."""
    console.export_text(clear=True)
    console.print(view)
    return console.export_text(clear=True)


PLAN = Plan(
    epochs=30, steps=49, done=0, samples=1542, parameters=138_112, processes=1, device="cpu",
    precision="float32",
)  # fmt: skip
LOSSES = {"total": 3.25, "span": 1.5, "presence": 0.75, "saliency": 1.0}
SCORES = {"goal": 0.4125, "MR-full-R1@0.5": 60.06, "MR-full-R1@0.7": 41.2, "MR-full-mAP": 39.6}


def at_epoch_3(console: Console):
    view = view_on(console)
    view.begun(PLAN)
    best = Best(1, {**SCORES, "goal": 0.43})
    view.scored(Epoch(2, 98, {**LOSSES, "total": 4.5}, SCORES, 1e-3, 2.5, 61.0, best))
    view.stepped(Step(3, 110, LOSSES, 9.5e-4, 1.375, 32, 70.0))
    return view


def test_the_panel_shows_progress_losses_and_both_present_and_best_scores(terminal):
    view = at_epoch_3(terminal)
    text = panel(terminal, view)
    view.ended()
    assert "epoch 3/30  step 12/49" in text
    assert "rate 9.50e-04" in text
    assert re.search(r"\d+ samples/s .* \d+:\d\d left", text)
    assert " 7%" in text
    rows = [re.split(r"\s{2,}", line.strip("│ ")) for line in text.splitlines()]
    assert ["loss", "now", "last", "held out", "now", "best (1)"] in rows
    assert ["total", "3.25", "4.5", "goal", "0.4125", "0.43"] in rows
    assert ["gradient norm", "1.375", "2.5"] in rows
    assert ["presence", "0.75", "0.75", "MR-full-R1@0.7", "41.2", "41.2"] in rows
    assert "1,542 samples, 138,112 parameters, cpu, float32" in text


def test_the_panel_fits_80_columns(terminal):
    view = at_epoch_3(terminal)
    lines = panel(terminal, view).splitlines()
    view.ended()
    assert {len(line) for line in lines} == {80}
    assert not any("…" in line for line in lines)


def test_before_the_first_step_the_panel_says_where_it_goes_on(terminal):
    view = view_on(terminal)
    view.begun(Plan(**{**PLAN.__dict__, "done": 4, "best": Best(3, SCORES)}))
    text = panel(terminal, view)
    view.ended()
    assert "epoch 5/30" in text
    assert "13%" in text
    assert "best (3)" in text
    assert "4 done" in text


def test_a_training_ends_with_the_last_panel_on_the_screen(tmp_path, terminal):
    train(ToyTask(goals=[0.5, 0.25]), options(epochs=2), tmp_path, callback=view_on(terminal))
    shown = terminal.export_text()
    last = shown[shown.rindex("rdmf train") :]
    assert "epoch 2/2  step 3/3" in last
    assert "100%" in last
    assert re.search(r"goal +0\.25 +0\.5 ", last)


def test_notes_stand_above_the_panel(tmp_path, terminal):
    task = ToyTask(goals=[0.5, 0.25])
    train(task, options(epochs=3, patience=1), tmp_path, callback=view_on(terminal))
    shown = terminal.export_text()
    assert shown.index(
        "stopped early: the held-out score did not improve in 1 epoch"
    ) < shown.rindex("rdmf train")


def test_elsewhere_it_is_a_line_an_epoch(tmp_path):
    console = Console(file=io.StringIO(), width=40)
    train(ToyTask(goals=[0.5, 0.25]), options(epochs=2), tmp_path, callback=view_on(console))
    first, *epochs = console.file.getvalue().splitlines()
    assert first == "19 samples, 176 parameters, cpu, float32"
    assert len(epochs) == 2
    shape = r"epoch 2/2  loss [\d.]+  goal 0.25  error [\d.]+  best 0.5 \(epoch 1\)  rate \S+  0:00"
    assert re.fullmatch(shape, epochs[1])
    assert "\x1b" not in console.file.getvalue()


def test_where_nothing_is_held_out_nothing_is_said_of_it(tmp_path, terminal):
    task, console = ToyTask(judged=False), Console(file=io.StringIO(), width=40)
    watch = Callbacks([view_on(console), view_on(terminal)])
    train(task, options(epochs=1, hold_out=0), tmp_path, callback=watch)
    last = console.file.getvalue().splitlines()[-1]
    assert re.fullmatch(r"epoch 1/1  loss [\d.]+  rate \S+  0:00", last)
    assert "best" not in terminal.export_text()


def test_nothing_goes_to_stdout(tmp_path, capsys):
    train(ToyTask(), options(epochs=1), tmp_path, callback=view_on(Console(stderr=True)))
    said = capsys.readouterr()
    assert said.out == ""
    assert "epoch 1/1" in said.err


def test_a_table_of_several_runs_can_be_read_at_80_columns():
    scores = dict.fromkeys(("R1@0.5", "R1@0.7", "mAP", "HIT@1", "HL-mAP"), 45.678)
    setting = TrainedSetting(
        values={"training.rate": 0.0005, "model.width": 64},
        runs=(),
        mean=scores,
        sd=dict.fromkeys(scores, 1.234),
    )
    told = {}
    for width in (80, 200):
        console = Console(width=width, file=io.StringIO(), highlight=False)
        console.print(TrainingsTable(Trainings(settings=(setting,), best=0, folder="runs/x")))
        told[width] = console.file.getvalue()
        assert "…" not in told[width]
        for name in ("rate", "width", "runs", *scores):
            assert name in told[width]
    assert "45.68 ± 1.23" in told[200]
    lines = told[80].splitlines()
    assert any(line.count("± 1.23") == 5 for line in lines), told[80]
