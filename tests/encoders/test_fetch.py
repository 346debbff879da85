"""`rdmf weights fetch` from a hub on loopback, from the name to an encoder that answers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_clip
from cli_shell import run_here
from hub_server import COMMIT, Hub, serving
from tiny_clip import TinyClip, frames
from typer.testing import CliRunner

from rdmf_cli.cli.weights import app
from rdmf_cli.encoders import choose_encoder, fetch, index, load_encoder
from rdmf_cli.encoders.open_clip import local_files
from rdmf_cli.encoders.open_clip.catalog import load_catalog
from rdmf_cli.encoders.open_clip.names import find_blueprint
from rdmf_cli.encoders.recommended import RECOMMENDED
from rdmf_cli.errors import MissingExtra, RdmfError, UsageError

pytestmark = pytest.mark.needs("open_clip")

NAME = "ViT-B-32/openai"
REPOSITORY = "timm/vit_base_patch32_clip_224.openai"
SAFE, PICKLE = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"
CONTENT = b"random bytes, no weights" * 9000


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without weights; the only known hub is the test's hub."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "data"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch):
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    return tiny_clip.make("quickgelu", tmp_path_factory.mktemp("tiny"))


def publish(hub: Hub, model: TinyClip, repository: str = "org/tiny-random") -> None:
    hub.add(repository, SAFE, model.weights.read_bytes())
    config = model.folder / "open_clip_config.json"
    hub.add(repository, config.name, config.read_bytes())


class TestNamedWeights:
    def test_come_verified_and_are_remembered(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        entry = fetch(NAME)
        assert Path(entry.path).read_bytes() == CONTENT
        assert entry.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert entry.source == f"{hub.url}/{REPOSITORY}/resolve/main/{SAFE}"
        assert (entry.verified, entry.revisions) == ("sha256", {REPOSITORY: COMMIT})
        assert index.fetched() == {NAME: entry}
        assert choose_encoder().name == NAME

    def test_are_found_as_what_they_are(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        path = Path(fetch("vit-b/32/OpenAI").path)
        blueprint = find_blueprint(NAME)
        assert blueprint.weights == path
        assert blueprint.config["quick_gelu"] is True
        config = json.loads((path.parent / "open_clip_config.json").read_text())
        assert config["model_cfg"] == blueprint.config
        beside = find_blueprint(str(path.parent))
        assert beside.fingerprint() == blueprint.fingerprint()

    def test_are_fetched_once(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        first = fetch(NAME)
        asked = len(hub.log)
        assert fetch(NAME) == first
        assert len(hub.log) == asked

    def test_come_again_when_they_were_damaged(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        Path(fetch(NAME).path).write_bytes(b"short")
        assert Path(fetch(NAME).path).read_bytes() == CONTENT

    def test_come_again_as_they_were(self, hub: Hub) -> None:
        """The commit is recorded: a later state of `main` is another model."""
        hub.add(REPOSITORY, SAFE, CONTENT)
        Path(fetch(NAME).path).unlink()
        hub.files[f"/{REPOSITORY}/resolve/main/{SAFE}"] = b"another model"
        assert Path(fetch(NAME).path).read_bytes() == CONTENT

    def test_that_nothing_verifies_are_refused(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        hub.says_length = hub.names_hash = False
        told = run_here("weights", "fetch", NAME)
        assert told.returncode == 1
        assert "--unverified" in told.stderr
        told = run_here("weights", "fetch", NAME, "--unverified")
        assert "verified by nothing" in told.stderr
        assert index.fetched()[NAME].verified == "nothing"

    def test_pickle_where_there_is_nothing_safer(self, hub: Hub) -> None:
        hub.add(REPOSITORY, PICKLE, CONTENT)
        assert Path(fetch(NAME).path).name == PICKLE

    def test_continue_after_an_interruption(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)

        def interrupt(file: str, done: int, total: int | None) -> None:
            if done:
                raise KeyboardInterrupt

        hub.cut_after = [1000]
        with pytest.raises(KeyboardInterrupt):
            fetch(NAME, interrupt)
        assert choose_encoder().name == "embedded"
        assert Path(fetch(NAME).path).read_bytes() == CONTENT
        assert hub.ranges_asked() == [None, "bytes=1000-"]

    def test_of_another_program_are_adopted(self, bare_machine: Path, hub: Hub) -> None:
        root = local_files.hub_cache() / f"models--{REPOSITORY.replace('/', '--')}"
        path = root / "snapshots/abc" / SAFE
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
        (root / "refs").mkdir()
        (root / "refs/main").write_text("abc\n")
        assert fetch(NAME).path == str(path)
        assert hub.log == []

    def test_tokenizer_comes_along_where_the_model_needs_one(self, hub: Hub) -> None:
        weights = "timm/ViT-B-16-SigLIP"
        hub.add(weights, SAFE, CONTENT)
        hub.add(weights, "tokenizer.json", b"{}")
        folder = Path(fetch("ViT-B-16-SigLIP/webli").path).parent
        assert (folder / "tokenizer.json").read_bytes() == b"{}"


class TestRecommended:
    def test_choices_are_names_that_open_clip_knows(self) -> None:
        known = load_catalog()
        assert all(known.tagged(*one.name.split("/")) for one in RECOMMENDED)
        assert [one.choice for one in RECOMMENDED if one.is_first] == ["better"]

    def test_a_choice_fetches_the_weights_of_its_name(self, hub: Hub) -> None:
        hub.add("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", SAFE, CONTENT)
        entry = fetch("better")
        assert entry.name == "ViT-B-32/laion2b_s34b_b79k"
        assert find_blueprint(entry.name).weights.read_bytes() == CONTENT

    def test_choices_are_listed(self) -> None:
        said = CliRunner().invoke(app, ["list"]).stdout
        assert all(one.choice in said and one.name in said for one in RECOMMENDED)


class TestHubModels:
    def test_from_a_name_to_answers(self, hub: Hub, tiny: TinyClip) -> None:
        publish(hub, tiny)
        fetch("hf-hub:org/tiny-random")
        encoder = load_encoder("hf-hub:org/tiny-random", device="cpu")
        rows = encoder.encode_images(np.stack([encoder.prepare(frame) for frame in frames(2)]))
        np.testing.assert_allclose(rows, tiny.image_rows(frames(2)), rtol=1e-4, atol=1e-5)
        texts = ["a door", "a window"]
        np.testing.assert_allclose(
            encoder.encode_texts(texts).rows, tiny.text_rows(texts), rtol=1e-4, atol=1e-5
        )

    def test_are_of_one_commit(self, hub: Hub, tiny: TinyClip) -> None:
        publish(hub, tiny)
        entry = fetch("hf-hub:org/tiny-random")
        asked = [path for path, _, _ in hub.log if not path.startswith("/bytes/")]
        assert "/resolve/main/" in asked[0]
        assert all(f"/resolve/{COMMIT}/" in path for path in asked[1:])
        assert entry.revisions == {"org/tiny-random": COMMIT}

    def test_configuration_that_is_none(self, hub: Hub, tiny: TinyClip) -> None:
        publish(hub, tiny)
        hub.add("org/tiny-random", "open_clip_config.json", b"<html>")
        with pytest.raises(RdmfError, match="not a configuration of open_clip"):
            fetch("hf-hub:org/tiny-random")

    @pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:a", "hf-hub:a/b/c", "hf-hub:../.."])
    def test_names_that_cannot_be(self, hub: Hub, name: str) -> None:
        with pytest.raises(UsageError, match="hf-hub:ORG/NAME"):
            fetch(name)
        assert hub.log == []


class TestFailures:
    def test_hub_without_the_model(self, hub: Hub) -> None:
        with pytest.raises(RdmfError, match="no such file"):
            fetch("hf-hub:org/none")

    def test_wrong_bytes_are_not_kept(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        hub.wrong_hash = True
        with pytest.raises(RdmfError, match="checksum mismatch"):
            fetch(NAME)
        assert index.fetched() == {}

    @pytest.mark.parametrize("name", [NAME, "hf-hub:org/name"])
    def test_no_network_fails_without_waiting(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        with pytest.raises(RdmfError, match="cannot be reached"):
            fetch(name)
        assert waits == []  # the hub's own client waits between its retries, 47 s in all

    def test_downloads_switched_off(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(RdmfError, match="HF_HUB_OFFLINE"):
            fetch(NAME)
        assert hub.log == []

    @pytest.mark.parametrize("name", ["embedded", "auto", "ViT-B-32", "ViT-B-32/opnai", "none"])
    def test_names_of_nothing(self, hub: Hub, name: str) -> None:
        with pytest.raises(UsageError):
            fetch(name)
        assert hub.log == []

    def test_light_installation_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "open_clip", None)
        with pytest.raises(MissingExtra, match="pip install torch open_clip_torch onnx tokenizers"):
            fetch(NAME)


class TestCommands:
    def test_fetch_says_where_and_shows_its_bars_on_stderr(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        told = run_here("weights", "fetch", NAME)
        assert told.returncode == 0
        assert told.stdout == f"{NAME}: {index.fetched()[NAME].path}\n"
        assert SAFE in told.stderr
        assert f"from {hub.url}/{REPOSITORY}/resolve/main/{SAFE}, verified by" in told.stderr

    @pytest.mark.parametrize("debug", ["0", "1"])
    def test_no_secret_is_printed(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch, debug: str
    ) -> None:
        """Also not in a traceback with all local variables, which some versions of typer print."""
        env = {**os.environ, "RDMF_DEBUG": debug, "HF_TOKEN": "hf_secret", "COLUMNS": "500"}
        env["HF_ENDPOINT"] = hub.url.replace("//", "//me:secret@")
        hub.status = [401]
        told = subprocess.run(
            [sys.executable, "-m", "rdmf_cli", "weights", "fetch", NAME],
            capture_output=True,
            text=True,
            env=env,
        )
        assert told.returncode == 1
        assert "refuses this file" in told.stderr
        assert ("Traceback" in told.stderr) == (debug == "1")
        assert "secret" not in told.stdout + told.stderr

    def test_list_shows_what_is_here(self, hub: Hub) -> None:
        hub.add(REPOSITORY, SAFE, CONTENT)
        fetch(NAME)
        path = str(index.fetched()[NAME].path)
        lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()
        told = [line.split(maxsplit=2) for line in lines]
        assert told[:3] == [["embedded", "shipped"], [NAME, "fetched", path], []]
        assert [words[0] for words in told[4:]] == ["small", "*", "best", "multilingual"]
        lines = CliRunner().invoke(app, ["list", "--json"]).stdout.splitlines()
        assert [json.loads(line)["name"] for line in lines] == ["embedded", NAME]
        assert json.loads(lines[1])["source"] == "fetched"

    def test_list_all_names_every_encoder(self) -> None:
        told = CliRunner().invoke(app, ["list", "--all", "--json"]).stdout.splitlines()
        here = {entry["name"]: entry["here"] for entry in map(json.loads, told)}
        assert here["embedded"] is True
        assert here[NAME] is False
        assert len(here) > 100
