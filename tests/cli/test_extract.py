"""rdmf extract: the cache, and the field's files."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from cli_shell import write_video


def test_extract_fills_the_cache_that_query_reads(run, video):
    told = json.loads(run("extract", video, "--json").stdout)
    assert (told["clips"], told["cached"]) == (3, False)
    answer = json.loads(run("query", video, "a red square", "--json").stdout)
    assert answer["features"]["cached"]
    assert json.loads(run("extract", video, "--json").stdout)["cached"]


def test_the_fields_layout(run, video, tmp_path):
    result = run("extract", video, "--out", tmp_path / "features", "--clip-length", "1")
    assert result.returncode == 0
    assert "6 clips" in result.stdout
    with np.load(tmp_path / "features" / "square.npz") as file:
        rows = file["features"]
    assert rows.dtype == np.float16
    assert len(rows) == 6
    assert np.isfinite(rows).all()
    lengths = np.linalg.norm(rows.astype(float), axis=1)
    assert not np.allclose(lengths, 1)  # not normalised: as the encoder returns them


def test_one_bad_file_of_several(run, video, tmp_path):
    result = run("extract", video, tmp_path / "none.mp4", "--json")
    assert result.returncode == 3
    good, bad = map(json.loads, result.stdout.splitlines())
    assert good["schema"] == "rdmf.extract/1"
    assert bad["schema"] == "rdmf.error/1"


def test_two_videos_of_one_name_do_not_share_a_file(run, video, tmp_path):
    (tmp_path / "b").mkdir()
    other = shutil.copy(video, tmp_path / "b" / "square.mp4")
    result = run("extract", video, other, "--out", tmp_path / "features")
    assert result.returncode == 3
    assert "would replace the features of" in result.stderr


def test_two_videos_of_one_name_do_not_share_a_file_across_runs_either(run, video, tmp_path):
    (tmp_path / "b").mkdir()
    other = write_video(tmp_path / "b" / video.name, shade=90)
    out = ("--out", tmp_path / "features")
    assert run("extract", video, *out).returncode == 0
    kept = (tmp_path / "features" / "square.npz").read_bytes()
    result = run("extract", other, *out)
    assert result.returncode == 1
    assert "would replace the features of another video" in result.stderr
    assert (tmp_path / "features" / "square.npz").read_bytes() == kept
    assert run("extract", other, *out, "--force").returncode == 0
    assert run("extract", other, *out).returncode == 0  # now the file belongs to this video


def test_where_the_features_lie_is_said(run, video, tmp_path):
    result = run("extract", video, "--out", tmp_path)
    assert str(tmp_path / "square.npz") in result.stdout


def test_a_folder_that_cannot_be_written(run, video):
    result = run("extract", video, "--out", "/dev/null/features")
    assert result.returncode == 1
    assert "cannot be written" in result.stderr


def test_an_interrupted_extraction_is_gone_on_with(run, video):
    from rdmf_cli import Searcher

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Searcher(encoder="embedded", clip_length=0.25, progress=interrupt).extract(video)
    result = run("extract", video, "--clip-length", "0.25", "--json")
    assert "note: square.mp4: resuming, 16 of 24 clips are in the cache" in result.stderr
    told = json.loads(result.stdout)
    assert (told["clips"], told["cached"]) == (24, False)


def test_a_users_file_is_replaced_by_force_only(run, video, tmp_path):
    out = tmp_path / "features"
    out.mkdir()
    (out / "square.npz").write_bytes(b"mine")
    result = run("extract", video, "--out", out)
    assert result.returncode == 2
    assert "did not write" in result.stderr
    assert (out / "square.npz").read_bytes() == b"mine"
    for force in (["--force"], []):  # then the file belongs to rdmf
        assert run("extract", video, "--out", out, *force).returncode == 0
    with np.load(out / "square.npz") as file:
        assert file.files == ["features"]
