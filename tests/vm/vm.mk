# SPDX-License-Identifier: GPL-2.0-only
# The lab again, on kernel WireGuard: Debian's 6.12 cloud kernel under emulation. TESTS="drift
# filter" runs these alone, VM_DEADLINE=SECONDS bounds the run.

# What shows most of the engine, the kernel and the data plane, and is not seen on the image's machines
# (check-image); emulation takes ten times as long as the host. Others run there when asked for by name, but for
# wan, test_wanem and hostile, which need a clock that is not emulated, and failover, which with the data plane on
# did not end in 8 minutes.
VM_TESTS := carry $(filter-out test_wanem,$(patsubst tests/netns/%.c,%,$(wildcard tests/netns/test_*.c)))
VM_SUITE ?= vm

.PHONY: check-vm check-interop vm-shell
check-vm: deps programs lab-tools netns-bins ## the lab on kernel WireGuard, in an emulated guest
	$(Q)tests/vm/run $(BUILD) $(CHECK)/$(VM_SUITE).tap $(or $(TESTS),$(VM_TESTS))

check-interop: ## netpas-wg and kernel WireGuard, in that guest
	$(Q)$(MAKE) --no-print-directory check-vm TESTS=engine VM_SUITE=interop

vm-shell: deps programs lab-tools netns-bins ## a shell in the emulated guest
	$(Q)tests/vm/run --shell $(BUILD)
