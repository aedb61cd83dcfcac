# What people run, and what CI runs. Everything is set up in .venv on first use, each target's own
# packages and no others.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# A stamp per set of packages that is installed: the names of the extras in pyproject.toml.
CORE   := $(VENV)/.core
TRAIN  := $(VENV)/.train
BENCH  := $(VENV)/.bench
BROWSE := $(VENV)/.browse
DEV    := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: vocabularies help demo serve talk test check bench-serving bench-feedback bench-redaction bench-languages bench-conversation bench-desk bench-doors bench-guardrails bench-quantization bench-training bench-gpu bench-learning audit browse format proto proto-check clean

help:          ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 20

demo: $(TRAIN) ## watch the whole loop once with a real model
	$(BIN)/npc demo $(ARGS)

serve: $(CORE) ## serve the sample characters
	$(BIN)/npc model pull
	$(BIN)/npc serve $(ARGS)

talk: $(CORE)  ## chat with Mira, server and all in one; ARGS=fenn for another character
	$(BIN)/npc model pull
	$(BIN)/npc talk --serve $(or $(ARGS),mira)

test: check    ## lint, format check, types, fresh protobuf code, unit and service tests
	@$(MAKE) --no-print-directory vocabularies || \
	  echo "real vocabularies cannot be fetched here: the tests on them will be skipped" >&2
	$(BIN)/npc model pull
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# A stamp per version of the package that brings them; its source is unpacked, and nothing of it is built.
VOCABULARIES    := $(HOME)/.cache/troupe/vocabularies
VOCABULARIES_OF := $(VOCABULARIES)/.of-$(shell sed -n 's/^llama_cpp_python==//p' constraints.txt)

vocabularies: $(VOCABULARIES_OF) ## real vocabularies and chat templates for the tests, 76 MB

$(VOCABULARIES_OF): | $(CORE)
	@rm -rf build/sdist && mkdir -p build/sdist $(VOCABULARIES)
	$(BIN)/pip download -q --retries 1 --timeout 15 -d build/sdist --no-deps --no-binary llama-cpp-python \
	  -c constraints.txt llama-cpp-python
	tar xzf build/sdist/llama_cpp_python-*.tar.gz -C $(VOCABULARIES) --strip-components=4 --wildcards '*/vendor/llama.cpp/models/*'
	@rm -rf build/sdist
	touch $@

check: $(DEV) proto-check ## lint, format check, types, fresh protobuf code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-serving: $(TRAIN) $(BENCH) ## speed beside llama-server, PEFT and a bare loop; some half an hour, JSON and a plot
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.serving $(ARGS)

bench-feedback: $(CORE) ## taking in feedback, and a store of a million turns; some 20 minutes and 12 GB, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.feedback $(ARGS)

bench-languages: $(BENCH) ## leaks found and false alarms in fourteen languages; seconds, to JSON
	$(BIN)/python -m benchmarks.languages $(ARGS)

bench-redaction: $(BENCH) ## what redaction finds and what it takes by mistake, to JSON
	$(BIN)/python -m benchmarks.redaction $(ARGS)

bench-conversation: $(CORE) $(BENCH) ## ten exchanges with each sample character by setting; some 30 minutes, JSON and a plot
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.conversation $(ARGS)

bench-desk: $(CORE) ## what designers wait for: saved files, a cast of 10,000; some 5 minutes, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.desk $(ARGS)

bench-doors: $(CORE) $(BENCH) ## what the HTTP port costs beside gRPC; some 5 minutes, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.doors $(ARGS)

bench-guardrails: $(CORE) $(BENCH) ## attacks on the sample characters with and without the guard; some 10 minutes, to JSON
	$(BIN)/python -m benchmarks.guardrails $(ARGS)

bench-quantization: $(CORE) ## quantizations of the base on this machine, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.quantization $(ARGS)

bench-gpu: $(TRAIN) $(BENCH) ## training on a CUDA GPU beside stock TRL; ten minutes at most, to JSON
	$(BIN)/python -m benchmarks.gpu $(ARGS)

bench-learning: $(TRAIN) $(BENCH) ## what nights of training teach to characters with different players; some hours; with ARGS="--scratch DIR" it continues where it stopped
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.learning $(ARGS)

bench-training: $(TRAIN) $(BENCH) ## training beside stock TRL and beside dialogues; some 20 minutes, to JSON
	$(BIN)/npc model pull
	$(BIN)/python -m benchmarks.training $(ARGS)

audit: $(DEV)  ## licences of all that is installed, and known vulnerabilities where pip-audit can ask
	$(BIN)/python -m benchmarks.audit

browse: $(BROWSE) ## look at the feedback store in a web browser; ARGS go to Datasette
	@store=$$($(BIN)/npc feedback path) && \
	if ! test -f "$$store"; then \
	  echo "no feedback store at $$store: serve first, and let people play" >&2; exit 1; \
	fi && \
	exec $(BIN)/datasette serve "$$store" -m feedback_store/browse.yaml --host 127.0.0.1 -o \
	  --setting sql_time_limit_ms 20000 --setting truncate_cells_html 400 \
	  --setting allow_download off $(ARGS)

format: $(DEV) ## format, and fix what lint can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

PROTOC = $(BIN)/python -m grpc_tools.protoc -Iproto

proto: $(DEV) ## generate npc/v1 from proto/npc/v1
	$(PROTOC) --python_out=. --pyi_out=. --grpc_python_out=. proto/npc/v1/*.proto

proto-check: $(DEV)
	@rm -rf build/proto && mkdir -p build/proto
	@$(PROTOC) --python_out=build/proto --pyi_out=build/proto --grpc_python_out=build/proto proto/npc/v1/*.proto
	@for file in build/proto/npc/v1/*; do \
	  cmp -s $$file npc/v1/$$(basename $$file) || { echo "npc/v1 is stale: run make proto" >&2; exit 1; }; \
	done

clean:         ## remove the environment and build leftovers
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

# llama.cpp is compiled on the first installation, without what Troupe does not use. CMAKE_ARGS of the
# caller, such as -DGGML_CUDA=on, come last and win.
LEAN := '-DCMAKE_PROJECT_llama_cpp_INCLUDE=$(CURDIR)/llama.cmake'
override CMAKE_ARGS := $(LEAN) $(CMAKE_ARGS)
export CMAKE_ARGS

# constraints.txt pins every package, so that an install today and one next year are the same.
define install
	@echo "Installing $(1:$(VENV)/.%=%); llama.cpp is compiled once, which takes some minutes."
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.$(2)'
	touch $(1)
endef

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(call install,$@,)

$(TRAIN) $(BENCH) $(BROWSE): $(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	$(call install,$@ $(CORE),[$*])

EVERYTHING := [train,hub,bench,browse,dev]# a variable, because its commas would part the arguments of call
$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(call install,$@ $(CORE) $(TRAIN) $(BENCH) $(BROWSE),$(EVERYTHING))

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
