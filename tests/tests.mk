# SPDX-License-Identifier: GPL-2.0-only
# Every suite writes TAP into build/check/SUITE.tap; tests/tally adds them up.

CHECK      := $(BUILD)/check
UNIT_SRCS  := $(wildcard tests/unit/test_*.c)
UNIT_BINS  := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/unit/%)

.PHONY: check check-unit check-config check-san unit-bins lint check-lint

# The lab's clocks are real, so that it has the machine; all others run beside it, in what it leaves idle. Five machines
# that are emulated leave nothing, so that they come after; their image is built beside the lab.
# Built before: what lanes have in common.
LANES      := netns -- lint unit config formats bpf san fuzz vm -- built
AFTER      := image
SUITES     := $(filter-out -- built,$(LANES)) $(AFTER)
# What takes longer still.
LONG       := interop updates
one_by_one  = for suite in $(1); do $(MAKE) --no-print-directory check-$$suite || echo "check-$$suite: FAILED"; done
.PHONY: check-lanes check-all
check-lanes: deps programs lab-tools netns-bins
	$(Q)rm -rf $(CHECK) && mkdir -p $(CHECK)
	$(Q)tests/lanes $(CHECK) $(LANES)
	$(Q)$(call one_by_one,$(AFTER))
check: check-lanes ## all tests but the long ones
	$(Q)tests/tally $(SUITES:%=$(CHECK)/%.tap)
check-all: check-lanes ## all tests: then the long ones, check-interop and check-updates
	$(Q)$(call one_by_one,$(LONG))
	$(Q)tests/tally $(patsubst %,$(CHECK)/%.tap,$(SUITES) $(LONG))

unit-bins: $(UNIT_BINS)
$(UNIT_BINS): $(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libnetpas.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(UNIT_EXTRA) $(BUILD)/libnetpas.a $(PKG_LIBS) -lcmocka
-include $(UNIT_BINS:=.d)

check-unit: deps unit-bins ## cmocka unit tests (no root needed)
	$(Q)tests/unit/run $(BUILD) $(CHECK)/unit.tap

check-config: deps programs ## good and bad configurations, each with its exact messages
	$(Q)tests/config/run $(BUILD) $(CHECK)/config.tap

check-san: deps ## unit and configuration tests again under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory SAN=1 programs unit-bins
	$(Q)tests/san $(BUILD)/san $(CHECK)/san.tap

# clang-format and cppcheck over the C, `bash -n` over the scripts, mandoc over the pages.
lint: deps ## formatting, static analysis, scripts, man pages
	$(Q)tests/lint
check-lint: deps
	$(Q)tests/lint $(CHECK)/lint.tap

include tests/formats/formats.mk
include tests/fuzz/fuzz.mk
include tests/netns/netns.mk
include tests/vm/vm.mk
include tests/image/image.mk
include tests/bench/bench.mk
