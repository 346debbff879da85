"""docs/commands.md is made from the command line, and is current."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from rdmf_cli.cli.commands import PANELS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_commands", DOCS / "make_commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(maker):
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == maker.page(), "run: python docs/make_commands.py"


def test_every_command_stands_in_a_panel_and_on_the_page(maker):
    known = {name: panel for name, _, panel in maker.commands()}
    assert set(known.values()) <= set(PANELS)
    page = maker.page()
    assert [name for name in known if f"### {name}\n" not in page] == []


def test_every_option_says_what_it_is_for(maker):
    silent = [
        (name, parameter.name)
        for name, function, _ in maker.commands()
        for parameter in maker.parameters(function)
        if not parameter.info.help
    ]
    assert silent == []


def test_help_lists_the_panels_in_their_order(run):
    shown = run("--help").stdout
    places = [shown.index(f"─ {panel} ") for panel in PANELS if f"─ {panel} " in shown]
    assert len(places) >= 3
    assert places == sorted(places)
