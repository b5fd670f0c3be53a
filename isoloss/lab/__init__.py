"""The lab trains ladders of small models and keeps the records.

`train` needs the extra `train` (torch); everything else here does not.
"""

from __future__ import annotations

from isoloss.core import discover
from isoloss.lab.corpus import CORPORA, known_entropy, known_exponents, load_corpus
from isoloss.lab.flags import flags
from isoloss.lab.index import listing, rebuild
from isoloss.lab.ladder import load_ladder
from isoloss.lab.recipes import RECIPES
from isoloss.lab.running import train
from isoloss.lab.seeding import more_seeds
from isoloss.lab.store import load_records
from isoloss.lab.table import table

discover.modules("isoloss.lab.corpora")

__all__ = [
    "CORPORA",
    "RECIPES",
    "flags",
    "known_entropy",
    "known_exponents",
    "listing",
    "load_corpus",
    "load_ladder",
    "load_records",
    "more_seeds",
    "rebuild",
    "table",
    "train",
]
