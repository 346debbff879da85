"""Errors state what happened, to which file, and what to do; never with a traceback."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from cli_shell import command, environment, hear_ctrl_c, write_sound, write_video

from rdmf_cli.features import FeatureStore


def answers(text: str) -> list[dict]:
    return [row for row in map(json.loads, text.splitlines()) if row["schema"] == "rdmf.answer/1"]


def test_a_missing_file(run, tmp_path):
    result = run("query", tmp_path / "none.mp4", "a cat")
    assert result.returncode == 1
    assert re.search(r"error: .*none\.mp4: .*no such file", result.stderr)


def test_a_folder_without_videos(run, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    result = run("query", tmp_path, "a cat")
    assert result.returncode == 1
    assert str(tmp_path) in result.stderr
    assert "video" in result.stderr


@pytest.mark.parametrize(
    ("name", "content"), [("empty.mp4", b""), ("text.mp4", b"this is no video\n" * 500)]
)
def test_files_that_hold_no_video(run, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    result = run("query", tmp_path / name, "a cat")
    assert result.returncode == 1
    assert result.stderr.count("error:") == 1
    assert name in result.stderr


def test_sound_without_pictures(run, tmp_path):
    result = run("query", write_sound(tmp_path / "sound.mp4"), "a cat")
    assert result.returncode == 1
    assert "no video" in result.stderr


def test_a_file_cut_off_half_way_is_answered_with_a_warning(run, tmp_path):
    whole = write_video(tmp_path / "whole.mkv", seconds=40)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = run("query", cut, "a red square", "--json")
    assert result.returncode == 0
    (answer,) = answers(result.stdout)
    assert answer["warnings"]
    assert "warning: " in result.stderr
    assert 0 < answer["duration"] < 39


def test_a_film_whose_index_is_missing(run, video):
    video.write_bytes(video.read_bytes()[:2000])
    result = run("query", video, "a red square")
    assert result.returncode == 1
    assert "square.mp4" in result.stderr


def bound_by_permissions(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs rdmf without the rights of root, because permissions do not restrict root."""
    without = "-dac_override,-dac_read_search"
    drop = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}"]
    return subprocess.run(
        [*(drop if os.getuid() == 0 else ()), *command(*args)],
        capture_output=True,
        text=True,
        env=environment(**env),
        timeout=120,
    )


def test_a_file_that_may_not_be_read(video):
    video.chmod(0)
    result = bound_by_permissions("query", video, "a red square")
    assert result.returncode == 1
    assert re.search(r"square\.mp4: .*[Pp]ermission", result.stderr)
    assert "Traceback" not in result.stderr


def test_a_cache_that_may_not_be_written_costs_a_warning_only(video, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o555)
    env = {"RDMF_CACHE_DIR": str(cache)}
    result = bound_by_permissions("query", video, "a red square", "--json", **env)
    assert result.returncode == 0
    assert answers(result.stdout)[0]["moments"]
    assert "could not be cached" in result.stderr


def test_a_cache_without_a_place_costs_a_warning_only(run, video):
    result = run("query", video, "a red square", "--json", RDMF_CACHE_DIR="/dev/null/cache")
    assert result.returncode == 0
    assert answers(result.stdout)[0]["moments"]
    assert "could not be cached" in result.stderr


