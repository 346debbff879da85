"""What a worker of a Ray cluster does: it extracts a video, or a section of a long video.

The functions of this module run on the workers, which only return features: the process that
indexes writes them to the library. Errors are returned as `Failure`, because Ray would wrap a
raised error and run the task again.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rdmf_cli.encoders import load_encoder
from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError, errors_of
from rdmf_cli.features import Selection
from rdmf_cli.features.extraction import extract_section, feature_key, plan_sections
from rdmf_cli.features.sections import Section, SectionFeatures

if TYPE_CHECKING:
    from rdmf_cli.video.decoders.base import Scan

Result = TypeVar("Result")


class Order(NamedTuple):
    """What a worker is asked to extract.

    Attributes:
        path: The video; the worker opens it under the same path.
        key: The key of its features; the worker must find the same content and weights.
        encoder: Name of the encoder.
        device: Device of the encoder.
        clips: The clips to encode.
        length: Minimum number of clips of a section.
    """

    path: str
    key: dict[str, Any]
    encoder: str
    device: str
    clips: Selection
    length: int


class Plan(NamedTuple):
    """A long video, scanned, and its sections."""

    scanned: Scan
    sections: list[Section]


class Failure(NamedTuple):
    """An RdmfError as plain values."""

    what: str
    subject: str | None
    todo: str

    def error(self) -> RdmfError:
        """Return the error."""
        return RdmfError(self.what, self.subject, self.todo)


def read_video(order: Order) -> Plan | SectionFeatures | Failure:
    """Extract a video; return the plan of its sections instead if it has several."""

    def work() -> Plan | SectionFeatures:
        encoder = _checked_encoder(order)
        plan = Plan(*plan_sections(Path(order.path), encoder, order.clips, order.length))
        if len(plan.sections) > 1:
            return plan
        return extract_section(plan.scanned, encoder, order.clips, plan.sections[0])

    return _outcome(order, work)


def read_section(order: Order, scanned: Scan, section: Section) -> SectionFeatures | Failure:
    """Extract a section of a scanned video."""

    def work() -> SectionFeatures:
        return extract_section(scanned, _checked_encoder(order), order.clips, section)

    return _outcome(order, work)


def _outcome(order: Order, work: Callable[[], Result]) -> Result | Failure:
    try:
        with errors_of(order.path):
            return work()
    except RdmfError as error:
        return Failure(error.what, error.subject, error.todo)


def _checked_encoder(order: Order) -> Encoder:
    """Load the encoder; check that this worker has the same video, weights and release of rdmf.

    Raises:
        RdmfError: The worker has another one; the error names the worker.
    """
    here = f"on the worker {platform.node()}"
    encoder = _encoder(order.encoder, order.device)
    try:
        key = feature_key(Path(order.path), encoder, order.clips)
    except RdmfError as error:
        todo = "make the video readable at this path on every node of the cluster"
        raise RdmfError(f"{error.what} {here}", order.path, todo) from error
    if key["encoder_fingerprint"] != order.key["encoder_fingerprint"]:
        what = f"{here}, the encoder {order.encoder} has other weights"
        raise RdmfError(what, order.path, "install the same weights on every node of the cluster")
    if key["content"] != order.key["content"]:
        what = f"{here}, the file at this path has other content"
        raise RdmfError(what, order.path, "check that no program writes it, and run again")
    if key != order.key:
        what = f"{here}, there is another release of rdmf"
        raise RdmfError(what, order.path, "install the same release on every node of the cluster")
    return encoder


@cache
def _encoder(name: str, device: str) -> Encoder:
    """Load an encoder once per process; it computes in one thread, as a task has one core."""
    os.environ.setdefault("RDMF_THREADS", "1")
    return load_encoder(name, device)
