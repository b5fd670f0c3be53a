"""The lines of Python and of the shell that make a view again; `{flops}` stands for the budget that the page shows."""

from __future__ import annotations

import shlex

from isoloss.loaders.columns import understand
from isoloss.planning.surface import Surface
from isoloss.web.fitting import Made, bound
from isoloss.web.sessions import LADDER


def lines(made: Made) -> dict[str, str]:
    """The view in Python and in the shell."""
    return {"python": _python(made), "shell": _shell(made)}


def _python(made: Made) -> str:
    request, columns = made.request, _columns(made)
    named = f", columns={columns!r}" if columns else ""
    source = "il.samples.ladder()" if request.table == LADDER else repr(made.runs.source)
    said = ["import isoloss as il", "", f"runs = il.read({source}{named})"]
    for column, choice in request.columns.items():
        if choice.times is not None and not choice.drop:
            quantity = choice.quantity or _rule(column)
            label = "file_" + column
            said.append(
                f"runs = runs.with_columns({quantity}=runs[{label!r}].astype(float) * {choice.times:g})  # as you chose"
            )
    if request.exclude:
        said.append(f"runs = runs.take([row for row in range(len(runs)) if row not in {sorted(request.exclude)}])")
    if "split" in made.runs:
        kept = sorted({str(v) for v in made.runs["split"]} - {"test"})
        said.append(f"runs = runs.where(split={tuple(kept) if len(kept) > 1 else kept[0]!r})")
    inputs = bound(request, made.runs)
    settings = [f"law={request.law!r}"]
    settings += [f"objective={request.objective!r}"] if request.objective != "huber_log" else []
    settings += [f"inputs={inputs!r}"] if inputs else []
    said.append(f"fit = il.fit(runs, {', '.join(settings)}, draws={request.draws}, seed={request.seed})")
    said.append("print(fit)")
    if Surface.of(made.fit.law):
        said.append("print(il.plan(fit, flops={flops}))")
    return "\n".join(said)


def _shell(made: Made) -> str:
    request = made.request
    if request.exclude or any(choice.times is not None for choice in request.columns.values()):
        return (
            "# The command line leaves out no single rows and scales no columns: write the table anew, or use Python."
        )
    verb = "plan" if Surface.of(made.fit.law) else "fit"
    words = ["isoloss", verb, LADDER if request.table == LADDER else made.runs.source]
    words += ["--flops", "{flops}"] if verb == "plan" else []
    words += ["--law", request.law]
    words += ["--objective", request.objective] if request.objective != "huber_log" else []
    for name, column in _columns(made).items():
        words += ["--column", f"{name}={column}"]
    for symbol, quantity in bound(request, made.runs).items():
        words += ["--input", f"{symbol}={quantity}"]
    if "split" in made.runs:
        words += ["--where", "split!=test"]
    words += ["--draws", str(request.draws), "--seed", str(request.seed)]
    return " ".join(word if word == "{flops}" else shlex.quote(word) for word in words)


def _columns(made: Made) -> dict[str, str]:
    named = {}
    for column, choice in made.request.columns.items():
        plain = choice.quantity and choice.times is None and not choice.drop
        named[choice.quantity if plain else f"file_{column}"] = column
    return named


def _rule(column: str) -> str:
    rule = understand(column)
    return rule.quantity if rule else column
