"""From the name a user types after --encoder to an encoder; nothing here imports torch."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from rdmf_cli.encoders import blueprint, shelf
from rdmf_cli.encoders.base import Encoder
from rdmf_cli.encoders.blueprint import Blueprint
from rdmf_cli.encoders.catalog import (
    AUTO,
    EMBEDDED,
    HUB_PREFIX,
    Catalog,
    Pretrained,
    is_installed,
    load_catalog,
    unknown_encoder,
)
from rdmf_cli.errors import MissingExtra, UsageError, how_to_install

PREFERRED = "ViT-B-32/openai"

logger = logging.getLogger("rdmf")


@dataclass(frozen=True)
class Choice:
    """Which encoder a request comes to.

    name:   what `load_encoder` takes
    reason: why, a clause; empty where the user named it
    better: commands that would bring better answers, in order
    """

    name: str
    reason: str = ""
    better: tuple[str, ...] = ()

    def line(self) -> str:
        """The choice in one line, for stderr.

        >>> Choice("embedded", "no other here", ("rdmf weights fetch X",)).line()
        'encoder: embedded (no other here); for better answers: rdmf weights fetch X'
        """
        why = f" ({self.reason})" if self.reason else ""
        how = f"; for better answers: {', then '.join(self.better)}" if self.better else ""
        return f"encoder: {self.name}{why}{how}"


def choose_encoder(name: str = AUTO) -> Choice:
    """Settles "auto": open_clip's ViT-B-32/openai where it can be used now, else embedded."""
    if name != AUTO:
        return Choice(name)
    fetch = f"rdmf weights fetch {PREFERRED}"
    if not is_installed():
        return Choice(EMBEDDED, "open_clip is not installed", (how_to_install("clip"), fetch))
    if _preferred_is_here():
        return Choice(PREFERRED, "its weights are on this machine")
    return Choice(EMBEDDED, f"the weights of {PREFERRED} are not on this machine", (fetch,))


def load_encoder(name: str = AUTO, device: str = "auto", precision: str = "float32") -> Encoder:
    """The encoder of that name.

    name: "auto", "embedded", "ARCHITECTURE/WEIGHTS" of open_clip ("ViT-B-32/openai"),
          "hf-hub:ORG/NAME", "ARCHITECTURE/path/to/checkpoint", or the path of a folder with
          open_clip_config.json and weights, or of a file in such a folder

    Nothing is downloaded. Raises UsageError for a name that is none of these (with near ones),
    MissingExtra where open_clip is needed and not installed, and RdmfError where weights have
    to be fetched first.
    """
    choice = choose_encoder(name)
    if name == AUTO:
        logger.info(choice.line())
    if choice.name == EMBEDDED:
        from rdmf_cli.encoders.embedded import EmbeddedEncoder

        return EmbeddedEncoder()
    from rdmf_cli.encoders.open_clip import OpenClipEncoder

    return OpenClipEncoder(find_blueprint(choice.name), device, precision)


def find_blueprint(name: str, catalog: Catalog | None = None) -> Blueprint:
    """What the named open_clip model is made of; every form of name has its own finder.

    catalog: the architectures and weights to know; those of the installed open_clip
    """
    if catalog is None:
        if not is_installed():
            raise _needs_open_clip(name)
        catalog = load_catalog()
    if "\0" in name:  # which no file name may hold
        raise catalog.unknown(name)
    found = (find(name, catalog) for find in (_on_hub, _named, _local, _local_of_architecture))
    for plan in found:
        if plan is not None:
            return replace(plan, published=catalog.whole_hashes())
    raise _not_found(name, catalog)


def _not_found(name: str, catalog: Catalog) -> UsageError:
    architecture, rest = catalog.split(name) or ("", "")
    if not architecture:
        return catalog.unknown(name)
    if "/" in rest or Path(rest).suffix in shelf.WEIGHTS_SUFFIXES:
        return UsageError("no such file of weights", rest, f"name one of {architecture}")
    return catalog.unknown_tag(architecture, rest)


def _on_hub(name: str, catalog: Catalog) -> Blueprint | None:
    if not name.startswith(HUB_PREFIX):
        return None
    return blueprint.from_repository(name.removeprefix(HUB_PREFIX))


def _named(name: str, catalog: Catalog) -> Blueprint | None:
    weights = named_weights(name, catalog)
    return None if weights is None else blueprint.from_tag(weights, catalog)


def named_weights(name: str, catalog: Catalog) -> Pretrained | None:
    """What open_clip calls ARCHITECTURE/WEIGHTS; None for any other name."""
    split = catalog.split(name)
    return catalog.tagged(*split) if split else None


def _local(name: str, catalog: Catalog) -> Blueprint | None:
    path = os.path.expanduser(name)
    if name and os.path.isdir(path):
        return blueprint.from_folder(name, Path(path))
    return blueprint.from_file(name, Path(path), catalog) if os.path.isfile(path) else None


def _local_of_architecture(name: str, catalog: Catalog) -> Blueprint | None:
    architecture, rest = catalog.split(name) or ("", "")
    path = os.path.expanduser(rest)
    if not os.path.isfile(path):
        return None
    return blueprint.from_architecture(name, architecture, Path(path), catalog)


def _needs_open_clip(name: str) -> Exception:
    looks_right = "/" in name or name.startswith(HUB_PREFIX) or os.path.exists(name)
    if looks_right:
        return MissingExtra(f"the encoder {name}", "clip")
    return unknown_encoder(name, [AUTO, EMBEDDED, PREFERRED])


def _preferred_is_here() -> bool:
    if PREFERRED in shelf.fetched():
        return True
    weights = named_weights(PREFERRED, load_catalog())
    return weights is not None and shelf.find_tagged(weights) is not None


@dataclass(frozen=True)
class Listed:
    """One encoder as `rdmf weights list` shows it.

    path:   where its weights are; None where they would have to be fetched
    source: "shipped", "fetched" or "cache" (another program's), "" where not here
    """

    name: str
    path: Path | None
    source: str

    @property
    def is_here(self) -> bool:
        return bool(self.source)


def list_encoders() -> list[Listed]:
    """Every encoder there is a name for, those on this machine first; imports no torch."""
    here = {EMBEDDED: Listed(EMBEDDED, None, "shipped")}
    fetched = shelf.fetched()
    here |= {name: Listed(name, Path(entry.path), "fetched") for name, entry in fetched.items()}
    known = load_catalog() if is_installed() else ()
    others = [_listed(weights) for weights in known if weights.name not in here]
    return [*here.values(), *sorted(others, key=lambda listed: not listed.is_here)]


def _listed(weights: Pretrained) -> Listed:
    path = shelf.find_tagged(weights)
    return Listed(weights.name, path, "cache" if path else "")
