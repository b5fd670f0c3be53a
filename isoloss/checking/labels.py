"""The names that people give to columns which are no quantities: what a label column is about, and its words.

A name counts in any case and with any separators, as in `loaders/columns.py`. Shapes: `n` runs.
"""

from __future__ import annotations

import functools
import re
from weakref import WeakKeyDictionary

import numpy as np

from isoloss.core.runs import Runs
from isoloss.fitting.rows import CHECKPOINTED

NAMES: dict[str, str] = {
    "run": "run run_id id name run_name",
    "seed": "seed random_seed init_seed model_seed data_seed rng_seed replicate",
    "status": "status state run_status run_state outcome exit_status",
    "schedule": "schedule lr_schedule learning_rate_schedule lr_scheduler lr_scheduler_type scheduler decay lr_decay "
    "decay_type annealing",
    "progress": "portion frac_of_training fraction_of_training train_fraction training_fraction frac_done progress",
    "planned_steps": "total_steps max_steps planned_steps scheduled_steps",
    "planned_tokens": "planned_tokens max_tokens scheduled_tokens",
    "warmup": "warmup warm_up lr_warmup warmup_type",
    "warmup_steps": "warmup_steps num_warmup_steps n_warmup_steps warmup_iters warmup_iterations lr_warmup_steps",
    "warmup_tokens": "warmup_tokens num_warmup_tokens n_warmup_tokens",
    "warmup_share": "warmup_ratio warmup_frac warmup_fraction warmup_share",
    "tuning": "hparams hyperparameters hyperparams hparam_set hyperparameter_set tuning",
    "best": "best_lr_for_config is_best best_lr best_of_sweep",
    "parametrization": "parametrization parameterization mup transfer",
    "epochs": "epochs n_epochs num_epochs passes",
    "tokenizer": "tokenizer tokeniser tokenizer_name",
    "evaluation": "eval_set eval_dataset eval_data eval_split eval_domain loss_split val_set val_dataset "
    "validation_set validation_dataset test_set benchmark loss_on",
    "unit": "loss_unit loss_units unit units loss_metric metric",
    "taken": "loss_kind loss_type loss_at which_loss loss_taken checkpoint_choice smoothing reduction",
    "corpus": "dataset corpus train_dataset training_data training_set train_set pretraining_data data_mix "
    "upstream_dataset",
    "counting": "param_count parameter_convention counting flop_convention accounting",
    "kind": "group family model_type model_family arch architecture recipe series optimizer",
    "code": "commit code_version git_sha git_commit code revision",
}

CONSTANT = ("const", "constant", "none", "no", "flat", "schedule_free", "schedulefree")
FIXED_HORIZON = ("kaplan", "long", "fixed", "fixed_horizon")  # one decay for all lengths, as in Kaplan et al. 2020

DIVERGED = ("diverged", "diverging", "nan", "nans", "inf", "exploded")
FAILED = ("failed", "failure", "crashed", "crash", "error", "oom", "errored")
CUT_SHORT = ("unfinished", "running", "timeout", "timed_out", "killed", "preempted", "stopped", "aborted", "cancelled")
CUT_SHORT += ("canceled", "interrupted", "partial", "incomplete", "pending", "queued")

WITHOUT_HEAD = ("kaplan", "body", "non_embedding", "nonembedding", "no_embedding", "without_embeddings", "no_head")

UNTUNED = ("base", "default", "defaults", "untuned", "fixed")
VALIDATION = ("val", "valid", "validation", "dev", "eval")
_NONE_MEANS = ("decay", "schedule", "lr_schedule", "lr_decay", "status", "state")  # where "none" or "nan" is an answer
_WORDS: WeakKeyDictionary[Runs, dict[str, np.ndarray]] = WeakKeyDictionary()  # read once a table
TRANSFERRED = ("mup", "completep", "mutransfer", "mu_p", "spectral", "unit_scaling", "true", "1")


@functools.cache
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


_SUBJECT = {_plain(name): subject for subject, names in NAMES.items() for name in names.split()}


def columns(runs: Runs, *subjects: str) -> list[str]:
    """The columns about any of these subjects, in the order of the subjects."""
    about = [(name, _SUBJECT.get(_plain(name))) for name in runs.columns]
    return [name for subject in subjects for name, found in about if found == subject]


def words(runs: Runs, name: str) -> np.ndarray:
    """What a column says of each run, (n,): lower case, with underscores, empty where nothing is said."""
    kept = _WORDS.setdefault(runs, {})
    if name not in kept:
        kept[name] = _read(runs, name)
    return kept[name]


def _read(runs: Runs, name: str) -> np.ndarray:
    nothing = () if name in _NONE_MEANS else ("nan", "none", "null")
    said = [str(value).strip().lower().replace("-", "_").replace(" ", "_") for value in runs[name]]
    return np.array(["" if word in nothing else word for word in said])


def numbers(runs: Runs, name: str) -> np.ndarray | None:
    """A label column as numbers (n,), NaN where it is empty; None where it holds text."""
    try:
        return np.array([value if value != "" else np.nan for value in runs[name]], float)
    except (TypeError, ValueError):
        return None


def distinct(runs: Runs, name: str) -> list[str]:
    """The different words of a column, without the empty one."""
    return sorted(set(words(runs, name).tolist()) - {""})


def mixed(runs: Runs, *subjects: str) -> dict[str, list[str]]:
    """The columns about these subjects that say more than one thing, and what they say."""
    found = {name: distinct(runs, name) for name in columns(runs, *subjects)}
    return {name: said for name, said in found.items() if len(said) > 1}


def is_any(word_n: np.ndarray, known: tuple[str, ...]) -> np.ndarray:
    """Which words (n,) are one of the known, or begin with one and an underscore: cosine_24000 is a cosine."""
    begins = tuple(f"{k}_" for k in known)
    found = {word for word in {*word_n.tolist()} if word in known or word.startswith(begins)}
    return np.isin(word_n, sorted(found)) if found else np.zeros(len(word_n), bool)


def named_by(runs: Runs) -> str | None:
    """The column that names the rows or the runs, if there is one."""
    return next((name for name in (*CHECKPOINTED, "name", "run_name") if name in runs), None)
