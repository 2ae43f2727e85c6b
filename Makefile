# make demo: a run, a table and a picture.   make test: lint, types, layers, the wheel, all tests.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo picture test lint clean

demo: $(STAMP)
	rm -rf runs/demo
	$(BIN)/risbench run --method centre --split shapes_val --out runs/demo/centre
	$(BIN)/risbench run --method oracle_class --split shapes_val --out runs/demo/oracle_class > /dev/null
	$(BIN)/risbench report runs/demo/centre runs/demo/oracle_class --as markdown
	$(BIN)/risbench report runs/demo/centre runs/demo/oracle_class --as grid --out runs/demo/grid.png

# The README's picture.
picture: demo
	mkdir -p reports/pictures
	cp runs/demo/grid.png reports/pictures/demo.png

test: $(STAMP) lint
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

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
