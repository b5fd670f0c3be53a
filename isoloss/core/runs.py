"""The table every part of the package reads: one row per training run, columns named for quantities.

Shapes: `n` runs.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoloss.core.errors import CellError, ColumnError, DataError
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN, QUANTITIES
from isoloss.core.shown import Shown

Rule = tuple[tuple[str, ...], Callable[..., Any], str]

# How a missing quantity may follow from others. A rule that is used becomes a printed assumption.
DERIVATIONS: dict[str, Rule] = {
    "flops": (("params", "tokens"), lambda n, d: FLOP_PER_PARAM_AND_TOKEN * n * d, "training FLOP = 6 N D"),
    "tokens": (("params", "flops"), lambda n, c: c / (FLOP_PER_PARAM_AND_TOKEN * n), "tokens = training FLOP / 6 N"),
    "params": (
        ("flops", "tokens"),
        lambda c, d: c / (FLOP_PER_PARAM_AND_TOKEN * d),
        "parameters = training FLOP / 6 D",
    ),
    "body_flops": (
        ("body_params", "tokens"),
        lambda n, d: FLOP_PER_PARAM_AND_TOKEN * n * d,
        "non-embedding training FLOP = 6 N_body D",
    ),
}


@dataclass(frozen=True, eq=False)
class Runs(Shown):
    """A table of training runs, immutable.

    `columns` maps a name to an array (n,): floats for quantities (see `core/quantities.py`), anything for labels.
    `source` says where the runs came from; `notes` are the assumptions made on the way here.
    Raises CellError for text, infinity or an impossible sign in a quantity, ColumnError for unequal lengths.
    NaN means missing: it is kept here, and refused by whoever needs the number.
    """

    columns: Mapping[str, np.ndarray]
    source: str = "runs"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        arrays = {name: _column(name, values) for name, values in self.columns.items()}
        lengths = {len(a) for a in arrays.values()}
        if len(lengths) > 1:
            raise ColumnError(f"The columns of {self.source} have unequal lengths: {sorted(lengths)}.")
        checked = {n: _checked(n, a, self.source) if n in QUANTITIES else a for n, a in arrays.items()}
        for array in checked.values():
            array.flags.writeable = False
        object.__setattr__(self, "columns", checked)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        """The column (n,), or ColumnError that names what there is."""
        if name not in self.columns:
            likely = self._likely(name)
            raise ColumnError(
                f"These runs have no column '{name}'.",
                f"They have: {', '.join(self.columns) or 'nothing'}. From: {self.source}.",
                f"Say which one it is: isoloss.read(..., columns={{'{name}': '{likely or 'your_name'}'}}), "
                f"--column {name}={likely or 'YOUR_NAME'}, or add it with runs.with_columns({name}=...).",
            )
        return self.columns[name]

    def _likely(self, name: str) -> str:
        labels = [label for label in self.columns if label not in QUANTITIES]
        alike = difflib.get_close_matches(name, labels, n=1)
        return next((label for label in labels if name in label.lower()), alike[0] if alike else "")

    def __add__(self, other: Runs) -> Runs:
        """Both tables' rows; a column that one lacks is NaN (quantities) or '' (labels) there.

        Raises DataError where one holds runs and the other points of averaged weights on the way (column `points`).
        """
        kinds = [set(map(str, runs["points"])) if "points" in runs else {"final"} for runs in (self, other)]
        if len(kinds[0] | kinds[1]) > 1:
            raise DataError(
                f"Points of two kinds cannot be one table: {', '.join(sorted(kinds[0] | kinds[1]))}.",
                f"From: {self.source} and {other.source}. A law fitted to both would take one kind for the other.",
                "Fit them apart.",
            )
        names = list(dict.fromkeys([*self.columns, *other.columns]))
        joined = {n: np.concatenate([_or_blank(self, n), _or_blank(other, n)]) for n in names}
        notes = tuple(dict.fromkeys([*self.notes, *other.notes]))
        return Runs(joined, source=f"{self.source} + {other.source}", notes=notes)

    @property
    def named_by(self) -> str | None:
        """The column that names each run, if there is one: `run`, `name` or `id`."""
        return next((name for name in ("run", "name", "id") if name in self), None)

    def where(self, **equal: Any) -> Runs:
        """The rows whose columns equal the values: `runs.where(split="train")`; a tuple of values means any of them."""
        keep = np.ones(len(self), bool)
        for name, wanted in equal.items():
            keep &= _equals(self[name], wanted)
        return self.take(keep)

    def take(self, rows: Any) -> Runs:
        """The rows of a mask or of an index array."""
        return Runs({n: a[rows] for n, a in self.columns.items()}, self.source, self.notes)

    def with_columns(self, **columns: Any) -> Runs:
        """A copy with columns added or replaced."""
        filled = {n: np.full(len(self), c) if np.ndim(c) == 0 else c for n, c in columns.items()}
        return Runs({**self.columns, **filled}, self.source, self.notes)

    def rename(self, **new_from_old: str) -> Runs:
        """A copy with columns renamed: `runs.rename(params="n_parameters")`."""
        for new, old in new_from_old.items():
            self[old]
            if new in self.columns and new not in new_from_old.values():
                raise ColumnError(f"These runs already have a column '{new}'.", f"From: {self.source}.")
        back = {old: new for new, old in new_from_old.items()}
        return Runs({back.get(n, n): a for n, a in self.columns.items()}, self.source, self.notes)

    def noting(self, *notes: str) -> Runs:
        """A copy that carries further assumptions."""
        return Runs(self.columns, self.source, tuple(dict.fromkeys([*self.notes, *notes])))

    def complete(self, names: Iterable[str]) -> Runs:
        """The same runs with all of `names` present and free of gaps.

        A missing quantity is derived by a rule of DERIVATIONS where one applies, and the rule is noted.
        Raises ColumnError (missing) or CellError (gaps, with the rows).
        """
        runs = self
        for name in names:
            if name not in runs and name in DERIVATIONS:
                runs = runs._derived(name)
            gaps = np.flatnonzero(np.isnan(runs[name])) if name in QUANTITIES else []
            if len(gaps):
                raise CellError(
                    f"Column '{name}' has no number in {len(gaps)} of {len(self)} runs: {_rows(gaps)}.",
                    f"From: {self.source}.",
                    "Fill them, or leave those runs out: isoloss --where, or runs.take(...).",
                )
        return runs

    def _derived(self, name: str) -> Runs:
        needs, rule, words = DERIVATIONS[name]
        if not all(need in self for need in needs):
            return self
        with np.errstate(over="ignore", under="ignore"):
            values = rule(*(self[need] for need in needs))
        return self.with_columns(**{name: values}).noting(words)

    @property
    def digest(self) -> str:
        """A hash of the content, independent of the order of rows and columns: 16 hexadecimal digits."""
        names = sorted(self.columns)
        columns = [_comparable(self.columns[name]) for name in names]
        order_n = np.lexsort(columns[::-1]) if columns else np.arange(0)
        made = hashlib.sha256(repr((names, len(self))).encode())
        for column in columns:
            ordered_n = column[order_n]
            made.update(ordered_n.tobytes() if ordered_n.dtype.kind == "f" else repr(ordered_n.tolist()).encode())
        return made.hexdigest()[:16]

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame; needs pandas."""
        import pandas

        return pandas.DataFrame(dict(self.columns))

    def __repr__(self) -> str:
        return f"Runs({len(self)} runs; {', '.join(self.columns)}; from {self.source})"


