"""The conversion of an open_clip model into towers that need no torch; see `towers.py`.

The conversion is checked on pictures and sentences. If the results of the towers differ from
torch's, the towers are not used, and the reason is recorded, so that the same model is not
converted again.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from PIL import Image

from rdmf_cli.children import scratch_folder
from rdmf_cli.encoders.index import file_sha256
from rdmf_cli.encoders.open_clip import towers
from rdmf_cli.encoders.open_clip.towers import Record, Towers
from rdmf_cli.errors import RdmfError, advice_on_writing
from rdmf_cli.files import write_own

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NEEDED = ("onnx", *towers.NEEDED)
"""Packages that a conversion needs, in addition to open_clip."""

LEAST_COSINE = 0.9999
OPSET = 17
SIZES = ((64, 64), (97, 61), (50, 200), (480, 270), (33, 640))
"""Widths and heights of the pictures that test a conversion."""

SENTENCES = (
    "a man opens the door",
    "",
    "  A  cup of COFFEE, isn't it?! ",
    "it's 3,000.50 km away: 25 % of the way... 1/2",
    "caf\u00e9, na\u00efve, stra\u00dfe, \u0130stanbul, \ufb01sh, e\u0301",
    "\u65e5\u672c\u8a9e \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0451\u0436",
    "\U0001f44b\U0001f3fd \u2764\ufe0f 5\ufe0f\u20e3",
    "&lt;b&gt; &amp;amp; \u00e2\u20ac\u2122",
    "a_b-c+d=e #tag @name \u2026\u2014\u201cquoted\u201d",
    "don't we'll they're i've i'm he'd she's",
    "word " * 100,
    "x" * 300,
    "!" * 90,
)


class Model(Protocol):
    """A loaded model of open_clip; `encoder._Model` is one."""

    @property
    def net(self) -> Any:
        """The network."""
        ...

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the model."""
        ...

    @property
    def context(self) -> int:
        """The maximum number of tokens that the text tower reads."""
        ...

    def prepare(self, picture: Image.Image) -> np.ndarray:
        """Prepare a picture: float32 (3, S, S)."""
        ...

    def image_rows(self, images: np.ndarray) -> np.ndarray:
        """Encode prepared pictures: float32 (N, D)."""
        ...

    def text_features(self, texts: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Encode texts: float32 (N, D), and N arrays of word states (T_n, W)."""
        ...

    def text_outputs(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode tokens (N, T): features (N, D) and word states (N, T, W)."""
        ...


class _RefusedError(Exception):
    """The model cannot be converted; the text gives the reason."""


def missing() -> list[str]:
    """Return the packages that a conversion needs and that are not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def convert(model: Model, folder: Path, size: int) -> Towers | None:
    """Write the towers of a model, and compare them with torch.

    Args:
        model: The model, on the CPU, in float32.
        folder: The folder for the files; an earlier folder is replaced.
        size: D, the width of the features.

    Returns:
        The towers; None if this model cannot be converted; then the record contains the reason.

    Raises:
        RdmfError: The files cannot be written.
    """
    with scratch_folder() as scratch:
        work = Path(scratch)
        try:
            record = _described(model, size)
            _write_tokenizer(model, work / towers.TOKENIZER)
            _check_preparation(model, record)
            with _tracing():
                _write_towers(model, record, work)
            _check(model, Towers(work, record))
        except _RefusedError as error:
            _refuse(folder, size, str(error))
            return None
        except Exception as error:  # any error of the exporter for a model that it does not know
            lines = str(error).strip().splitlines() or [type(error).__name__]
            _refuse(folder, size, lines[0][:200])
            return None
        return _keep(work, folder, record)


def _keep(work: Path, folder: Path, record: Record) -> Towers:
    _make(folder)
    names = sorted(path.name for path in work.iterdir())
    for name in names:
        with open(work / name, "rb") as file:
            write_own(folder / name, partial(shutil.copyfileobj, file))
    record = replace(record, files={name: file_sha256(folder / name) for name in names})
    write_own(folder / towers.RECORD, towers.to_json(record))
    return Towers(folder, record)


def _refuse(folder: Path, size: int, why: str) -> None:
    _make(folder)
    record = Record(size, 0, 0, "", "", (), (), 0, 0, {}, refused=why)
    write_own(folder / towers.RECORD, towers.to_json(record))


def _described(model: Model, size: int) -> Record:
    """Return the record of a model; refuse a model with parts that `towers.py` does not have."""
    from open_clip import tokenizer as tokenizers_of_open_clip
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = model.tokenizer
    if type(tokenizer) is not SimpleTokenizer or tokenizer.reduction_fn is not None:
        raise _RefusedError("its tokenizer is not CLIP's")
    if tokenizer.clean_fn is not tokenizers_of_open_clip._clean_lower:
        raise _RefusedError("its tokenizer does not clean texts as CLIP does")
    how: Mapping[str, Any] = model.net.visual.preprocess_cfg
    side = how["size"] if isinstance(how["size"], int) else how["size"][0]
    if how["resize_mode"] not in (towers.SHORTEST, towers.SQUASH) or how["size"] not in (
        side,
        (side, side),
        [side, side],
    ):
        raise _RefusedError("its pictures are not resized as in CLIP")
    return Record(
        size=size,
        context=model.context,
        side=side,
        resize=how["resize_mode"],
        interpolation=how["interpolation"],
        mean=tuple(how["mean"]),
        std=tuple(how["std"]),
        start=tokenizer.sot_token_id,
        end=tokenizer.eot_token_id,
        files={},
        any_length=_is_causal(model.net),
    )


def _write_tokenizer(model: Model, path: Path) -> None:
    """Write CLIP's byte-pair encoding in the form of the library tokenizers."""
    from tokenizers import AddedToken, Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    known = model.tokenizer
    merges = sorted(known.bpe_ranks, key=known.bpe_ranks.__getitem__)
    made = Tokenizer(BPE(dict(known.encoder), merges, end_of_word_suffix="</w>"))
    word = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    made.pre_tokenizer = Sequence(
        [
            Split(word, behavior="removed", invert=True),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    names = {number: name for name, number in known.encoder.items()}
    made.add_special_tokens(
        [AddedToken(names[number], normalized=False) for number in known.all_special_ids]
    )
    made.save(str(path))
    _write_common_words(made, path.with_name(towers.WORDS))


def _write_common_words(tokenizer: Tokenizer, path: Path) -> None:
    """Write the words that are one token each; most sentences then need no tokenizer."""
    entries = tokenizer.get_vocab().items()
    ends = {name.removesuffix("</w>"): token for name, token in entries if name.endswith("</w>")}
    common = {
        word: token
        for word, token in ends.items()
        if towers.PLAIN_WORD.fullmatch(word)
        and tokenizer.encode(word, add_special_tokens=False).ids == [token]
    }
    write_own(path, json.dumps(common, sort_keys=True).encode(), what="the words of the model")


def _check_preparation(model: Model, record: Record) -> None:
    for picture in _pictures():
        if np.abs(towers.prepared(picture, record) - model.prepare(picture)).max() > 1e-5:
            raise _RefusedError("its pictures are not prepared as in CLIP")


def _pictures() -> Iterator[Image.Image]:
    rng = np.random.default_rng(0)
    for width, height in SIZES:
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        yield Image.fromarray(pixels)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        todo = advice_on_writing(error)
        raise RdmfError(f"cannot be made ({error.strerror})", folder, todo) from error


class _ImageGraph(torch.nn.Module):
    def __init__(self, net: Any):
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.net.encode_image(images, normalize=False)
        return rows


class _TextGraph(torch.nn.Module):
    def __init__(self, model: Model):
        super().__init__()
        self.net = model.net
        self._outputs = model.text_outputs

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self._outputs(tokens)


class _ShortTextGraph(torch.nn.Module):
    """A text tower that also reads fewer tokens than its context.

    In a causal tower no token sees the tokens after it. So a short sentence needs no padding.

    Args:
        model: A model with a causal text tower; see `_is_causal`.
    """

    def __init__(self, model: Model):
        super().__init__()
        self.whole = _TextGraph(model)
        self._text = _text_module(model.net)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with self._shortened(tokens.shape[1]):
            found: tuple[torch.Tensor, torch.Tensor] = self.whole(tokens)
        return found

    @contextmanager
    def _shortened(self, length: int) -> Iterator[None]:
        """Let the tower use the parts of its positions and its mask for this number of tokens.

        `torch.func.functional_call` would do this, but it refuses to be traced.
        """
        parameters: dict[str, Any] = self._text._parameters
        buffers: dict[str, Any] = self._text._buffers
        positions, mask = parameters[POSITIONS], buffers[MASK]
        parameters[POSITIONS], buffers[MASK] = positions[:length], mask[:length, :length]
        try:
            yield
        finally:
            parameters[POSITIONS], buffers[MASK] = positions, mask


POSITIONS, MASK = "positional_embedding", "attn_mask"
"""The attributes of open_clip's text towers that depend on the number of tokens."""

POOLED_AT_A_TOKEN = ("argmax", "eos", "first")
"""open_clip's kinds of pooling that take the same token, with padding and without."""


def _text_module(net: Any) -> Any:
    """Return the module with the text tower; in plain CLIP, the model itself."""
    return getattr(net, "text", net)


def _is_causal(net: Any) -> bool:
    """Return whether the tokens of a text do not depend on the padding after them."""
    text = _text_module(net)
    pooling = getattr(text, "text_pool_type", getattr(text, "pool_type", None))
    mask = getattr(text, MASK, None)
    return (
        isinstance(getattr(text, POSITIONS, None), torch.nn.Parameter)
        and isinstance(mask, torch.Tensor)
        and torch.equal(mask, torch.full_like(mask, float("-inf")).triu(1))
        and getattr(text, "cls_emb", None) is None
        and pooling in POOLED_AT_A_TOKEN
        and len(mask) >= EXAMPLE_LENGTH
    )


def _write_towers(model: Model, record: Record, work: Path) -> None:
    images = torch.zeros(2, 3, record.side, record.side)
    _write(_ImageGraph(model.net), images, work / towers.IMAGE_TOWER, {"images": (), "rows": ()})
    tokens = model.tokenizer(["a dog", "two"])
    path = work / towers.TEXT_TOWER
    if record.any_length:
        few, also = tokens[:, :EXAMPLE_LENGTH], (1,)
        _write(_ShortTextGraph(model), few, path, {"tokens": also, "rows": (), "words": also})
    else:
        _write(_TextGraph(model), tokens, path, {"tokens": (), "rows": (), "words": ()})


def _write(
    graph: torch.nn.Module, example: torch.Tensor, path: Path, names: Mapping[str, tuple[int, ...]]
) -> None:
    """Write a graph.

    `names` holds the input, then the outputs, and which axes after the first have any length. The
    first axis is the number of pictures or texts, and always has any length.
    """
    import onnx

    given, *outputs = names

    with scratch_folder() as folder:
        traced = Path(folder, "traced.onnx")
        torch.onnx.export(
            graph.eval(),
            (example,),
            str(traced),
            dynamo=False,
            opset_version=OPSET,
            input_names=[given],
            output_names=outputs,
            dynamic_axes={n: {0: "N", **dict.fromkeys(more, "T")} for n, more in names.items()},
        )
        content = onnx.load(str(traced))
    if 1 in names[given]:
        _free_length(content.graph)
    onnx.save_model(
        content,
        str(path),
        save_as_external_data=True,
        location=path.with_suffix(".weights").name,
        size_threshold=1024,
    )


EXAMPLE_LENGTH = 37
"""Number of tokens in the trace of a text tower of any length: no other size of a tower is 37."""


def _free_length(graph: Any) -> None:
    """Make the length of texts free again, where the trace wrote `EXAMPLE_LENGTH` into a shape.

    Torch's attention views its keys and values as (T, N x heads, width), and the trace takes T for
    a constant. It is replaced by 0, which in ONNX means: take this length from the input.
    """
    from onnx import numpy_helper

    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    first = {
        node.input[0]
        for node in graph.node
        if node.op_type == "Concat" and node.output[0] in shapes
    }
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in first:
            known = numpy_helper.to_array(node.attribute[0].t)
            if known.tolist() == [EXAMPLE_LENGTH]:
                node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.zeros_like(known)))


def _check(model: Model, made: Towers) -> None:
    """Refuse towers that differ from torch."""
    texts = list(SENTENCES)
    if not np.array_equal(made.tokens(texts)[0], model.tokenizer(texts).numpy()):
        raise _RefusedError("its tokens differ from open_clip's tokens")
    images = np.stack([made.prepare(picture) for picture in _pictures()])
    pairs = [(made.image_rows(images), model.image_rows(images))]
    rows, words = made.text_features(texts)
    known_rows, known_words = model.text_features(texts)
    pairs += [(rows, known_rows), *zip(words, known_words, strict=True)]
    if any(_least_cosine(*pair) < LEAST_COSINE for pair in pairs):
        raise _RefusedError("its features differ from torch's features")


def _least_cosine(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return -1.0
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return float(((one * other).sum(-1) / np.maximum(lengths, 1e-12)).min())


@contextmanager
def _tracing() -> Iterator[None]:
    """Silence the tracer, and keep attention in operations that ONNX has."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
