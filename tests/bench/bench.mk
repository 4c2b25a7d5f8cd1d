# SPDX-License-Identifier: GPL-2.0-only
# Measurements: build/bench/results.json.

BENCH_BINS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

.PHONY: bench bench-list bench-bins
bench-bins: $(BENCH_BINS)
$(BENCH_BINS): $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libnetpas.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(BUILD)/libnetpas.a $(PKG_LIBS)
-include $(BENCH_BINS:=.d)

bench: deps programs lab-tools bench-bins ## measure into build/bench/results.json (BENCH=name: one; root)
	$(Q)tests/bench/run $(BUILD) $(BENCH)

bench-list: ## what there is to measure
	$(Q)tests/bench/run --list
