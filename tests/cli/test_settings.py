"""Settings: the command line overrides the environment, which overrides config.toml."""

from __future__ import annotations

import json
import os
import shutil
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
    settings(
        '[query]\njson = true\nhead = "training-free"\n[search]\nexclude = ["a*", "two words"]\n'
    )
    done = run(video, QUERY)
    assert json.loads(done.stdout)["head"].startswith("training-free")
    assert (
        run("query", video, QUERY, RDMF_JSON="0").stdout.lstrip().startswith(("╭", "┏", "square"))
    )
    for name in ("a 1.mp4", "b.mp4", "two words"):
        shutil.copy(video, folder_of(video) / name)
    listed = run("search", folder_of(video), QUERY, "--json").stdout.splitlines()
    assert [Path(json.loads(line)["video"]).name for line in listed] == ["b.mp4"]
    listed = run("search", folder_of(video), QUERY, "--json", RDMF_EXCLUDE="b.mp4\nc d").stdout
    assert Path(json.loads(listed)["video"]).name == "a 1.mp4"


def folder_of(video: Path) -> Path:
    """A folder of its own for copies of a video."""
    folder = video.parent / "footage"
    folder.mkdir(exist_ok=True)
    return folder


def test_what_is_searched_for_is_never_taken_from_settings(run, video, settings):
    """A set sentence would turn the typed one into the name of a video."""
    path = settings('[query]\nquery = "a dog"\n')
    names = ("QUERY", "QUERIES", "IMAGE", "LIKE", "ADD", "SUBTRACT", "EXAMPLE")
    done = run("query", video, QUERY, "--json", **{f"RDMF_{name}": "1" for name in names})
    assert done.returncode == 0
    assert json.loads(done.stdout)["query"] == QUERY
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    wrong = [(f"RDMF_{name}", name.lower()) for name in names]
    assert sorted(warnings) == sorted(
        f"warning: {where}: there is no such setting; type --{option} on the command line"
        for where, option in [*wrong, (f"{path}: [query] query", "query")]
    )
    done = run("search", video.parent, QUERY, "--json", RDMF_QUERY="a dog")
    assert json.loads(done.stdout)["query"] == QUERY


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
        ("[query]\noutput = ''\n", ["[query] output is empty"]),
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


WRONG = {
    "encoder": ("nope", "nope: no such encoder"),
    "device": ("tpu", "--device must be auto, cpu, cuda, cuda:1 or mps, not 'tpu'"),
    "start": ("soon", "--start 'soon' is not a time"),
    "end": ("soon", "--end 'soon' is not a time"),
    "checkpoint": ("/nowhere/head", "/nowhere/head: there is no such file or folder"),
}


@pytest.mark.parametrize("option", WRONG)
def test_an_error_of_a_later_check_names_its_setting(run, video, settings, option):
    value, what = WRONG[option]
    done = run("query", video, QUERY, "--json", **{f"RDMF_{option.upper()}": value})
    assert what in done.stderr
    assert done.stderr.endswith(f"; --{option} is set by RDMF_{option.upper()}\n")
    assert json.loads(done.stdout)["error"]["todo"].endswith(f"set by RDMF_{option.upper()}")
    path = settings(f"[common]\n{option} = '{value}'\n")
    done = run("query", video, QUERY)
    assert done.stderr.endswith(f"; --{option} is set by {path}: [common] {option}\n")
    typed = run("query", video, QUERY, f"--{option}={value}")
    assert what in typed.stderr
    assert "is set by" not in typed.stderr


def test_a_set_file_is_named_by_its_setting(run, video):
    done = run("query", video, QUERY, RDMF_SUBTITLES="/nowhere/a.srt")
    assert done.returncode == 1
    assert "--subtitles is set by RDMF_SUBTITLES" in done.stderr
    done = run("query", video, QUERY, "--subtitles", "/nowhere/a.srt", RDMF_CHECKPOINT="/x")
    assert "is set by RDMF_SUBTITLES" not in done.stderr


def settings_of_doctor(done) -> tuple[str, list[str]]:
    (check,) = [c for c in json.loads(done.stdout)["checks"] if c["name"] == "settings"]
    return check["state"], check["detail"].splitlines()[1:]


def test_doctor_lists_all_faults_of_the_settings(run, settings):
    path = settings(
        "[common]\nencodr = 'a'\n[query]\ntop-k = 'five'\nencoder = 'nope'\n[serach]\n"
        "[weights.list]\nall = 'perhaps'\n"
    )
    done = run("doctor", "--json", RDMF_MIN_SCORE="7", RDMF_CLIP_LENGHT="1", RDMF_QUERY="a")
    assert done.returncode == 1
    state, faults = settings_of_doctor(done)
    assert state == "failed"
    starts = [
        f"wrong: {path}: [query] top-k = five: ",
        f"wrong: {path}: [query] encoder: nope: no such encoder",
        "wrong: RDMF_MIN_SCORE = 7: ",
        f"wrong: {path}: [weights.list] all = perhaps: ",
        "wrong: RDMF_CLIP_LENGHT: there is no such option or variable; did you mean RDMF_CLIP_LEN",
        "wrong: RDMF_QUERY: there is no such setting; type --query on the command line",
        f"wrong: {path}: [common] encodr: there is no such option; did you mean encoder?",
        f"wrong: {path}: [serach]: there is no such command; did you mean search?",
    ]
    assert len(faults) == len(starts), faults
    assert [s for s in starts if not any(fault.startswith(s) for fault in faults)] == []


@pytest.mark.parametrize("option", WRONG)
def test_doctor_checks_what_a_command_checks_late(run, settings, option):
    value, what = WRONG[option]
    path = settings(f"[common]\n{option} = '{value}'\n")
    state, faults = settings_of_doctor(run("doctor", "--json"))
    assert state == "failed"
    assert faults[0].startswith(f"wrong: {path}: [common] {option}: {what}")


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
        f"warning: {path}: [query] pad: there is no such option",
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
    assert checks["settings"]["state"] == "ok"
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
    assert training()["model"]["head"] == "universal"  # --head of rdmf train is a different option
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
    """The variable belongs to no option, so it is not compared with the options of all commands."""
    shell = [sys.executable, "-c", LISTED_MODULES]
    asked = environment(RDMF_CACHE_DIR=str(tmp_path), RDMF_CONFIG_DIR=str(tmp_path))
    said = subprocess.run(shell, capture_output=True, text=True, check=True, env=asked).stdout
    assert "rdmf_cli.cli.cache" in said.split()
    assert "rdmf_cli.cli.query" not in said.split()
