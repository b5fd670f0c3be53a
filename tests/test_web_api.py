"""The explorer's routes: the library's answers, corrections of a table, progress, stopping, many at once."""

import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner
from web_server import SMALL, Visitor, running

import isoloss as il
from isoloss.cli.app import app as command_line
from isoloss.web.jobs import Job, Jobs
from isoloss.web.limits import Limits, Refused


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.fixture(scope="module")
def visitor(base: str) -> Visitor:
    someone = Visitor(base)
    someone.come()
    return someone


@pytest.fixture(scope="module")
def ladder(visitor: Visitor) -> dict[str, Any]:
    job = visitor.fit(draws=200)
    assert job["status"] == "done", job
    return job["result"]


@pytest.fixture(scope="module")
def small(visitor: Visitor) -> dict[str, Any]:
    status, table = visitor.upload(SMALL)
    assert status == 201
    return table


def test_the_fit_is_the_librarys(ladder: dict[str, Any]) -> None:
    fit = il.fit(il.samples.ladder().where(split="train"), draws=200)
    assert ladder["theta"] == fit.theta_p.tolist()
    assert ladder["draws"] == fit.draws_sp.ravel().tolist()
    assert [f["code"] for f in ladder["findings"]] == [f.code for f in fit.findings]
    assert ladder["points"]["use"].count("fitted") == fit.data.n


def test_the_plan_is_the_librarys(visitor: Visitor, ladder: dict[str, Any]) -> None:
    fit = il.fit(il.samples.ladder().where(split="train"), draws=200)
    questions: list[dict[str, Any]] = [
        {"flops": "1e15"},
        {"flops": "1e15", "unique_tokens": "20M"},
        {"flops": "1e21", "accelerator": "H100"},
    ]
    for asked in questions:
        status, told = visitor.ask("POST", "/api/plans", {"fit": ladder["id"], "asked": asked})
        assert status == 200
        assert told["options"] == json.loads(json.dumps(il.plan(fit, **asked).to_json()))["options"]


def test_an_explanation_has_the_numbers(visitor: Visitor, ladder: dict[str, Any]) -> None:
    at = {"params": "1M", "tokens": "20M"}
    status, told = visitor.ask("POST", "/api/explanations", {"fit": ladder["id"], "at": at})
    assert status == 200
    assert sum(term["value"] for term in told["terms"]) == pytest.approx(told["value"])


