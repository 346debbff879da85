"""rdmf show: pictures of the listed moments in the terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from rdmf_cli.outputs.pictures import GAP, MOST_ROWS, SHADES, PictureRow, in_one

CAT = "the face of a cat"
LEFT, RIGHT = (255, 0, 0), (0, 0, 255)


def halves(width: int = 320, height: int = 180) -> np.ndarray:
    """A picture with a red left half and a blue right half."""
    image = np.full((height, width, 3), LEFT, np.uint8)
    image[:, width // 2 :] = RIGHT
    return image


def drawn(width: int = 80, encoding: str = "utf-8", **console) -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    ways = {"force_terminal": True, "color_system": "truecolor", **console}
    Console(file=stream, width=width, **ways).print(PictureRow([halves()] * 3))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding).splitlines()


def test_half_blocks_have_the_colours_of_the_picture():
    lines = drawn()
    assert len(lines) == 7  # 25 columns of 16:9, two pixels per line
    for line in lines:
        assert line.count("▀") == 3 * 25
        assert "38;2;255;0;0;48;2;255;0;0" in line
        assert "38;2;0;0;255;48;2;0;0;255" in line


@pytest.mark.parametrize("width", [1, 7, 30, 80, 200])
def test_rows_fit_any_terminal(width):
    lines = drawn(width, color_system=None)
    assert 1 <= len(lines) <= MOST_ROWS
    assert {cell_len(line.rstrip()) <= max(width, 3 + 2 * GAP) for line in lines} == {True}


def test_without_colours_or_blocks_the_brightness_is_drawn():
    for lines in (drawn(color_system=None), drawn(no_color=True), drawn(encoding="ascii")):
        assert {*"".join(lines)} <= {*SHADES}


def test_a_tall_picture_is_not_higher_than_a_wide_one():
    stream = io.StringIO()
    Console(file=stream, width=80, color_system=None).print(PictureRow([halves(180, 320)]))
    assert len(stream.getvalue().splitlines()) == MOST_ROWS


def test_pictures_in_one_keep_their_pixels_and_a_clear_gap():
    whole = np.asarray(in_one([halves(), halves()]))
    assert whole.shape == (180, 648, 4)
    assert (whole[:, 320:328, 3] == 0).all()
    assert (whole[:, 328:, :3] == halves()).all()


def test_two_moments_fit_80_columns_and_24_lines(run, cached_tour):
    done = run("show", cached_tour, CAT, COLUMNS="80")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 22
    assert max(map(cell_len, lines)) <= 80
    assert lines[0] == f'tour.mp4  "{CAT}"'
    assert [line[:2] for line in lines if line.startswith("#") and "score" in line] == ["#1", "#2"]


def test_the_pictures_are_those_of_the_moment(run, tmp_path):
    """The first half of the film is black and its second half white."""
    import av

    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as file:
        stream = file.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for number in range(40):
            shade = np.full((36, 64, 3), 255 * (number >= 20), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")):
                file.mux(packet)
        file.mux(stream.encode())
    done = run("show", film, "white", "-k", "1", "--clip-length", "1")
    assert done.returncode == 0
    _, _, line, *rows = done.stdout.splitlines()
    start, end = (float(time.split(":")[1]) for time in line.split()[1:4:2])
    shown = ["@" if start + share * (end - start) >= 4 else " " for share in (1 / 6, 1 / 2, 5 / 6)]
    assert len(rows) >= 5
    for row in rows:
        row = row.ljust(80)
        assert [row[5], row[32], row[60]] == shown


@pytest.mark.parametrize(
    ("words", "code"), [(("a", "b"), 2), ((), 2), (("a", "-k", "0"), 2), (("a", "-k", "101"), 2)]
)
def test_mistakes(run, video, words, code):
    assert run("show", video, *words).returncode == code


def test_a_video_that_is_not_there(run):
    done = run("show", "missing.mp4", "a cat")
    assert done.returncode == 1
    assert "missing.mp4" in done.stderr
