# `make demo` and `make test` do all the set-up that they need, on a fresh Debian or Ubuntu, into .venv.
# Variables: PYTHON, TORCH, TORCH_INDEX (see scripts/setup), ARGS (for the demo or the tests).
.PHONY: setup demo test check clean

setup:
	scripts/setup run

demo:
	scripts/setup run
	mkdir -p out && cd out && ../.venv/bin/sdstream demo $(ARGS)

test:
	scripts/setup test
	scripts/test $(ARGS)

check:
	scripts/setup test
	scripts/check

clean:
	rm -rf .venv .venv-media build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
