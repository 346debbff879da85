"""rdmf index --ray without a cluster, and without Ray."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_shell import run_here


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replacement of Ray on a machine without a cluster."""

    def init(**options: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))


def index(tour: Path, library: Path, address: str) -> str:
    done = run_here("index", tour, "--library", library, "--ray", address)
    assert done.returncode in (1, 2), done.stderr
    assert done.stdout == ""
    return done.stderr


def test_without_ray_the_line_to_type_is_given(tour, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    said = index(tour, tmp_path / "library", "auto")
    assert "--ray needs packages that are not all installed (ray)" in said
    assert "pip install ray" in said


@pytest.mark.usefixtures("fake_ray")
def test_no_cluster_is_one_clear_line(tour, tmp_path) -> None:
    said = index(tour, tmp_path / "library", "auto")
    assert "no Ray cluster answers on this machine; start a cluster (ray start --head)" in said
    with socket.socket() as free:  # bound, so that no other program takes it; nothing listens
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        assert f"no Ray cluster answers at {address}" in index(tour, tmp_path / "one", address)


@pytest.mark.usefixtures("fake_ray")
@pytest.mark.parametrize("address", ["here", "ray://127.0.0.1:10001", "127.0.0.1:port", ":1"])
def test_an_address_is_a_host_and_a_port(tour, tmp_path, address) -> None:
    assert "--ray must be HOST:PORT or auto" in index(tour, tmp_path / "library", address)


def test_ray_and_watch_do_not_go_together(tour, tmp_path) -> None:
    done = run_here("index", tour, "--library", tmp_path, "--ray", "auto", "--watch")
    assert done.returncode == 2
    assert "--watch and --ray cannot be given together" in done.stderr
