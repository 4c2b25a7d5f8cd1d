# SPDX-License-Identifier: GPL-2.0-only
# The lab again, on kernel WireGuard: Debian's 6.12 cloud kernel under emulation. TESTS="failover
# reload" runs these alone, VM_DEADLINE=SECONDS bounds the run.

# Scenarios with XDP on veths have a guest of their own, whose CPUs take turns in one thread. They
# make veths deliver by NAPI, and with that the 6.12 kernel ends in an oops "int3" in
# netif_receive_skb_list_internal() under multi-threaded emulation, where a static branch is
# being patched.
VM_BPF_TESTS := paths lanes test_programs test_forwarding test_prober
# narrow waits for a minute of real time on end, and carries megabytes. The emulator of lines needs a
# clock that is not emulated itself.
VM_HOST_ONLY := wan test_wanem hostile narrow
VM_TESTS      = $(filter-out $(VM_BPF_TESTS) $(VM_HOST_ONLY),\
                $(patsubst tests/netns/%.test,%,$(wildcard tests/netns/*.test)) \
                $(patsubst tests/netns/%.c,%,$(wildcard tests/netns/test_*.c)))

.PHONY: check-vm check-vm-bpf vm-shell
check-vm: deps programs lab-tools netns-bins ## the lab on kernel WireGuard, in an emulated guest
	$(Q)tests/vm/run $(BUILD) $(CHECK)/vm.tap $(or $(TESTS),$(VM_TESTS))

check-vm-bpf: deps programs lab-tools netns-bins ## the data plane there
	$(Q)VM_THREAD=single tests/vm/run $(BUILD) $(CHECK)/vm-bpf.tap $(or $(TESTS),$(VM_BPF_TESTS))

vm-shell: deps programs lab-tools netns-bins ## a shell in the emulated guest
	$(Q)tests/vm/run --shell $(BUILD)
