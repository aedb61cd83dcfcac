# What people run, and what CI runs. Everything is set up in .venv on first use.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo serve test check bench-serving bench-feedback bench-redaction bench-quantization bench-training bench-learning browse format proto proto-check clean

help:          ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 20

demo: $(STAMP) ## watch the whole loop once with a real model
	$(BIN)/npc demo $(ARGS)

serve: $(STAMP) ## serve the sample characters
	$(BIN)/npc model pull
	$(BIN)/npc serve $(ARGS)

test: check    ## lint, format check, types, fresh protobuf code, unit and service tests
	$(BIN)/npc model pull
	$(BIN)/pytest $(ARGS)

check: $(STAMP) proto-check ## lint, format check, types, fresh protobuf code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-serving: $(STAMP) ## speed beside llama-server, PEFT and a bare loop; some 15 minutes, JSON and a plot
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.serving $(ARGS)

bench-feedback: $(STAMP) ## taking in feedback, and a store of a million turns; some 20 minutes and 12 GB, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.feedback $(ARGS)

bench-redaction: $(STAMP) ## what redaction finds and what it takes by mistake, to JSON
	$(BIN)/python -m benchmarks.redaction $(ARGS)

bench-quantization: $(STAMP) ## quantizations of the base on this machine, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.quantization $(ARGS)

bench-learning: $(STAMP) ## what nights of training teach to characters with different players; some hours; with ARGS="--scratch DIR" it continues where it stopped
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.learning $(ARGS)

bench-training: $(STAMP) ## training beside stock TRL and beside dialogues; some 20 minutes, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.training $(ARGS)

browse: $(STAMP) ## look at the feedback store in a web browser; ARGS go to Datasette
	@store=$$($(BIN)/npc feedback path) && \
	if ! test -f "$$store"; then \
	  echo "no feedback store at $$store: serve first, and let people play" >&2; exit 1; \
	fi && \
	exec $(BIN)/datasette serve "$$store" -m feedback_store/browse.yaml --host 127.0.0.1 -o \
	  --setting sql_time_limit_ms 20000 --setting truncate_cells_html 400 \
	  --setting allow_download off $(ARGS)

format: $(STAMP) ## format, and fix what lint can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

PROTOC = $(BIN)/python -m grpc_tools.protoc -Iproto

proto: $(STAMP) ## generate npc/v1 from proto/npc/v1
	$(PROTOC) --python_out=. --pyi_out=. --grpc_python_out=. proto/npc/v1/*.proto

proto-check: $(STAMP)
	@rm -rf build/proto && mkdir -p build/proto
	@$(PROTOC) --python_out=build/proto --pyi_out=build/proto --grpc_python_out=build/proto proto/npc/v1/*.proto
	@for file in build/proto/npc/v1/*; do \
	  cmp -s $$file npc/v1/$$(basename $$file) || { echo "npc/v1 is stale: run make proto" >&2; exit 1; }; \
	done

clean:         ## remove the environment and build leftovers
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

# constraints.txt pins every package, so that an install today and one next year are the same.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing; the first time llama.cpp is compiled, which takes some minutes."
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[train,dev,bench,browse]'
	touch $@
