# make demo   installs the core into .venv and shows the loop on the embedded ladder
# make test   installs what the tests need as well, and runs lint, types and tests
# make slow   the long statistical checks
# make bench  the measured speeds
# make gallery  every picture once, into docs/gallery
# make pictures  the explorer's pictures in docs/pictures

PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test lint slow bench gallery pictures clean browser

demo: .venv/core
	$(BIN)/isoloss demo

test: lint browser
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

slow: .venv/test browser
	$(BIN)/python -m pytest -m slow

bench: .venv/test
	$(BIN)/python benchmarks/fit.py
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/train.py

gallery: .venv/test
	$(BIN)/python -m examples.gallery

pictures: .venv/test browser
	$(BIN)/python -m examples.pictures

browser: .venv/test
	$(BIN)/python tests/browser.py --install

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/core: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch .venv/core $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache build dist isoloss-report.html
