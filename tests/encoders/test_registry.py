"""From names to encoders, without imports that a light answer does not need."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rdmf_cli.encoders import (
    FAMILIES,
    ChosenEncoder,
    choose_encoder,
    index,
    list_encoders,
    load_encoder,
)
from rdmf_cli.encoders.index import Fetched
from rdmf_cli.encoders.open_clip import local_files
from rdmf_cli.encoders.open_clip.catalog import Catalog, Pretrained, load_catalog
from rdmf_cli.encoders.open_clip.family import BEST_KNOWN as PREFERRED
from rdmf_cli.encoders.open_clip.names import find_blueprint
from rdmf_cli.errors import ExitCode, MissingExtra, RdmfError, UsageError
from rdmf_cli.folders import data_folder

pytestmark = pytest.mark.needs("open_clip")


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without weights."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "data"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def no_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The light installation, without open_clip."""
    monkeypatch.setitem(sys.modules, "open_clip", None)


def remember_preferred(home: Path) -> Path:
    path = home / "random_weights.safetensors"
    path.write_bytes(b"random")
    index.remember(Fetched(PREFERRED, str(path), "", path.stat().st_size, "test"))
    return path


def put_in_hub_cache(home: Path, repository: str, file: str) -> Path:
    root = home / ".cache/huggingface/hub" / f"models--{repository.replace('/', '--')}"
    path = root / "snapshots" / "abc123" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"random")
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("abc123")
    return path


def shipped() -> list[str]:
    """The encoders that need no fetching: the embedded one, and those of other families."""
    listed = (encoder for family in FAMILIES.values() for encoder in family.load().listed())
    names = [encoder.name for encoder in listed if encoder.source == "shipped"]
    assert names[0] == "embedded"
    return names


class TestAuto:
    def test_is_embedded_on_a_bare_machine_and_says_what_would_be_better(self) -> None:
        choice = choose_encoder()
        assert choice.name == "embedded"
        assert choice.better == ("rdmf weights fetch ViT-B-32/openai",)
        assert "\n" not in choice.line()
        assert "rdmf weights fetch ViT-B-32/openai" in choice.line()

    @pytest.mark.usefixtures("no_open_clip")
    def test_light_installation_is_told_to_install_first(self) -> None:
        assert choose_encoder().better == (
            "pip install torch open_clip_torch onnx tokenizers",
            "rdmf weights fetch ViT-B-32/openai",
        )

    def test_is_open_clip_once_its_weights_were_fetched(self, bare_machine: Path) -> None:
        remember_preferred(bare_machine)
        assert choose_encoder().name == PREFERRED
        assert choose_encoder().better == ()

    def test_is_open_clip_where_the_hub_client_has_the_weights(self, bare_machine: Path) -> None:
        put_in_hub_cache(
            bare_machine, "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"
        )
        assert choose_encoder().name == PREFERRED

    def test_half_a_file_in_open_clips_own_cache_does_not_count(self, bare_machine: Path) -> None:
        path = bare_machine / ".cache/clip/ViT-B-32.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
        assert choose_encoder().name == "embedded"

    @pytest.mark.parametrize("spoil", ["delete", "truncate", "memory"])
    def test_weights_that_went_away_do_not_count(self, bare_machine: Path, spoil: str) -> None:
        path = remember_preferred(bare_machine)
        if spoil == "delete":
            path.unlink()
        elif spoil == "truncate":
            path.write_bytes(b"r")
        else:
            (data_folder() / "encoders" / "fetched.json").write_text("{spoilt")
        assert choose_encoder().name == "embedded"

    def test_a_named_encoder_is_not_explained(self) -> None:
        assert choose_encoder("embedded") == ChosenEncoder("embedded")


