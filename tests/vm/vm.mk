# SPDX-License-Identifier: GPL-2.0-only
# The lab again, on kernel WireGuard: Debian's 6.12 cloud kernel under emulation. TESTS="failover
# reload" runs these alone, VM_DEADLINE=SECONDS bounds the run.

.PHONY: check-vm vm-shell
check-vm: deps programs lab-tools netns-bins ## the lab on kernel WireGuard, in an emulated guest
	$(Q)tests/vm/run $(BUILD) $(CHECK)/vm.tap $(TESTS)

vm-shell: deps programs lab-tools netns-bins ## a shell in the emulated guest
	$(Q)tests/vm/run --shell $(BUILD)
