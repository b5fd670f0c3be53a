"""The explorer as an ASGI application: routes behind a guard, and errors that leave as replies."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from isoloss import __version__
from isoloss.core.errors import IsolossError
from isoloss.web.jobs import Jobs
from isoloss.web.limits import Limits, Refused
from isoloss.web.routes import House, router, warm_up
from isoloss.web.schemas import Reply
from isoloss.web.security import LOOPBACK, TOKEN_HEADER, Guard, Keys, reply
from isoloss.web.sessions import Sessions

LOG = logging.getLogger("isoloss.web")
STATUSES = {
    400: "It cannot be read.",
    403: "It did not come from the explorer's own page.",
    404: "There is no such thing in this session.",
    408: "It took too long to arrive or to read.",
    409: "It is not finished.",
    413: "It is too large.",
    421: "The server does not answer to this name.",
    422: "It was understood, and cannot be done; the reply says why, and what to do.",
    503: "Too much is asked at once.",
}
REPLIES: dict[int | str, dict[str, Any]] = {s: {"model": Reply, "description": d} for s, d in STATUSES.items()}


def create_app(limits: Limits | None = None, hosts: Iterable[str] = LOOPBACK) -> FastAPI:
    """The explorer as an ASGI application that answers to the names `hosts`."""
    limits = limits or Limits()
    house = House(limits, Keys(), Sessions(limits), Jobs(limits))
    app = FastAPI(
        title="isoloss explorer",
        version=__version__,
        description=f"The verbs as JSON. What changes anything needs the session's cookie and its {TOKEN_HEADER}.",
        lifespan=living,
        responses=REPLIES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.house = house
    app.include_router(router)
    app.add_middleware(Guard, keys=house.keys, hosts=hosts, limits=limits)
    for kind in (IsolossError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer_error)
    return app


@asynccontextmanager
async def living(app: FastAPI) -> AsyncIterator[None]:
    """From the first fit to the last that is stopped."""
    house: House = app.state.house
    warm_up(house.jobs)
    yield
    await run_in_threadpool(house.jobs.close)


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """Every error leaves as a reply: what was given, what exists, what to do."""
    if isinstance(error, IsolossError):
        return JSONResponse(reply(error), getattr(error, "status", 422))
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = " ".join(str(part)[:60] for part in first["loc"])
        said = Refused(422, f"The request is not understood: {where}: {first['msg'][:200]}.", do="See /openapi.json.")
        return JSONResponse(reply(said), 422)
    if isinstance(error, HTTPException):
        said = Refused(error.status_code, f"{error.detail}.", do="See /openapi.json.")
        return JSONResponse(reply(said), error.status_code, dict(error.headers or {}))
    LOG.error("a request failed", exc_info=error)
    return JSONResponse(reply(Refused(500, "Something failed that isoloss did not foresee.", do="See the log.")), 500)
