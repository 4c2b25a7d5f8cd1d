# SPDX-License-Identifier: GPL-2.0-only
# libFuzzer targets, tests/fuzz/fuzz_NAME.c: built by clang with all sources of the tree.

FUZZ         ?=
FUZZ_SECONDS ?= 600
FUZZ_CC      ?= clang-14
FUZZ_FLAGS   := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=undefined

FUZZ_SRCS    := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BINS    := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_OBJS    := $(LIB_SRCS:%.c=$(BUILD)/fuzz/obj/%.o) $(ENGINE_SRCS:%.c=$(BUILD)/fuzz/obj/%.o) \
                $(BUILD)/fuzz/obj/wireguard_lib.o

.PHONY: fuzz-bins fuzz check-fuzz
fuzz: deps fuzz-bins ## fuzz every target FUZZ_SECONDS=600 each; FUZZ=hello for one
	$(Q)tests/fuzz/run $(BUILD) $(BUILD)/fuzz/fuzz.tap $(FUZZ_SECONDS) $(FUZZ)

check-fuzz: deps fuzz-bins ## the kept corpus, and every target fuzzed for 15 s
	$(Q)tests/fuzz/run $(BUILD) $(CHECK)/fuzz.tap 15 $(FUZZ)

fuzz-bins: $(FUZZ_BINS)
$(FUZZ_BINS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libnetpas.a
	$(call say,FUZZ-CC,$<)
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< \
		$(BUILD)/fuzz/libnetpas.a $(PKG_LIBS) $(ENGINE_LIBS)

$(BUILD)/fuzz/libnetpas.a: $(FUZZ_OBJS) $(PAGE_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/obj/%.o: %.c | deps
	$(call say,FUZZ-CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
		-MMD -MP -c -o $@ $<

# Not ours to change: its base64 decoder shifts -1 to the left to tell of a character that is none.
$(BUILD)/fuzz/obj/wireguard_lib.o: | deps
	$(call say,FUZZ-CC,wireguard.c (of wireguard-tools))
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -D_GNU_SOURCE $(FUZZ_FLAGS) -fno-sanitize=shift -fsanitize=fuzzer-no-link -w -c -o $@ \
		$(WG_LIB)/wireguard.c

-include $(FUZZ_OBJS:.o=.d) $(FUZZ_BINS:=.d)
