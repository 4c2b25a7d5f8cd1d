# SPDX-License-Identifier: GPL-2.0-only
# The BPF programs, embedded into libnetpas.a, and their tests.

BPF_CLANG  ?= clang-14
# Atomics with a result (-mcpu=v3) need Linux 5.12. Expanded when it is used: on a bare machine the
# compiler that knows the directory is only installed on the way.
BPF_CFLAGS  = -target bpf -mcpu=v3 -O2 -g -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -Ibpf $(PREFIX_MAP) \
              -I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
BPF_OBJ    := $(BUILD)/bpf/dataplane.o
BPF_IMAGE  := $(BUILD)/obj/bpf/dataplane_image.o
BPF_HARNESS := $(BUILD)/obj/tests/bpf/harness.o
BPF_TESTS  := $(patsubst tests/bpf/%.c,$(BUILD)/bpf/%,$(wildcard tests/bpf/test_*.c))

.PHONY: bpf bpf-bins check-bpf
bpf: $(BPF_OBJ)
$(BPF_OBJ): bpf/dataplane.bpf.c | deps
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@ $<
-include $(BPF_OBJ:.o=.d)

# embed OBJECT,IMAGE: aligned, as the image is read as an ELF file where it lies.
embed = printf '%s\n' '.section .rodata' '.balign 16' '.globl dataplane_image' 'dataplane_image:' \
		'.incbin "$(1)"' '1:' '.balign 8' '.globl dataplane_image_len' 'dataplane_image_len:' \
		'.quad 1b - dataplane_image' '.section .note.GNU-stack,"",%progbits' | \
		$(CC) -x assembler -c -o $(2) -

$(BPF_IMAGE): $(BPF_OBJ)
	$(call say,EMBED,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(call embed,$<,$@)

$(BUILD)/libnetpas.a: $(BPF_IMAGE)

bpf-bins: $(BPF_TESTS)
-include $(BPF_HARNESS:.o=.d)
$(BPF_TESTS): $(BUILD)/bpf/%: tests/bpf/%.c $(BPF_HARNESS) $(BUILD)/libnetpas.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< \
		$(BPF_HARNESS) $(BUILD)/libnetpas.a $(PKG_LIBS) -lcmocka
-include $(BPF_TESTS:=.d)

check-bpf: deps bpf-bins ## the BPF programs, packet by packet (root)
	$(Q)tests/bpf/run $(BUILD) $(CHECK)/bpf.tap
