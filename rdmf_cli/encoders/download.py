"""Download a file over HTTP: resume after an interruption, verify, then put the file in place."""

from __future__ import annotations

import errno
import http.client
import re
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from filelock import FileLock, Timeout

from rdmf_cli.encoders.index import hash_stream
from rdmf_cli.errors import RdmfError

ByteProgress = Callable[[int, int | None], None]
"""Called with the bytes received and the bytes in total (None: unknown)."""

_TIMEOUT_SECONDS = 15.0
_TRIES = 6  # attempts without progress, one after another
_FIRST_PAUSE_SECONDS = 0.1
_BLOCK_BYTES = 1 << 18
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: An http or https address; its user and password are sent as a header.
        sha256: The expected hash in hexadecimal, or its first digits; "": unknown.
        headers: Headers for the host of `url`, not for hosts that it redirects to. Secret headers
            are sent only over https.
        repository: The repository of the file on the Hugging Face Hub; "": none.
    """

    url: str = field(repr=False)  # messages show `shown` instead
    sha256: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repository: str = ""

    @property
    def host(self) -> str:
        """The host and port, without user and password."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def shown(self) -> str:
        """The address without parts that may be secret: user, password, query string."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, self.host, parts.path, "", ""))

    def request(self) -> Request:
        """Return the HTTP request for the whole file."""
        parts = urlsplit(self.url)
        headers = {**_basic(parts), **self.headers}
        if parts.scheme != "https":
            headers = {name: text for name, text in headers.items() if name.lower() not in _PRIVATE}
        url = urlunsplit((parts.scheme, self.host, parts.path, parts.query, ""))
        headers = {"Accept-Encoding": "identity", **headers}
        return Request(url, headers=headers)  # noqa: S310  (`_open` checks the scheme)


_PRIVATE = {"authorization", "cookie"}


def _basic(parts: SplitResult) -> dict[str, str]:
    """Return the header with the user and password of an address (RFC 7617)."""
    if parts.username is None:
        return {}
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"authorization": f"Basic {b64encode(secret.encode()).decode()}"}


_USER = re.compile(r"//[^/@\s]*@")


def _without_users(text: str) -> str:
    """Remove user and password from addresses in a library's message (of a proxy, for example)."""
    return _USER.sub("//", text)


@dataclass(frozen=True)
class Downloaded:
    """A complete file.

    Attributes:
        path: The file.
        sha256: The file's hash in hexadecimal.
        size_bytes: The file's size.
        verified: How the file was verified: "sha256", "size", or "nothing" if the server states
            neither hash nor size.
        revision: The commit that the Hugging Face Hub stated in its response; "": none.
    """

    path: Path
    sha256: str
    size_bytes: int
    verified: str
    revision: str = ""


class NotOnServerError(RdmfError):
    """The server has no such file."""


class UnreachableError(RdmfError):
    """The server does not respond."""


