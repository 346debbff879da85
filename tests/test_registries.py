"""Each choice has one list: options, messages and documents contain what the registries contain."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
from cli_shell import run_here

from rdmf_cli.datasets import DATASETS
from rdmf_cli.encoders import FAMILIES
from rdmf_cli.errors import UsageError
from rdmf_cli.evaluation.protocols import PROTOCOLS
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.registry import HEADS
from rdmf_cli.outputs import FORMATS, Writer
from rdmf_cli.registry import Entry, Registry
from rdmf_cli.video.decoders import DECODERS
from rdmf_cli.video.samplings import SAMPLINGS

ROOT = Path(__file__).parent.parent

OFFERED = {
    "format": (FORMATS, ("query", "--format"), "docs/commands.md"),
    "decoder": (DECODERS, ("query", "--decoder"), "docs/dependencies.md"),
    "fusion": (FUSIONS, ("train", "--fusion"), "docs/model.md"),
    "head": (HEADS, ("query", "--head"), "docs/usage.md"),
    "sampling": (SAMPLINGS, ("extract", "--sampling"), "docs/usage.md"),
    "encoder": (FAMILIES, ("query", "--encoder"), "docs/commands.md"),
}
"""Each registry, the command and option that use it, and the page that names its entries."""

OPEN = {"encoder"}
"""Options that accept more names than the registry has: a family has its own names."""


@pytest.fixture(params=OFFERED)
def offered(request):
    return OFFERED[request.param]


@pytest.fixture(params=sorted(OFFERED.keys() - OPEN))  # in the same order in every process
def closed(request):
    return OFFERED[request.param]


def in_one_line(text):
    """Return help without the frames of its panels."""
    return " ".join(text.replace("│", " ").split())


def test_help_says_what_each_choice_is(offered):
    registry, (command, _), _ = offered
    said = in_one_line(run_here(command, "--help", COLUMNS="300").stdout)
    assert all(f"{choice.name}: {choice.about}" in said for choice in registry.values())


def test_an_unknown_name_is_a_usage_error_that_lists_the_choices(closed):
    registry, (command, option), _ = closed
    done = run_here(command, option, "no-such-choice", "x")
    assert done.returncode == 2
    assert f"no-such-choice: no such {registry.kind}; choose one of: " in done.stderr
    assert registry.names() in done.stderr


def test_the_documents_name_every_choice(offered):
    registry, _, page = offered
    text = (ROOT / page).read_text(encoding="utf-8").lower()
    assert [name for name in registry if name not in text] == []


@pytest.mark.parametrize("command", ["eval", "train", "compare", "analyze"])
def test_help_names_every_dataset(command):
    said = in_one_line(run_here(command, "--help", COLUMNS="300").stdout)
    assert DATASETS.names() in said


def test_the_documents_name_every_dataset():
    text = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    assert [name for name in DATASETS if f"`{name}`" not in text] == []


def test_every_dataset_has_its_protocol():
    assert {dataset.protocol for dataset in DATASETS.values()} == set(PROTOCOLS)
    assert all(callable(protocol.load()) for protocol in PROTOCOLS.values())


def test_doctor_has_a_line_for_every_decoder():
    done = run_here("doctor", "--json")
    checks = {check["name"]: check["state"] for check in json.loads(done.stdout)["checks"]}
    assert {entry.needs for entry in DECODERS.values()} <= checks.keys()
    assert all(checks[entry.needs] == "ok" for entry in DECODERS.values() if not entry.optional)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_a_writer(name):
    assert issubclass(FORMATS[name].load(), Writer)


class Document(Writer):
    """A format that writes one document."""

    def write(self, answer):
        pass

    def close(self):
        self.stream.write("whole")


@pytest.mark.parametrize(
    ("end", "written"), [(None, "whole"), (SystemExit(3), "whole"), (KeyboardInterrupt(), "")]
)
def test_a_document_is_written_unless_the_run_broke_off(end, written):
    stream = io.StringIO()
    with suppress(BaseException), Document(stream):
        if end:
            raise end
    assert stream.getvalue() == written


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="sign"):
        Registry("sign", Entry("a", "", ""), Entry("a", "", ""))


def test_a_name_that_is_missing_is_found_nowhere():
    signs = Registry("sign", Entry("a", "the first", "rdmf_cli.registry:Entry"))
    assert signs["a"].load() is Entry
    assert "b" not in signs
    with pytest.raises(UsageError, match="b: no such sign; choose one of: a"):
        signs.find("b")


def test_the_nearest_names_are_proposed():
    signs = Registry("sign", *(Entry(name, "", "") for name in ("charades", "tacos", "tvsum")))
    said = r"charadess: no such sign; did you mean charades\? choose one of: charades, tacos, tvsum"
    with pytest.raises(UsageError, match=said):
        signs.find("charadess")
