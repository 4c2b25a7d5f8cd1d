# SPDX-License-Identifier: GPL-2.0-only
# The lab in network namespaces: its tools, its tests, the demo.

LAB_TOOLS  := $(addprefix $(BUILD)/lab/,traffic supervisor offload scanner wanem pass hostile dpmap rcvbuf advert squat stream initiators)
# Another build, of another version and with another layout of the programs' maps: to be upgraded to.
NEXT       := $(BUILD)/lab/next/netpasd
NEXT_SRCS  := netpasd status rolling_node forwarding programs
NEXT_DEFS  := -UNETPAS_VERSION -DNETPAS_VERSION='"$(VERSION)-next"' -DDP_VERSION=65000

NETNS_BINS := $(patsubst tests/netns/%.c,$(BUILD)/netns/%,$(wildcard tests/netns/test_*.c))

.PHONY: lab-tools netns-bins check-netns demo lab
lab-tools: $(LAB_TOOLS) $(NEXT)
$(NEXT): $(NEXT_SRCS:%=appliance/%.c) $(BPF_OBJ) $(BUILD)/libnetpas.a
	$(call say,NEXT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -DDP_VERSION=65000 -c -o $(@D)/dataplane.o bpf/dataplane.bpf.c
	$(Q)$(call embed,$(@D)/dataplane.o,$(@D)/image.o)
	$(Q)for name in $(NEXT_SRCS); do $(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) $(NEXT_DEFS) \
		-c -o $(@D)/$$name.o appliance/$$name.c || exit; done
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(NEXT_SRCS:%=$(@D)/%.o) $(@D)/image.o $(BUILD)/libnetpas.a $(PKG_LIBS)
$(LAB_TOOLS): $(BUILD)/lab/%: tests/netns/%.c | deps
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -Iappliance -Ibpf $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< $(LAB_LIBS)
$(BUILD)/lab/pass $(BUILD)/lab/dpmap $(BUILD)/lab/squat: LAB_LIBS := -lbpf
$(BUILD)/lab/stream: LAB_LIBS := -lcrypto
$(BUILD)/lab/initiators: $(ENGINE_LIB)
$(BUILD)/lab/initiators: LAB_LIBS = $(ENGINE_LIB) $(ENGINE_LIBS)
-include $(LAB_TOOLS:=.d)

netns-bins: $(NETNS_BINS)
$(NETNS_BINS): $(BUILD)/netns/%: tests/netns/%.c $(BUILD)/libnetpas.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(BUILD)/libnetpas.a $(PKG_LIBS) -lcmocka
-include $(NETNS_BINS:=.d)

# TESTS="failover reload" runs these alone; KEEP=1 gives a shell in a failing topology.
check-netns: deps programs lab-tools netns-bins ## gateways end to end in network namespaces (root)
	$(Q)tests/netns/run $(BUILD) $(CHECK)/netns.tap $(TESTS)

demo: deps programs lab-tools ## a bad Internet made good; a provider, a relay, a gateway die: what the customer sees
	$(Q)BUILD=$(BUILD) tests/netns/demo

lab: deps programs lab-tools ## the same network standing, with a shell (SITES=2|3, ENGINE=)
	$(Q)BUILD=$(BUILD) tests/netns/lab-up
