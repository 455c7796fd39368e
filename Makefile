# Needs make, and Python 3.11 or later with venv. Another interpreter, in a .venv of its own: make test PYTHON=python3.13
PYTHON ?= python3
VENV := .venv$(if $(filter-out file,$(origin PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check wheel docs release-check servers completions soak bench bench-peers clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# The demo is about the profiles in this checkout, whatever is set around it.
unexport DBTOOL_CONFIG DBTOOL_PROFILE DBTOOL_FORMAT

define show
@printf '\n$$ %s\n' '$(1)'
@PATH="$(CURDIR)/$(BIN):$$PATH" $(1)
endef

demo: $(VENV)/.installed ## install dbtool in .venv and try it on a small SQLite database
	@rm -f profiles/demo.db
	@# Its long answer is for those who have not looked at these files.
	@said=$$($(BIN)/dbtool profile trust --yes 2>&1) || { printf '%s\n' "$$said" >&2; exit 1; }
	$(call show,dbtool query -p demo -f profiles/demo.sql)
	$(call show,dbtool profile list)
	$(call show,dbtool query -p demo "select * from orders limit 5" -F table)
	$(call show,dbtool query -p demo "select * from orders limit 5" -F csv)
	$(call show,dbtool query -p demo "select * from orders limit 5" -F json)
	$(call show,dbtool query -p demo "select * from orders where id = :id" -v id:=3 -F table)
	@# Status 5 is a verdict on half a second of load, which a busy machine may spoil: the table is what the demo shows.
	$(call show,dbtool pool-bench -q -p demo --threads 8 --connections 4 --hold 1ms --duration 1s) \
	|| test $$? -eq 5

# Compiling the tests takes longer than collecting them, and each process would do it anew.
unexport PYTHONDONTWRITEBYTECODE

# Each worker starts servers of its own; a third one works while two wait.
PYTEST := $(BIN)/pytest -n 3 --dist worksteal

# The pool's tests run beside the others, in one process and one after the other: where a test fails as it has to, with
# threads about, Python 3.11 can stumble over its own reading of source text (SystemError: AST constructor recursion
# depth mismatch), and a worker ends on that. Their output stands at the end.
define run_tests
@mkdir -p .cache; \
$(1) DBTOOL_TEST_BESIDE=1 $(BIN)/pytest -q -rfE $(2) tests/pool >.cache/pool-tests.txt 2>&1 & pool=$$!; \
$(1) $(PYTEST) $(2) --ignore tests/pool; others=$$?; \
wait $$pool; pool=$$?; cat .cache/pool-tests.txt; exit $$((others ? others : pool))
endef

test: servers check ## check, then run all tests on real servers
	$(call run_tests)

check: $(VENV)/.tools ## the quick part: style, types, imports between the floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.created ## build the wheel, install it by itself, and try it from outside the checkout
	@$(BIN)/python -m tests.packaging.wheel

docs: $(VENV)/.docs ## make a site of the documentation, in build/docs
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs . build/docs
	@$(BIN)/python -m tests.docs.site build/docs

release-check: test wheel docs ## all that has to hold before a release
	@$(BIN)/python -m tests.packaging.release

servers: $(VENV)/.tools ## find PostgreSQL, MariaDB, MySQL, PgBouncer, zsh and fish for the tests, or fetch them into .cache
	@$(BIN)/python -m tests.servers.provide
	@$(BIN)/python -m tests.completions.shells

completions: $(VENV)/.tools ## write the completion scripts, and the quick way's table, anew
	@$(BIN)/python -m tests.completions.generate
	@$(BIN)/python -m tests.cli.generate_quick_table

soak: servers ## all that the tests only sample: an hour
	$(call run_tests,DBTOOL_TEST_SOAK=1,-o faulthandler_timeout=1800)
	$(BIN)/python -m tests.pool.soak
	for client in psql mariadb sqlite3; do $(BIN)/python -m tests.corpora --debian --client $$client || exit 1; done
	$(BIN)/python -m tests.bench.matrix --rounds $(or $(ROUNDS),1)

# An hour on two cores, most of it loading a million INSERTs 48 times. A part: make bench ONLY=CSV RUNS=3
# Start-up alone, beside that of another commit, in two minutes: make bench AGAINST=d75d754
bench: $(VENV)/.tools ## measure dbtool beside its peers
	$(BIN)/python -m benchmarks --only '$(ONLY)' $(if $(RUNS),--runs $(RUNS)) $(if $(AGAINST),--against $(AGAINST)) $(if $(KEYS),--keys)

bench-peers: $(VENV)/.created ## fetch the tools that bench measures beside into .venv-peers
	@$(BIN)/python -m benchmarks.peers

clean: ## remove what the other targets made
	rm -rf .venv .venv-* .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	rm -f profiles/demo.db
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo 'Missing: Python. Install the packages python3 (3.11 or later) and python3-venv.' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(PYTHON) is too old: install Python 3.11 or later, and name it: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo 'Missing: venv for $(PYTHON). Install the package python3-venv.' >&2; exit 1; }
	@echo 'Making $(VENV); this takes a minute the first time.'
	@$(PYTHON) -m venv --clear $(VENV)
	@# --group came with pip 25.1.
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.tools: $(VENV)/.created pyproject.toml
	@$(PIP) install --editable . --group test --group dev
	@touch $@

$(VENV)/.docs: $(VENV)/.tools
	@$(PIP) install --group docs
	@touch $@
