# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The relay on one core, beside what else could do its work; and each program alone.
#
# x1 sends live frames (blast.c) by the cable to the relay, which sends them back to x1, where they
# are counted: data of WireGuard from fra-a for sin-a. The relay is pop1 with what a real netpasd has
# loaded, attached and filled, and the living paths that its probes have found. It is stopped then, so
# that programs and maps stay as they are: a wire that is full drops probes too.

bench relay_pps "packets a second by the relay's program on one core; beside a bare XDP_TX"
bench relay_vs_kernel "the same beside the kernel's forwarding with the same rewriting by nftables"
bench bpf_ns "nanoseconds of a packet in each program; beside an empty program"

_relay_living() {
	[[ $(lab_in pop1 netpas paths --json | jq '[.peers[] | select(.peer | IN("fra-a", "sin-a")) |
		.paths[].alive] | length == 4 and all') = true ]]
}

# Leaves in next the address that pop1 sends sin-a's packets to, in pin its program.
_relay_up() {
	local RELAYS=1 DATAPLANE=auto POPS=(pop1)
	topology_network
	lab_node plain
	lab_link x1 plain plain wan0
	lab_offload_off x1 plain
	lab_offload_off plain wan0
	lab_xdp_pass plain wan0
	lab_ip x1 <<<"addr add 198.51.104.1/30 dev plain"
	lab_ip plain <<-END
		addr add 198.51.104.2/30 dev wan0
		route add default via 198.51.104.1
	END
	topology_config pop1 fra-a sin-a
	echo "dataplane: native" >>"$LAB_DIR/pop1/etc/node.yaml"
	topology_start pop1 fra-a sin-a
	lab_wait "paths of pop1" 20 _relay_living || return
	lab_stop pop1 netpasd
	lab_stop fra-a netpasd
	lab_stop sin-a netpasd
	pin=$(lab_in pop1 sh -c 'echo /sys/fs/bpf/netpas/xdp_*')
	# One of the two, whichever was faster just then.
	for next in "$(gateway_public sin-a 1)" "$(gateway_public sin-a 2)"; do
		! _relay_rate pop1 "$(relay_public pop1)" "$next" 64 >/dev/null || return 0
	done
	echo "bench: the relay forwards nothing" >&2
	return 1
}

# _relay_rate NODE ADDRESS WANTED LEN [HEAD]: packets a second that come back by it.
_relay_rate() {
	local mac
	mac=$(lab_in "$1" cat /sys/class/net/wan0/address) || return
	lab_in x1 "$BUILD/bench/blast" send "$1" "$mac" \
		"$(gateway_public fra-a 1):$((16384 + GATEWAY_ID[sin-a]))" \
		"$2:$((16384 + GATEWAY_ID[fra-a]))" "$3" "$4" "${5:-04000000}" "${SECONDS_EACH:-1}" |
		jq -e '.pps | select(. > 0)'
}

# _relay_bare COMMAND...: with the bare program in place of the relay's, on the same link.
_relay_bare() {
	local status
	coproc lab_in pop1 "$BUILD/bench/blast" swap bare "$pin"
	read -r <&"${COPROC[0]}" || return
	"$@"
	status=$?
	exec {COPROC[1]}>&-
	wait "$COPROC_PID" && return $status
}

relay_pps() {
	local len ours bare next pin pop SECONDS_EACH=0.3
	pop=$(relay_public pop1)
	_relay_up || return
	for len in 64 512 1420; do
		ours=() bare=()
		for _ in $(seq $((TRIALS * 4))); do
			ours+=("$(_relay_rate pop1 "$pop" "$next" $len)") || return
			bare+=("$(_relay_bare _relay_rate pop1 "$pop" "$pop" $len)") || return
		done
		result relay_pps_$len packets/s \
			"data of WireGuard, $len bytes of UDP payload, back by the veth that it came by, through what netpasd has attached and filled; sender, relay and counter take turns on one core; alternating with the baseline" \
			"$(printf '%s\n' "${ours[@]}" | array)" \
			"a program that returns XDP_TX, on the same link with the same sender and counter" \
			"$(printf '%s\n' "${bare[@]}" | array)"
	done
}

# The kernel as a relay between the same two: DNAT and SNAT of the addresses, ports as they are.
_relay_plain_stateless() {
	lab_in plain nft -f - <<-END
		table ip relay {
			chain in {
				type filter hook prerouting priority raw;
				ip protocol udp ip daddr 198.51.104.2 notrack ip daddr set $next
			}
			chain out {
				type filter hook postrouting priority srcnat;
				ip daddr $next ip saddr set 198.51.104.2
			}
		}
	END
}
_relay_plain_stateful() {
	lab_in plain nft -f - <<-END
		table ip relay {
			chain in {
				type nat hook prerouting priority dstnat;
				ip protocol udp ip daddr 198.51.104.2 dnat to $next
			}
			chain out {
				type nat hook postrouting priority srcnat;
				ip daddr $next snat to 198.51.104.2
			}
		}
	END
}
relay_vs_kernel() {
	local kind ours kernel next pin
	_relay_up || return
	lab_sysctl plain net/ipv4/ip_forward=1 net/ipv4/conf/wan0/send_redirects=0 \
		net/ipv4/conf/all/send_redirects=0
	reach plain 198.51.104.1 || return
	for kind in stateless stateful; do
		"_relay_plain_$kind" || return
		ours=() kernel=()
		for _ in $(seq "$TRIALS"); do
			ours+=("$(_relay_rate pop1 "$(relay_public pop1)" "$next" 512)") || return
			kernel+=("$(_relay_rate plain 198.51.104.2 "$next" 512)") || return
		done
		lab_in plain nft delete table ip relay
		result relay_vs_kernel_$kind packets/s \
			"as relay_pps_512; alternating with the baseline" \
			"$(printf '%s\n' "${ours[@]}" | array)" \
			"the kernel's forwarding with $kind rewriting of the same two addresses by nftables, of the same frames on a cable of the same kind" \
			"$(printf '%s\n' "${kernel[@]}" | array)"
	done
}

bpf_ns() {
	local tool line name n=30
	((TRIALS <= n)) || n=$TRIALS
	for tool in wan_ns lan_ns; do
		"$BUILD/bench/$tool" $n >"$LAB_DIR/$tool.json" || return
		while read -r line; do
			name=$(jq -r .name <<<"$line")
			result "bpf_ns_$name" ns \
				"$(jq -r '"BPF_PROG_TEST_RUN, IPv4, \(.len) bytes, each time taken over \(.repeat) run(s) on the same packet; alternating with the baseline"' <<<"$line")" \
				"$(jq -c .ns <<<"$line")" "an empty program of the same type, likewise" \
				"$(jq -c .empty_ns <<<"$line")"
		done <"$LAB_DIR/$tool.json"
	done
}