def download(
    remote: Remote,
    target: Path,
    progress: ByteProgress = lambda done, total: None,
    unverified: bool = False,
) -> Downloaded:
    """Download a file; after an interruption, a ".part" file stays, and the next call resumes it.

    An incomplete file is resumed only if the hash of the whole file is known, so that two versions
    of a file are never mixed. After a broken connection, the download is tried again as long as it
    makes progress. If a server does not respond at all, an error is raised at once.

    Args:
        remote: The file on the server.
        target: Where to save it.
        progress: A function that is called with the bytes received and the bytes in total.
        unverified: Accept a file of unknown hash and unknown length.

    Raises:
        NotOnServerError: The server has no such file.
        UnreachableError: The server does not respond.
        RdmfError: The hash is wrong, the disk is full, the server refuses the file, or the file
            cannot be verified.
    """
    with _writing(target):
        transfer = _Transfer(remote, target, progress, unverified)
        resumed = transfer.run()
        if resumed and not transfer.is_right():
            transfer.start_over()
            transfer.run()
        return transfer.finish()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Lock the target for this process; turn errors of the disk into RdmfError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(".lock"), timeout=0):
            yield
    except Timeout as error:
        raise RdmfError(
            "another process is downloading this file", target, "wait for it"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_room(target) from error
        raise RdmfError(
            f"cannot be written ({error.strerror or error})",
            target,
            "set RDMF_DATA_DIR to another folder",
        ) from error


def _no_room(target: Path, missing_bytes: int = 0) -> RdmfError:
    size = f"; {missing_bytes / 1e6:.0f} MB are missing" if missing_bytes else ""
    return RdmfError(
        f"the disk is full{size}",
        target.parent,
        "free some space, or set RDMF_DATA_DIR to another folder",
    )


class _Transfer:
    """A download in progress: its ".part" file, and what the server states about the whole file."""

    def __init__(self, remote: Remote, target: Path, progress: ByteProgress, unverified: bool):
        self.remote = remote
        self.target = target
        self.part = Path(f"{target}.part")
        if self.part.is_symlink():  # nothing is written through a link
            self.part.unlink()
        self.progress = progress
        self.unverified = unverified
        self.sha256 = remote.sha256
        self.revision = ""
        self.size_bytes: int | None = None
        self.trusted = False  # whether the part was begun in this call
        self.came_bytes = 0  # in this call

    @property
    def done_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def start_over(self) -> None:
        self.part.unlink(missing_ok=True)

    def run(self) -> bool:
        """Read until the file is complete; return whether an earlier download was resumed."""
        resumed, tries = self.done_bytes > 0, 0
        while True:
            came = self.came_bytes
            try:
                self._read_on()
                return resumed
            except UnreachableError as error:
                tries = 1 if self.came_bytes > came else tries + 1
                hopeless = not (self.came_bytes or isinstance(error, _BrokenOffError))
                if hopeless or tries >= _TRIES:
                    raise
            time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (tries - 1))

    def _read_on(self) -> None:
        start = self.done_bytes
        with _open(self.remote, start) as response:
            self.sha256 = self.sha256 or response.sha256
            self.revision = self.revision or response.revision
            if start and not (self.sha256 or self.trusted):
                self.start_over()
                raise _broken_off(self.remote, "the part of an earlier download cannot be verified")
            if response.is_at_end:
                return
            self.size_bytes = response.size_bytes
            self._check_verifiable()
            self._check_room(start)
            self._write(response, "ab" if response.continues(start) else "wb")
        if self.size_bytes is not None and self.done_bytes < self.size_bytes:
            reason = f"the connection broke off after {self.done_bytes} of {self.size_bytes} bytes"
            raise _broken_off(self.remote, reason)

    def _write(self, response: _Response, mode: str) -> None:
        self.trusted = self.trusted or mode == "wb"
        with self.part.open(mode) as stream:
            self.progress(stream.tell(), self.size_bytes)
            while block := response.read(_BLOCK_BYTES):
                stream.write(block)
                self.came_bytes += len(block)
                self.progress(stream.tell(), self.size_bytes)

    def _check_verifiable(self) -> None:
        if not (self.sha256 or self.size_bytes is not None or self.unverified):
            raise RdmfError(
                "the server states neither a hash nor a length, so this file cannot be verified",
                self.remote.shown,
                "get it elsewhere, or accept it unverified with --unverified",
            )

    def _check_room(self, start: int) -> None:
        missing = (self.size_bytes or 0) - start - shutil.disk_usage(self.part.parent).free
        if missing > 0:
            raise _no_room(self.target, missing)

    def is_right(self) -> bool:
        return self._hash().startswith(self.sha256)

    def _hash(self) -> str:
        return hash_stream(self.part).hexdigest()

    def finish(self) -> Downloaded:
        """Verify the ".part" file and give it its final name."""
        sha256, size = self._hash(), self.done_bytes
        if not sha256.startswith(self.sha256):
            self.start_over()
            raise RdmfError(
                f"checksum mismatch: sha256 is {sha256[:16]}…, expected {self.sha256[:16]}…",
                self.remote.shown,
                "try again, maybe on another network",
            )
        self.part.replace(self.target)
        verified = "sha256" if self.sha256 else "size" if self.size_bytes is not None else "nothing"
        return Downloaded(self.target, sha256, size, verified, self.revision)


class _BrokenOffError(UnreachableError):
    """The server sent only part of the file, so another attempt may succeed."""


