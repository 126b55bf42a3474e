# Everything from nothing: needs Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-whole test-parts soak soak-kills soak-faults lint bench clean

demo: $(READY)
	$(BIN)/ib-recorder demo

# Real recorders and everything else at the same time: the one mostly waits, the other computes.
test: lint
	$(MAKE) --no-print-directory -j2 -Otarget test-whole test-parts

test-whole: $(READY)
	$(BIN)/pytest tests/whole tests/ops

test-parts: $(READY)
	$(BIN)/pytest --ignore=tests/whole --ignore=tests/ops

# A night of 500 faults and 1,000 kills, beside every fault and every kill at every call: three quarters of an hour.
soak: $(READY)
	$(MAKE) --no-print-directory -j2 soak-kills soak-faults

soak-kills: $(READY)
	$(BIN)/pytest -m soak -s tests/whole tests/store/test_store_kill_nine.py

soak-faults: $(READY)
	$(BIN)/pytest -m soak -s --ignore=tests/whole --ignore=tests/store/test_store_kill_nine.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
