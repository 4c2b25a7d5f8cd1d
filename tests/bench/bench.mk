# SPDX-License-Identifier: GPL-2.0-only
# Measurements: build/bench/results.json.

BENCH_BINS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,\
	$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))

.PHONY: bench bench-list bench-bins
bench-bins: $(BENCH_BINS)
$(BENCH_BINS): $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libnetpas.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(BENCH_OBJS) $(BUILD)/libnetpas.a $(PKG_LIBS) $(BENCH_LIBS)
# These load the programs into the worlds of their tests.
BENCH_NS := $(BUILD)/bench/wan_ns $(BUILD)/bench/lan_ns
$(BENCH_NS): $(BPF_HARNESS)
$(BENCH_NS): CPPFLAGS += -Itests/bpf
$(BENCH_NS): BENCH_OBJS := $(BPF_HARNESS)
$(BENCH_NS): BENCH_LIBS := -lcmocka
$(BUILD)/bench/engine_micro: $(ENGINE_LIB)
$(BUILD)/bench/engine_micro: BENCH_OBJS = $(ENGINE_LIB)
$(BUILD)/bench/engine_micro: BENCH_LIBS = $(ENGINE_LIBS)
-include $(BENCH_BINS:=.d)

$(BUILD)/bench/blast: $(BUILD)/bench/blast.bpf.o
$(BUILD)/bench/blast.bpf.o: tests/bench/blast.bpf.c tests/bench/blast.h | deps
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -c -o $@ $<

# netpasd with programs that do not meter, for metering_cost: its image comes before the library's.
UNMETERED := $(BUILD)/bench/unmetered
$(UNMETERED)/dataplane.o: bpf/dataplane.bpf.c $(wildcard bpf/*.h) | deps
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -DMETER_OFF -c -o $@ $<
$(UNMETERED)/dataplane_image.o: $(UNMETERED)/dataplane.o
	$(call say,EMBED,$<)
	$(Q)$(call embed,$<,$@)
$(UNMETERED)/netpasd: $(BUILD)/obj/appliance/netpasd.o $(UNMETERED)/dataplane_image.o $(BUILD)/libnetpas.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
bench-bins: $(UNMETERED)/netpasd

# Packages of which one measurement alone makes use, and does without where they cannot be had.
.PHONY: bench-coturn
bench-coturn: deps
	$(Q)tests/bench/coturn $(BUILD)/bench/coturn || :
BENCH_PACKAGES := $(if $(filter relay_vs_userspace,$(or $(BENCH),relay_vs_userspace)),bench-coturn)

bench: deps programs lab-tools bench-bins $(BENCH_PACKAGES) ## measure into build/bench/results.json (BENCH=name: one; root)
	$(Q)tests/bench/run $(BUILD) $(BENCH)

bench-list: ## what there is to measure
	$(Q)tests/bench/run --list
