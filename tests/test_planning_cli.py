"""`isoloss plan`: its help is the list of questions, each is one line, and every reply says what exists."""

import json
import re

import pytest
from typer.testing import CliRunner

from isoloss.cli.app import app
from isoloss.planning import plan, questions

ANSWERED = [
    ("besiroglu2024", "--flops 1e24"),
    ("besiroglu2024", "--loss 2.0"),
    ("besiroglu2024", "--flops 1e24 --params 7B"),
    ("besiroglu2024", "--flops 1e24 --ratio 20"),
    ("besiroglu2024", "--loss 2.1 --params 7B"),
    ("besiroglu2024", "--params 7B --tokens 1T --unique-tokens 250B"),
    ("besiroglu2024", "--flops 1e24 --within 0.1% --within 1%"),
    ("besiroglu2024", "--flops 1e22 --times 2 --times 10"),
    ("besiroglu2024", "--doubling 1%"),
    ("henighan2020_language_C", "--tenfold flops --beside henighan2020_math_C"),
    ("besiroglu2024", "--flops 1e22 --unique-tokens 25B --repetition muennighoff2023_RD"),
    ("muennighoff2023", "--params 7B --unique-tokens 25B"),
    ("kaplan2020_L_ND", "--params 1B --overfit 2%"),
    ("sardana2023_L", "--quality 13B --served 2T"),
    ("devries2023_L", "--flops 1e23 --size-ratio 0.5"),
    ("sardana2023_L", "--loss 2.05 --params 5B --rival 13B"),
    ("besiroglu2024", "--flops 1e22 --beside chinchilla2022_a3_tex --beside chinchilla2022_a1"),
    ("kaplan2020_frontier_B", "--flops 1e21 --above 2% --above 10%"),
    ("ludziejewski2025", "--flops 1e21 --experts 1 --experts 8 --most-params 20B"),
    ("clark2022_sbase", "--params 370M --experts 64"),
    ("krajewski2024_moe", "--flops 1.93e20 --granularity best"),
    ("krajewski2024_moe", "--flops 1e20 --granularity 1 --granularity 64 --most-params 3B"),
    ("busbridge2025_distill", "--params 1B --tokens 20B --teacher-loss 2.0 --teacher-loss 3.2"),
    ("kaplan2020_allocation", "--flops 1e21 --family vocab=50257,aspect=64"),
    ("besiroglu2024", "--dollars 2M --accelerator H100 --price 2:3:5 --utilisation 0.3:0.4:0.5"),
    ("besiroglu2024", "--dollars 2M --accelerator H100 --tokens-per-second 8k --flops-per-token 42e9"),
    ("besiroglu2024", "--hours 48 --accelerator H100 --count 8 --utilisation 40%"),
    ("besiroglu2024", "--flops 1e24 --accelerator H100 --count 512"),
    ("besiroglu2024", "--flops 1e24 --accelerator a100 --count 512 --count 50k --style gpt --vocab 50257 --pue 1.2"),
    ("besiroglu2024", "--loss 2.1 --accelerator 4090 --count 64 --power 400 --drawn 0.7 --critical-batch 4M"),
    ("besiroglu2024", "--flops 1e22 --style llama --vocab 128256 --context 8192 --lr 3e-4 --batch 4M"),
    ("ludziejewski2025", "--flops 1e21 --style moe --experts 16"),
    ("besiroglu2024", "--loss 2.1 --served 2T --accelerator H100 --written 0.5 --together 32"),
    ("besiroglu2024", "--quality 13B --served 2T --accelerator H100 --weight-bits 8 --prefill 0.4"),
    ("besiroglu2024", "--flops 1e22 --bits 4 --bits 8"),
    ("besiroglu2024", "--params 7B --tokens 2T --bits 4"),
]


def isoloss(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["plan", *words], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code == 0 else result.stderr


def test_help_is_the_list_of_questions() -> None:
    text = re.sub(r"\s+", " ", isoloss("--help"))
    for question in questions.every():
        assert f"isoloss plan FIT {question.flags} {question.summary}." in text, question.flags
        for name, goal in question.told().items():
            assert questions.flag(name) in text
            assert goal is not questions.UNTOLD, name


@pytest.mark.parametrize(("key", "asked"), ANSWERED)
def test_a_question_is_one_line_and_answers_as_the_library_does(key: str, asked: str) -> None:
    answer = json.loads(isoloss(key, *asked.split(), "--json"))
    words = asked.split()
    given: dict[str, list[str]] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        given.setdefault(flag[2:].replace("-", "_"), []).append(value)
    alone = {name: values if len(values) > 1 else values[0] for name, values in given.items()}
    assert answer == json.loads(json.dumps(plan(key, **alone).to_json()))  # type: ignore[arg-type]
    assert answer["schema"] == 1 and answer["options"] and answer["assumptions"]


def test_text_is_at_most_100_columns() -> None:
    for key, asked in ANSWERED:
        assert max(map(len, isoloss(key, *asked.split()).splitlines())) <= 100, asked


def test_an_impossible_combination_lists_what_exists() -> None:
    reply = isoloss("besiroglu2024", "--flops", "1e24", "--loss", "2", code=1)
    assert "No plan follows from flops and loss." in reply
    for question in questions.every():
        if question.goals & {"flops", "loss"}:
            assert str(question) in reply
    assert "The plan has no goal" in isoloss("besiroglu2024", code=1)
    assert "Traceback" not in reply
