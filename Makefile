# make demo: a run, a table and a picture.   make test: lint, types, layers, the wheel, all tests.
# make docs: the documentation as pages.   make torture: what takes too long for every day.
# make test-matrix: oldest and newest versions, newer Pythons.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: board comparison demo docs gpu gpu-wheels pictures test test-matrix torture lint lint-quick clean

# The trained model in the box beside the floors.
FLOORS := centre clip_sim random_same_class oracle_class
DEMO := runs/demo/tris $(FLOORS:%=runs/demo/%)
demo: $(STAMP)
	rm -rf runs/demo
	$(BIN)/risbench run --method tris --split shapes_val --out runs/demo/tris
	printf '%s\n' $(FLOORS) | xargs -P 2 -I % $(BIN)/risbench run --method % --split shapes_val --out runs/demo/% > /dev/null
	$(BIN)/risbench report $(DEMO) --as markdown
	$(BIN)/risbench report runs/demo/tris runs/demo/clip_sim --as grid --count 8 --out runs/demo/grid.png

# The README's pictures.
pictures: demo
	mkdir -p reports/pictures
	$(BIN)/risbench report runs/demo/tris runs/demo/clip_sim --as grid --count 4 --out reports/pictures/demo.png
	$(BIN)/risbench report $(DEMO) --as curves --out reports/pictures/curves.png
	$(BIN)/risbench report $(DEMO) --as html --out runs/demo/gallery.html
	@echo "reports/pictures/rivals.png is drawn by make board"
	@echo "reports/pictures/gallery.png is a screenshot of runs/demo/gallery.html: tests/bench/screenshot.py"

# Types are checked beside the tests, so that no core is idle; what is wrong with them is printed below the tests.
# Work is stolen rather than dealt out: neighbours stay in one process, which makes what a file's tests share once.
test: $(STAMP) lint-quick
	@log=$$(mktemp); trap 'kill $$types 2> /dev/null; rm -f $$log' EXIT INT TERM; \
	$(BIN)/basedpyright > $$log 2>&1 & types=$$!; \
	$(BIN)/python -m pytest -n 2 --dist worksteal; tests=$$?; \
	wait $$types; checked=$$?; cat $$log; test $$tests -eq 0 -a $$checked -eq 0

# make test-matrix ONLY="oldest 3.12" ARGS="tests/risbench/metrics -k resize": which environments, and arguments of pytest.
test-matrix:
	@$(PYTHON) tests/matrix.py --only "$(ONLY)" -- $(ARGS)

# Kills, full disks and broken files by the hundred thousand: RISBENCH_TORTURE=N says how many files (200000). And every
# property on 25 times the examples of `make test`, others each time.
torture: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "torture or hypothesis" --hypothesis-profile torture --durations=15 tests

# The documentation as a folder of pages, site/index.html first. A warning is an error, and nothing is fetched.
docs: $(BIN)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html opens from disk; the search needs a server: python3 -m http.server -d site"

# What only a GPU can tell, in at most 8 minutes, with any Python that has torch: no .venv, no network, no make needed.
# reports/gpu/README.md says how.
gpu:
	$(PYTHON) tests/bench/gpu.py

# What such a Python lacks, unpacked into a folder that git ignores: a few MB to carry there.
GPU_VERSION ?= 3.12
GPU_LACKS := open_clip_torch ftfy wcwidth pycocotools platformdirs
gpu-wheels:
	rm -rf .gpu
	@if command -v uv > /dev/null; then \
		uv pip install --quiet --no-deps --only-binary :all: --python-version $(GPU_VERSION) \
			--python-platform x86_64-manylinux_2_28 --target .gpu/site $(GPU_LACKS); \
	else \
		$(PYTHON) -m pip install --quiet --no-deps --only-binary :all: --python-version $(GPU_VERSION) \
			--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --target .gpu/site $(GPU_LACKS); \
	fi
	git describe --always --dirty --abbrev=12 > .gpu/site/COMMIT
	du -sh .gpu

lint: lint-quick
	$(BIN)/basedpyright

lint-quick: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

# TRIS, floors and controls on drawn scenes: run anew, then all entered; commit what changes in reports/leaderboard.
# All run before the first is entered, because a changed entry would make the checkout's commit a changed one.
RIVALS := lavt cts_style amr wwbl gbs mg clip_gae clip_es clip_sim clip_gradcam groupvit
BOARD := tris $(RIVALS) centre full random_box random_point oracle_box oracle_class random_same_class
board: $(STAMP)
	rm -rf runs/board
	for method in $(BOARD); do \
		$(BIN)/risbench run --method $$method --split shapes_test --out runs/board/$$method > /dev/null || exit 1; \
	done
	for method in $(BOARD); do $(BIN)/risbench submit runs/board/$$method --replace || exit 1; done
	$(BIN)/risbench leaderboard --as markdown --out reports/leaderboard/README.md
	$(BIN)/risbench report $(addprefix runs/board/,tris $(RIVALS)) --as grid --count 4 --rows random:7 --out reports/pictures/rivals.png

# The paper's two tables in miniature, to reports/comparison. The same command goes on where it was stopped.
# make comparison TRAIN=1 trains every network anew first.
comparison: $(STAMP)
	$(BIN)/python -m reports.comparison $(if $(TRAIN),--train)

clean:
	rm -rf .venv .venv-* runs dist site

# uv where it is present (under a minute), else pip (four minutes: torch is large).
$(STAMP): pyproject.toml
	@if command -v uv > /dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) .venv \
		&& uv pip install --quiet --python $(BIN)/python --editable . --group dev; \
	else \
		$(PYTHON) -m venv .venv \
		&& $(BIN)/python -m pip install --quiet --upgrade pip \
		&& $(BIN)/python -m pip install --quiet --editable . --group dev; \
	fi
	@touch $(STAMP)

$(BIN)/.docs: $(STAMP)
	@if command -v uv > /dev/null; then uv pip install --quiet --python $(BIN)/python --group docs; \
	else $(BIN)/python -m pip install --quiet --group docs; fi
	@touch $@
