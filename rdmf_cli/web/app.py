"""The routes of a server."""

from __future__ import annotations

import io
import mimetypes
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from rdmf_cli.channels.query import Term
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.pictures import frame_at
from rdmf_cli.handover.cutting import span_of, write_span
from rdmf_cli.handover.film import KINDS
from rdmf_cli.handover.stills import jpeg, scanned, stills
from rdmf_cli.library.types import Hit
from rdmf_cli.outputs.formats import open_writer
from rdmf_cli.outputs.hits import answer_of_hit
from rdmf_cli.web.guard import Guard
from rdmf_cli.web.pages import EXPORTS, Asked, Curve, search_page
from rdmf_cli.web.sources import SCANS_KEPT, Source

LISTED = 24  # moments per search
LONGEST_QUERY = 1000  # characters
LONGEST_CUT = 600.0  # seconds
PICTURES_KEPT = 2048


def make_app(source: Source, hosts: frozenset[str], token: str = "") -> Starlette:
    """Make the server of some videos.

    Args:
        source: The videos.
        hosts: Host names that get answers; empty: any host name, if there is a token.
        token: Secret text that a visitor has to send; "": none.
    """
    site = _Site(source)
    routes = [
        Route("/", site.page),
        Route("/video/{key:str}", site.video),
        Route("/frame/{key:str}", site.frame),
        Route("/cut/{key:str}", site.cut),
        *(Route(f"/export.{form}", site.export, name=form) for form in EXPORTS),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts, token=token)])


class _Site:
    """The routes. Each route is a plain function, which Starlette runs in a thread."""

    def __init__(self, source: Source):
        self.source = source
        self._scanned = lru_cache(maxsize=SCANS_KEPT)(scanned)
        self._picture = lru_cache(maxsize=PICTURES_KEPT)(self._decoded)

    def page(self, request: Request) -> Response:
        asked, count = _asked(request), len(self.source.videos())
        if not asked.fields:
            return _html(search_page(asked, videos=count))
        try:
            terms = self._terms(asked)
            hits = self.source.search(terms, LISTED)
            curves = [self._curve(hit, terms) for hit in hits]
        except RdmfError as error:
            return _html(search_page(asked, videos=count, problem=str(error)), 400)
        return _html(search_page(asked, hits, curves, count))

    def video(self, request: Request) -> Response:
        path = self._path(request.path_params["key"])
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return FileResponse(path, media_type=kind)  # FileResponse answers Range requests

    def frame(self, request: Request) -> Response:
        path, time = self._path(request.path_params["key"]), _seconds(request, "t")
        try:
            return Response(self._picture(path, time), media_type="image/jpeg")
        except RdmfError as error:
            raise HTTPException(404, str(error)) from error

    def cut(self, request: Request) -> Response:
        path = self._path(request.path_params["key"])
        start, end = _seconds(request, "start"), _seconds(request, "end")
        if not start < end <= start + LONGEST_CUT:
            raise HTTPException(400, f"a cut has from 0 to {LONGEST_CUT:g} seconds")
        descriptor, name = tempfile.mkstemp(prefix="rdmf-", suffix=".mp4")
        remove = BackgroundTask(os.unlink, name)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                write_span(file, KINDS["mp4"], span_of(self._scanned(path), start, end))
        except Exception as error:
            os.unlink(name)
            raise HTTPException(422, str(error)) from error
        given = f"{path.stem}_{start:.1f}-{end:.1f}.mp4"
        return FileResponse(name, filename=given, media_type="video/mp4", background=remove)

    def export(self, request: Request) -> Response:
        asked, form = _asked(request), request.url.path.rpartition(".")[2]
        stream = io.StringIO()
        try:
            with open_writer(form, stream) as writer:
                for hit in self.source.search(self._terms(asked), LISTED):
                    if hit.convinces:
                        writer.write(answer_of_hit(hit))
        except RdmfError as error:
            raise HTTPException(400, str(error)) from error
        headers = {"content-disposition": f'attachment; filename="moments.{form}"'}
        return Response(stream.getvalue().encode(), media_type="text/plain", headers=headers)

    def _path(self, key: str) -> Path:
        path = self.source.path_of(key)
        if path is None or not path.is_file():
            raise HTTPException(404, "there is no such video")
        return path

    def _terms(self, asked: Asked) -> Sequence[Term]:
        terms = [Term(asked.words)] if asked.words else []
        if asked.like:
            key, _, at = asked.like.partition("@")
            path = self._path(key)
            terms.append(Term(f"{path.name}@{at}", frame_at(path, _number(at))))
        return terms

    def _curve(self, hit: Hit, terms: Sequence[Term]) -> Curve:
        try:
            features, saliency = self.source.curve(hit.video, terms)
        except RdmfError:
            return Curve()  # the hit is shown without a curve
        return Curve(saliency, features.offset, features.clip_length)

    def _decoded(self, path: Path, time: float) -> bytes:
        return jpeg(stills(self._scanned(path), [time])[0])


def _asked(request: Request) -> Asked:
    words = " ".join(request.query_params.get("q", "").split())
    if len(words) > LONGEST_QUERY:
        raise HTTPException(400, f"a query has at most {LONGEST_QUERY} characters")
    return Asked(words, request.query_params.get("like", ""))


def _seconds(request: Request, name: str) -> float:
    return _number(request.query_params.get(name, ""))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e7:
        raise HTTPException(400, "this is not a time in seconds")
    return number


def _html(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="text/html; charset=utf-8")
