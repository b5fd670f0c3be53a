"""Who may talk to the explorer: this machine's own pages, and nobody who borrowed their name or their cookie.

- The name in `Host` must be one that the server was started for: a foreign name that was made to point here (DNS
  rebinding) is turned away.
- Every visitor has a random cookie (SameSite=Strict, HttpOnly). Whatever changes anything needs, besides the cookie, a
  token that only a page of this origin can read, and no `Origin` but this one.
- Answers carry a content security policy under which no inline script runs and no other host is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from isoloss.web.limits import Limits, Refused, too_large

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
TOKEN_HEADER = "X-Isoloss-Token"
GREETING = "/api/hello"
UPLOADS = re.compile(r"/api/tables")
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}")
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:]+\]|[^:\[\]]*)(?::\d{1,5})?")
# Plotly puts its few rules into style elements that are born empty; the digest is that of nothing at all.
EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
POLICY = (
    f"default-src 'self'; script-src 'self'; style-src 'self' {EMPTY}; img-src 'self' data: blob:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Keys:
    """What this start of the server signs with; none of it outlives the process."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies are not told apart by port, so every start has its own."""
        return f"isoloss-{hashlib.sha256(self.secret).hexdigest()[:8]}"

    def token(self, session: str) -> str:
        """What a page must send along to change anything in a session."""
        return hmac.new(self.secret, session.encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware: checks every request before a route sees it, and dresses every answer.

    `hosts` are the names in `Host` that are answered to, without port.
    """

    def __init__(self, app: Any, keys: Keys, hosts: Iterable[str], limits: Limits) -> None:
        self.app, self.keys, self.hosts, self.limits = app, keys, frozenset(h.lower() for h in hosts), limits

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        known = _cookie(headers.get("cookie", ""), self.keys.cookie)
        session = known or secrets.token_urlsafe(32)
        scope.setdefault("state", {})["session"] = session
        # The first page that another site links to comes without its cookie: only what that page asks itself sets one.
        new = not known and scope["path"] == GREETING
        answer = _Answer(send, f"{self.keys.cookie}={session}; Path=/; HttpOnly; SameSite=Strict" if new else "")
        try:
            self._check(scope, headers, known)
            body = _Body(receive, self._most(scope), headers, self.limits.upload_seconds)
            async with asyncio.timeout(self.limits.answer_seconds + self.limits.upload_seconds):
                await self.app(scope, body, answer)
        except Refused as refused:
            await answer.reply(refused)
        except TimeoutError:
            await answer.reply(Refused(503, "The answer took too long.", do="Ask for less, or try again later."))

    def _most(self, scope: Any) -> int:
        return self.limits.upload if UPLOADS.fullmatch(scope["path"]) else self.limits.body

    def _check(self, scope: Any, headers: dict[str, str], session: str) -> None:
        host = headers.get("host", "")
        named = _HOST.fullmatch(host)
        if not named or named["name"].lower() not in self.hosts:
            raise Refused(
                421,
                f"This server does not answer to the name '{host[:80]}'.",
                f"It answers to: {', '.join(sorted(self.hosts))}.",
                "Open the address that `isoloss serve` printed.",
            )
        is_api = scope["path"].startswith("/api/")
        if (is_api or scope["method"] not in SAFE) and headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            raise _foreign("It was sent by a page of another site.")
        if scope["method"] in SAFE:
            return
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{host}".lower():
            raise _foreign(f"It was sent by {origin[:80]}.")
        token = headers.get(TOKEN_HEADER.lower(), "")
        if not session or not hmac.compare_digest(token.encode(), self.keys.token(session).encode()):
            raise _foreign(f"Its session and its header {TOKEN_HEADER} do not belong together.")


def _foreign(why: str) -> Refused:
    return Refused(403, "This request did not come from the explorer's own page.", why, "Reload the page.")


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found and _SESSION.fullmatch(found.value) else ""


class _Body:
    """Hands a request's body on while it is not too large and not too slow."""

    def __init__(self, receive: Any, most: int, headers: dict[str, str], seconds: float) -> None:
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:18]) > most:
            raise too_large("The request", int(declared[:18]) if declared.isdecimal() else 0, most)
        self.receive, self.most, self.until = receive, most, time.monotonic() + seconds
        self.size, self.whole = 0, False

    async def __call__(self) -> Any:
        if self.whole:
            return await self.receive()
        try:
            async with asyncio.timeout(max(self.until - time.monotonic(), 0.0)):
                message = await self.receive()
        except TimeoutError:
            raise Refused(408, "The request did not arrive in time.", do="Send it again, or a smaller file.") from None
        self.size += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.size > self.most:
            raise too_large("The request", self.size, self.most)
        return message


class _Answer:
    """Sends an answer with the headers that every answer has."""

    def __init__(self, send: Any, cookie: str) -> None:
        self.send, self.cookie, self.begun = send, cookie, False

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message["headers"], *self._headers(message["headers"])]}
        await self.send(message)

    async def reply(self, refused: Refused) -> None:
        if self.begun:
            return
        body = json.dumps(reply(refused)).encode()
        own = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        own += [(b"retry-after", b"5")] if refused.status == 503 else []
        await self({"type": "http.response.start", "status": refused.status, "headers": own})
        await self({"type": "http.response.body", "body": body})

    def _headers(self, given: Any) -> list[tuple[bytes, bytes]]:
        named = {name.lower() for name, _ in given}
        more = {**HEADERS, "Cache-Control": "no-store", **({"Set-Cookie": self.cookie} if self.cookie else {})}
        return [(k.lower().encode(), v.encode()) for k, v in more.items() if k.lower().encode() not in named]


def reply(error: Any) -> dict[str, str]:
    """An IsolossError as JSON: what was given, what exists, what to do."""
    return {"error": type(error).__name__, "given": error.given, "exists": error.exists, "do": error.do}
