"""The explorer's safety: who may ask, what is taken, and that nothing malformed makes it fail or hang."""

import asyncio
import gzip
import io
import json
import pickle
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
from typer.testing import CliRunner
from web_server import SMALL, Visitor, running

from isoloss.cli.app import app as command_line
from isoloss.core.errors import FormatError, RequestError
from isoloss.planning import goals, questions
from isoloss.web import security, serving
from isoloss.web.asking import ASKABLE
from isoloss.web.limits import Limits, Refused
from isoloss.web.reading import read_upload
from isoloss.web.sessions import Sessions, Stored, weigh

MB = 2**20


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.fixture
def visitor(base: str) -> Visitor:
    someone = Visitor(base)
    someone.come()
    return someone


# --- who may ask


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "192.168.0.7"]
)
def test_a_borrowed_name_is_turned_away(visitor: Visitor, host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/hello"), ("POST", "/api/fits")):
        status, told = visitor.ask(method, path, {} if method == "POST" else None, {"Host": host})
        assert status in (400, 421)
        assert b"token" not in (told if isinstance(told, bytes) else json.dumps(told).encode())


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:1", "[::1]:8471", "LOCALHOST"])
def test_names_of_this_machine_are_answered(visitor: Visitor, host: str) -> None:
    assert visitor.ask("GET", "/api/hello", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/tables?name=a.csv", SMALL),
        ("/api/tables/ladder/view", {}),
        ("/api/fits", {}),
        ("/api/plans", {"fit": "0" * 32, "asked": {"flops": "1"}}),
        ("/api/explanations", {"fit": "0" * 32, "at": {"params": "1"}}),
        ("/api/reports", {"fit": "0" * 32, "flops": "1e18"}),
    ],
)
def test_changes_need_the_pages_token_and_origin(base: str, visitor: Visitor, path: str, body: Any) -> None:
    other = Visitor(base)
    other.come()
    for headers in (
        {"X-Isoloss-Token": ""},
        {"X-Isoloss-Token": other.token},
        {"Cookie": ""},
        {"Cookie": other.cookie},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        status, told = visitor.ask("POST", path, body, headers)
        assert status == 403, headers
        assert "own page" in told["given"]
    assert visitor.ask("POST", path, body, {"Origin": base, "Sec-Fetch-Site": "same-origin"})[0] != 403


def test_no_other_site_reads_or_runs_an_answer(visitor: Visitor) -> None:
    for path in ("/api/hello", "/api/published/besiroglu2024/law.js"):
        assert visitor.ask("GET", path, headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert visitor.ask("DELETE", f"/api/fits/{'0' * 32}", headers={"X-Isoloss-Token": ""})[0] == 403


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/static/plotly.js", "/api/hello", "/nothing", "/openapi.json"]
)
def test_every_answer_is_dressed(base: str, path: str) -> None:
    someone = Visitor(base)
    someone.ask("GET", path)
    assert ("set-cookie" in someone.last) == (path == security.GREETING)
    for name, value in security.HEADERS.items():
        assert someone.last[name.lower()] == value
    policy = someone.last["content-security-policy"]
    assert "unsafe" not in policy and "http" not in policy
    assert "access-control-allow-origin" not in someone.last
    set_ = someone.last.get("set-cookie", "isoloss-0123abcd=" + "x" * 43 + "; Path=/; HttpOnly; SameSite=Strict")
    assert re.fullmatch(r"isoloss-\w{8}=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict", set_)


def test_the_page_has_no_inline_script_or_style(visitor: Visitor) -> None:
    _, page = visitor.ask("GET", "/")
    assert not re.search(rb"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", page)


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/index.html%00.js", "/static/"],
)
def test_only_the_pages_own_files_are_served(visitor: Visitor, path: str) -> None:
    status, told = visitor.ask("GET", path)
    assert status in (404, 405)
    assert "create_app" not in str(told)


def test_other_machines_are_let_in_only_when_it_is_said() -> None:
    for host in ("0.0.0.0", "192.168.0.7", "::", "example.org"):
        with pytest.raises(RequestError, match="other machines"):
            serving.answered(host, anywhere=False)
    assert serving.answered("127.0.0.1", anywhere=False) == set(security.LOOPBACK)
    assert serving.answered("::1", anywhere=False) == set(security.LOOPBACK)
    assert "192.168.0.7" in serving.answered("192.168.0.7", anywhere=True)


