"""Any model of open_clip as an encoder.

With the first frame or text, torch builds the model, and its towers are converted (`convert.py`).
From then on, ONNX Runtime runs the towers on the CPU, and torch is not imported.
"""

from __future__ import annotations

import json
import logging
import mmap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from rdmf_cli.children import scratch_folder
from rdmf_cli.encoders.base import TextFeatures
from rdmf_cli.encoders.index import hash_stream
from rdmf_cli.encoders.open_clip.blueprint import Blueprint
from rdmf_cli.encoders.open_clip.catalog import is_installed
from rdmf_cli.encoders.open_clip.foreign_code import check_runs_no_code
from rdmf_cli.encoders.open_clip.local_files import HUB_CONFIG
from rdmf_cli.encoders.open_clip.network_size import check_size
from rdmf_cli.encoders.open_clip.towers import NEEDED, Towers, find_record, towers_folder
from rdmf_cli.errors import MissingExtra, RdmfError, UsageError

if TYPE_CHECKING:
    import torch
    from PIL import Image

logger = logging.getLogger("rdmf")

PRECISIONS = {"float32": "fp32", "bfloat16": "pure_bf16"}  # our names to open_clip's names
_MAX_CHARACTERS = 4096  # more than any tower reads; to tokenize a long word takes quadratic time
_JIT_SCALARS = {"input_resolution", "context_length", "vocab_size"}


class OpenClipEncoder:
    """A model of open_clip with the interface `Encoder`.

    The constructor reads no weights and does not import torch, but weights and torch must be on
    this machine.

    Args:
        blueprint: The model.
        device: "auto" (cuda, else mps, else cpu) or a device name of torch.
        precision: "float32" or "bfloat16". On processors with AMX, bfloat16 is two to four times
            faster; features differ in the third digit. On other processors bfloat16 is slower, and
            rdmf refuses it.

    Raises:
        MissingExtra: open_clip is not installed.
        UsageError: There is no such precision.
    """

    batch = 32

    def __init__(self, blueprint: Blueprint, device: str = "auto", precision: str = "float32"):
        if not is_installed():
            raise MissingExtra(f"the encoder {blueprint.name}", "clip")
        if precision not in PRECISIONS:
            todo = f"choose one of: {', '.join(PRECISIONS)}"
            raise UsageError("no such precision", precision, todo)
        self.name = blueprint.name
        self.size = blueprint.size
        self.fingerprint = blueprint.fingerprint()
        if precision != "float32":
            self.fingerprint += f"-{precision}"
        self._blueprint = blueprint
        self._device = device
        self._precision = precision
        self._loading = Lock()

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """Apply the model's own preprocessing to a frame.

        Args:
            frame: RGB, uint8 (H, W, 3).

        Returns:
            float32 (3, S, S).
        """
        from PIL import Image

        return self._model.prepare(Image.fromarray(_within_ratio(frame)))

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Encode prepared frames.

        Args:
            images: float32 (N, 3, S, S).

        Returns:
            Features float32 (N, D), not normalised.
        """
        rows = [self._no_rows()]
        for start in range(0, len(images), self.batch):
            rows.append(self._model.image_rows(images[start : start + self.batch]))
        return np.concatenate(rows)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Encode texts; word states come from the last layer, before the projection."""
        short = [_shortened(text) for text in texts]
        rows: list[np.ndarray] = [self._no_rows()]
        words: list[np.ndarray] = []
        for start in range(0, len(short), self.batch):
            some_rows, some_words = self._model.text_features(short[start : start + self.batch])
            rows.append(some_rows)
            words += some_words
        # A text that fills the context was cut off (or, rarely, has exactly this length).
        cut = tuple(len(states) >= self._model.context for states in words)
        return TextFeatures(np.concatenate(rows), tuple(words), cut)

    def _no_rows(self) -> np.ndarray:
        return np.zeros((0, self.size), np.float32)

    @property
    def _model(self) -> _Model | Towers:
        with self._loading:  # one thread prepares frames, another thread encodes them
            return self._loaded

    @cached_property
    def _loaded(self) -> _Model | Towers:
        folder = towers_folder(self.fingerprint)
        known = find_record(folder) if self._may_convert else None
        if known is not None and not known.refused and _can_tokenize():
            return Towers(folder, known)
        model = self._torch_model()
        if known is None and self._may_convert and model.device.type == "cpu":
            return self._converted(model, folder) or model
        return model

    @property
    def _may_convert(self) -> bool:
        return self._precision == "float32" and self._device in ("auto", "cpu")

    def _torch_model(self) -> _Model:
        _check_imports(self.name)
        from rdmf_cli.devices import device_named

        device = device_named(self._device)
        if self._precision == "bfloat16" and device.type == "cpu":
            _check_bfloat16_pays()
        return _load(self._blueprint, device, self._precision)

    def _converted(self, model: _Model, folder: Path) -> Towers | None:
        """Convert a model, so that later questions need no torch; None: the conversion failed."""
        from rdmf_cli.encoders.open_clip import convert

        if missing := convert.missing():
            todo = f"pip install {' '.join(missing)}"
            logger.info("%s: to answer without torch from now on: %s", self.name, todo)
            return None
        try:
            return convert.convert(model, folder, self.size)
        except RdmfError as error:  # disk full: torch answers as before
            logger.info("%s: the converted model cannot be kept (%s)", self.name, error.what)
            return None


