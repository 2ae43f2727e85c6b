# make demo: a run, a table and a picture.   make test: lint, types, layers, the wheel, all tests.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: board demo picture test lint clean

demo: $(STAMP)
	rm -rf runs/demo
	$(BIN)/risbench run --method centre --split shapes_val --out runs/demo/centre
	$(BIN)/risbench run --method oracle_class --split shapes_val --out runs/demo/oracle_class > /dev/null
	$(BIN)/risbench report runs/demo/centre runs/demo/oracle_class --as markdown
	$(BIN)/risbench report runs/demo/centre runs/demo/oracle_class --as grid --out runs/demo/grid.png

# The README's pictures.
pictures: demo
	mkdir -p reports/pictures
	cp runs/demo/grid.png reports/pictures/demo.png
	$(BIN)/risbench report runs/demo/centre runs/demo/oracle_class --as curves --out reports/pictures/curves.png
	$(BIN)/risbench report runs/demo/centre runs/demo/oracle_class --as html --out runs/demo/gallery.html
	@echo "reports/pictures/gallery.png is a screenshot of runs/demo/gallery.html: tests/bench/screenshot.py"

test: $(STAMP) lint
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# Our floors and controls on drawn scenes: run anew, then all entered; commit what changes in reports/leaderboard.
# All run before the first is entered, because a changed entry would make the checkout's commit a changed one.
BOARD := centre full random_box random_point oracle_box oracle_class random_same_class
board: $(STAMP)
	rm -rf runs/board
	for method in $(BOARD); do \
		$(BIN)/risbench run --method $$method --split shapes_test --out runs/board/$$method > /dev/null || exit 1; \
	done
	for method in $(BOARD); do $(BIN)/risbench submit runs/board/$$method --replace || exit 1; done
	$(BIN)/risbench leaderboard --as markdown --out reports/leaderboard/README.md

clean:
	rm -rf .venv runs dist

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
