"""config.toml and RDMF_<OPTION>: the command line over the environment over the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_shell import environment

QUERY = "a red square"


@pytest.fixture
def settings():
    """Writes the user's config.toml."""

    def write(text: str) -> Path:
        path = Path(os.environ["RDMF_CONFIG_DIR"], "config.toml")
        path.write_text(text, encoding="utf-8")
        return path

    return write


def moments(done) -> int:
    assert done.returncode == 0, done.stderr
    return len(json.loads(done.stdout)["moments"])


def test_command_line_over_environment_over_file_over_default(run, cached_tour, settings):
    ask = ("query", cached_tour, "old coins", "--json")
    assert moments(run(*ask)) == 5
    settings("[common]\ntop_k = 4\n")
    assert moments(run(*ask)) == 4
    settings("[common]\ntop-k = 4\n[query]\ntop-k = 3\n[search]\ntop-k = 1\n")
    assert moments(run(*ask)) == 3
    assert moments(run(*ask, RDMF_TOP_K="2")) == 2
    assert moments(run(*ask, "-k", "1", RDMF_TOP_K="2")) == 1
    assert moments(run(*ask, RDMF_TOP_K="")) == 3  # an empty variable is not set


def test_flags_choices_and_lists(run, video, settings):
    settings('[query]\njson = true\nhead = "training-free"\nquery = ["a cat", "two words"]\n')
    done = run(video)
    assert [json.loads(line)["query"] for line in done.stdout.splitlines()] == [
        "a cat",
        "two words",
    ]
    assert json.loads(done.stdout.splitlines()[0])["head"].startswith("training-free")
    lines = run("query", video, RDMF_QUERY="a red square\na dog").stdout.splitlines()
    assert [json.loads(line)["query"] for line in lines] == ["a red square", "a dog"]
    assert run("query", video, RDMF_JSON="0").stdout.lstrip().startswith(("╭", "┏", "square"))


def test_a_typed_format_wins_over_a_setting_of_json(run, video, settings, tmp_path):
    settings("[common]\njson = true\n")
    assert run("query", video, QUERY, "--format", "csv").stdout.startswith("video,")
    assert run("query", video, QUERY, RDMF_FORMAT="csv").stdout.startswith("video,")
    run("query", video, QUERY, "-o", tmp_path / "a.srt")
    assert (tmp_path / "a.srt").read_text().startswith("1\n")
    failed = run("query", "missing.mp4", QUERY)
    assert json.loads(failed.stdout)["error"]["subject"] == "missing.mp4"
    usage = run("query", video)
    assert usage.returncode == 2
    assert "no query" in json.loads(usage.stdout)["error"]["what"]


def test_a_group_of_commands_has_a_table_for_each(run, settings):
    settings("[cache.show]\njson = true\n[weights.list]\njson = true\n")
    assert json.loads(run("weights", "list").stdout.splitlines()[0])["schema"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[query]\ntop-k = 'five'\n", ["[query] top-k", "five"]),
        ("[query]\ntop-k = 2.5\n", ["[query] top-k", "2.5"]),
        ("[query]\ntop-k = true\n", ["[query] top-k", "true"]),
        ("[query]\ntop-k = 0\n", ["[query] top-k", "0"]),
        ("[query]\ntop-k = [1, 2]\n", ["[query] top-k", "one value"]),
        ("[query.top-k]\na = 1\n", ["[query] top-k", "not a table"]),
        ("[common]\nhead = 'larned'\n", ["[common] head", "larned", "learned"]),
        ("[query]\nrefine = 'perhaps'\n", ["[query] refine", "perhaps"]),
        ("top-k = 3\n", ["top-k", "[common]"]),
        ("[query\n", ["is not TOML"]),
    ],
)
def test_a_wrong_value_names_the_file_and_the_key(run, video, settings, text, said):
    path = settings(text)
    done = run("query", video, QUERY)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"error: {path}")
    assert [part for part in said if part not in done.stderr] == []
    assert run("query", "--help").returncode == 0