def test_a_taken_port_is_a_reply() -> None:
    taken = serving.listen("127.0.0.1", 0)
    other = taken.getsockname()[1]
    with pytest.raises(RequestError, match="Cannot listen"):
        serving.listen("127.0.0.1", other)
    taken.close()


def test_the_command_serves_until_it_is_interrupted() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "isoloss", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    said = process.stderr.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert address, said
    assert Visitor(address[0]).come()["token"]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) in (0, 130)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_the_command_refuses_an_open_address() -> None:
    said = CliRunner().invoke(command_line, ["serve", "--host", "0.0.0.0"])
    assert said.exit_code == 1
    assert "forward a port" in said.stderr


# --- what is asked


def test_no_question_that_is_passed_on_names_a_file() -> None:
    told = {name: goal for question in questions.every() for name, goal in question.told().items()}
    files = (goals.Hardware, goals.ConfigFile, goals.LadderFile, goals.Beside, goals.Repetition)
    marks = [get_args(hint)[1] for hint in files]
    for name in ASKABLE:
        assert name in told
        assert told[name] not in marks


@pytest.mark.parametrize("name", ["write_config", "write_ladder", "hardware", "beside", "repetition", "family"])
def test_goals_that_open_or_write_files_are_refused(visitor: Visitor, name: str, tmp_path: Any) -> None:
    fit = visitor.fit(draws=20)["result"]["id"]
    asked = {"flops": "1e18", "accelerator": "H100", name: f"{tmp_path}/x"[:40]}
    status, told = visitor.ask("POST", "/api/plans", {"fit": fit, "asked": asked})
    assert status == 422
    assert "does not ask" in told["given"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"law": 1}', b'{"draws": 1e400}', b'{"seed": -1}', b'{"draws": NaN}',
     b'{"unknown": 1}', b'{"law": "' + b"x" * 300 + b'"}', b'{"columns": {"a": {"times": -1}}}', b'{"exclude": ["1"]}',
     b'{"columns": ' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"law": "chinchilla + chinchilla"}', b'{"law": "\\u0000"}'],
)  # fmt: skip
def test_malformed_requests_are_replies(visitor: Visitor, body: bytes) -> None:
    status, told = visitor.ask("POST", "/api/fits", body)
    assert status in (400, 422)
    assert told["given"]


def test_large_requests_are_refused(visitor: Visitor) -> None:
    assert visitor.ask("POST", "/api/fits", b" " * (300 * 1024))[0] == 413
    status, told = visitor.upload(b"x" * (17 * MB))
    assert status == 413
    assert "At most 16 MB" in told["exists"]


# --- what is uploaded


def _zip_bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("runs.csv", b"0" * (20 * MB))
    return made.getvalue()


def _npz() -> bytes:
    made = io.BytesIO()
    np.savez(made, params=np.array([object()], dtype=object))
    return made.getvalue()


class _Armed:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was opened')",))


def _parquet_bomb() -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    made = io.BytesIO()
    column = pyarrow.DictionaryArray.from_arrays(np.zeros(15_000, np.int32), pyarrow.array(["x" * (2 * MB)]))
    parquet.write_table(pyarrow.table({"params": column}), made)
    return made.getvalue()


