# SPDX-License-Identifier: GPL-2.0-only
# netpas-wg, the user-space WireGuard engine: objects of its own, linked into nothing else. Its unit
# tests are tests/unit/test_wg_*.c, its fuzz targets tests/fuzz/fuzz_wg_*.c.

ENGINE_MAIN := appliance/engine/netpas_wg.c
ENGINE_SRCS := $(filter-out $(ENGINE_MAIN),$(wildcard appliance/engine/*.c))
ENGINE_OBJS := $(ENGINE_SRCS:%.c=$(BUILD)/obj/%.o)
ENGINE_LIB  := $(BUILD)/libnetpas-engine.a

# libipsec-mb is an x86 library; elsewhere OpenSSL does its work.
ENGINE_IMB  := $(if $(filter x86_64,$(shell uname -m)),-lIPSec_MB)
ENGINE_LIBS  = $(ENGINE_IMB) -lsodium -lcrypto -lpthread

programs: $(if $(wildcard $(ENGINE_MAIN)),$(BUILD)/netpas-wg)

$(BUILD)/netpas-wg: $(BUILD)/obj/appliance/engine/netpas_wg.o $(ENGINE_LIB) $(BUILD)/libnetpas.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(ENGINE_LIBS)

# Not part of `install`: a gateway whose kernel has WireGuard does without it and its libraries. The appliance's
# image has both.
.PHONY: install-wg
install-wg: $(BUILD)/netpas-wg ## netpas-wg under $(DESTDIR)$(PREFIX)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX)/bin/netpas-wg)
	$(Q)install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/netpas-wg

$(ENGINE_LIB): $(ENGINE_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/test_wg_%: UNIT_EXTRA = $(ENGINE_LIB) $(ENGINE_LIBS)
$(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_wg_*.c)): $(ENGINE_LIB)

-include $(ENGINE_OBJS:.o=.d) $(BUILD)/obj/appliance/engine/netpas_wg.d
