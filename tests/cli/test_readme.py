"""The README is true: its commands and options exist, and its links lead to files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OF_THIS_PROJECT = re.compile(
    r"^https://(github\.com/rdmf-cli/rdmf/(blob|tree)|raw\.githubusercontent\.com/rdmf-cli/rdmf)/main/"
)
COMMANDS = sorted(set(re.findall(r"^rdmf [^\n]*", README, re.M)))


def test_the_readme_shows_commands():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_of_the_readme_exists(run, line):
    words = shlex.split(line, comments=True)[1:]
    path = words[: 2 if words[0] in ("cache", "data", "weights") else 1]
    result = run(*path, "--help", COLUMNS="200")
    assert result.returncode == 0
    for option in (w for w in words if w.startswith("-") and len(w) > 1):
        assert option in result.stdout, f"{option} of: {line}"


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        link = OF_THIS_PROJECT.sub(f"{ROOT}/", link)
        if not link.startswith("http"):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    start, end, presence = map(float, capsys.readouterr().out.split())
    assert start < 32
    assert end > 19
    assert presence > 0.5
