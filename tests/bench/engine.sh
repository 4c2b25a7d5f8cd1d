# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# netpas-wg beside Debian's wireguard-go: host, gateway, gateway, host in a row; the gateways have one
# tunnel over the cable between them. Both engines and the same without a tunnel take turns in the same
# namespaces, on all CPUs, which the hosts' programs use as well.

bench engine_tcp "TCP through one tunnel, Gbit/s; beside wireguard-go; engine_vs_bound: beside what crypto and forwarding alone would allow"
bench engine_udp_small "datagrams of 64 bytes through one tunnel, packets/s; beside wireguard-go"
bench engine_ping_p99 "p99 of a ping beside a bulk flow, ms; beside wireguard-go"
bench engine_rss_1000_peers "memory of netpas-wg with 1,000 peers; and its CPU when nothing happens"
bench engine_rekey_lost "packets lost while a session under load is replaced"
bench engine_hostile_legit_loss "% lost beside 10,000,000 malformed and replayed packets"

ENGINE_PORT=51820

_engine_network() {
	local g
	lab_node h1 g1 g2 h2
	lab_link h1 eth0 g1 lan0
	lab_link g1 wan0 g2 wan0
	lab_link g2 lan0 h2 eth0
	for g in 1 2; do
		lab_sysctl g$g net/ipv4/ip_forward=1
		lab_ip h$g <<-END
			addr add 10.$g.0.2/24 dev eth0
			route add default via 10.$g.0.1
		END
		lab_ip g$g <<-END
			addr add 10.$g.0.1/24 dev lan0
			addr add 192.0.2.$g/24 dev wan0
		END
		(umask 077 && wg genkey >"$LAB_DIR/g$g.key")
		wg pubkey <"$LAB_DIR/g$g.key" >"$LAB_DIR/g$g.pub"
	done
}
# _engine_start NODE ENGINE: wg0, without peers.
_engine_start() {
	lab_daemon -1 "$1" engine env LOG_LEVEL=error "$2" -f wg0
	lab_wait "wg0 on $1" 5 lab_in "$1" wg show wg0 >/dev/null || return
	lab_in "$1" wg set wg0 private-key "$LAB_DIR/$1.key" listen-port $ENGINE_PORT
}
# _engine_up plain|ENGINE
_engine_up() {
	local g
	for g in 1 2; do
		if [[ $1 = plain ]]; then
			lab_ip g$g <<<"route add 10.$((3 - g)).0.0/24 via 192.0.2.$((3 - g))"
			continue
		fi
		_engine_start g$g "$1" || return
		lab_in g$g wg set wg0 peer "$(<"$LAB_DIR/g$((3 - g)).pub")" \
			endpoint 192.0.2.$((3 - g)):$ENGINE_PORT allowed-ips 10.$((3 - g)).0.0/24 || return
		lab_ip g$g <<-END
			link set wg0 mtu 1420 up
			route add 10.$((3 - g)).0.0/24 dev wg0
		END
	done
	lab_wait "the tunnel" 15 reach h1 10.2.0.2
}
_engine_down() {
	local g
	for g in 1 2; do
		if [[ $1 = plain ]]; then
			lab_ip g$g <<<"route del 10.$((3 - g)).0.0/24"
		else
			lab_stop g$g engine
		fi
	done
}

