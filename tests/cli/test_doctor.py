"""rdmf doctor: it checks every part, and answers a question."""

from __future__ import annotations

from pathlib import Path

from published_schemas import check_lines


def test_all_is_well_where_the_suite_runs(run, own_cache):
    (own_cache / "features").mkdir()
    (own_cache / "marker").write_bytes(b"mine")
    (own_cache / "features" / "doctor.part").symlink_to(own_cache / "marker")
    result = run("doctor", "--json")
    assert (own_cache / "marker").read_bytes() == b"mine"
    assert [path.name for path in (own_cache / "features").iterdir()] == ["doctor.part"]
    (diagnosis,) = check_lines(result.stdout)
    checks = {c["name"]: c for c in diagnosis["checks"]}
    assert result.returncode == 0, checks
    assert {"rdmf", "av", "onnxruntime", "ffmpeg program", "encoders", "cache"} <= checks.keys()
    assert checks["self-test"]["state"] == "ok"
    assert "embedded" in checks["encoders"]["detail"]
    assert Path(checks["example video"]["detail"]).name == "tour.mp4"
    assert checks["fetched weights"]["state"] == "ok"
    assert checks["head"]["detail"].startswith(("learned-", "training-free"))


def test_what_fails_is_named_and_fails_the_command(run):
    result = run("doctor", RDMF_CACHE_DIR="/dev/null/cache")
    assert result.returncode == 1
    assert "FAILED" in result.stdout
    assert "self-test" in result.stdout  # the report continues after a fault
