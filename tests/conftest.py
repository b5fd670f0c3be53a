"""Formulas traced by the tests are kept among pytest's own files, never in the user's cache."""

import os
import tempfile
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    kept = getattr(config, "cache", None)
    place = kept.mkdir("isoloss") if kept else Path(tempfile.mkdtemp())
    os.environ["ISOLOSS_CACHE"] = str(place / "cache")  # a folder below, which isoloss makes for itself alone
