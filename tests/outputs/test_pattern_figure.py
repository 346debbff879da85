from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_answers import sample_answer, sample_field

from rdmf_cli.errors import RdmfError
from rdmf_cli.outputs.figure import DrawnPattern, save_pattern_figure

pytestmark = pytest.mark.needs("matplotlib")


def draw(
    path: Path, clips: int = 45, channels: int = 2, title: str = "", r_star: float = 2.0
) -> None:
    field = np.stack([sample_field(clips, steps=8)] * channels, axis=1)
    last = field[-1]
    pattern = DrawnPattern(
        similarity=last[0],
        change=np.abs(np.diff(last[0])),
        r=1.5 * last,
        r_star=np.array([0.5, r_star, r_star])[:channels],
        u_trace=1 - 0.8 * field,
        v_trace=field,
        moments=sample_answer(clips, offset=10.0).moments,
        clip_length=2.0,
        offset=10.0,
        names=[f"channel {c}" for c in range(channels)],
        title=title,
    )
    save_pattern_figure(path, pattern)


def test_a_figure_has_a_row_for_each_channel(tmp_path: Path) -> None:
    heights = []
    for channels in (1, 3):
        draw(tmp_path / "pattern.png", channels=channels)
        with Image.open(tmp_path / "pattern.png") as image:
            heights.append(image.height)
            assert len(set(image.convert("RGB").resize((64, 64)).getdata())) > 100
    assert heights[1] > 1.5 * heights[0]


@pytest.mark.parametrize("clips", [1, 2, 3000])
def test_any_length_can_be_drawn(tmp_path: Path, clips: int) -> None:
    draw(tmp_path / "pattern.png", clips=clips, channels=1)
    assert (tmp_path / "pattern.png").stat().st_size > 1000


def test_a_channel_that_nothing_lights_can_be_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "pattern.svg", r_star=np.inf)
    assert "r* = inf" in (tmp_path / "pattern.svg").read_text(encoding="utf-8")


def test_the_same_pattern_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, channels=1)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_vector_figure_names_its_axes(tmp_path: Path) -> None:
    draw(tmp_path / "pattern.svg", channels=1, title="x")
    assert b"<dc:date>" not in (tmp_path / "pattern.svg").read_bytes()
    text = (tmp_path / "pattern.svg").read_text(encoding="utf-8")
    for label in ("similarity", "time in the video (m:ss)", "pseudo-time (steps)", "r* = 0.5"):
        assert label in text


@pytest.mark.parametrize("title", ["$5 and $x_{", "ドアを開ける", "word " * 10_000, "\x1b[31m"])
def test_any_query_can_stand_in_the_title(tmp_path: Path, title: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(tmp_path / "pattern.png", channels=1, title=title)


def test_an_unknown_suffix_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RdmfError, match=r"pattern\.txt.*png"):
        draw(tmp_path / "pattern.txt")


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RdmfError, match="the figure cannot be written"):
        draw(tmp_path / "nowhere" / "pattern.png", channels=1)


WITHOUT = """
import sys; sys.path[:0] = sys.argv[1:]; sys.modules["matplotlib"] = None
from pathlib import Path
from rdmf_cli.errors import MissingExtra
from test_pattern_figure import draw
try:
    draw(Path("never.png"))
except MissingExtra as error:
    print(error)
"""


def test_without_matplotlib_the_line_to_type_is_named(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    support = root / "tests" / "support"
    here = Path(__file__).parent
    command = [sys.executable, "-c", WITHOUT, support, here, root]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "pip install matplotlib" in done.stdout
