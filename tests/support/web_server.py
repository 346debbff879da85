"""A server of rdmf on a free port of this machine, and plain requests to it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn

from rdmf_cli import Searcher
from rdmf_cli.cli.serve import listening_on
from rdmf_cli.web.app import make_app
from rdmf_cli.web.guard import LOCAL
from rdmf_cli.web.sources import Files, Source


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Server(NamedTuple):
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, target: str, method: str = "GET", **headers: str) -> Answered:
        """Send a request exactly as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, target, skip_host="Host" in named)
        for name, value in named.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, found, response.read())


def files(*videos: Path) -> Files:
    return Files(Searcher(encoder="embedded"), videos)


@contextmanager
def serving(source: Source, token: str = "") -> Iterator[Server]:
    app = make_app(source, frozenset() if token else LOCAL, token)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with listening_on("127.0.0.1", 0) as listening:
        running = threading.Thread(target=server.run, args=([listening],), daemon=True)
        running.start()
        try:
            yield Server(listening.getsockname()[1])
        finally:
            server.should_exit = True
            running.join(20)
