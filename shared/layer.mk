# What the makefiles of layers share. /opt is read-only on Lambda: without bytecode in the layer, each cold start
# would compile every imported module, for more than a second. Bytecode depends on Python's minor version and not on the
# processor, so any machine can build the layer for any processor.
#
# SAM CLI does not pass the template's architecture to a makefile: `make sam-build` sets LAYER_ARCHITECTURE to the same
# value as the template's parameter Architecture, and then compares the results.

LAYER_ARCHITECTURE ?= arm64
PLATFORM_arm64  := aarch64-manylinux_2_28
PLATFORM_x86_64 := x86_64-manylinux_2_28
PLATFORM = $(or $(PLATFORM_$(LAYER_ARCHITECTURE)),$(error LAYER_ARCHITECTURE must be arm64 or x86_64))

PROJECT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
UV ?= $(firstword $(wildcard $(PROJECT)/.venv/bin/uv $(PROJECT)/.uv/bin/uv) uv)
PYTHON = $(or $(wildcard $(PROJECT)/.venv/bin/python),$(shell $(UV) python find 3.13))
LAYER = $(ARTIFACTS_DIR)/python
MIRROR = $(if $(PIP_INDEX_URL),--default-index $(PIP_INDEX_URL))

INSTALL = $(UV) pip install --quiet --target "$(LAYER)" --python "$(PYTHON)" --python-platform $(PLATFORM) $(MIRROR) \
	--python-version 3.13 --only-binary :all: --require-hashes --no-compile-bytecode
PRUNE = cd "$(LAYER)" && rm -rf bin boto3 boto3-* botocore botocore-* s3transfer s3transfer-* *.dist-info/RECORD .lock && \
	find . \( -name __pycache__ -o -name tests -o -name testing \) -type d -prune -exec rm -rf {} +
COMPILE = "$(PYTHON)" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$(LAYER)" -p /opt/python "$(LAYER)"