def test_a_file_that_is_not_text(run, video, settings):
    settings("").write_bytes(b"\xff\xfe[query]")
    done = run("query", video, QUERY)
    assert done.returncode == 1
    assert "is not TOML" in done.stderr
    doctor = run("doctor")
    assert doctor.returncode == 1
    assert "is not TOML" in " ".join(doctor.stdout.split())


def test_a_wrong_variable_is_named(run, video):
    done = run("query", video, QUERY, RDMF_TOP_K="five")
    assert done.returncode == 2
    assert done.stderr.startswith("error: RDMF_TOP_K")


def test_unknown_settings_are_said_with_the_nearest_name(run, video, settings):
    path = settings("[common]\nencodr = 'a'\n[query]\npad = 1\n[serach]\na = 1\n[weights.lst]\n")
    done = run("query", video, QUERY, RDMF_CLIP_LENGHT="1", RDMF_CACHE_LIMIT="1", RDMF_HIT_END="1")
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("warning: ")] == [
        "warning: RDMF_CLIP_LENGHT: there is no such option or variable; "
        "did you mean RDMF_CLIP_LENGTH?",
        "warning: RDMF_CACHE_LIMIT: there is no such option or variable; "
        "did you mean RDMF_CACHE_LIMIT_MB?",
        f"warning: {path}: [common] encodr: there is no such option; did you mean encoder?",
        f"warning: {path}: [query] pad: there is no such option; did you mean add?",
        f"warning: {path}: [serach]: there is no such command; did you mean search?",
        f"warning: {path}: [weights.lst]: there is no such command; did you mean weights.list?",
    ]
    assert run("query", video, QUERY, "--quiet", RDMF_CLIP_LENGHT="1").stderr == ""
    settings("[query]\nquiet = true\n[serach]\n")
    assert run("query", video, QUERY).stderr == ""


def test_doctor_prints_the_settings(run, settings):
    path = settings("[query]\ntop-k = 3\n")
    checks = {
        c["name"]: c for c in json.loads(run("doctor", "--json", RDMF_PAD="1").stdout)["checks"]
    }
    told = checks["settings"]["detail"]
    assert told.startswith(str(path))
    assert "[query] top-k = 3" in told
    assert "RDMF_PAD=1" in told


def test_the_configuration_of_a_run_wins_over_the_settings(run, settings, tmp_path):
    import tomlkit

    settings("[common]\nhead = 'learned'\ndevice = 'cpu'\n[train]\nepochs = 7\nseed = 5\n")
    own = tmp_path / "run.toml"
    own.write_text("[training]\nepochs = 9\n")

    def training(*args, **env):
        done = run("train", "--print-config", *args, **env)
        assert done.returncode == 0, done.stderr
        return tomlkit.parse(done.stdout)

    assert training()["training"]["epochs"] == 7
    assert training()["model"]["head"] == "universal"  # --head of train is another option
    chosen = training("--config", own)["training"]
    assert (chosen["epochs"], chosen["seed"], chosen["device"]) == (9, 5, "cpu")
    assert training("--config", own, RDMF_EPOCHS="3")["training"]["epochs"] == 3
    assert training("--config", own, "--epochs", "2", RDMF_EPOCHS="3")["training"]["epochs"] == 2


LISTED_MODULES = """
import sys
from rdmf_cli.cli.app import app
app(["cache", "list"], standalone_mode=False)
print(*sys.modules)
"""


def test_a_variable_for_a_folder_imports_no_other_command(tmp_path):
    """It stands for no option, so there is nothing to compare with those of all commands."""
    shell = [sys.executable, "-c", LISTED_MODULES]
    asked = environment(RDMF_CACHE_DIR=str(tmp_path), RDMF_CONFIG_DIR=str(tmp_path))
    said = subprocess.run(shell, capture_output=True, text=True, check=True, env=asked).stdout
    assert "rdmf_cli.cli.cache" in said.split()
    assert "rdmf_cli.cli.query" not in said.split()
