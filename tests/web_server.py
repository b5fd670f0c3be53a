"""A real explorer for the tests, in a thread of its own, and a visitor who talks to it over HTTP."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from isoloss.web.app import create_app
from isoloss.web.limits import Limits
from isoloss.web.serving import listen


@contextmanager
def running(limits: Limits | None = None) -> Iterator[str]:
    """The address of an explorer that runs while the block does."""
    import uvicorn

    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(limits), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@dataclass
class Visitor:
    """Someone with a cookie and a token; `ask` returns status, headers and body."""

    base: str
    cookie: str = ""
    token: str = ""
    last: dict[str, str] = field(default_factory=dict)

    def come(self) -> dict[str, Any]:
        status, told = self.ask("GET", "/api/hello")
        assert status == 200
        self.token = told["token"]
        return told

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        where = urlsplit(self.base)
        link = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"X-Isoloss-Token": self.token, "Cookie": self.cookie, "Content-Type": "application/json"}
        try:
            link.request(method, path, content, {**sent, **(headers or {})})
            answer = link.getresponse()
            self.last = {name.lower(): value for name, value in answer.getheaders()}
            raw = answer.read()
        finally:
            link.close()
        if "set-cookie" in self.last:
            self.cookie = self.last["set-cookie"].partition(";")[0]
        return answer.status, json.loads(raw) if self.last["content-type"].startswith("application/json") else raw

    def upload(self, content: bytes, name: str = "runs.csv") -> tuple[int, Any]:
        return self.ask("POST", f"/api/tables?name={name}", content, {"Content-Type": "application/octet-stream"})

    def fit(self, **request: Any) -> dict[str, Any]:
        """Ask for a fit and wait until it is there."""
        status, job = self.ask("POST", "/api/fits", request)
        assert status == 202, job
        return self.wait(f"/api/fits/{job['id']}")

    def wait(self, path: str) -> dict[str, Any]:
        while True:
            status, job = self.ask("GET", f"{path}?wait=5")
            assert status == 200, job
            if job["status"] not in ("waiting", "running"):
                return job


SMALL = b"""params,tokens,loss
1e6,2e7,3.912
1e6,8e7,3.601
4e6,2e7,3.755
4e6,8e7,3.402
4e6,32e7,3.188
16e6,8e7,3.287
16e6,32e7,3.018
64e6,32e7,2.922
64e6,128e7,2.731
"""
