# SPDX-License-Identifier: GPL-2.0-only
# The lab again, on kernel WireGuard: Debian's 6.12 cloud kernel under emulation. TESTS="failover
# reload" runs these alone, VM_DEADLINE=SECONDS bounds the run.

# Without TESTS: all but those of the data plane's programs. They make veths deliver by NAPI; with
# that the 6.12 kernel ends in an oops "int3" in netif_receive_skb_list_internal() under QEMU's
# multi-threaded emulation, where a static branch is being patched. They run on the host's kernel.
VM_LEAVE_OUT := paths test_programs test_forwarding test_prober test_wanem
VM_TESTS      = $(filter-out $(VM_LEAVE_OUT),$(patsubst tests/netns/%.test,%,$(wildcard tests/netns/*.test)) \
                $(patsubst tests/netns/%.c,%,$(wildcard tests/netns/test_*.c)))

.PHONY: check-vm vm-shell
check-vm: deps programs lab-tools netns-bins ## the lab on kernel WireGuard, in an emulated guest
	$(Q)tests/vm/run $(BUILD) $(CHECK)/vm.tap $(or $(TESTS),$(VM_TESTS))

vm-shell: deps programs lab-tools netns-bins ## a shell in the emulated guest
	$(Q)tests/vm/run --shell $(BUILD)
