# SPDX-License-Identifier: GPL-2.0-only
# Netpas gateway. `make help` lists what there is; fragments: */NAME.mk

BUILD   ?= build
PREFIX  ?= /usr
DESTDIR ?=

# V=1 shows commands, WERROR=1 makes warnings errors, SAN=1 builds with ASan and UBSan.
V       ?= 0
WERROR  ?= 0
SAN     ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = @printf '  %-8s %s\n' '$(1)' '$(2)'

CC      ?= gcc
CFLAGS  ?= -O2 -g
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

WARN     := -Wall -Wextra -Wshadow -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 \
            -Wvla -Wundef $(if $(filter 1,$(WERROR)),-Werror)
HARDEN   := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
ifeq ($(SAN),1)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDEN   := -fPIE
override BUILD := $(patsubst %/san,%,$(BUILD))/san
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

include appliance/appliance.mk
include bpf/bpf.mk
include tests/tests.mk
include docs/docs.mk
include firmware-image/image.mk

.PHONY: all deps clean help
all: deps programs ## build netpasd and netpas into build/ (installs what is missing)

# One list of packages. Nothing is asked of the package manager when all are there.
deps: ## install the packages of .ci/packages that are missing
	$(Q).ci/deps

clean: ## remove build/
	$(Q)rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | \
	awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'
