"""The notebook in examples/: its cells run, and it holds their outputs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from rdmf_cli.resources import example_video

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "moments.ipynb"
CELLS = [
    cell
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
]


@pytest.mark.needs("matplotlib", "pandas")
def test_the_cells_run(tmp_path, monkeypatch, capsys):
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("agg")
    shutil.copy(example_video(), tmp_path / "tour.mp4")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in CELLS:
        exec("".join(cell["source"]), names)
    pyplot.close("all")
    told = [
        "".join(output["text"])
        for cell in CELLS
        for output in cell["outputs"]
        if output["output_type"] == "stream"
    ]
    assert re.findall(r"^[\w ]+:", capsys.readouterr().out, re.M) == re.findall(
        r"^[\w ]+:", "".join(told), re.M
    )
    assert (tmp_path / "cat.mp4").is_file()


def test_the_notebook_holds_small_outputs_of_a_run_from_top_to_bottom():
    assert [cell["execution_count"] for cell in CELLS] == [*range(1, len(CELLS) + 1)]
    kinds = {kind for cell in CELLS for o in cell["outputs"] for kind in o.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert len(text) < 150_000
