"""The display of a training in progress: a panel in a terminal, otherwise one line per epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rdmf_cli.text import counted
from rdmf_cli.training.events import Callback, Epoch, Numbers, Plan, Step

REFRESHES = 4  # per second
NAME_COLUMNS = 20  # columns for the name of a loss or a metric; two such tables fit 80 columns


def view_on(console: Console) -> Callback:
    """Make the panel in a terminal, otherwise lines of text."""
    return Panels(console) if console.is_terminal else Lines(console)


class Lines(Callback):
    """Print one line per epoch, for files, pipes and logs of clusters."""

    def __init__(self, console: Console):
        self._console = console
        self._epochs = 0

    def begun(self, plan: Plan) -> None:
        """Show what is about to run."""
        self._epochs = plan.epochs
        self.note(_in_words(plan))

    def scored(self, epoch: Epoch) -> None:
        """Show an epoch."""
        parts = [f"epoch {epoch.epoch}/{self._epochs}", f"loss {_short(epoch.losses['total'])}"]
        if epoch.scores:
            parts += [f"{name} {_short(x)}" for name, x in epoch.scores.items()]
            parts += [f"best {_short(epoch.best.goal)} (epoch {epoch.best.epoch})"]
        self.note("  ".join([*parts, f"rate {epoch.rate:.2e}", _clock(epoch.seconds)]))

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.out(text, highlight=False)


class Panels(Callback):
    """Show progress, losses and held-out metrics (now and best) in a panel, redrawn in place."""

    def __init__(self, console: Console):
        self._console = console
        self._plan: Plan | None = None
        self._step: Step | None = None
        self._epoch: Epoch | None = None
        self._live = Live(
            get_renderable=self.__rich__, console=console, refresh_per_second=REFRESHES
        )
        self._begun = 0.0

    def begun(self, plan: Plan) -> None:
        """Show what is about to run."""
        self._plan, self._begun = plan, time.monotonic()
        self._live.start()

    def stepped(self, step: Step) -> None:
        """Show a training step."""
        self._step = step

    def scored(self, epoch: Epoch) -> None:
        """Show an epoch."""
        self._epoch = epoch

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text))

    def ended(self) -> None:
        """Stop drawing."""
        self._live.stop()

    def __rich__(self) -> RenderableType:
        """Return the present panel."""
        if self._plan is None:
            return Text("")
        parts = [_bar(self._plan, self._done), self._pace(self._plan), Text(""), self._tables()]
        return Panel(Group(*parts), title=Text("rdmf train"), subtitle=Text(_in_words(self._plan)))

    @property
    def _done(self) -> int:
        """Return the number of training steps, including the steps of earlier runs."""
        assert self._plan is not None
        return self._step.step if self._step else self._plan.done * self._plan.steps

    def _pace(self, plan: Plan) -> Text:
        """Return the present step, the speed, and the remaining time."""
        done, step = self._done, self._step
        if step is None:
            return Text(f"epoch {plan.done + 1}/{plan.epochs}")
        here = done - plan.done * plan.steps
        per_step = (time.monotonic() - self._begun) / here
        left = _clock(per_step * (plan.epochs * plan.steps - done))
        in_epoch = step.step - (step.epoch - 1) * plan.steps
        return Text(
            f"epoch {step.epoch}/{plan.epochs}  step {in_epoch}/{plan.steps}  "
            f"{step.samples / per_step:.0f} samples/s  rate {step.rate:.2e}  {left} left"
        )

    def _tables(self) -> RenderableType:
        sides = Table.grid(padding=(0, 3), expand=True)
        sides.add_column(ratio=1)
        sides.add_column(ratio=1)
        sides.add_row(self._losses(), self._held_out())
        return sides

    def _losses(self) -> Table:
        last = self._epoch.losses if self._epoch else {}
        now = {**self._step.losses, "gradient norm": self._step.gradient_norm} if self._step else {}
        if self._epoch:
            last = {**last, "gradient norm": self._epoch.gradient_norm}
        return _table("loss", {"now": now, "last": last})

    def _held_out(self) -> Table:
        assert self._plan is not None
        best = self._epoch.best if self._epoch else self._plan.best
        now = self._epoch.scores if self._epoch else {}
        if best is None or not best.scores:
            return _table("held out", {"now": now})
        return _table("held out", {"now": now, f"best ({best.epoch})": best.scores})


def _bar(plan: Plan, done: int) -> Table:
    total = plan.epochs * plan.steps
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(ratio=1)
    row.add_column(justify="right")
    row.add_row(ProgressBar(total=total, completed=done), f"{done / total:.0%}")
    return row


def _table(name: str, columns: Mapping[str, Numbers]) -> Table:
    """Make a table with one row per name, in the order of the fullest column."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=NAME_COLUMNS)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in max(columns.values(), key=len):
        table.add_row(
            Text(row),
            *(_short(column[row]) if row in column else "" for column in columns.values()),
        )
    return table


def _in_words(plan: Plan) -> str:
    where = f"{plan.device}, {plan.precision}"
    if plan.processes > 1:
        where = f"{plan.processes} processes, {where}"
    after = f" after {plan.done} done" if plan.done else ""
    return f"{counted(plan.samples, 'sample')}, {plan.parameters:,} parameters, {where}{after}"


def _short(value: float) -> str:
    return f"{value:.4g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