# Leaves in gbps, and in ping the p99 of what was pinged meanwhile.
_engine_bulk() {
	local server seconds=${SECONDS_EACH:-5}
	lab_in h2 iperf3 -s -1 -p 5300 >/dev/null 2>&1 &
	server=$!
	lab_wait "iperf3" 5 _listens h2 5300
	lab_in h1 ping -n -i 0.01 -c $(((seconds - 1) * 50)) -W 2 10.2.0.2 >"$LAB_DIR/ping" &
	gbps=$(lab_in h1 iperf3 -c 10.2.0.2 -p 5300 -t "$seconds" -O 1 -J |
		jq '.end.sum_received.bits_per_second / 1e9')
	wait $server
	wait $!
	ping=$(sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$LAB_DIR/ping" |
		jq -s 'sort | .[((length * 0.99) | ceil) - 1]')
}
# What was measured by engine_tcp serves engine_ping_p99 as well.
engine_tcp() {
	local gbps ping both crypto i mode
	local -A tcp=() pings=()
	local bound=() how
	_engine_network
	for i in $(seq "$TRIALS"); do
		for mode in plain wireguard-go netpas-wg; do
			_engine_up $mode && _engine_bulk || return
			_engine_down $mode
			tcp[$mode]+="$gbps "
			pings[$mode]+="$ping "
			[[ $mode != plain ]] || both=$gbps
		done
		# A core seals and opens; so do the others.
		crypto=$("$BUILD/bench/engine_micro" 0.3 | jq .both_ways_gbps)
		bound+=("$(jq -n --argjson c "$crypto" --argjson f "$both" '1 / (1 / $c + 1 / $f)')")
	done
	how="iperf3, one TCP stream, host, gateway, gateway, host; all take turns"
	result engine_tcp Gbit/s "$how" "$(array <<<"${tcp[netpas-wg]}")" wireguard-go \
		"$(array <<<"${tcp[wireguard-go]}")"
	result engine_vs_bound Gbit/s "$how; the bound: 1 / (1/crypto + 1/plain), crypto sealed and opened by all cores, plain the same hosts without a tunnel ($(array <<<"${tcp[plain]}" | jq -r 'sort | .[length / 2 | floor] * 10 | round / 10') Gbit/s)" \
		"$(array <<<"${tcp[netpas-wg]}")" "the bound" "$(printf '%s\n' "${bound[@]}" | array)"
	result engine_ping_p99 ms "$how; pings beside it, 100 a second, p99 of each trial" \
		"$(array <<<"${pings[netpas-wg]}")" wireguard-go "$(array <<<"${pings[wireguard-go]}")"
}
engine_ping_p99() {
	engine_tcp
}

# The most that arrives of what is sent, at one of several rates.
_engine_datagrams() {
	local rate best=0 pps
	for rate in 0 1000000 600000 400000 250000 150000 100000; do
		lab_in h2 "$BUILD/bench/engine_load" recv 7000 1.8 >"$LAB_DIR/recv" &
		lab_in h1 "$BUILD/bench/engine_load" send 10.2.0.2 7000 64 1.5 $rate >/dev/null
		wait $!
		pps=$(jq .pps "$LAB_DIR/recv")
		((pps <= best)) || best=$pps
	done
	echo "$best"
}
engine_udp_small() {
	local i mode
	local -A pps=()
	_engine_network
	for i in $(seq "$TRIALS"); do
		for mode in wireguard-go netpas-wg; do
			_engine_up $mode || return
			pps[$mode]+="$(_engine_datagrams) "
			_engine_down $mode
		done
	done
	result engine_udp_small packets/s \
		"UDP, 64 bytes of payload, one flow, one by one from a host; the most that arrived at the other, of seven rates; in turn with the baseline" \
		"$(array <<<"${pps[netpas-wg]}")" wireguard-go "$(array <<<"${pps[wireguard-go]}")"
}

_engine_cpu() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}
engine_rss_1000_peers() {
	local i pid before seconds=20 rss=() cpu=()
	_engine_network
	for i in $(seq 1000); do
		printf '[Peer]\nPublicKey = %s\nEndpoint = 192.0.2.2:%d\nAllowedIPs = 10.%d.%d.0/24\n' \
			"$(wg genkey)" $((1024 + i)) $((100 + i / 256)) $((i % 256))
	done >"$LAB_DIR/peers"
	for i in 1 2 3; do
		_engine_start g1 netpas-wg || return
		lab_in g1 wg addconf wg0 "$LAB_DIR/peers" || return
		lab_ip g1 <<<"link set wg0 mtu 1420 up"
		[[ $(lab_in g1 wg show wg0 peers | wc -l) = 1000 ]] || return
		pid=$(lab_in g1 pgrep -x netpas-wg) || return
		before=$(lab_in g1 cat "/proc/$pid/stat" | awk '{ print $14 + $15 }')
		sleep $seconds
		cpu+=("$(lab_in g1 cat "/proc/$pid/stat" |
			awk -v b="$before" -v s=$seconds '{ printf "%.4f", ($14 + $15 - b) / s }')")
		rss+=("$(lab_in g1 awk '/^(VmRSS|HugetlbPages)/ { kb += $2 } END { printf "%.2f", kb / 1024 }' \
			"/proc/$pid/status")")
		lab_stop g1 engine
	done
	result engine_rss_1000_peers MiB "VmRSS and huge pages of netpas-wg with 1,000 peers, each with an endpoint and a /24" \
		"$(printf '%s\n' "${rss[@]}" | array)"
	result engine_idle_1000_peers % "of a CPU, the same with nothing to do, over $seconds s" \
		"$(printf '%s\n' "${cpu[@]}" | array)"
}

