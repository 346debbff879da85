"""rdmf doctor: every part is looked at, and a question is answered."""

from __future__ import annotations

import json


def test_all_is_well_where_the_suite_runs(run):
    result = run("doctor", "--json")
    checks = {c["name"]: c for c in json.loads(result.stdout)["checks"]}
    assert result.returncode == 0, checks
    assert {"rdmf", "av", "onnxruntime", "ffmpeg program", "encoders", "cache"} <= checks.keys()
    assert checks["self-test"]["state"] == "ok"
    assert "embedded" in checks["encoders"]["detail"]
    assert checks["head"]["detail"].startswith(("learned-", "training-free"))


def test_what_fails_is_named_and_fails_the_command(run):
    result = run("doctor", RDMF_CACHE_DIR="/dev/null/cache")
    assert result.returncode == 1
    assert "FAILED" in result.stdout
    assert "self-test" in result.stdout  # the report goes on after a fault
