"""open_clip models as encoders: equal to open_clip's own results, also in unusual cases."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import peak_memory
import pytest
import tiny_clip
from assigned_texts import ASSIGNED, assume_assigned
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_clip import CONFIGS, TinyClip, frames

from rdmf_cli.encoders import Encoder, index, load_encoder
from rdmf_cli.encoders.open_clip.blueprint import Blueprint, described
from rdmf_cli.encoders.open_clip.catalog import Catalog, load_catalog
from rdmf_cli.encoders.open_clip.encoder import OpenClipEncoder
from rdmf_cli.encoders.open_clip.names import find_blueprint
from rdmf_cli.errors import RdmfError, UsageError

AS_LARGE_AS_WEIGHTS = 2 << 20  # bytes; a smaller file is refused before it is read
TEXTS = ["a man opens the door", "", "!a ?! hi", "word " * 10_000, "日本語 العربية ёж 👋", "A  b\n"]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Towers are converted once for all tests, because they depend only on the model."""
    return tmp_path_factory.mktemp("towers")


@pytest.fixture(autouse=True)
def own_data(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    converted: Path,
) -> None:
    folder = tmp_path_factory.mktemp("data")
    if request.cls not in LOADED_BY_TORCH:
        (folder / "towers").symlink_to(converted)
    monkeypatch.setenv("RDMF_DATA_DIR", str(folder))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Such small models are slower on two cores than on one, especially on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=CONFIGS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    """Every kind of model, one after the other."""
    return tiny_clip.make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    return tiny_clip.make("plain", tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def encoder(plain: TinyClip) -> Encoder:
    return load_encoder(str(plain.folder), device="cpu")


def encode(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    return encoder.encode_images(np.stack([encoder.prepare(picture) for picture in pictures]))


def tiny_catalog(sha256: str = "") -> Catalog:
    """The tiny models as if open_clip knew them; weights of that hash need QuickGELU."""
    url = f"https://host/{sha256}/x.pt" if sha256 else ""
    tags = {"trained": {"url": url, "quick_gelu": True, "mean": (0.1, 0.2, 0.3)}}
    names = {"tiny": "plain", "tiny-quickgelu": "quickgelu", "tiny-resnet": "resnet"}
    configs = {name: CONFIGS[kind] for name, kind in names.items()}
    return Catalog(configs, {"tiny": tags, "tiny-quickgelu": tags})


class TestEqualToOpenClip:
    def test_images(self, model: TinyClip) -> None:
        encoder = load_encoder(str(model.folder), device="cpu")
        pictures = frames(5)
        np.testing.assert_allclose(
            encode(encoder, pictures), model.image_rows(pictures), rtol=1e-4, atol=1e-5
        )

    def test_texts(self, model: TinyClip) -> None:
        encoder = load_encoder(str(model.folder), device="cpu")
        rows = encoder.encode_texts(TEXTS).rows
        np.testing.assert_allclose(rows, model.text_rows(TEXTS), rtol=1e-4, atol=1e-5)

    def test_word_states_project_to_the_row(self, model: TinyClip) -> None:
        """In CLIP, the row is the projected state of the end token; states come before it."""
        if model.kind == "coca":  # its row comes from a separate token
            return
        text = load_encoder(str(model.folder), device="cpu").encode_texts(TEXTS)
        tower = getattr(model.net, "text", model.net)
        projection = tower.text_projection.detach().numpy()
        last = np.stack([words[-1] for words in text.words])
        np.testing.assert_allclose(last @ projection, text.rows, rtol=1e-4, atol=1e-5)

    def test_shapes_and_types(self, model: TinyClip) -> None:
        encoder = load_encoder(str(model.folder), device="cpu")
        text = encoder.encode_texts(TEXTS)
        rows = encode(encoder, frames(2))
        assert isinstance(encoder, Encoder)
        assert encoder.size == rows.shape[1] == text.rows.shape[1] == 16
        assert rows.dtype == text.rows.dtype == np.float32
        assert {words.dtype for words in text.words} == {np.dtype(np.float32)}
        assert {words.shape[1] for words in text.words} == {24}

    def test_a_row_does_not_depend_on_its_neighbours(self, model: TinyClip) -> None:
        """The model is in evaluation mode: no dropout, no batch statistics."""
        encoder = load_encoder(str(model.folder), device="cpu")
        pictures = frames(3)
        together = encode(encoder, pictures)
        alone = np.concatenate([encode(encoder, pictures[i : i + 1]) for i in range(3)])
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


class TestTexts:
    @settings(max_examples=25, deadline=None)
    @given(text=st.text(ASSIGNED, max_size=120))
    def test_word_states_are_as_many_as_tokens(
        self, encoder: Encoder, plain: TinyClip, text: str
    ) -> None:
        assume_assigned(text)
        tokens = len(plain.tokenizer.encode(" ".join(text.split())))
        (words,) = encoder.encode_texts([text]).words
        assert len(words) == min(tokens + 2, 77)
        assert np.isfinite(words).all()

    @pytest.mark.parametrize("text", ["a" * 1_000_000, " " * 1_000_000 + "end", "&amp;" * 10_000])
    def test_endless_words_cost_no_time(self, encoder: Encoder, text: str) -> None:
        assert np.isfinite(encoder.encode_texts([text]).rows).all()

    def test_none_and_many(self, encoder: Encoder) -> None:
        assert encoder.encode_texts([]).rows.shape == (0, 16)
        many = encoder.encode_texts([f"text {number}" for number in range(70)])
        assert many.rows.shape == (70, 16)
        assert len(many.words) == 70
        one = encoder.encode_texts(["text 69"])
        np.testing.assert_allclose(many.rows[69], one.rows[0], rtol=1e-4, atol=1e-5)


class TestImages:
    @settings(max_examples=20, deadline=None)
    @given(height=st.integers(1, 200), width=st.integers(1, 200))
    def test_any_size_of_frame_comes_to_one_shape(
        self, encoder: Encoder, height: int, width: int
    ) -> None:
        prepared = encoder.prepare(frames(1, height=height, width=width)[0])
        assert prepared.shape == (3, 32, 32)
        assert prepared.dtype == np.float32

    def test_preprocessing_is_the_models_own(self, encoder: Encoder) -> None:
        mean, std = (tiny_clip.PREPROCESSING[key] for key in ("mean", "std"))
        white = encoder.prepare(np.full((40, 60, 3), 255, np.uint8))
        np.testing.assert_allclose(white[:, 16, 16], (1 - np.array(mean)) / std, rtol=1e-5)

    def test_rows_are_not_normalised(self, encoder: Encoder) -> None:
        lengths = np.linalg.norm(encode(encoder, frames(4)), axis=1)
        assert np.ptp(lengths) > 1e-3

    def test_more_than_a_batch(self, encoder: Encoder) -> None:
        pictures = frames(encoder.batch + 3)
        rows = encode(encoder, pictures)
        np.testing.assert_allclose(rows[-1:], encode(encoder, pictures[-1:]), rtol=1e-4, atol=1e-5)
        assert encoder.encode_images(np.zeros((0, 3, 32, 32), np.float32)).shape == (0, 16)

    def test_two_threads_share_one_model(self, plain: TinyClip) -> None:
        """One thread prepares frames while another thread encodes."""
        encoder = load_encoder(str(plain.folder), device="cpu")
        with ThreadPoolExecutor(4) as pool:
            prepared = list(pool.map(encoder.prepare, frames(8)))
        np.testing.assert_allclose(
            encoder.encode_images(np.stack(prepared)), plain.image_rows(frames(8)), atol=1e-5
        )


class TestNoRandomWeights:
    def test_loading_says_nothing(self, plain: TinyClip) -> None:
        code = (
            "from rdmf_cli.encoders import load_encoder\n"
            f"load_encoder({str(plain.folder)!r}).encode_texts(['a'])"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")

    def test_torch_that_cannot_be_imported(self, plain: TinyClip, tmp_path: Path) -> None:
        (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator nms is missing')")
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
            "from rdmf_cli.encoders import load_encoder\n"
            f"load_encoder({str(plain.folder)!r}).encode_texts(['a'])"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "RdmfError" in told.stderr.splitlines()[-1]
        assert "operator nms is missing" in told.stderr.splitlines()[-1]

    def test_weights_with_a_gap_are_refused(self, plain: TinyClip, tmp_path: Path) -> None:
        import torch

        state = plain.net.state_dict()
        state.pop("visual.proj")
        torch.save(state, tmp_path / "random_gap.pt")
        with pytest.raises(RdmfError, match="do not fit the architecture tiny"):
            run(f"tiny/{tmp_path}/random_gap.pt")

    def test_weights_of_another_architecture_are_refused(self, tmp_path: Path) -> None:
        resnet = tiny_clip.make("resnet", tmp_path / "resnet")
        file = shutil.copy(resnet.weights, tmp_path)
        with pytest.raises(RdmfError, match="do not fit the architecture tiny") as caught:
            run(f"tiny/{file}")
        assert str(file) in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 torn"])
    @pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
    def test_spoilt_files_are_named(self, tmp_path: Path, content: bytes, suffix: str) -> None:
        file = tmp_path / f"random{suffix}"
        file.write_bytes(content + bytes(AS_LARGE_AS_WEIGHTS))
        with pytest.raises(RdmfError, match="cannot be read as weights") as caught:
            run(f"tiny/{file}")
        assert str(file) in str(caught.value)

    def test_code_in_a_checkpoint_is_not_run(self, tmp_path: Path) -> None:
        class Attack:
            def __reduce__(self) -> tuple[object, ...]:
                return (Path.touch, (tmp_path / "attacked",))

        file = tmp_path / "random.pt"
        file.write_bytes(pickle.dumps(Attack()) + bytes(AS_LARGE_AS_WEIGHTS))
        with pytest.raises(RdmfError, match="cannot be read as weights"):
            run(f"tiny/{file}")
        assert not (tmp_path / "attacked").exists()


def run(name: str, sha256: str = "") -> np.ndarray:
    """Loads a model by name, and the rows of three pictures."""
    blueprint = find_blueprint(name, tiny_catalog(sha256))
    return encode(OpenClipEncoder(blueprint, "cpu"), frames(3))


class TestLocalFiles:
    def test_folder_file_and_checkpoint_agree(self, plain: TinyClip, tmp_path: Path) -> None:
        import torch

        folder = run(str(plain.folder))
        np.testing.assert_array_equal(run(str(plain.weights)), folder)
        checkpoint = tmp_path / "random_epoch_3.pt"
        state = {f"module.{key}": value for key, value in plain.net.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state}, checkpoint)
        expected = run(f"tiny/{plain.weights}")
        np.testing.assert_array_equal(expected, folder)  # the configuration beside it is used
        (tmp_path / "open_clip_config.json").write_bytes(
            (plain.folder / "open_clip_config.json").read_bytes()
        )
        np.testing.assert_array_equal(run(f"tiny/{checkpoint}"), folder)

    def test_torchscript_archive_as_openai_publishes(
        self, plain: TinyClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import torch

        file = tmp_path / "random_jit.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.script(plain.net), str(file))
        bare = shutil.copy(plain.weights, tmp_path / "random.safetensors")
        sha256 = index.file_sha256(file)
        found = run(f"tiny/{file}", sha256)
        np.testing.assert_array_equal(found, run(f"tiny/{bare}", index.file_sha256(bare)))
        monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "not converted yet"))
        for unknown in (
            "",
            sha256[:8],
        ):  # no published hash; only the first digits, which other files may share
            with pytest.raises(RdmfError, match="TorchScript archive, which may contain"):
                run(f"tiny/{file}", unknown)

    def test_file_without_an_architecture(self, plain: TinyClip, tmp_path: Path) -> None:
        bare = shutil.copy(plain.weights, tmp_path)
        with pytest.raises(UsageError, match=f"ARCHITECTURE/{bare}"):
            run(str(bare))

    def test_folder_with_several_weights(self, plain: TinyClip, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(plain.folder, tmp_path / "two"))
        shutil.copy(plain.weights, folder / "random_other.safetensors")
        with pytest.raises(UsageError, match=r"random_other\.safetensors"):
            run(str(folder))
        shutil.copy(plain.weights, folder / "open_clip_model.safetensors")
        np.testing.assert_array_equal(run(str(folder)), run(str(plain.folder)))

    @pytest.mark.parametrize("content", ["{", "[]", '{"model_cfg": {}}', '{"model_cfg": 3}'])
    def test_spoilt_configuration(self, plain: TinyClip, tmp_path: Path, content: str) -> None:
        folder = Path(shutil.copytree(plain.folder, tmp_path / "spoilt"))
        (folder / "open_clip_config.json").write_text(content)
        with pytest.raises(RdmfError, match="not a configuration of open_clip"):
            run(str(folder))

    def test_configuration_that_cannot_be_built(self, plain: TinyClip, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(plain.folder, tmp_path / "odd"))
        config = {**CONFIGS["plain"], "vision_cfg": {"timm_model_name": "no_such_network"}}
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
        with pytest.raises(RdmfError, match="cannot build this model"):
            run(str(folder))

    def test_tokenizer_of_a_missing_package(self, plain: TinyClip, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(plain.folder, tmp_path / "siglip"))
        text = {**CONFIGS["plain"]["text_cfg"], "hf_tokenizer_name": "org/none"}
        config = {**CONFIGS["plain"], "text_cfg": text}
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
        with pytest.raises(RdmfError, match=r"transformers|cannot build this model"):
            run(str(folder))


class TestModelFolders:
    """A folder from another person describes a model; none of its code is run."""

    @pytest.fixture
    def folder(self, plain: TinyClip, tmp_path: Path) -> Path:
        """A model with Python modules that would leave a file if they were run."""
        folder = Path(shutil.copytree(plain.folder, tmp_path / "model"))
        code = f"open({str(tmp_path / 'marker')!r}, 'w').close()"
        for module in ("tokenizer", "modeling", "open_clip", "torch"):
            (folder / f"{module}.py").write_text(code)
        return folder

    @pytest.mark.parametrize(
        ("text", "vision"),
        [
            ({"hf_tokenizer_name": "a/b", "tokenizer_kwargs": {"trust_remote_code": True}}, {}),
            ({"tokenizer_kwargs": {"bpe_path": "/etc/hostname"}}, {}),
            ({"tokenizer_kwargs": ["clean"]}, {}),
            ({"hf_model_name": "../model"}, {}),
            ({"hf_tokenizer_name": "/model"}, {}),
            ({"hf_model_name": "here/model"}, {}),
            ({}, {"timm_model_name": "local-dir:model"}),
            ({}, {"timm_model_name": "hf-hub:org/name"}),
        ],
    )
    def test_settings_that_reach_beyond_the_model(
        self,
        folder: Path,
        text: dict,
        vision: dict,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "here/model").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        config = {
            **CONFIGS["plain"],
            "text_cfg": {**CONFIGS["plain"]["text_cfg"], **text},
            "vision_cfg": {**CONFIGS["plain"]["vision_cfg"], **vision},
        }
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
        told = r"not allowed|not a network|not the name|would be read"
        with pytest.raises(RdmfError, match=told):
            run(str(folder))
        assert not (tmp_path / "marker").exists()

    @pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
    @pytest.mark.parametrize(
        "content", ['{"auto_map": {"AutoTokenizer": ["tokenizer.T", null]}}', "{", "[" * 100_000]
    )
    def test_descriptions_that_ask_for_code(
        self, folder: Path, tmp_path: Path, name: str, content: str
    ) -> None:
        (folder / name).write_text(content)
        with pytest.raises(RdmfError, match=f"its {name} (names Python code|is not JSON)"):
            run(str(folder))
        assert not (tmp_path / "marker").exists()

    def test_modules_in_the_folder_are_not_imported(
        self, folder: Path, plain: TinyClip, tmp_path: Path
    ) -> None:
        np.testing.assert_array_equal(run(str(folder)), run(str(plain.folder)))
        assert not (tmp_path / "marker").exists()

    def test_every_model_that_open_clip_names_is_allowed(self) -> None:
        from rdmf_cli.encoders.open_clip.foreign_code import check_runs_no_code

        catalog = load_catalog()
        for name in catalog.architectures:
            check_runs_no_code(Blueprint(name, name, catalog.config(name), {}, Path("x.pt")))


class TestNetworkSize:
    """The configuration is checked before the weights are read: the network must not be larger."""

    @pytest.mark.parametrize(
        ("tower", "settings", "told"),
        [
            ("vision_cfg", {"width": 8192, "layers": 64}, "million parameters or more"),
            ("text_cfg", {"width": 8192, "layers": 64}, "million parameters or more"),
            ("text_cfg", {"vocab_size": 1_000_000}, "million parameters or more"),
            ("vision_cfg", {"image_size": 60_000, "patch_size": 1}, "million parameters or more"),
            ("vision_cfg", {"layers": [128, 128, 128, 127], "width": 8192}, "million parameters"),
            ("vision_cfg", {"layers": 10**9}, r"layers 1e\+09 \(limit: 512\)"),
            ("vision_cfg", {"layers": [1, 1, 1, 10**9]}, r"layers 1e\+09 \(limit: 512\)"),
            ("text_cfg", {"context_length": 10**6}, r"context_length 1e\+06 \(limit: 8,192\)"),
            ("vision_cfg", {"mlp_ratio": 1e300}, r"mlp_ratio 1e\+300 \(limit: 1,048,576\)"),
            ("vision_cfg", {"mlp_ratio": float("nan")}, "mlp_ratio nan"),
        ],
    )
    def test_a_network_larger_than_its_weights_is_refused(
        self, plain: TinyClip, tmp_path: Path, tower: str, settings: dict, told: str
    ) -> None:
        folder = Path(shutil.copytree(plain.folder, tmp_path / "model"))
        config = {**CONFIGS["plain"], tower: {**CONFIGS["plain"][tower], **settings}}
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
        before = peak_memory.peak_memory()
        with pytest.raises(RdmfError, match=told) as caught:
            run(str(folder))
        assert caught.value.subject == str(folder)
        assert peak_memory.peak_memory() - before < 100 << 20

    def test_a_text_tower_of_transformers_counts(self, plain: TinyClip, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(plain.folder, tmp_path / "model"))
        text = {**CONFIGS["plain"]["text_cfg"], "hf_model_name": "org/name"}
        config = {**CONFIGS["plain"], "text_cfg": text}
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
        network = {"hidden_size": 8192, "num_hidden_layers": 64, "vocab_size": 30_000}
        (folder / "config.json").write_text(json.dumps(network))
        with pytest.raises(RdmfError, match=r"describes 51\d\d\d million parameters or more"):
            run(str(folder))

    def test_every_model_that_open_clip_names_is_allowed(self, tmp_path: Path) -> None:
        from rdmf_cli.encoders.open_clip.network_size import check_size

        weights, catalog = tmp_path / "x.pt", load_catalog()
        with weights.open("wb") as file:
            file.truncate(9_200_000_000)  # 4.6 billion parameters in float16; a sparse file
        for name in catalog.architectures:
            check_size(Blueprint(name, name, catalog.config(name), {}, weights))
        vit = Blueprint("v", "v", catalog.config("ViT-B-32"), {}, weights)
        with weights.open("wb") as file:
            file.truncate(151_277_313)  # one byte per parameter: the smallest possible file
        check_size(vit)


class TestQuickGelu:
    """OpenAI's weights load with both activations; the wrong one gives worse features."""

    @pytest.fixture
    def bare(self, plain: TinyClip, tmp_path: Path) -> Path:
        """The weights alone, without a configuration."""
        return Path(shutil.copy(plain.weights, tmp_path / "random.safetensors"))

    def test_activations_differ(self, bare: Path) -> None:
        assert np.abs(run(f"tiny/{bare}") - run(f"tiny-quickgelu/{bare}")).max() > 1e-3

    @pytest.mark.parametrize("name", ["tiny/{}", "tiny-quickgelu/{}", "{}"])
    def test_known_weights_bring_their_own(self, bare: Path, name: str) -> None:
        known = find_blueprint(name.format(bare), tiny_catalog(index.file_sha256(bare)))
        assert known.config["quick_gelu"] is True
        assert known.preprocessing == {"mean": (0.1, 0.2, 0.3)}

    def test_known_weights_of_another_architecture(self, bare: Path) -> None:
        with pytest.raises(UsageError, match=r"of tiny/trained, not of tiny-resnet"):
            run(f"tiny-resnet/{bare}", index.file_sha256(bare))

    def test_architecture_against_the_configuration_beside_it(self, plain: TinyClip) -> None:
        for wrong in ("tiny-quickgelu", "tiny-resnet"):
            with pytest.raises(UsageError, match=f"not of {wrong}"):
                run(f"{wrong}/{plain.weights}")

    def test_every_named_one_of_openai(self) -> None:
        catalog = load_catalog()
        openai = [weights for weights in catalog if weights.tag == "openai"]
        assert len(openai) > 10
        assert all(described(weights, catalog)[0]["quick_gelu"] is True for weights in openai)


class TestFingerprint:
    def test_needs_no_torch(self, plain: TinyClip) -> None:
        code = (
            "import sys\nfrom rdmf_cli.encoders import load_encoder\n"
            f"print(load_encoder({str(plain.folder)!r}).fingerprint, 'torch' in sys.modules)"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert told.stdout.split() == [load_encoder(str(plain.folder)).fingerprint, "False"]

    def test_follows_the_bytes_not_the_place(self, plain: TinyClip, tmp_path: Path) -> None:
        copied = shutil.copytree(plain.folder, tmp_path / "copy")
        one, two = load_encoder(str(plain.folder)), load_encoder(str(copied))
        assert one.fingerprint == two.fingerprint

    def test_changes_with_weights_architecture_and_preprocessing(
        self, plain: TinyClip, tmp_path: Path
    ) -> None:
        def changed(**parts: object) -> str:
            folder = tmp_path / str(len(seen))
            shutil.copytree(plain.folder, folder)
            file = folder / "open_clip_config.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **parts}))
            return load_encoder(str(folder)).fingerprint

        seen = {load_encoder(str(plain.folder)).fingerprint}
        seen.add(changed(model_cfg={**CONFIGS["plain"], "quick_gelu": True}))
        seen.add(changed(preprocess_cfg={**tiny_clip.PREPROCESSING, "interpolation": "bicubic"}))
        other = tiny_clip.make("plain", tmp_path / "other", seed=1)
        seen.add(load_encoder(str(other.folder)).fingerprint)
        assert len(seen) == 4


class TestDevicesAndPrecision:
    def test_auto_takes_what_there_is(self, plain: TinyClip) -> None:
        rows = encode(load_encoder(str(plain.folder)), frames(2))
        np.testing.assert_allclose(rows, plain.image_rows(frames(2)), rtol=1e-2, atol=1e-2)

    @pytest.mark.parametrize("device", ["cuda:77", "nonsense", "meta2"])
    def test_unusable_device_names_those_that_are(self, plain: TinyClip, device: str) -> None:
        with pytest.raises(UsageError, match="choose one of: auto, cpu"):
            load_encoder(str(plain.folder), device=device).encode_texts(["a"])

    def test_bfloat16_is_close_or_refused_for_being_slower(self, model: TinyClip) -> None:
        encoder = load_encoder(str(model.folder), "cpu", "bfloat16")
        assert encoder.fingerprint != load_encoder(str(model.folder)).fingerprint
        told = _rows_or_refusal(encoder)
        if isinstance(told, str):
            assert "slower than float32" in told
            return
        exact = model.image_rows(frames(4))
        lengths = np.linalg.norm(told, axis=1) * np.linalg.norm(exact, axis=1)
        assert ((told * exact).sum(1) / lengths > 0.999).all()

    def test_unknown_precision(self, plain: TinyClip) -> None:
        with pytest.raises(UsageError, match="float32, bfloat16"):
            load_encoder(str(plain.folder), precision="float8")


def _rows_or_refusal(encoder: Encoder) -> np.ndarray | str:
    try:
        return encode(encoder, frames(4))
    except UsageError as error:
        return str(error)


LOADED_BY_TORCH = {TestNoRandomWeights, TestLocalFiles, TestModelFolders}
"""Tests of what is refused before a model is built: nothing is converted before them."""
