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
bench relay_vs_userspace "the same beside coturn, both with one core"
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

# _relay_blast NODE FROM TO WANTED LEN HEAD: packets a second that come back by it.
SENDER=() # what blast is run by
_relay_blast() {
	local mac
	mac=$(lab_in "$1" cat /sys/class/net/wan0/address) || return
	lab_in x1 "${SENDER[@]}" "$BUILD/bench/blast" send "$1" "$mac" "${@:2}" "${SECONDS_EACH:-1}" |
		tee "$LAB_DIR/blast.json" | jq -e '.pps | select(. > 0)'
}

# _relay_rate NODE ADDRESS WANTED LEN [HEAD]: of WireGuard's data from fra-a for sin-a.
_relay_rate() {
	_relay_blast "$1" "$(gateway_public fra-a 1):$((16384 + GATEWAY_ID[sin-a]))" \
		"$2:$((16384 + GATEWAY_ID[fra-a]))" "$3" "$4" "${5:-04000000}"
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
	local len ours bare next pin pop SECONDS_EACH=0.15 SENDER=()
	# What else runs on the machine would be measured too.
	! chrt -f 1 true || SENDER=(chrt -f 1)
	pop=$(relay_public pop1)
	_relay_up || return
	for len in 64 512 1420; do
		ours=() bare=()
		for _ in $(seq $((TRIALS * 8))); do
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

# Without credentials: TURN asks for them with requests, not with data. It has one CPU, so it is told
# of one thread; more of them change nothing.
_relay_turnserver() {
	lab_daemon -1 plain coturn env LD_LIBRARY_PATH="$libraries" chrt -f 2 "$turnserver" -n -m 1 \
		--no-auth --no-tls --no-dtls --no-tcp --no-cli --listening-ip 198.51.104.2 \
		--relay-ip 198.51.104.2 --db /run/turndb --pidfile /run/turnserver.pid --log-file stdout
	lab_wait "coturn" 10 _relay_turnserver_listens
}
_relay_turnserver_listens() {
	[[ $(lab_in plain ss -Hlun "sport = :3478") ]]
}
# Sender and relay have one CPU, and have it before everybody else. Coturn has it before the sender
# too, which goes on when all of a batch is read: as with a relay in the kernel, neither outruns the
# other, and there is no rate of sending to be found at which the most gets through.
relay_vs_userspace() {
	local ours=() userspace=() next pin pid dropped libraries version SENDER=()
	local client=198.51.104.1:16386 server=198.51.104.2:3478
	local turnserver=$BUILD/bench/coturn/usr/bin/turnserver
	libraries=$(echo "$BUILD"/bench/coturn/usr/lib/*-linux-gnu)
	if ! version=$(LD_LIBRARY_PATH=$libraries "$turnserver" --version 2>/dev/null); then
		echo "  relay_vs_userspace: skipped: there is no coturn"
		return
	fi
	if ! chrt -f 1 true; then
		echo "  relay_vs_userspace: skipped: no real-time scheduling"
		return
	fi
	_relay_up || return
	taskset -cp "$(taskset -cp $BASHPID | sed 's/.*[^0-9]//')" $BASHPID >/dev/null || return
	SENDER=(chrt -f 1)
	_relay_turnserver || return
	coproc lab_in x1 "$BUILD/bench/turn_client" "$client" "$server" \
		"$next:$((16384 + GATEWAY_ID[fra-a]))"
	pid=$COPROC_PID
	read -r <&"${COPROC[0]}" || return
	for _ in $(seq "$TRIALS"); do
		ours+=("$(_relay_rate pop1 "$(relay_public pop1)" "$next" 64)") || return
		# ChannelData: channel 0x4000, 60 bytes.
		userspace+=("$(_relay_blast plain "$client" "$server" "$next" 64 4000003c)") || return
		cat "$LAB_DIR/blast.json" >>"$LAB_DIR/coturn.json"
	done
	exec {COPROC[1]}>&-
	wait "$pid" || return
	dropped=$(jq -s 'map(1 - .pps / .sent_pps) | max * 10000 | round / 100' "$LAB_DIR/coturn.json")
	result relay_vs_userspace packets/s \
		"as relay_pps_64, sender and relay on one CPU at real-time priority; alternating with the baseline" \
		"$(printf '%s\n' "${ours[@]}" | array)" \
		"coturn $version, ChannelData to a peer, 64 bytes of UDP payload in and 60 out, from the same sender, on a cable of the same kind and the same CPU, which coturn gets before the sender does: at most $dropped % were dropped" \
		"$(printf '%s\n' "${userspace[@]}" | array)"
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
