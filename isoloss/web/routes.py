"""What can be asked of the explorer, each in a few lines.

GET    /                          the page            GET    /static/NAME             its scripts and styles
GET    /api/hello                 what it begins with
POST   /api/tables?name=          upload a table      POST   /api/tables/ID/view      as it is understood
POST   /api/fits                  ask for a fit       GET    /api/fits/ID             how far it is, and the fit
DELETE /api/fits/ID               stop it             GET    /api/fits/ID/law.js      its formula
GET    /api/fits/ID/fit.json      the fit, draws and all
GET    /api/published/KEY         a law of the literature, and /api/published/KEY/law.js its formula
POST   /api/plans                 ask the planner     POST   /api/explanations        how a number comes about
POST   /api/reports               ask for a report    GET    /api/reports/ID          how far it is
GET    /api/reports/ID/report.html
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from isoloss.core.law import Law
from isoloss.published import published
from isoloss.web import fitting, tables, views
from isoloss.web.asking import ask, explain
from isoloss.web.assets import PLOTLY, asset
from isoloss.web.jobs import Job, Jobs
from isoloss.web.limits import Limits, Refused
from isoloss.web.reading import read_upload
from isoloss.web.schemas import (
    Columns,
    FitId,
    FitRequest,
    Hello,
    JobView,
    PlanRequest,
    PointRequest,
    ReportRequest,
    TableId,
    TableView,
)
from isoloss.web.security import Keys
from isoloss.web.sessions import LADDER, Sessions, Stored

EVERYBODY = "everybody"  # who owns fits of the embedded ladder
Responses = dict[int | str, dict[str, Any]]
JSON_FILE: Responses = {200: {"content": {"application/json": {}}, "description": "A file of JSON."}}
SCRIPT: Responses = {200: {"content": {"text/javascript": {}}, "description": "A module with one export, `formula`."}}
PAGE: Responses = {200: {"content": {"text/html": {}}, "description": "A page of HTML."}}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter()


@dataclass(frozen=True)
class House:
    """What one server keeps: everybody's tables and fits."""

    limits: Limits
    keys: Keys
    sessions: Sessions
    jobs: Jobs


@dataclass(frozen=True)
class Visit:
    """A request's session, and what is there for it."""

    house: House
    session: str

    def stored(self, table: str) -> Stored:
        return tables.ladder() if table == LADDER else self.house.sessions.table(self.session, table)

    def job(self, id: str) -> Job:
        return self.house.jobs.find((self.session, EVERYBODY), id)

    def made(self, id: str) -> fitting.Made:
        made = self.house.jobs.result((self.session, EVERYBODY), id)
        if not isinstance(made, fitting.Made):
            raise Refused(404, f"'{id}' is no fit.", do="Ask for one: POST /api/fits.")
        return made

    def view(self, job: Job) -> JobView:
        return views.job(job, self.house.jobs)


def visit(request: Request) -> Visit:
    """Who asks, as the guard made it out."""
    return Visit(request.app.state.house, request.scope["state"]["session"])


Here = Annotated[Visit, Depends(visit)]
Wait = Annotated[float, Query(ge=0, le=10, allow_inf_nan=False, description="Seconds to wait for the end, at most.")]
Key = Annotated[str, Path(max_length=80, description="The key of a published law.")]
FileName = Annotated[str, Query(min_length=1, max_length=200, description="The file's name.")]


@router.get("/", include_in_schema=False)
def page() -> Response:
    return file("index.html")


@router.get("/static/{name}", include_in_schema=False)
def static(name: str) -> Response:
    return file(name)


@router.get("/favicon.ico", include_in_schema=False)
def icon() -> Response:
    return file("icon.svg")


@router.get("/api/hello")
def hello(here: Here) -> Hello:
    """What a page begins with: its token, the laws, the quantities, the accelerators."""
    house = here.house
    return views.hello(house.keys.token(here.session), house.sessions.tables(here.session), house.limits)


@router.post("/api/tables", status_code=201, openapi_extra=UPLOAD)
async def upload(request: Request, here: Here, name: FileName) -> TableView:
    """Upload a table: the bytes of a file that any loader recognises, under its name."""
    content = b"".join([part async for part in request.stream()])
    return await run_in_threadpool(received, here, content, name)


@router.post("/api/tables/{table}/view")
def view_table(here: Here, table: TableId, asked: Columns) -> TableView:
    """A table as it is understood, with the visitor's corrections."""
    return TableView.model_validate(tables.view(here.stored(table), asked.columns))


@router.post("/api/fits", status_code=202)
def ask_fit(here: Here, asked: FitRequest) -> JobView:
    """Ask for a fit; one that was made before is there at once."""
    return here.view(started(here, asked))


