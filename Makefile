.PHONY: setup demo test check bench soak serve lock fuzz
RUN := .venv/bin/

setup: .venv/ready
.venv/ready: requirements/lock.txt requirements/torch.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh
demo: setup
	@$(RUN)linernotes demo
test: setup check
	@sh scripts/test.sh
check: setup
	@$(RUN)ruff format --check . && $(RUN)ruff check . && $(RUN)mypy && $(RUN)lint-imports
bench: setup
	@$(RUN)python -m bench
soak: setup
	@$(RUN)python -m tests.soak
serve: setup
	@$(RUN)linernotes serve
lock:
	@sh scripts/lock.sh
fuzz: setup
	@$(RUN)python -m fuzz
