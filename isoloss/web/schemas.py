"""What the page asks and what it is answered, as types: the description at /openapi.json is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

TableId = Annotated[str, Field(pattern=r"^[a-z0-9]{1,40}$", description="`ladder`, or the id of an uploaded table.")]
FitId = Annotated[str, Field(pattern=r"^[a-f0-9]{32}$", description="The id that asking for a fit gave.")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Written = Annotated[str, Field(min_length=1, max_length=40, description="A number as people write it: 7B, 1e21, 2%.")]


class Asked(BaseModel):
    """A request: nothing unknown in it, and nothing guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Choice(Asked):
    """What a visitor says of a column: leave it out, keep it as a label, or its quantity, times what."""

    drop: bool = False
    label: bool = False
    quantity: str = Field(default="", max_length=60)
    times: float | None = Field(default=None, gt=0, le=1e30)


class Columns(Asked):
    """Corrections of how a table is read, by the names that its columns have in the file."""

    columns: dict[Name, Choice] = Field(default_factory=dict, max_length=200)


class FitRequest(Columns):
    """A fit: of which table, which law, by which objective, without which rows."""

    table: TableId = "ladder"
    law: Name = "chinchilla"
    objective: Annotated[str, Field(min_length=1, max_length=80)] = "huber_log"
    inputs: dict[Annotated[str, Field(min_length=1, max_length=40)], Annotated[str, Field(max_length=60)]] = Field(
        default_factory=dict, max_length=12, description="Which quantity an argument of the law stands for."
    )
    exclude: list[Annotated[int, Field(ge=0, le=1_000_000)]] = Field(default_factory=list, max_length=2000)
    draws: int = Field(default=500, ge=0, le=1000)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)


class PlanRequest(Asked):
    """A question to the planner about a fit or a published law: its goals by name, as `isoloss plan` takes them."""

    fit: FitId
    level: float = Field(default=0.9, gt=0.01, lt=0.999)
    asked: dict[Annotated[str, Field(min_length=1, max_length=40)], Written] = Field(min_length=1, max_length=10)


class PointRequest(Asked):
    """A point of a fit that is to be explained."""

    fit: FitId
    at: dict[Annotated[str, Field(min_length=1, max_length=40)], Written] = Field(min_length=1, max_length=12)


class ReportRequest(Asked):
    """The report of a fit for a budget."""

    fit: FitId
    flops: Written
    level: float = Field(default=0.9, gt=0.01, lt=0.999)


class Reply(BaseModel):
    """An error: what was given, what exists, what to do."""

    error: str
    given: str
    exists: str
    do: str


class ColumnView(BaseModel):
    """A column as it was understood, and its cells as they stand in the file."""

    name: str
    quantity: str
    times: float
    how: str
    dropped: bool
    unit: str
    meaning: str
    missing: int
    not_numbers: int
    low: float | None
    high: float | None
    cells: list[str | None]


class TableView(BaseModel):
    """A table, and what keeps it from being fitted."""

    id: str
    name: str
    rows: int
    columns: list[ColumnView]
    held_out: list[int]
    notes: list[str]
    error: Reply | None


class JobView(BaseModel):
    """How far a fit or a report is; `result` is there when `status` is `done`."""

    id: str
    kind: Literal["fit", "report"]
    status: Literal["waiting", "running", "done", "failed", "cancelled"]
    done: int
    total: int
    ahead: int
    error: Reply | None
    result: dict[str, Any] | None


class Hello(BaseModel):
    """What a page needs to begin."""

    token: str
    version: str
    tables: list[dict[str, str]]
    laws: list[dict[str, Any]]
    objectives: list[str]
    quantities: list[dict[str, str]]
    accelerators: list[dict[str, str]]
    published: list[dict[str, Any]]
    readable: list[str]
    limits: dict[str, float]