class TestNamesOfNothing:
    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("embeded", "embedded"),
            ("ViT-B-32:openai", "ViT-B-32/openai"),
            ("ViT-B-32/opnai", "ViT-B-32/openai"),
            ("vit-b-32/OpenAi_", "ViT-B-32/openai"),
            ("ViT-B-32", "ViT-B-32/openai"),
            ("ViT-B-32-quickgelu/laion2b_s34b_b79k", "ViT-B-32/laion2b_s34b_b79k"),
        ],
    )
    def test_near_ones_are_named(self, name: str, near: str) -> None:
        with pytest.raises(UsageError, match=near) as caught:
            load_encoder(name)
        assert caught.value.exit_code == ExitCode.USAGE

    @pytest.mark.parametrize("name", ["ViT-B-32/none.pt", "ViT-B-32/./none", "/none/x.pt", ""])
    def test_files_that_are_not_there(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"no such (encoder, file|weights file)"):
            load_encoder(name)

    def test_folder_that_is_no_model(self, bare_machine: Path) -> None:
        with pytest.raises(UsageError, match="no open_clip_config"):
            load_encoder(str(bare_machine))

    @given(st.sampled_from(["", "~", "RN50/", "hf-hub:"]), st.text(max_size=30))
    @example("", "\0")
    @example("hf-hub:", "/../..")
    @example("RN50/", "a" * 5000)
    def test_any_text_is_an_error_of_ours(self, start: str, name: str) -> None:
        with pytest.raises(RdmfError):
            find_blueprint(f"{start}?{name}")

    @pytest.mark.usefixtures("no_open_clip")
    @pytest.mark.parametrize("name", [PREFERRED, "hf-hub:org/name", "RN50/file.pt"])
    def test_light_installation_names_the_extra(self, name: str) -> None:
        with pytest.raises(MissingExtra, match="pip install torch open_clip_torch onnx tokenizers"):
            load_encoder(name)

    @pytest.mark.usefixtures("no_open_clip")
    def test_light_installation_still_helps_with_typing(self) -> None:
        with pytest.raises(UsageError, match="did you mean embedded"):
            load_encoder("embbedded")


class TestFamilies:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_what_a_family_lists_is_its_own(self, name: str, bare_machine: Path) -> None:
        remember_preferred(bare_machine)
        family = FAMILIES[name].load()
        listed = [encoder.name for encoder in family.listed()]
        assert listed
        assert all(family.claims(encoder) for encoder in listed)
        assert set(listed) <= {encoder.name for encoder in list_encoders()}

    @pytest.mark.parametrize("name", FAMILIES)
    def test_a_ready_encoder_lacks_nothing(self, name: str, bare_machine: Path) -> None:
        remember_preferred(bare_machine)
        family = FAMILIES[name].load()
        here = [encoder.name for encoder in family.listed() if encoder.is_here]
        assert [family.lacks(encoder) for encoder in here] == [None] * len(here) != []

    def test_a_folder_named_like_the_embedded_one_does_not_take_its_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "embedded").mkdir()
        monkeypatch.chdir(tmp_path)
        assert load_encoder("embedded").size == 384


