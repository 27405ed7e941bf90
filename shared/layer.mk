# What the makefiles of layers and functions share. /opt and /var/task are read-only on Lambda: without bytecode in the
# layer, each cold start would compile every imported module, for more than a second. Bytecode depends on Python's minor
# version and not on the processor, so any machine can build for any processor.
#
# SAM CLI passes the architecture of the template to no makefile. Before it builds all, it writes the architecture of each
# layer to build.toml, beside the folder of the build.

LAYER_ARCHITECTURE ?= $(or $(shell sed -n '/^layer_name = "$(@:build-%=%)"$$/,/^$$/s/^architecture = "\(.*\)"$$/\1/p' \
	"$(ARTIFACTS_DIR)/../../build.toml" 2>/dev/null),arm64)
PLATFORM_arm64  := aarch64-manylinux_2_28
PLATFORM_x86_64 := x86_64-manylinux_2_28
PLATFORM = $(or $(PLATFORM_$(LAYER_ARCHITECTURE)),$(error LAYER_ARCHITECTURE must be arm64 or x86_64))

PROJECT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
UV := $(or $(firstword $(wildcard $(PROJECT)/.venv/bin/uv $(PROJECT)/.uv/bin/uv)),$(shell command -v uv),$(PROJECT)/.uv/bin/uv)
# As the project's Makefile finds it: the folder matters where `python3.13` is a shim that reads .python-version.
PYTHON = $(or $(wildcard $(PROJECT)/.venv/bin/python),$(shell cd "$(PROJECT)" && FIND="$(UV) python find --no-project 3.13" && \
	{ $$FIND 2>/dev/null || { $(UV) python install --quiet 3.13 >&2 && $$FIND; }; }))
COMPILE = "$(PYTHON)" -I -S -m compileall -q --invalidation-mode unchecked-hash
LAYER = $(ARTIFACTS_DIR)/python
MIRROR = $(if $(PIP_INDEX_URL),--default-index $(PIP_INDEX_URL))

INSTALL = $(UV) pip install --quiet --target "$(LAYER)" --python "$(PYTHON)" --python-platform $(PLATFORM) $(MIRROR) \
	--python-version 3.13 --only-binary :all: --require-hashes --no-compile-bytecode
PRUNE = cd "$(LAYER)" && rm -rf bin boto3 boto3-* botocore botocore-* s3transfer s3transfer-* *.dist-info/RECORD .lock && \
	find . \( -name __pycache__ -o -name tests -o -name testing \) -type d -prune -exec rm -rf {} +
COMPILE_LAYER = $(COMPILE) -j 0 -s "$(LAYER)" -p /opt/python "$(LAYER)"

# In a clone without an environment the project's Makefile installs uv. Layers are built at once, so the others wait.
LOCKED = import fcntl, subprocess, sys; lock = open(sys.argv[1], "w"); fcntl.flock(lock, fcntl.LOCK_EX); \
	sys.exit(subprocess.call(sys.argv[2:]))
$(PROJECT)/.uv/bin/uv:
	@mkdir -p "$(PROJECT)/.aws-sam" && python3 -c '$(LOCKED)' "$(PROJECT)/.aws-sam/uv.lock" $(MAKE) --no-print-directory -C "$(PROJECT)" .uv/bin/uv