MOST_RATIO = 64  # limit for the long side divided by the short side


def _within_ratio(frame: np.ndarray) -> np.ndarray:
    """Crop a very long and thin frame: it would be huge after scaling by its short side.

    Args:
        frame: RGB, uint8 (H, W, 3).
    """
    height, width = frame.shape[:2]
    high, wide = min(height, MOST_RATIO * width), min(width, MOST_RATIO * height)
    top, left = (height - high) // 2, (width - wide) // 2
    return frame[top : top + high, left : left + wide]


def _check_imports(name: str) -> None:
    """Check that open_clip can be imported; it cannot if torch and torchvision do not fit."""
    try:
        import open_clip  # noqa: F401
    except Exception as error:
        raise RdmfError(
            f"open_clip is installed but cannot be imported ({_first_line(error)})",
            name,
            "reinstall it with: pip install --force-reinstall torch torchvision open_clip_torch",
        ) from error


def _can_tokenize() -> bool:
    """Return whether the packages that converted towers need are installed."""
    return all(map(find_spec, NEEDED))


CLIP_CONTEXT = 77  # tokens that a text tower reads, if it states no other number


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_MAX_CHARACTERS]


@dataclass(frozen=True)
class _Model:
    """A loaded model, with its preprocessing and its tokenizer."""

    net: Any
    preprocess: Callable[[Any], torch.Tensor]
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype

    @property
    def context(self) -> int:
        """The maximum number of tokens that the text tower reads."""
        return int(getattr(self.tokenizer, "context_length", None) or CLIP_CONTEXT)

    def prepare(self, picture: Image.Image) -> np.ndarray:
        prepared: np.ndarray = self.preprocess(picture).numpy()
        return prepared

    def image_rows(self, images: np.ndarray) -> np.ndarray:
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(images)).to(self.device, self.dtype)
        with torch.inference_mode():
            return _to_numpy(self.net.encode_image(batch, normalize=False))

    def text_features(self, texts: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
        import torch

        tokens = self.tokenizer(texts).to(self.device)  # (N, context)
        with torch.inference_mode():
            rows, words = self.text_outputs(tokens)
        lengths = _token_counts(tokens, self.tokenizer)
        return _to_numpy(rows), [
            _to_numpy(states[:length]) for states, length in zip(words, lengths, strict=True)
        ]

    def text_outputs(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the features (N, D) and the word states (N, T, W) of tokens (N, T)."""
        with self._states() as states:
            rows = self.net.encode_text(tokens, normalize=False)
            return rows, self._final_norm(states[-1])[:, : tokens.shape[1]]

    @property
    def _text(self) -> Any:
        """The module with the text tower; in plain CLIP, the model itself."""
        return getattr(self.net, "text", self.net)

    def _final_norm(self, states: torch.Tensor) -> torch.Tensor:
        norm = getattr(self._text, "ln_final", None)
        return states if norm is None else norm(states)

    @contextmanager
    def _states(self) -> Iterator[list[torch.Tensor]]:
        """Collect the output of the text transformer's last layer, for every token."""
        states: list[torch.Tensor] = []

        def collect(_module: Any, _inputs: Any, output: Any) -> None:
            states.append(getattr(output, "last_hidden_state", output))

        hook = self._text.transformer.register_forward_hook(collect)
        try:
            yield states
        finally:
            hook.remove()


def _to_numpy(values: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.float().cpu().numpy())


def _token_counts(tokens: torch.Tensor, tokenizer: Any) -> list[int]:
    """Count the tokens of each text, with start and end tokens, without padding.

    A text ends with its first end token. The padding token does not show the end: CLIP pads with
    token 0, which is also the exclamation mark, and SigLIP pads with the end token.
    """
    end = _end_token(tokenizer)
    ends = (tokens == end).int()
    whole = ends.new_full((len(tokens),), tokens.shape[1])
    lengths: list[int] = (ends.argmax(dim=1) + 1).where(ends.any(dim=1), whole).tolist()
    return lengths


def _end_token(tokenizer: Any) -> int:
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return int(tokenizer.eot_token_id)
    known = (inner.sep_token_id, inner.eos_token_id)
    return next((int(token) for token in known if token is not None), -1)


def _check_bfloat16_pays() -> None:
    """Refuse bfloat16 if a matrix product takes longer in bfloat16 than in float32."""
    from rdmf_cli.devices import bfloat16_speed

    speed = bfloat16_speed()
    if speed < 1:
        what = f"bfloat16 is {1 / speed:.1f} times slower than float32 on this processor"
        raise UsageError(what, "bfloat16", "use float32")


def _load(blueprint: Blueprint, device: torch.device, precision: str) -> _Model:
    import torch

    with _quiet(), _offline():
        net, preprocess, tokenizer = _build(blueprint, precision)
        _fill(net, blueprint)
    net = net.to(device).eval()
    return _Model(net, preprocess, tokenizer, device, getattr(torch, precision))


def _build(blueprint: Blueprint, precision: str) -> tuple[Any, Callable[[Any], Any], Any]:
    """Build the model with random weights, its preprocessing and its tokenizer.

    open_clip reads a temporary folder with the blueprint's configuration. So the model always
    has the configuration of the fingerprint, from any source.
    """
    import open_clip

    check_runs_no_code(blueprint)
    check_size(blueprint)
    try:
        with scratch_folder() as folder:
            content = {
                "model_cfg": _with_local_text_tower(blueprint),
                "preprocess_cfg": blueprint.preprocessing,
            }
            Path(folder, HUB_CONFIG).write_text(json.dumps(content), "utf-8")
            net, _, preprocess = open_clip.create_model_and_transforms(
                f"local-dir:{folder}",
                load_weights=False,
                pretrained_text=False,
                precision=PRECISIONS[precision],
            )
            tokenizer = open_clip.get_tokenizer(_tokenizer_source(blueprint, str(folder)))
    except ImportError as error:
        package = error.name or "transformers"
        raise RdmfError(
            f"this model needs the package {package}, which is not installed",
            blueprint.name,
            f"install it with: pip install {package}",
        ) from error
    except Exception as error:
        raise RdmfError(
            f"open_clip cannot build this model ({_first_line(error)})",
            blueprint.name,
            "fetch it again with `rdmf weights fetch`, or check its configuration",
        ) from error
    return net, preprocess, tokenizer


def _with_local_text_tower(blueprint: Blueprint) -> dict[str, Any]:
    """Return the configuration; a text tower of transformers is read from the local folder."""
    text = blueprint.config["text_cfg"]
    local = blueprint.folder
    if "hf_model_name" not in text or local is None or not (local / "config.json").is_file():
        return blueprint.config
    return {**blueprint.config, "text_cfg": {**text, "hf_model_name": str(local)}}


def _tokenizer_source(blueprint: Blueprint, folder: str) -> str:
    if "hf_tokenizer_name" not in blueprint.config["text_cfg"]:
        return f"local-dir:{folder}"
    if blueprint.folder is None:
        return blueprint.architecture
    return f"local-dir:{blueprint.folder}"


def _fill(net: Any, blueprint: Blueprint) -> None:
    """Load all weights into the model; raise an error if any is missing."""
    import open_clip

    path = blueprint.weights
    try:
        if _is_torchscript(path):
            _require_published(blueprint)
            net.load_state_dict(_torchscript_state(path, net), strict=True)
        else:
            open_clip.load_checkpoint(net, str(path), strict=True)
    except RdmfError:
        raise
    except Exception as error:
        if "state_dict for" in str(error) or "size mismatch" in str(error):
            what = f"these weights do not fit the architecture {blueprint.architecture}"
            todo = "name the architecture they were trained with: ARCHITECTURE/FILE"
        else:
            what = f"cannot be read as weights ({_first_line(error)})"
            todo = "fetch or copy the file again"
        raise RdmfError(what, path, todo) from error


TORCHSCRIPT_MEMBER = b"constants.pkl"


def _is_torchscript(path: Path) -> bool:
    """Return whether a file is a TorchScript archive, which contains code (as OpenAI's files do).

    torch recognises such archives by the name of a member. This function looks for the name in the
    bytes, because two readers may find different members in the same archive.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(TORCHSCRIPT_MEMBER) >= 0


def _require_published(blueprint: Blueprint) -> None:
    """Raise RdmfError for an archive with code, unless open_clip itself publishes the archive."""
    if hash_stream(blueprint.weights).hexdigest() not in blueprint.published:
        raise RdmfError(
            "is a TorchScript archive, which may contain harmful code, and is not published by "
            "open_clip",
            blueprint.weights,
            "ask its author for the weights as safetensors",
        )


def _torchscript_state(path: Path, net: Any) -> dict[str, Any]:
    """Return the weights of an archive, without its other numbers and masks."""
    import torch

    state = torch.jit.load(str(path), map_location="cpu").state_dict()
    unsaved = {name for name, _ in net.named_buffers()} - net.state_dict().keys()
    return {key: state[key] for key in state.keys() - unsaved - _JIT_SCALARS}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence open_clip's warning about random weights: the real weights are loaded next."""
    root = logging.getLogger()
    silent = logging.NullHandler()

    def is_grave(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    root.addFilter(is_grave)
    root.addHandler(silent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(silent)
        root.removeFilter(is_grave)


@contextmanager
def _offline() -> Iterator[None]:
    """Make huggingface_hub fail at once; by default it tries to connect for almost a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