def no_room() -> None:
    """From now on the system does not let any file grow beyond 64 bytes, like a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


def test_a_full_disk_costs_a_warning_only(video, own_cache):
    result = subprocess.run(
        command("query", video, "a red square", "--json"),
        preexec_fn=no_room,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert answers(result.stdout)[0]["moments"]
    assert "could not be cached" in result.stderr
    assert not [p for p in own_cache.rglob("*") if p.suffix in (".part", ".safetensors")]


def test_an_empty_query(run, video):
    for text in ("", "   ", "\t\n"):
        for words in (["--query", text], [text]):
            result = run("query", video, *words)
            assert result.returncode == 2
            assert ("the query is empty" if text else " is empty; give a value") in result.stderr


def test_nothing_to_ask_or_nothing_to_look_at(run, video):
    assert "no query is given" in run("query", video).stderr
    assert "no video is given" in run("query", "a red square").stderr
    told = run("query", "films", "a red square").stderr
    assert "no video is given; 'films' names no file or folder; type: rdmf query VIDEO" in told
    assert run("query", video).returncode == 2


@pytest.mark.parametrize(
    "text", ["a red square " * 3334, "antidisestablishmentarianism " * 12, "赤い四角" * 100]
)
def test_a_query_that_is_too_long_is_answered_and_said_to_be_cut(run, video, text):
    result = run("query", video, "--queries", "-", "--json", stdin=text)
    assert result.returncode == 0
    assert any("the query is longer" in w for w in answers(result.stdout)[0]["warnings"])


@pytest.mark.parametrize(
    "text", ["赤い四角", "красный квадрат", "مربع أحمر", "🟥", "ß é ñ", "1 + 1"]
)
def test_a_query_in_any_script(run, video, text):
    result = run("query", video, "--query", text, "--json")
    assert result.returncode == 0
    assert answers(result.stdout)[0]["query"] == text
    assert answers(result.stdout)[0]["warnings"] == []


def test_a_damaged_cache_entry_is_made_again(run, video, own_cache):
    before = answers(run("query", video, "a red square", "--json").stdout)[0]
    for entry in own_cache.rglob("*.safetensors"):
        blob = bytearray(entry.read_bytes())
        blob[-2] ^= 0xFF
        entry.write_bytes(blob)
    after = answers(run("query", video, "a red square", "--json").stdout)[0]
    assert not after["features"]["cached"]
    assert after["saliency"] == before["saliency"]
    assert answers(run("query", video, "a red square", "--json").stdout)[0]["features"]["cached"]


def test_a_file_that_changed_is_read_again(run, video):
    run("query", video, "a red square", "--json")
    write_video(video, seconds=10, shade=30)
    after = answers(run("query", video, "a red square", "--json").stdout)[0]
    assert not after["features"]["cached"]
    assert after["duration"] == pytest.approx(10, abs=0.1)


def test_two_processes_on_one_video_decode_it_once(video, own_cache):
    env = environment(RDMF_CACHE_DIR=str(own_cache))
    shell = command("query", video, "a red square", "--json", "--clip-length", "0.2")
    workers = [
        subprocess.Popen(shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)
        for _ in range(2)
    ]
    told = [answers(w.communicate(timeout=120)[0])[0] for w in workers]
    assert [w.returncode for w in workers] == [0, 0]
    assert sorted(a["features"]["cached"] for a in told) == [False, True]
    assert told[0]["saliency"] == told[1]["saliency"]


def test_a_folder_without_videos_among_others(run, video, tmp_path):
    (tmp_path / "none").mkdir()
    result = run("query", video, tmp_path / "none", "-q", "a red square", "--json")
    assert result.returncode == 3
    assert answers(result.stdout)


def test_output_that_cannot_be_written_is_said(video):
    for form in ("--json", "--format=table"):
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                command("query", video, "a red square", form),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
                timeout=120,
            )
        assert result.returncode == 1
        assert "the output cannot be written" in result.stderr
        assert "Traceback" not in result.stderr


def test_mistakes_of_usage_are_json_too(run, video):
    for args in (("--colour",), ("--top-k", "0"), ("--start", "x")):
        result = run("query", video, "a red square", "--json", *args)
        assert result.returncode == 2
        (row,) = map(json.loads, result.stdout.splitlines())
        assert row["schema"] == "rdmf.error/1"
        assert row["error"]["what"]


def test_a_cache_that_may_not_be_read_costs_nothing(video, tmp_path):
    cache = tmp_path / "cache"
    (cache / "features").mkdir(parents=True)
    (cache / "features").chmod(0)
    env = {"RDMF_CACHE_DIR": str(cache)}
    result = bound_by_permissions("query", video, "a red square", "--json", **env)
    assert result.returncode == 0
    assert answers(result.stdout)[0]["moments"]


def test_closed_streams_are_no_defect(video):
    shell = " ".join(map(str, command("query", video, "-q", "cat", "--json")))
    runs = {
        redirect: subprocess.run(
            ["sh", "-c", f"{shell} {redirect}"],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=120,
        )
        for redirect in ("2>&-", ">&-")
    }
    assert answers(runs["2>&-"].stdout)
    assert runs[">&-"].returncode == 1
    assert "Traceback" not in runs[">&-"].stderr
    assert "bug in rdmf" not in runs[">&-"].stderr


def test_a_name_cannot_write_lines_of_its_own(run, tmp_path):
    result = run("query", tmp_path / "a\x1b[31m\nerror: fake.mp4", "-q", "cat")
    assert "\x1b" not in result.stderr
    assert sum(line.startswith("error:") for line in result.stderr.splitlines()) == 1


def test_fuse_takes_one_video(run, video):
    shutil.copy(video, video.parent / "another.mp4")
    result = run("fuse", video.parent, "a red square")
    assert result.returncode == 2
    assert "there are 2 videos in this folder" in result.stderr


def test_one_bad_file_of_several(run, video, tmp_path):
    result = run("query", video, tmp_path / "none.mp4", "-q", "a red square", "--json")
    assert result.returncode == 3
    good, bad = map(json.loads, result.stdout.splitlines())
    assert good["schema"] == "rdmf.answer/1"
    assert bad["schema"] == "rdmf.error/1"
    assert bad["error"]["subject"].endswith("none.mp4")
    assert "none.mp4" in result.stderr


def test_ctrl_c_ends_at_once_and_leaves_nothing_half_written(tour, own_cache):
    env = environment(RDMF_CACHE_DIR=str(own_cache))
    worker = subprocess.Popen(
        command("query", tour, "a cat", "--clip-length", "0.05"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 60
    while not list(own_cache.rglob("*.lock")) and time.monotonic() < deadline:
        time.sleep(0.02)  # until extraction has begun
    time.sleep(0.5)
    worker.send_signal(signal.SIGINT)
    _, said = worker.communicate(timeout=30)
    assert worker.returncode == 130
    assert "Traceback" not in said
    assert "interrupted" in said
    assert not [p for p in own_cache.rglob("*") if p.suffix in (".part", ".safetensors")]
    assert FeatureStore().entries() == []


def test_a_ctrl_c_that_python_loses_counts_all_the_same():
    script = """