def test_the_law_is_a_module(visitor: Visitor, ladder: dict[str, Any]) -> None:
    status, text = visitor.ask("GET", ladder["module"])
    assert status == 200
    assert text.startswith(b"export const formula = ({N, D}, {E, A, B, alpha, beta}) =>")
    assert visitor.last["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("key", ["besiroglu2024", "kaplan2020_L_ND"])
def test_published_laws_are_overlays(visitor: Visitor, key: str) -> None:
    status, told = visitor.ask("GET", f"/api/published/{key}")
    assert status == 200
    assert told["law"]["plans"]
    assert told["theta"] == il.published(key).theta_p.tolist()
    assert visitor.ask("GET", told["module"])[0] == 200


def test_a_table_is_understood_and_fitted(visitor: Visitor, small: dict[str, Any]) -> None:
    assert (small["columns"][0]["quantity"], small["columns"][0]["how"]) == ("params", "its own name")
    job = visitor.fit(table=small["id"], draws=100)
    assert job["status"] == "done"
    assert job["result"]["n"] == 9


def test_a_column_can_be_bound_scaled_left_out_and_kept_as_a_label(visitor: Visitor) -> None:
    mended = SMALL.replace(b"params,tokens,loss", b"weights,data_in_M,loss").replace(b"e7,", b"e1,")
    status, table = visitor.upload(mended)
    assert status == 201
    assert [c["quantity"] for c in table["columns"]] == ["", "", "loss"]
    choices = {"weights": {"quantity": "params"}, "data_in_M": {"quantity": "tokens", "times": 1e6}}
    status, seen = visitor.ask("POST", f"/api/tables/{table['id']}/view", {"columns": choices})
    assert status == 200
    assert [c["quantity"] for c in seen["columns"]] == ["params", "tokens", "loss"]
    assert seen["columns"][1]["low"] == 2e7
    job = visitor.fit(table=table["id"], columns=choices, draws=100)
    direct = il.fit(il.read(_saved(SMALL)), draws=100)
    np.testing.assert_allclose(job["result"]["theta"], direct.theta_p, rtol=1e-9)
    _, dropped = visitor.ask(
        "POST", f"/api/tables/{table['id']}/view", {"columns": {**choices, "loss": {"drop": True}}}
    )
    assert dropped["columns"][2]["dropped"]
    _, label = visitor.ask("POST", f"/api/tables/{table['id']}/view", {"columns": {"loss": {"label": True}}})
    assert label["columns"][2]["how"] == "a label, as you chose"


def _saved(content: bytes) -> dict[str, list[str]]:
    head, *rows = content.decode().split()
    return dict(zip(head.split(","), map(list, zip(*(row.split(",") for row in rows), strict=True)), strict=True))


def test_two_columns_of_one_quantity_wait_for_a_choice(visitor: Visitor) -> None:
    status, table = visitor.upload(b"val_loss,eval_loss,N,D\n3,3.1,1e6,1e7\n")
    assert status == 201
    assert "may each be loss" in table["error"]["given"]
    _, mended = visitor.ask("POST", f"/api/tables/{table['id']}/view", {"columns": {"val_loss": {"quantity": "loss"}}})
    assert mended["error"] is None


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet"])
def test_other_formats(visitor: Visitor, kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame, file = pandas.DataFrame(_saved(SMALL)).astype(float), io.BytesIO()
    if kind == "parquet":
        frame.to_parquet(file)
    else:
        file.write(frame.to_json(orient="records", lines=kind == "jsonl").encode())
    status, table = visitor.upload(file.getvalue(), f"runs.{kind}")
    assert status == 201, table
    assert table["rows"] == 9
    assert table["error"] is None


def test_a_run_left_out_moves_the_fit(visitor: Visitor, ladder: dict[str, Any]) -> None:
    job = visitor.fit(draws=200, exclude=[0, 1])
    assert job["result"]["n"] == ladder["n"] - 2
    assert job["result"]["theta"] != ladder["theta"]
    assert job["result"]["points"]["use"][0] == "excluded"
    assert job["result"]["repeat"]["shell"].startswith("#")


def test_which_count_is_n_can_be_chosen(visitor: Visitor) -> None:
    job = visitor.fit(draws=50, inputs={"N": "matmul_params"})
    assert job["result"]["law"]["inputs"][0]["quantity"] == "matmul_params"


@pytest.mark.parametrize("request_", [{}, {"exclude": [3], "objective": "squared_log", "inputs": {"N": "body_params"}}])
def test_the_python_lines_repeat_the_view(visitor: Visitor, request_: dict[str, Any]) -> None:
    result = visitor.fit(draws=100, **request_)["result"]
    lines: dict[str, Any] = {}
    exec(result["repeat"]["python"].replace("{flops}", "1e15"), lines)
    assert lines["fit"].theta_p.tolist() == result["theta"]
    assert lines["fit"].draws_sp.ravel().tolist() == result["draws"]


def test_the_shell_line_repeats_the_view(visitor: Visitor) -> None:
    import shlex

    result = visitor.fit(draws=100, inputs={"N": "body_params"})["result"]
    words = shlex.split(result["repeat"]["shell"].replace("{flops}", "1e15"))[1:]
    said = CliRunner().invoke(command_line, [*words, "--json"])
    assert said.exit_code == 0, said.output
    status, told = visitor.ask("POST", "/api/plans", {"fit": result["id"], "asked": {"flops": "1e15"}})
    assert status == 200
    assert json.loads(said.stdout)["options"] == told["options"]


def test_the_report_and_the_files(visitor: Visitor, small: dict[str, Any]) -> None:
    fit = visitor.fit(table=small["id"], draws=100)["result"]
    status, job = visitor.ask("POST", "/api/reports", {"fit": fit["id"], "flops": "1e18"})
    assert status == 202
    assert visitor.wait(f"/api/reports/{job['id']}")["status"] == "done"
    status, page = visitor.ask("GET", f"/api/reports/{job['id']}/report.html")
    assert status == 200
    assert page.startswith(b"<!DOCTYPE html>")
    assert "attachment" in visitor.last["content-disposition"]
    status, saved = visitor.ask("GET", f"/api/fits/{fit['id']}/fit.json")
    assert il.Fit.from_json(saved).theta_p.tolist() == fit["theta"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"law": "chinchila"}, "There is no law 'chinchila'"),
        ({"objective": "best"}, "There is no objective 'best'"),
        ({"exclude": [99_999]}, "There is no row '99999'"),
        ({"columns": {"nothing": {"drop": True}}}, "There is no column of this table 'nothing'"),
        ({"columns": {"loss": {"quantity": "lossy"}}}, "There is no quantity 'lossy'"),
        ({"table": "0000"}, "There is no table '0000' in this session"),
    ],
)
def test_what_cannot_be_fitted_is_said_at_once(visitor: Visitor, request_: dict[str, Any], words: str) -> None:
    status, told = visitor.ask("POST", "/api/fits", request_)
    assert status in (404, 422)
    assert words in told["given"]
    assert told["exists"] and set(told) == {"error", "given", "exists", "do"}


def test_a_fit_that_fails_says_why(visitor: Visitor) -> None:
    status, table = visitor.upload(b"params,tokens,loss\n1e6,1e7,3\n2e6,2e7,2.9\n")
    assert status == 201
    job = visitor.fit(table=table["id"])
    assert job["status"] == "failed"
    assert job["error"]["do"]


