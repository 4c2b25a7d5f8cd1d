# SPDX-License-Identifier: GPL-2.0-only
# netpasd and netpas. Everything but the two main files is one set of objects that tests link too.

# curl, expat, microhttpd and sqlite are linked where they are called: in netpas-cloud, netpas-web,
# netpas-usage and netpas, and not in the daemon; blkid in netpas-provision.
PKGS      := yaml-0.1 jansson libmnl libnftnl libsystemd libbpf libcrypto libcurl expat libmicrohttpd sqlite3 zlib libpcap blkid
# Lazy: the packages are installed by `deps` in the same make run.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

# The embeddable WireGuard library, compiled from where Debian's package installs it.
WG_LIB    := /usr/share/doc/wireguard-tools/examples/embeddable-wg-library

CPPFLAGS_ALL = -D_GNU_SOURCE -DNETPAS_VERSION='"$(VERSION)"' -Iappliance -Iha -Ibpf -isystem $(dir $(WG_LIB)) $(CPPFLAGS)
# Nothing of where the tree lies gets into a program: the image's build can be repeated elsewhere.
PREFIX_MAP   = -ffile-prefix-map=$(CURDIR)=.
CFLAGS_ALL   = -std=gnu17 $(PREFIX_MAP) $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS)
LDFLAGS_ALL  = $(LDFLAGS) -Wl,--as-needed -pie -Wl,-z,relro,-z,now $(SANFLAGS)

MAINS     := $(addprefix appliance/,netpasd.c netpas.c netpas_cloud.c netpas_web.c netpas_usage.c netpas_provision.c netpas_tune.c)
LIB_SRCS  := $(filter-out $(MAINS),$(wildcard appliance/*.c)) $(wildcard ha/*.c) $(wildcard ha/cloud/*.c)
LIB_OBJS  := $(LIB_SRCS:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/wireguard_lib.o

.PHONY: programs install
PROGRAMS  := $(addprefix $(BUILD)/,netpasd netpas netpas-cloud netpas-web netpas-usage netpas-provision netpas-tune)
programs: $(PROGRAMS)

$(BUILD)/netpasd $(BUILD)/netpas: $(BUILD)/%: $(BUILD)/obj/appliance/%.o $(BUILD)/libnetpas.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(addprefix $(BUILD)/netpas-,cloud web usage provision tune): $(BUILD)/netpas-%: $(BUILD)/obj/appliance/netpas_%.o $(BUILD)/libnetpas.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# The page, as it lies in appliance/page/; each file ends in a NUL.
PAGE      := page.html login.html page.css page.js
PAGE_OBJ  := $(BUILD)/obj/appliance/page.o
$(PAGE_OBJ): $(addprefix appliance/page/,$(PAGE)) | deps
	$(call say,EMBED,appliance/page)
	$(Q)mkdir -p $(@D)
	$(Q)embed() { printf '.globl %s\n%s: .incbin "appliance/page/%s"\n.byte 0\n' $$1 $$1 $$2; }; \
		{ echo '.section .rodata'; embed web_page_html page.html; embed web_page_login_html login.html; \
		embed web_page_css page.css; embed web_page_js page.js; \
		echo '.section .note.GNU-stack,"",%progbits'; } | $(CC) -x assembler -c -o $@ -

$(BUILD)/libnetpas.a: $(LIB_OBJS) $(PAGE_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/obj/%.o: %.c | deps
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/obj/wireguard_lib.o: | deps
	$(call say,CC,wireguard.c of wireguard-tools)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu17 $(PREFIX_MAP) $(CFLAGS) $(HARDEN) $(SANFLAGS) -w -c -o $@ $(WG_LIB)/wireguard.c

install: programs man ## install under $(DESTDIR)$(PREFIX)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -D -m 755 $(BUILD)/netpasd $(DESTDIR)$(PREFIX)/sbin/netpasd
	$(Q)install -D -m 755 $(BUILD)/netpas $(DESTDIR)$(PREFIX)/sbin/netpas
	$(Q)install -D -m 755 $(BUILD)/netpas-cloud $(DESTDIR)$(PREFIX)/sbin/netpas-cloud
	$(Q)install -D -m 755 $(BUILD)/netpas-web $(DESTDIR)$(PREFIX)/sbin/netpas-web
	$(Q)install -D -m 755 $(BUILD)/netpas-usage $(DESTDIR)$(PREFIX)/sbin/netpas-usage
	$(Q)install -D -m 755 $(BUILD)/netpas-tune $(DESTDIR)$(PREFIX)/sbin/netpas-tune
	$(Q)install -D -m 644 appliance/netpasd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/netpasd.service
	$(Q)install -D -m 755 $(BUILD)/netpas-provision $(DESTDIR)$(PREFIX)/sbin/netpas-provision
	$(Q)for unit in netpas-drill@.service netpas-drill@.timer; do \
		install -D -m 644 appliance/$$unit $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit; done
	$(Q)install -d -m 755 $(DESTDIR)/etc/netpas
	$(Q)for page in docs/man/*.[58]; do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

-include $(LIB_OBJS:.o=.d) $(MAINS:%.c=$(BUILD)/obj/%.d)

include appliance/engine/engine.mk