import os, signal
from rdmf_cli.__main__ import main
from rdmf_cli.cli import app, progress, report

class Lost:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)  # python prints the exception, and goes on

def work(**context):
    with report.errors_reported(lambda: False), progress.extraction_progress("v.mp4") as told:
        Lost()
        told(1, 2)
        print("went on")

app.app = work
main()
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=hear_ctrl_c,
    )
    assert result.returncode == 130
    assert "went on" not in result.stdout
    assert "interrupted" in result.stderr


def test_a_reader_that_goes_away_is_no_failure(video):
    shell = " ".join(map(str, command("query", video, "-q", "a", "-q", "b", "-q", "c", "--json")))
    result = subprocess.run(
        ["sh", "-c", f"{shell} | head -n 1"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )
    assert answers(result.stdout)[0]["query"] == "a"
    assert "Broken" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [("query", "a cat"), ("query", "a cat", "--json"), ("search", "a cat"), ("fuse", "a cat")],
)
def test_a_reader_that_reads_nothing_is_no_failure(video, words):
    name, *rest = words
    asked = subprocess.Popen(
        command(name, video, *rest),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    asked.stdout.close()
    said = asked.stderr.read()
    asked.stderr.close()
    assert asked.wait(timeout=120) == 0, said
    assert "Broken" not in said


def test_a_debugger_gets_the_traceback(tmp_path):
    result = subprocess.run(
        command("query", tmp_path / "none.mp4", "a cat"),
        capture_output=True,
        text=True,
        env=environment(RDMF_DEBUG="1"),
        timeout=60,
    )
    assert result.returncode != 0
    assert "Traceback" in result.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--decoder", "vlc"), ("--encoder", "nonsense"), ("--device", "abacus")]
)
def test_an_unknown_choice_is_said_with_what_there_is(run, video, option, value):
    result = run("query", video, "a red square", option, value)
    assert result.returncode in (1, 2)
    assert value in result.stderr


def test_jq_reads_what_query_prints(run, video):
    if shutil.which("jq") is None:  # jq is not part of the installation
        text = run("query", video, "a red square", "--json").stdout
        assert all(json.loads(line) for line in text.splitlines())
        return
    result = subprocess.run(
        ["jq", "-r", ".moments[0].start"],
        input=run("query", video, "a red square", "--json").stdout,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert float(result.stdout) >= 0
