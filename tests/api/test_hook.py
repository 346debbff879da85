"""The command that is run for each hit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rdmf_cli.api.hook import Hook
from rdmf_cli.errors import RdmfError
from rdmf_cli.library.types import Hit


def hit(query: str = "a cat", video: str = "/films/a.mp4") -> Hit:
    return Hit(
        rank=1,
        video=video,
        query=query,
        start=1.5,
        end=4,
        relevance=0.75,
        convinces=True,
        presence=0.5,
        score=0.5,
        duration=10,
        missing=False,
        clip_length=2,
        encoder="made-up",
        head="made-up",
    )


def program(code: str, *fields: str) -> str:
    return " ".join([f'"{sys.executable}" -c "{code}"', *fields])


def test_fields_reach_the_command_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        f"import os, sys; open({str(out)!r}, 'w').write(os.environ['RDMF_HIT_END'] + sys.argv[1])"
    )
    name = '/films/$(rm -rf x); "quoted" {end}.mp4'
    assert Hook(program(code, "<{start}>{video}")).run(hit(video=name))
    assert out.read_text() == f"4.000<1.500>{name}"


def test_a_query_waits_for_its_cooldown() -> None:
    now = 0.0
    hook = Hook(program("pass"), cooldown=10, clock=lambda: now)
    assert hook.run(hit())
    now = 9.0
    assert not hook.run(hit())
    assert hook.run(hit("a dog"))
    now = 10.0
    assert hook.run(hit())


def test_what_goes_wrong_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RdmfError, match="exit code 3"):
        Hook(program("raise SystemExit(3)")).run(hit())
    gone = tmp_path / "gone"
    gone.write_text("#!/bin/none")
    gone.chmod(0o755)
    with pytest.raises(RdmfError, match="cannot be run"):
        Hook(str(gone)).run(hit())
    with pytest.raises(RdmfError, match=r"was ended for moment 1 .*because it ran longer than"):
        Hook(program("import time; time.sleep(60)"), longest=0.2).run(hit())