# Leaves in lost what was lost around the command, both ways.
_engine_lost() {
	local result=0
	traffic_start up h1 h2 10.2.0.2 7000 --rate $RATE --seconds 600 --size 1300
	traffic_start down h2 h1 10.1.0.2 7000 --rate $RATE --seconds 600 --size 1300
	traffic_passes h2 "$RATE" || result=1
	"$@" || result=1
	traffic_passes h2 $((RATE / 2)) || result=1
	traffic_stop up
	traffic_stop down
	lost=$(($(traffic_get up lost) + $(traffic_get down lost)))
	strange=$(($(traffic_get up duplicated) + $(traffic_get up foreign) +
		$(traffic_get down duplicated) + $(traffic_get down foreign)))
	return $result
}
_engine_session() {
	lab_in g1 wg show wg0 latest-handshakes | cut -f 2
}
_engine_older() {
	(($(date +%s) - $(_engine_session) >= $1))
}
_engine_newer() {
	(($(_engine_session) > $1))
}
# A bulk flow for the command's time.
_engine_loaded() {
	local result=0 client server
	lab_in h2 iperf3 -s -1 -p 5300 >/dev/null 2>&1 &
	server=$!
	lab_wait "iperf3" 5 _listens h2 5300
	lab_in h1 iperf3 -c 10.2.0.2 -p 5300 -t 600 >"$LAB_DIR/bulk" 2>&1 &
	client=$!
	"$@" || result=1
	sleep 1
	lab_term $client
	wait $server
	return $result
}
_engine_rekey() {
	lab_wait "another session" 30 _engine_newer "$(_engine_session)"
}
engine_rekey_lost() {
	local i lost strange RATE=1000 losses=() before=()
	_engine_network
	for i in $(seq $(((TRIALS + 2) / 3))); do
		_engine_up netpas-wg || return
		# Sessions are replaced when they are 120 s old.
		lab_wait "an older session" 120 _engine_older 95
		_engine_lost _engine_loaded sleep 8 || return
		before+=("$lost")
		lab_wait "an older session" 30 _engine_older 115
		_engine_lost _engine_loaded _engine_rekey || return
		losses+=("$lost")
		_engine_down netpas-wg
	done
	result engine_rekey_lost packets \
		"$RATE packets of 1,300 bytes a second each way beside a TCP stream as fast as it goes, from 5 s before a session is followed by another to 1 s after" \
		"$(printf '%s\n' "${losses[@]}" | array)" "the same for 9 s before that" \
		"$(printf '%s\n' "${before[@]}" | array)"
}

_engine_flood() {
	lab_in g1 "$BUILD/bench/engine_load" hostile wan0 "${HOSTILE_FRAMES:-10000000}" \
		"${HOSTILE_RATE:-120000}" >"$LAB_DIR/flood"
}
engine_hostile_legit_loss() {
	local lost strange seconds flooded quiet RATE=1000
	_engine_network
	_engine_up netpas-wg || return
	_engine_lost _engine_flood || return
	[[ $strange = 0 ]] || { echo "bench: hostile packets were accepted" >&2; return 1; }
	seconds=$(jq .seconds "$LAB_DIR/flood")
	flooded=$(jq -n "100 * $lost / (2 * $RATE * $seconds)")
	_engine_lost sleep 10 || return
	quiet=$(jq -n "100 * $lost / (2 * $RATE * 10)")
	result engine_hostile_legit_loss % \
		"$RATE packets of 1,300 bytes a second each way beside $(jq .sent "$LAB_DIR/flood") packets on the cable to a gateway: data that was recorded, sent again as it was or altered or cut off or with another receiver or counter, handshake messages and bytes at random; $(jq '.sent / .seconds | round' "$LAB_DIR/flood") a second; none was accepted" \
		"[$flooded]" "the same without" "[$quiet]"
}
