"""Extraction on a Ray cluster: one task per video, or per section of a long video.

The workers return features through Ray. This process alone writes to the library, in the same way
as without a cluster.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rdmf_cli.errors import MissingExtra, RdmfError, UsageError
from rdmf_cli.features import FeatureStore, Selection, VideoFeatures
from rdmf_cli.features.extraction import (
    ClipProgress,
    join_sections,
    store_section,
    stored_features,
)
from rdmf_cli.features.sections import SectionFeatures
from rdmf_cli.library.cluster_worker import Failure, Order, Plan, read_section, read_video

AUTO: Final = "auto"
SECTION_SECONDS: Final = 30 * 60.0
"""A longer video is extracted in sections of about this length."""

WHOLE: Final = 1 << 60  # clips; more than any video has
RETRIES: Final = 3  # how often a task is run again after its worker was lost
CONNECT_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 0.5  # between two reports of progress; an interrupt is noticed then
LEAST_AT_ONCE: Final = 16
AT_ONCE_PER_CPU: Final = 2  # videos; a core is not idle while results are written

START: Final = "start a cluster (ray start --head), or check the address; see docs/scale.md"


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to; `connected` makes it.

    Attributes:
        ray: The module ray.
        device: Device of the encoder on the workers.
    """

    ray: Any
    device: str = "auto"

    @property
    def videos_at_once(self) -> int:
        """The number of videos that are extracted or waiting in the cluster at once."""
        cpus = int(self.ray.cluster_resources().get("CPU", 0))
        return max(LEAST_AT_ONCE, AT_ONCE_PER_CPU * cpus)

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Start a task; return the reference of its result."""
        gpus = 1 if self.device.startswith("cuda") else 0
        task = self.ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(work)
        return task.remote(*arguments)

    def results(self, references: Sequence[Any], tell: Callable[[int], None]) -> list[Any]:
        """Wait for tasks, and return their results in order; if interrupted, cancel the tasks.

        Args:
            references: The references.
            tell: A function that is called with the number of finished tasks, at least twice per
                second. If it raises an exception, the tasks are cancelled.

        Raises:
            RdmfError: A worker was lost too often.
        """
        try:
            waiting = list(references)
            while waiting:
                _, waiting = self.ray.wait(waiting, timeout=WAIT_SECONDS, fetch_local=False)
                tell(len(references) - len(waiting))
            return list(self.ray.get(list(references)))
        except self.ray.exceptions.RayError as error:
            raise _lost(error) from error
        finally:
            for reference in references:
                self.ray.cancel(reference, force=True)  # a finished task is left as it is


@contextmanager
def connected(address: str, device: str = AUTO) -> Iterator[Cluster]:
    """Connect to a Ray cluster; at the end, cancel what is left of its tasks.

    Args:
        address: "HOST:PORT", or "auto": the cluster that this machine belongs to.
        device: Device of the encoder on the workers.

    Raises:
        MissingExtra: Ray is not installed.
        UsageError: The address is not one.
        RdmfError: There is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("--ray", "cluster") from error
    if address != AUTO:
        _reach(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (OSError, RuntimeError, ValueError) as error:
        raise _no_cluster(address) from error
    try:
        yield Cluster(ray, device)
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise an error if nothing answers at an address; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        what = f"must be HOST:PORT or auto, not {address!r}"
        raise UsageError(what, "--ray", "the port is that of ray start --head, 6379 by default")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address) from error


def _no_cluster(address: str) -> RdmfError:
    where = "on this machine" if address == AUTO else f"at {address}"
    return RdmfError(f"no Ray cluster answers {where}", "--ray", START)


def _lost(error: Exception) -> RdmfError:
    if "No module named" in str(error):
        what = "a worker of the cluster lacks rdmf, or a package of it"
        return RdmfError(what, todo="install rdmf on every node, in the Python that runs Ray")
    what = f"the cluster lost the task that read it, {1 + RETRIES} times ({type(error).__name__})"
    return RdmfError(what, todo="check the memory of the workers, and run the command again")


@dataclass(frozen=True)
class ClusterExtract:
    """Extract videos on a cluster into a store; an `Extract`, called from several threads.

    Attributes:
        cluster: The cluster.
        store: The store.
        encoder: Name of the encoder.
        key_of: Function that returns the key of a video's features.
        clips: The clips to encode.
        section_seconds: A longer video is extracted in sections of about this length.
    """

    cluster: Cluster
    store: FeatureStore
    encoder: str
    key_of: Callable[[Path], dict[str, Any]]
    clips: Selection
    section_seconds: float = SECTION_SECONDS

    def __call__(self, video: Path, *, progress: ClipProgress | None = None) -> VideoFeatures:
        """Return the features of a video, from the store or from the cluster.

        Raises:
            RdmfError: The video cannot be read, or the cluster lost its task too often.
        """
        key = self.key_of(video)
        with self.store.lock(key):  # of two copies, one is extracted
            if found := stored_features(self.store, key):
                return found
            length = max(1, round(self.section_seconds / self.clips.clip_length))
            if self.clips.still:  # which frames are encoded depends on all frames before
                length = WHOLE
            order = Order(str(video), key, self.encoder, self.cluster.device, self.clips, length)
            whole = self._whole(order, progress or (lambda clips, of: None))
            return store_section(self.store, key, video, whole)

    def _whole(self, order: Order, progress: ClipProgress) -> SectionFeatures:
        path = Path(order.path)
        read = self._read_video(order, progress)
        if isinstance(read, Plan):
            joined = self._in_sections(order, read, progress)
            if joined is not None:
                return joined
            read = self._read_video(order._replace(length=WHOLE), progress)
        if isinstance(read, Failure):
            raise read.error()
        whole = join_sections([read], path)
        assert whole is not None  # a single section fits
        return whole

    def _read_video(self, order: Order, progress: ClipProgress) -> Any:
        task = self.cluster.submit(read_video, order)
        return self.cluster.results([task], lambda done: progress(0, 1))[0]

    def _in_sections(
        self, order: Order, plan: Plan, progress: ClipProgress
    ) -> SectionFeatures | None:
        """Extract a long video in sections; None: it must be extracted as a whole."""
        clips = [section.stop - section.first for section in plan.sections]

        def tell(done: int) -> None:
            progress(sum(clips[:done]), sum(clips))

        scanned = self.cluster.ray.put(plan.scanned)
        tasks = [
            self.cluster.submit(read_section, order, scanned, section) for section in plan.sections
        ]
        read = self.cluster.results(tasks, tell)
        if any(isinstance(one, Failure) for one in read):
            return None
        return join_sections(read, Path(order.path))
