# The entry point for developers. `make` lists the targets. Each first installs the environment of uv.lock, if needed.

UV_VERSION := 0.13.9
PYTHON     := .venv/bin/python
READY      := .venv/.ready

# On a terminal the installers show their progress.
QUIET := $(shell test -t 2 || echo --quiet)

# uv trusts the system's certificate authorities, a company's own among them, only with this setting. It fails if the
# system has no certificate authorities, as in some containers.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif

# The first Python that can make the environment of uv.
FIND_PYTHON = for python in python3 /usr/bin/python3 python3.13 python; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then found=$$python; break; fi; \
	done

.DEFAULT_GOAL := help
.PHONY: help run port clock test check checkov simulate bench invoke sam-build sam-invoke sam-api deploy earlier-release staff outbox-retry vapid-keys openapi statements db-check db-adopt db-upgrade db-reset format requirements clean

help:               ## this list
	@grep -hE '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

run: port $(READY)  ## the platform on http://127.0.0.1:3000 (PORT=…), until Ctrl-C (SPEED=600 lets its clock run faster)
	@exec $(PYTHON) -m local

clock: $(READY)     ## move the clock of the running `make run` forward: TO=2026-12-01T00:31Z, or TO=end, TO=settlement of the demo's month race
	@$(PYTHON) -m local.schedules.command "$(TO)"

test: $(READY)      ## every test, in parallel (ARGS="-k spin")
	@$(PYTHON) -m pytest -n auto $(ARGS)

simulate: $(READY)  ## a simulation on a database of its own: WHAT=wheel [SIZE=1000] [SEED=7]
	@$(PYTHON) -m tests.simulations "$(or $(WHAT),wheel)" "$(or $(SIZE),1000)" "$(SEED)"

bench: $(READY)     ## a benchmark: WHAT=imports, timing, claims …; benchmarks/README.md has all
	@$(PYTHON) -m benchmarks "$(or $(WHAT),imports)" $(ARGS)

invoke: $(READY)    ## one function on Lambda's runtime client: FUNCTION=spin_wheel [EVENT=file.json]
	@$(PYTHON) -m local.invoke "$(FUNCTION)" "$(EVENT)"

sam-build: $(READY) ## functions and layer by SAM CLI, for arm64; PROCESSOR=native: for this machine's processor
	@$(PYTHON) -m local.sam.build "$(PROCESSOR)"

sam-invoke: $(READY) ## one function in Docker, beside `make run`: FUNCTION=spin_wheel [EVENT=file.json] [ARGS=…]
	@$(PYTHON) -m local.sam.invoke invoke "$(FUNCTION)" "$(EVENT)"

sam-api: $(READY)   ## the API from Docker containers on port 3001 (PORT=…), beside `make run` [ARGS=…]
	@$(PYTHON) -m local.sam.invoke start-api

earlier-release: $(READY) ## the functions of an earlier commit on this schema, as in each deployment (COMMIT=…)
	@$(PYTHON) -m tools.earlier_release "$(COMMIT)"

staff: $(READY)     ## make a member a staff member: USER=name, with ENV=name in that environment on AWS
	@$(PYTHON) -m tools.staff "$(origin USER)"

deploy: $(READY)    ## build and deploy to an environment of samconfig.toml, after saying what it costs: ENV=staging
	@$(PYTHON) -m tools.deploy "$(ENV)"

outbox-retry: $(READY) ## queue all mail that was given up once more, here or for DATABASE_URL
	@$(PYTHON) -m tools.outbox_retry

vapid-keys: $(READY) ## print a new pair of keys for push messages, and where each of them goes
	@$(PYTHON) -m tools.vapid_keys

openapi: $(READY)   ## write the API's OpenAPI document and the table of docs/problems.md
	@$(PYTHON) -m tools.openapi

statements: $(READY) ## compile the statements that handlers send without SQLAlchemy
	@$(PYTHON) -m tools.statements

db-check: $(READY)  ## list what is wrong with a database, the local one or DATABASE_URL's, and what to do (ARGS=--all lists every row)
	@$(PYTHON) -m database.check $(ARGS)

db-adopt: $(READY)  ## adopt the legacy (Drizzle) application's database, DATABASE_URL=…; asks first (YES=1)
	@$(PYTHON) -m database.adopt

