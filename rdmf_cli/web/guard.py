"""Access control: only this machine, or visitors with the token. Headers of every answer."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rdmf_cli.outputs.html.page import allowed

COOKIE = "rdmf_token"
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
POLICY = (
    f"default-src 'none'; {allowed(chr(39) + 'self' + chr(39))}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def is_local(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses requests of strangers before any route is looked up.

    A page of another site can make a browser send requests to this machine. Such a request has the
    name of the other site as its host (DNS rebinding), or says that it is cross-site. Both kinds of
    requests are refused.

    Args:
        app: The application that is guarded.
        hosts: Host names that get answers; empty: any host name, if there is a token.
        token: Secret text that a visitor has to send; "": none.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str = ""):
        self.app = app
        self.hosts = hosts
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        answer = self.app if refusal is None else refusal

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if self.hosts and _name(headers.get("host", "")) not in self.hosts:
            return PlainTextResponse("this host name is not answered", 421)
        if headers.get("sec-fetch-site") == "cross-site" and scope["path"] != "/":
            return PlainTextResponse("requests of other sites are not answered", 403)
        if not self.token or self._knows(cookie_parser(headers.get("cookie", "")).get(COOKIE, "")):
            return None
        given = QueryParams(scope["query_string"]).get("token", "")
        if scope["path"] != "/" or not self._knows(given):
            return PlainTextResponse("open the address that rdmf serve printed", 403)
        welcome = RedirectResponse("/", 303)  # removes the token from the address
        welcome.set_cookie(COOKIE, given, httponly=True, samesite="strict")
        return welcome

    def _knows(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def _name(host: str) -> str:
    """Return the host name of a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