GZIPPED = gzip.compress(SMALL)
MALFORMED: dict[str, Any] = {
    "empty.csv": b"",
    "spaces.csv": b"  \n \n",
    "header-only.csv": b"params,tokens,loss\n",
    "cut.gz": GZIPPED[: len(GZIPPED) // 2],
    "whole.csv.gz": GZIPPED,
    "bomb.csv.gz": gzip.compress(b"0" * (20 * MB)),
    "bomb.zip": _zip_bomb,
    "pickle.pkl": pickle.dumps(_Armed()),
    "arrays.npz": _npz,
    "bomb.parquet": _parquet_bomb,
    "broken.parquet": b"PAR1" + b"\0" * 64 + b"PAR1",
    "nul.csv": b"params,tokens,loss\n1e6,\0,3\n",
    "nul.txt": b"\0" * 1000,
    "latin.csv": "params,tokens,größe\n1,2,é\n".encode("latin-1"),
    "utf16.csv": "params,tokens,loss\n1,2,3\n".encode("utf-16"),
    "wide.csv": ",".join(f"c{i}" for i in range(1_000_000)).encode() + b"\n1\n",
    "long-line.csv": b"params\n" + b"9" * 5_000_000,
    "quotes.csv": b'params,loss\n"1,2\n3,4\n' * 100,
    "doubled.csv": b"params,params\n1,2\n",
    "ragged.csv": b"params,loss\n1,2,3,4\n",
    "deep.json": b"[" * 100_000 + b"]" * 100_000,
    "digits.json": b'[{"params": ' + b"9" * 10_000 + b"}]",
    "number.json": b"1e999999",
    "cut.json": b'[{"params": 1',
    "keys.json": b'[{"params": 1, "params": 2}]',
    "rows.csv": b"params,tokens,loss\n" + b"1,2,3\n" * 30_000,
    "many.csv": b"x,y\n" + b"1,2\n" * 1_500_000,
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_uploads_are_replies(visitor: Visitor, name: str) -> None:
    made = MALFORMED[name]
    content: bytes = made() if callable(made) else made  # type: ignore[assignment]
    began = time.monotonic()
    status, told = visitor.upload(content, name)
    assert status in (408, 413, 422), told
    assert set(told) == {"error", "given", "exists", "do"}
    assert told["given"] and "/tmp" not in str(told) and "Traceback" not in str(told)
    assert time.monotonic() - began < 40


@pytest.mark.parametrize(
    "content",
    [
        b"params,tokens,loss\n1e999,1e7,3\n",
        b"params,tokens,loss\n-1,1e7,3\n",
        b"params,tokens,loss\nnan,nan,nan\n",
        b"params,tokens,loss\ninf,1e7,3\n",
        b"params,tokens,loss\n=1+1,1e7,3\n",
        b"params,tokens,loss\n1e300,1e300,1e-300\n2e300,1e300,1e-300\n3e300,1e300,1e-301\n",
        b"params,tokens,loss\n" + b"1e6,1e7,3\n" * 50,
        b"params,tokens,<img src=x onerror=alert(1)>\n1e6,1e7,3\n",
        pickle.dumps(_Armed(), protocol=0),
        b"a,b,c\n=cmd|'/c calc'!A1,@x,+1\n",
        b'params,tokens,loss,__proto__,constructor\n"1,000",2,3,4,5\n',
    ],
)
def test_strange_cells_are_kept_as_text_or_refused(visitor: Visitor, content: bytes) -> None:
    status, table = visitor.upload(content)
    assert status in (201, 422), table
    if status == 201:
        assert table["columns"][0]["cells"]
        status, job = visitor.ask("POST", "/api/fits", {"table": table["id"], "draws": 20})
        assert status in (202, 422)
        if status == 202:
            assert visitor.wait(f"/api/fits/{job['id']}")["status"] in ("done", "failed")


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\evil.csv", "%00.csv", "%0d%0aSet-Cookie:x.csv", "a" * 200])
def test_a_files_name_is_only_a_word(visitor: Visitor, name: str) -> None:
    status, table = visitor.upload(SMALL, name.replace("\\", "%5C"))
    assert status == 201
    assert not re.search(r"[/\\\x00-\x1f]", table["name"])


def test_a_slow_reader_is_ended(tmp_path: Any) -> None:
    with pytest.raises(Refused) as refused:
        read_upload(b"params,tokens,loss\n" + b"1,2,3\n" * 60_000, "slow.csv", Limits(read_seconds=0.01))
    assert refused.value.status == 408


def test_memory_of_a_reader_is_bounded() -> None:
    with pytest.raises(FormatError, match="could not be read within"):
        read_upload(_parquet_bomb(), "bomb.parquet", Limits(read_memory=2**30))


# --- what is kept


def _table(cells: int = 1) -> Any:
    from isoloss.loaders.table import Table

    return Table({"loss": ["x" * cells]})


def test_sessions_forget_the_oldest_first() -> None:
    sessions = Sessions(Limits(tables_kept=2, sessions=2))
    kept: list[Stored] = [sessions.keep("me", f"{i}", _table()) for i in range(3)]
    assert [one.name for one in sessions.tables("me")] == ["2", "1"]
    with pytest.raises(Refused, match="no table"):
        sessions.table("me", kept[0].id)
    sessions.keep("second", "a", _table())
    sessions.keep("third", "b", _table())
    assert sessions.tables("me") == []
    assert sessions.tables("third")


def test_sessions_stay_within_their_memory() -> None:
    weight = weigh(_table(1000))
    sessions = Sessions(Limits(session_memory=2 * weight, memory=3 * weight))
    for name in "abc":
        sessions.keep("me", name, _table(1000))
    assert len(sessions.tables("me")) == 2
    sessions.keep("you", "d", _table(1000))
    sessions.keep("you", "e", _table(1000))
    assert not sessions.tables("me")
    with pytest.raises(Refused, match="too large"):
        sessions.keep("me", "f", _table(10_000))


def test_sessions_expire() -> None:
    sessions = Sessions(Limits(session_seconds=-1.0))
    sessions.keep("me", "a", _table())
    sessions.keep("you", "b", _table())
    assert not sessions.tables("me")


def test_a_slow_sender_is_told_so() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(5)

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(_: Any, receive: Any, __: Any) -> None:
        await receive()

    keys = security.Keys()
    session = "s" * 43
    headers = [(b"host", b"127.0.0.1"), (b"cookie", f"{keys.cookie}={session}".encode())]
    headers += [(b"x-isoloss-token", keys.token(session).encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/fits", "scheme": "http", "headers": headers}
    guard = security.Guard(app, keys, security.LOOPBACK, Limits(upload_seconds=0.05))
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == 408


# --- by machine


def _fuzzed(base: str, examples: int) -> int:
    schemathesis = pytest.importorskip("schemathesis")
    import hypothesis
    from hypothesis.strategies import booleans
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    someone = Visitor(base)
    someone.come()
    real = someone.fit(draws=20)["result"]["id"]
    held = [not_a_server_error, checks.status_code_conformance, checks.content_type_conformance]
    held += [checks.response_schema_conformance]
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    asked = 0
    for result in schema.get_all_operations():

        @hypothesis.seed(1)
        @hypothesis.settings(max_examples=examples, deadline=None, database=None, phases=[hypothesis.Phase.generate])
        @hypothesis.given(case=result.ok().as_strategy(), known=booleans())
        def fuzz(case: Any, known: bool) -> None:
            nonlocal asked
            asked += 1
            if known and "id" in (case.path_parameters or {}):
                case.path_parameters["id"] = real
            if known and isinstance(case.body, dict) and "fit" in case.body:
                case.body["fit"] = real
            answer = case.call(headers={"Cookie": someone.cookie, "X-Isoloss-Token": someone.token}, timeout=60)
            case.validate_response(answer, checks=held)

        fuzz()
    return asked


QUIET = ["ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"]
WRITTEN = (
    "1e15",
    "1e22",
    "7B",
    "20M",
    "2",
    "0",
    "-1",
    "1e-300",
    "1e300",
    "1e999",
    "nan",
    "inf",
    "1%",
    "2:3:5",
    "H100",
    "x",
)


@pytest.mark.filterwarnings(*QUIET)
def test_the_description_holds_under_fuzzing(base: str) -> None:
    assert _fuzzed(base, examples=8) >= 100


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
def test_the_description_holds_under_long_fuzzing(base: str) -> None:
    assert _fuzzed(base, examples=300) >= 4000


def _asked_at_random(visitor: Visitor, questions: int) -> None:
    fit = visitor.fit(draws=20)["result"]["id"]
    rng = np.random.default_rng(4)
    goals = [sorted(q.goals & set(ASKABLE)) for q in _questions()]
    for _ in range(questions):
        names = [*goals[rng.integers(len(goals))], *rng.choice(ASKABLE, rng.integers(3))]
        asked = {str(name): str(rng.choice(WRITTEN)) for name in names}
        status, told = visitor.ask("POST", "/api/plans", {"fit": fit, "asked": asked})
        assert status in (200, 422), (asked, told)


def _questions() -> list[Any]:
    return [question for question in questions.every() if question.goals <= set(ASKABLE)]


def test_the_planner_answers_or_replies(visitor: Visitor) -> None:
    _asked_at_random(visitor, 60)


@pytest.mark.slow
def test_the_planner_answers_or_replies_to_many(visitor: Visitor) -> None:
    _asked_at_random(visitor, 3000)
