# SPDX-License-Identifier: GPL-2.0-only
# The lab again, on kernel WireGuard: Debian's 6.12 cloud kernel under emulation. TESTS="failover
# reload" runs these alone, VM_DEADLINE=SECONDS bounds the run.

# What runs XDP on veths has a guest of its own, whose CPUs take turns in one thread. It makes veths
# deliver by NAPI, and with that the 6.12 kernel ends in an oops "int3" in
# netif_receive_skb_list_internal() under multi-threaded emulation, where a static branch is
# being patched.
VM_BPF_TESTS := paths test_programs test_forwarding test_prober
# Not in the guest unless asked for by name, as emulation takes ten times as long: what depends on
# neither the engine nor the kernel more than the others do (drift, filter beside test_packets,
# service), what waits for a minute of real time on end and carries megabytes (narrow), and what
# needs a clock that is not emulated (wan, test_wanem, hostile).
VM_HOST_ONLY := drift filter service narrow wan hostile test_wanem
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
