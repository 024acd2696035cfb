# Everything a newcomer needs is `make up` and `make test`; both set up .venv by themselves, from Python, git and make alone.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet
ARGS ?=
export VENV
# With -C, make announces the folder on stdout; so it is kept quiet here, and by `make -s` where make is older than 4.4.
MAKEFLAGS += --no-print-directory

.PHONY: help up test test-long check format bench docs lock runtime dev

help:  ## list the goals
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \t\2/p' Makefile | expand -t 24

up: runtime  ## set up and start the server; ARGS='--data DIR --ports auto …' passes options
	@exec $(BIN)/python -m mailhost up $(ARGS)

test: dev  ## run the tests; names what a missing server or client makes it skip
	@$(PYTEST) -m "not long" -n 2 --dist loadfile $(ARGS)

test-long: dev  ## run the tests that take long, too
	@$(PYTEST) -n 2 --dist loadfile $(ARGS)

check: dev  ## format, lint, types (of the tests: names), the contract between the rooms, the rules of the house
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict -p mailhost -p tests
	@$(BIN)/lint-imports
	@$(PYTEST) tests/house

format: dev  ## write the format that `make check` asks for
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: dev  ## measure beside Dovecot (Debian's packages); ARGS='--fast', ARGS='--only idle-memory'
	@$(BIN)/python -m tests.bench $(ARGS)

docs: dev  ## write the pages that are made from the code
	@$(BIN)/python -m tests.house.reference

lock: dev  ## write the lock anew from pyproject.toml; LOCKARGS='--upgrade' takes newer versions
	@$(LOCK) $(LOCKARGS) -o requirements.txt
	@$(LOCK) $(LOCKARGS) --group dev -c requirements.txt -o requirements-dev.txt

runtime:
	@$(PYTHON) bootstrap.py 1>&2

dev:
	@$(PYTHON) bootstrap.py --dev 1>&2