class TestOffline:
    @pytest.mark.parametrize(
        "name", ["ViT-L-14/openai", "hf-hub:org/name", "ViT-B-16-SigLIP/webli"]
    )
    def test_missing_weights_fail_without_any_request(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        asked: list[object] = []
        monkeypatch.setattr(socket.socket, "connect", lambda _self, place: asked.append(place))
        with pytest.raises(RdmfError, match=f"rdmf weights fetch {name}"):
            load_encoder(name)
        assert asked == []

    def test_questions_about_weights_import_no_torch(self, bare_machine: Path) -> None:
        code = """
import sys
from rdmf_cli.encoders import choose_encoder, list_encoders, load_encoder
choose_encoder(), list_encoders()
for name in ("ViT-L-14/openai", "ViT-B-32/opnai", "nothing"):
    try:
        load_encoder(name)
    except Exception as error:
        print(type(error).__name__)
print([name for name in ("torch", "open_clip", "huggingface_hub") if name in sys.modules])
"""
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert told.stdout.split("\n")[:4] == ["RdmfError", "UsageError", "UsageError", "[]"]
        assert told.stderr == ""


class TestCatalog:
    def test_is_what_open_clip_says(self) -> None:
        import open_clip

        catalog = load_catalog()
        told = {(w.architecture, w.tag): w.settings for w in catalog}
        assert told == {
            (arch, tag): open_clip.get_pretrained_cfg(arch, tag)
            for arch, tag in open_clip.list_pretrained()
        }
        assert set(catalog.architectures) == set(open_clip.list_models())
        assert catalog.config("ViT-B-32") == open_clip.get_model_config("ViT-B-32")

    @pytest.mark.parametrize(
        ("name", "split"),
        [
            ("ViT-B-32/openai", ("ViT-B-32", "openai")),
            ("ViT-B/32/openai", ("ViT-B-32", "openai")),
            ("vit-b-32/openai", ("ViT-B-32", "openai")),
            ("RN50", ("RN50", "")),
            ("RN50//abs/file.pt", ("RN50", "/abs/file.pt")),
            ("RN50/rel/file.pt", ("RN50", "rel/file.pt")),
            ("nothing/openai", None),
        ],
    )
    def test_names_split_at_the_architecture(self, name: str, split: object) -> None:
        assert load_catalog().split(name) == split

    def test_every_name_leads_back_to_its_weights(self) -> None:
        catalog = load_catalog()
        for weights in catalog:
            found = catalog.tagged(*(catalog.split(weights.name) or ("", "")))
            assert found == weights

    def test_tags_as_open_clip_reads_them(self) -> None:
        assert load_catalog().tagged("ViT-B-32", "LAION2B-s34b-b79k") is not None

    def test_addresses_that_carry_a_hash(self) -> None:
        full = Pretrained("a", "t", {"url": f"https://host/{'0f' * 32}/file.pt"})
        short = Pretrained("a", "t", {"url": "https://host/v1/rn50-quickgelu-0f0f0f0f.pt"})
        none = Pretrained("a", "t", {"url": "https://host/v1/b32_400m.pt"})
        assert [w.url_hash for w in (full, short, none)] == ["0f" * 32, "0f0f0f0f", ""]
        catalog = Catalog({}, {"a": {"t": full.settings}, "b": {"t": none.settings}})
        assert catalog.with_hash("0f" * 32) == [full]


class TestListing:
    def test_bare_machine_has_the_embedded_one(self) -> None:
        listed = list_encoders()
        assert [entry.name for entry in listed if entry.is_here] == shipped()
        assert len(listed) == len(list(load_catalog())) + len(shipped())

    def test_those_here_come_first_with_their_place(self, bare_machine: Path) -> None:
        path = remember_preferred(bare_machine)
        cached = put_in_hub_cache(
            bare_machine, "timm/resnet50_clip.openai", "open_clip_model.safetensors"
        )
        told = [(entry.name, entry.path, entry.source) for entry in list_encoders()]
        assert told[0] == ("embedded", None, "shipped")
        told = told[len(shipped()) :]
        assert told[0] == (PREFERRED, path, "fetched")
        assert set(told[1:3]) == {
            ("RN50/openai", cached, "cache"),
            ("RN50-quickgelu/openai", cached, "cache"),
        }

    @pytest.mark.usefixtures("no_open_clip")
    def test_light_installation_lists_the_embedded_one(self) -> None:
        assert [entry.name for entry in list_encoders()] == shipped()


class TestHubCache:
    @pytest.mark.parametrize(
        ("variables", "place"),
        [
            ({}, ".cache/huggingface/hub"),
            ({"XDG_CACHE_HOME": "{home}/x"}, "x/huggingface/hub"),
            ({"HF_HOME": "{home}/h"}, "h/hub"),
            ({"HF_HOME": "{home}/h", "HF_HUB_CACHE": "{home}/c"}, "c"),
        ],
    )
    def test_is_where_the_hub_client_puts_things(
        self,
        bare_machine: Path,
        monkeypatch: pytest.MonkeyPatch,
        variables: dict[str, str],
        place: str,
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(home=bare_machine))
        assert local_files.hub_cache() == bare_machine / place
        code = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert told.stdout.strip() == str(local_files.hub_cache())

    def test_finds_what_the_hub_client_finds(self, bare_machine: Path) -> None:
        from huggingface_hub import try_to_load_from_cache

        path = put_in_hub_cache(bare_machine, "org/name", "open_clip_model.safetensors")
        (path.parent / local_files.HUB_CONFIG).write_text("{}")
        found = local_files.find_repository("org/name")
        assert found == path.parent
        assert try_to_load_from_cache(
            "org/name", path.name, cache_dir=local_files.hub_cache()
        ) == str(path)


class TestHashes:
    def test_are_remembered_until_the_file_changes(self, tmp_path: Path) -> None:
        file = tmp_path / "weights.bin"
        file.write_bytes(b"one")
        first = index.file_sha256(file)
        memory = json.loads((data_folder() / "encoders" / "sha256.json").read_text())
        assert memory[str(file.resolve())][2] == first == index.file_sha256(file)
        file.write_bytes(b"two")
        assert index.file_sha256(file) != first

    def test_do_without_a_memory_that_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_bytes(b"in the way")
        monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "file"))
        assert len(index.file_sha256(tmp_path / "file")) == 64