db-upgrade: $(READY) ## migrate the local database, or DATABASE_URL=postgresql://user:password@host:port/database
	@$(PYTHON) -m database.upgrade

db-reset: $(READY)  ## delete everything in the database and migrate anew; asks first (YES=1)
	@$(PYTHON) -m database.reset

check: $(READY)     ## style, types, template, the build, and whether generated files are up to date (ARGS="mypy cfn-lint")
	@$(PYTHON) -m tools.check $(ARGS)

checkov: $(READY)   ## insecure settings in the expanded template, found by checkov in an environment of its own
	@$(PYTHON) -m tools.checkov

format: $(READY)    ## format the code, and apply ruff's fixes
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format --quiet .

requirements: $(READY) ## write the layers' requirements from uv.lock
	@.uv/bin/uv export --quiet --locked --no-dev --no-header --no-annotate --output-file shared/requirements.txt
	@.uv/bin/uv export --quiet --locked --only-group affiliate --no-header --no-annotate --output-file shared/requirements-affiliate.txt
	@.uv/bin/uv export --quiet --locked --only-group migrations --prune sqlalchemy --prune typing-extensions --no-header --no-annotate --output-file migrations/requirements.txt
	@.uv/bin/uv export --quiet --locked --only-group markdown --no-header --no-annotate --output-file shared/requirements-markdown.txt
	@.uv/bin/uv export --quiet --locked --only-group push --no-header --no-annotate --output-file shared/requirements-push.txt

clean:              ## remove the environments; the local data in .local stays
	rm -rf .uv .venv .aws-sam

# A taken port is reported before minutes are spent on the environment.
port:
	@$(FIND_PYTHON); test -z "$$found" || $$found local/ports.py

# uv itself comes from PyPI into an environment of its own, so a machine needs only Python 3, make and git.
.uv/bin/uv: Makefile
	@$(FIND_PYTHON); if [ -z "$$found" ]; then \
	  echo "No Python 3.8 or newer with its venv module was found: install python3 and python3-venv, then try again." >&2; exit 1; \
	fi; \
	echo "Creating .uv, an environment for uv …"; \
	$$found -m venv --clear .uv && echo '*' > .uv/.gitignore && echo "Installing uv $(UV_VERSION) into it …" && \
	.uv/bin/python -m pip $(QUIET) --disable-pip-version-check install uv==$(UV_VERSION) || { rm -rf .uv; \
	  echo "uv $(UV_VERSION) could not be installed from PyPI: see above; PIP_INDEX_URL=… names a mirror, HTTPS_PROXY=… a proxy." >&2; exit 1; }
	@touch $@

# `uv sync` takes files from where uv.lock found them. From a mirror, the same files are installed by their hashes.
$(READY): uv.lock pyproject.toml .python-version .uv/bin/uv
	@.uv/bin/uv python find --quiet --no-project 3.13 >/dev/null 2>&1 || { echo "Installing Python 3.13 …"; .uv/bin/uv python install $(QUIET) 3.13; } || { \
	  echo "Python 3.13 was not found and could not be downloaded: install it (python.org, pyenv, apt or brew), then try again." >&2; exit 1; }
	@echo "Installing the packages of uv.lock into .venv (the first time about 800 MB) …"
	@mirror="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(.uv/bin/python -m pip config get global.index-url 2>/dev/null)}}"; \
	if [ -z "$$mirror" ]; then .uv/bin/uv sync $(QUIET) --locked --python 3.13; else \
	  .uv/bin/uv venv --quiet --allow-existing --python 3.13 .venv && \
	  .uv/bin/uv export --quiet --frozen --no-header --output-file .venv/requirements.txt >/dev/null && \
	  .uv/bin/uv pip sync $(QUIET) --python .venv --default-index "$$mirror" --require-hashes .venv/requirements.txt; \
	fi || { echo "The environment could not be built from uv.lock: see above; PIP_INDEX_URL=… names a mirror, HTTPS_PROXY=… a proxy." >&2; exit 1; }
	@printf 'Compiling the packages to bytecode '; (while sleep 5; do printf .; done) & dots=$$!; \
	$(PYTHON) -m compileall -qq -j 0 .venv/lib; kill $$dots; echo …
	@touch $@