@dataclass
class _Response:
    """The response to a request for a file from byte `start` on."""

    stream: IO[bytes]
    status: int
    headers: Message
    sha256: str
    revision: str
    remote: Remote

    is_at_end = property(lambda self: self.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE)

    def continues(self, start: int) -> bool:
        """Return whether the response begins at `start`; a server may send the whole file."""
        spoken = self.headers.get("Content-Range") or ""
        return self.status == http.client.PARTIAL_CONTENT and spoken.startswith(f"bytes {start}-")

    @property
    def size_bytes(self) -> int | None:
        """The length of the whole file in bytes; None: unknown."""
        total = (self.headers.get("Content-Range") or "").rpartition("/")[2]
        if self.status != http.client.PARTIAL_CONTENT:
            total = self.headers.get("Content-Length") or ""
        return int(total) if total.isdigit() else None

    def read(self, count: int) -> bytes:
        try:
            return self.stream.read(count)
        except (http.client.HTTPException, OSError) as error:
            raise _broken_off(self.remote, f"the connection broke off: {error}") from error


@contextmanager
def _open(remote: Remote, start: int) -> Iterator[_Response]:
    redirects = _Redirects(remote)
    if urlsplit(remote.url).scheme not in ("http", "https"):
        raise _unreachable(remote, "not an http or https address")
    try:
        request = remote.request()
        if start:
            request.add_header("Range", f"bytes={start}-")
        stream = build_opener(redirects).open(request, timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _refused(remote, error) from error
        stream = error
    except (URLError, OSError, ValueError) as error:
        raise _unreachable(remote, str(getattr(error, "reason", error))) from error
    with stream:
        redirects.learn(stream.headers)
        facts = redirects.sha256, redirects.revision
        yield _Response(stream, stream.status, stream.headers, *facts, remote)


class _Redirects(HTTPRedirectHandler):
    """A handler of redirects: it keeps what the first host states, and hides secrets from others.

    It raises RdmfError for a redirect from https to http, because anyone on the network could
    respond.
    """

    def __init__(self, remote: Remote):
        self.remote = remote
        self.sha256 = self.revision = ""

    def learn(self, headers: Message) -> None:
        """Keep the hash and the commit that a response states, unless an earlier response did."""
        self.sha256 = self.sha256 or _linked_sha256(headers)
        self.revision = self.revision or _commit(headers)

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> Request | None:
        self.learn(headers)
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        if there.scheme != "https" and (here.scheme == "https" or there.scheme != "http"):
            what = "the server redirects to an address without encryption"
            raise RdmfError(what, self.remote.shown, "use another hub (HF_ENDPOINT)")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and (here.scheme, here.netloc) != (there.scheme, there.netloc):
            for name in [name for name in request.headers if name.lower() in _PRIVATE]:
                request.remove_header(name)
        return request


def _commit(headers: Message) -> str:
    """Return the commit in the response of the Hugging Face Hub, in hexadecimal; else ""."""
    commit = headers.get("X-Repo-Commit") or ""
    return commit if re.fullmatch("[0-9a-f]{40,64}", commit) else ""


def _linked_sha256(headers: Message) -> str:
    """Return the sha256 in the response of the Hugging Face Hub, which tags large files with it."""
    tag = (headers.get("X-Linked-Etag") or "").removeprefix("W/").strip('"')
    return tag if len(tag) == 64 and all(digit in "0123456789abcdef" for digit in tag) else ""


def _refused(remote: Remote, error: HTTPError) -> Exception:
    if error.code in (404, 410):
        return NotOnServerError("no such file on the server", remote.shown, "check the name")
    if error.code in (401, 403):
        return RdmfError(
            f"the server refuses this file (HTTP {error.code})",
            remote.shown,
            "check the name; if the file is not public, accept the terms on its page and set "
            "HF_TOKEN, which is sent only over https",
        )
    if error.code in _TRY_AGAIN:
        return _broken_off(remote, f"HTTP {error.code} {error.reason}")
    return RdmfError(
        f"the server responded with HTTP {error.code} {error.reason}", remote.shown, "try later"
    )


def _unreachable(remote: Remote, reason: str) -> UnreachableError:
    return UnreachableError(*_no_answer(remote, reason))


def _broken_off(remote: Remote, reason: str) -> _BrokenOffError:
    return _BrokenOffError(*_no_answer(remote, reason))


def _no_answer(remote: Remote, reason: str) -> tuple[str, str, str]:
    return (
        f"cannot be reached ({_without_users(reason)})",
        remote.host or remote.shown,
        "check the network (or HF_ENDPOINT, HTTPS_PROXY) and try again; the download is resumed",
    )