def _comparable(values: np.ndarray) -> np.ndarray:
    # Numbers as little-endian doubles, all that is missing alike; everything else as text.
    if values.dtype.kind in "biuf":
        numbers_n = values.astype("<f8")
        return np.where(np.isnan(numbers_n), np.nan, numbers_n + 0.0)
    return np.array([str(value) for value in values], str)


def _column(name: str, values: Any) -> np.ndarray:
    try:
        array = np.array(values)
    except ValueError:
        array = _objects(values)
    if array.ndim != 1:
        raise ColumnError(f"Column '{name}' should hold one value for each run, but its shape is {array.shape}.")
    return array


def _objects(values: Any) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def _checked(name: str, values: np.ndarray, source: str) -> np.ndarray:
    quantity = QUANTITIES[name]
    try:
        numbers = _floats(values)
    except (TypeError, ValueError, OverflowError):
        wrong = [i for i, v in enumerate(values) if not _is_number(v)]
        raise CellError(
            f"Column '{name}' should hold numbers, but {_rows(wrong)} holds {str(values[wrong[0]])[:40]!r}.",
            f"{quantity.name}: {quantity.meaning}, in {quantity.unit}. From: {source}.",
        ) from None
    bad = np.flatnonzero(quantity.refuses(numbers))
    if len(bad):
        raise CellError(
            f"Column '{name}' must be finite and {quantity.bound}, but {_rows(bad)} holds {numbers[bad[0]]:g}.",
            f"{quantity.name}: {quantity.meaning}, in {quantity.unit}. From: {source}.",
        )
    return numbers


def _floats(values: np.ndarray) -> np.ndarray:
    if values.size and values.dtype.kind not in "biufOUS":
        raise TypeError(f"a column of {values.dtype}")
    return np.array(values, dtype=float)


def _is_number(value: Any) -> bool:
    try:
        return _floats(np.asarray(value)).ndim == 0
    except (TypeError, ValueError, OverflowError):
        return False


def _rows(indices: Any) -> str:
    shown = ", ".join(str(int(i) + 1) for i in indices[:5])
    return f"row{'s' if len(indices) > 1 else ''} {shown}" + (" ..." if len(indices) > 5 else "")


def _or_blank(runs: Runs, name: str) -> np.ndarray:
    if name in runs:
        return runs[name]
    return np.full(len(runs), np.nan) if name in QUANTITIES else np.full(len(runs), "", dtype=object)


def _equals(column: np.ndarray, wanted: Any) -> np.ndarray:
    if isinstance(wanted, tuple | list | set):
        return np.logical_or.reduce([_equals(column, w) for w in wanted])
    if column.dtype.kind in "fiub":
        try:
            return column == float(wanted)
        except (TypeError, ValueError):
            raise DataError(f"'{wanted}' cannot be compared with a column of numbers.") from None
    return np.array([str(v) == str(wanted) for v in column], bool)
