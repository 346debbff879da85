"""rdmf cache: list, size, prune, clear, where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rdmf_cli.features import FeatureStore


def test_an_empty_cache(run, own_cache):
    assert run("cache", "list").stdout == "The cache is empty.\n"
    assert json.loads(run("cache", "size", "--json").stdout)["bytes"] == 0
    assert run("cache", "clear").stdout == "0 entries removed\n"
    assert Path(run("cache", "where").stdout.strip()) == own_cache / "features"


def test_what_is_in_it_and_how_it_goes(run, video):
    run("extract", video)
    (entry,) = map(json.loads, run("cache", "list", "--json").stdout.splitlines())
    assert Path(entry["video"]) == video
    assert entry["encoder"] == "embedded"
    assert "square.mp4" in run("cache", "list").stdout
    assert json.loads(run("cache", "size", "--json").stdout)["bytes"] == entry["bytes"]
    assert run("cache", "prune").stdout.startswith("0 entries removed")
    assert run("cache", "prune", "--to", "0").stdout.startswith("1 entry removed")
    assert run("cache", "list").stdout == "The cache is empty.\n"


def test_a_video_is_forgotten_on_request(run, video):
    run("extract", video)
    mistyped = run("cache", "remove", video.with_name("other.mp4"))
    assert mistyped.stdout == "0 entries removed\n"
    assert "other.mp4: nothing of it is in the cache; no such file: check" in mistyped.stderr
    removed = run("cache", "remove", video)
    assert removed.stdout == "1 entry removed\n"
    assert removed.stderr == ""
    again = run("cache", "remove", video)
    assert again.stderr == f"note: {video}: nothing of it is in the cache\n"
    assert run("cache", "list").stdout == "The cache is empty.\n"


def test_an_encoders_name_breaks_no_table(run, own_cache):
    """An encoder may be a file of any name, with markup and escape sequences in the name."""
    name = "[/red]\x1b[31m[bold]clip"
    rows = np.ones((3, 4), np.float16)
    FeatureStore().put({"content": "abc"}, rows, {"video": "a.mp4", "encoder": name})
    listed = run("cache", "list")
    assert listed.returncode == 0, listed.stderr
    assert "\x1b" not in listed.stdout
    assert "[/red]" in listed.stdout