def test_a_plan_needs_a_fit_and_a_question(visitor: Visitor, ladder: dict[str, Any]) -> None:
    assert visitor.ask("POST", "/api/plans", {"fit": "0" * 32, "asked": {"flops": "1e15"}})[0] == 404
    assert visitor.ask("POST", "/api/plans", {"fit": ladder["id"], "asked": {"flops": "many"}})[0] == 422
    assert visitor.ask("POST", "/api/plans", {"fit": ladder["id"], "asked": {}})[0] == 422


def test_a_hundred_at_once_and_none_lost(base: str, ladder: dict[str, Any]) -> None:
    visitors = [Visitor(base) for _ in range(10)]
    for someone in visitors:
        someone.come()

    def ask(i: int) -> int:
        someone = Visitor(base, visitors[i % 10].cookie, visitors[i % 10].token)
        if i % 2:
            return someone.ask("POST", "/api/fits", {"draws": 200})[0]
        return someone.ask("POST", "/api/plans", {"fit": ladder["id"], "asked": {"flops": f"{1 + i}e15"}})[0]

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    assert sorted(answers) == [200] * 50 + [202] * 50


def test_nobody_sees_anothers_table_or_fit(base: str, visitor: Visitor, small: dict[str, Any]) -> None:
    fit = visitor.fit(table=small["id"], draws=50)["result"]
    other = Visitor(base)
    assert other.come()["tables"] == []
    assert other.ask("POST", f"/api/tables/{small['id']}/view", {})[0] == 404
    assert other.ask("POST", "/api/fits", {"table": small["id"]})[0] == 404
    for path in (f"/api/fits/{fit['id']}", fit["module"], f"/api/fits/{fit['id']}/fit.json"):
        assert other.ask("GET", path)[0] == 404
    assert other.ask("DELETE", f"/api/fits/{fit['id']}")[0] == 404


class TestJobs:
    @pytest.fixture
    def jobs(self) -> Iterator[Jobs]:
        made = Jobs(Limits(fits_at_once=1, fits_waiting=2, fits_kept=2))
        yield made
        made.close()

    @staticmethod
    def endless(progress: Any) -> None:
        while True:
            progress(1, 2)
            time.sleep(0.005)

    def start(self, jobs: Jobs, id: str, work: Any = None, who: str = "me") -> Job:
        return jobs.start("me", who, id, "fit", work or self.endless)

    def test_a_running_job_stops_at_its_next_step(self, jobs: Jobs) -> None:
        job = self.start(jobs, "a")
        while job.status != "running":
            time.sleep(0.005)
        jobs.stop(job, "me")
        assert job.ended.wait(5)
        assert job.status == "cancelled"

    def test_a_waiting_job_stops_at_once(self, jobs: Jobs) -> None:
        first, second = self.start(jobs, "a"), self.start(jobs, "b")
        assert jobs.ahead(second) <= 1
        jobs.stop(second, "me")
        assert second.status == "cancelled"
        jobs.stop(first, "me")
        assert first.ended.wait(5)

    def test_the_queue_has_an_end(self, jobs: Jobs) -> None:
        running_ = self.start(jobs, "a")
        while running_.status != "running":
            time.sleep(0.005)
        self.start(jobs, "b")
        self.start(jobs, "c")
        with pytest.raises(Refused) as refused:
            self.start(jobs, "d")
        assert refused.value.status == 503

    def test_what_several_ask_for_is_stopped_when_all_want_it(self, jobs: Jobs) -> None:
        job = self.start(jobs, "a")
        assert self.start(jobs, "a", who="another") is job
        jobs.stop(job, "me")
        assert not job.stop
        jobs.stop(job, "another")
        assert job.ended.wait(5)

    def test_an_unforeseen_failure_is_a_reply(self, jobs: Jobs, caplog: Any) -> None:
        job = self.start(jobs, "a", lambda _: 1 / 0)
        assert job.ended.wait(5)
        assert job.status == "failed"
        assert job.error and "ZeroDivision" not in str(job.error)
        assert "ZeroDivisionError" in caplog.text

    def test_a_job_ends_when_its_time_is_up(self) -> None:
        jobs = Jobs(Limits(fit_seconds=0.05))
        job = jobs.start("me", "me", "a", "fit", self.endless)
        assert job.ended.wait(5)
        assert job.status == "failed"
        jobs.close()


def test_a_fit_can_be_stopped(base: str) -> None:
    someone = Visitor(base)
    someone.come()
    _, table = someone.upload(SMALL)
    status, job = someone.ask("POST", "/api/fits", {"table": table["id"], "law": "auto", "draws": 1000})
    assert status == 202
    status, _ = someone.ask("DELETE", f"/api/fits/{job['id']}")
    assert status == 200
    ended = someone.wait(f"/api/fits/{job['id']}")
    assert ended["status"] in ("cancelled", "failed")


def test_every_route_is_described(visitor: Visitor) -> None:
    status, described = visitor.ask("GET", "/openapi.json")
    assert status == 200
    assert len(described["paths"]) == 14
    for path, methods in described["paths"].items():
        for operation in methods.values():
            assert operation["description"] or operation["summary"], path
            assert {"403", "404", "413", "421", "422", "503"} <= operation["responses"].keys()