@router.get("/api/fits/{id}")
async def see_fit(here: Here, id: FitId, wait: Wait = 0.0) -> JobView:
    """How far a fit is, and the fit when it is done."""
    job = here.job(id)
    await ended(job, wait)
    return await run_in_threadpool(here.view, job)


@router.delete("/api/fits/{id}")
def stop_fit(here: Here, id: FitId) -> JobView:
    """Stop a fit."""
    job = here.job(id)
    here.house.jobs.stop(job, here.session)
    return here.view(job)


@router.get("/api/fits/{id}/law.js", response_class=Response, responses=SCRIPT)
def fit_law(here: Here, id: FitId) -> Response:
    """The fit's formula as a JavaScript module."""
    return script(here.made(id).fit.law)


@router.get("/api/fits/{id}/fit.json", response_class=Response, responses=JSON_FILE)
def fit_file(here: Here, id: FitId) -> Response:
    """The fit as `Fit.save` writes it."""
    return download(json.dumps(here.made(id).fit.to_json()).encode(), "isoloss-fit.json", "application/json")


@router.get("/api/published/{key}")
def see_published(key: Key) -> dict[str, Any]:
    """A published law, as the page evaluates it."""
    return views.overlay(key)


@router.get("/api/published/{key}/law.js", response_class=Response, responses=SCRIPT)
def published_law(key: Key) -> Response:
    """A published law's formula as a JavaScript module."""
    return script(published(key).law)


@router.post("/api/plans")
def ask_plan(here: Here, asked: PlanRequest) -> dict[str, Any]:
    """Ask the planner: goals as `isoloss plan` takes them, those that name files excepted."""
    return views.finite(ask(here.made(asked.fit).fit, asked.asked, asked.level).to_json())


@router.post("/api/explanations")
def ask_explanation(here: Here, asked: PointRequest) -> dict[str, Any]:
    """How the fit's number at a point comes about."""
    return views.finite(explain(here.made(asked.fit).fit, asked.at).to_json())


@router.post("/api/reports", status_code=202)
def ask_report(here: Here, asked: ReportRequest) -> JobView:
    """Ask for the report of a fit."""
    made = here.made(asked.fit)
    id = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:32]

    def work(_: Any) -> bytes:
        return views.report_bytes(made, asked.flops, asked.level)

    return here.view(here.house.jobs.start(here.session, here.session, id, "report", work))


@router.get("/api/reports/{id}")
async def see_report(here: Here, id: FitId, wait: Wait = 0.0) -> JobView:
    """How far a report is."""
    job = here.job(id)
    await ended(job, wait)
    return await run_in_threadpool(here.view, job)


@router.get("/api/reports/{id}/report.html", response_class=Response, responses=PAGE)
def report_file(here: Here, id: FitId) -> Response:
    """The report, to be kept."""
    made = here.house.jobs.result((here.session,), id)
    if not isinstance(made, bytes):
        raise Refused(404, f"'{id}' is no report.", do="Ask for one: POST /api/reports.")
    return download(made, "isoloss-report.html", "text/html; charset=utf-8")


def received(here: Visit, content: bytes, name: str) -> TableView:
    """Read an upload and keep it; of its name only the last part counts, and only as a word."""
    shown = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable()) or "upload"
    kept = here.house.sessions.keep(here.session, shown, read_upload(content, shown, here.house.limits))
    return TableView.model_validate(tables.view(kept, {}))


def started(here: Visit, request: FitRequest) -> Job:
    """The job of a fit, new or known; what can be refused beforehand is."""
    table = here.stored(request.table)
    fitting.check(request, table)
    owner = EVERYBODY if request.table == LADDER else here.session
    id = fitting.key(owner, request)
    return here.house.jobs.start(owner, here.session, id, "fit", lambda tell: fitting.make(request, table, tell))


def warm_up(jobs: Jobs) -> None:
    """Fit what every page opens on, before the first one asks."""
    request, table = FitRequest(), tables.ladder()
    id = fitting.key(EVERYBODY, request)
    jobs.start(EVERYBODY, EVERYBODY, id, "fit", lambda tell: fitting.make(request, table, tell))


async def ended(job: Job, seconds: float) -> None:
    """Wait for a job's end, `seconds` at most, without holding a thread."""
    until = asyncio.get_running_loop().time() + seconds
    while not job.ended.is_set() and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.03)


def file(name: str) -> Response:
    content, kind = asset(name)
    kept = "max-age=31536000, immutable" if name == PLOTLY else "no-cache"  # its address holds its version
    return Response(content, media_type=kind, headers={"Cache-Control": kept})


def script(law: Law) -> Response:
    return Response(views.law_module(law), media_type="text/javascript; charset=utf-8")


def download(content: bytes, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Security-Policy": "sandbox"}
    return Response(content, media_type=kind, headers=headers)
