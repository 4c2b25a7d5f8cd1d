# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Paths that die or get worse under traffic: what the customer notices. Read by run. CUTS=n for
# another number of cuts than 30.

CUTS=${CUTS:-30}

bench path_cut_outage "outage when the provider of the path in use dies; beside WireGuard alone"
bench path_cut_protected_lost "packets that class protected loses by a dead provider or relay; beside class best"
bench one_way_cut_outage "outage when one direction of the path in use dies; beside WireGuard alone"
bench brownout_leave "seconds until traffic has left a path that loses 5 %"
bench mesh "loss, round trip: 452 ms with 9 % loss and two relays; beside the raw path"
bench daemon_killed "packets lost while netpasd is away; and what a cut does then"

# _mesh LINES: two sites, two relays, the data plane on; these links are WAN lines.
_mesh() {
	RELAYS=2 POPS=(pop1 pop2) DATAPLANE=auto LINES=$1
	topology_network
}
_mesh_up() {
	topology_config
	topology_start
	_ready && lab_wait "paths" 60 _all_alive
}
# Up, and who is active: a site that was cut off may have handed its role over.
_ready() {
	topology_ready 60 || return
	near=$(active_of fra) far=$(active_of sin)
}
# _reload DATAPLANE [POLICIES]: with this configuration from now on
_reload() {
	local g
	DATAPLANE=$1 MESH_POLICIES=${2:-}
	topology_config
	for g in "${GATEWAYS[@]}"; do
		lab_in "$g" netpas reload >/dev/null || return
	done
	_ready
}

# _paths NODE PEER FILTER: jq over netpas paths of the node; $peer is the entry of that peer, $in_use
# its path.
_paths() {
	lab_in "$1" netpas paths --json | jq -r --arg peer "$2" '(.peers[] | select(.peer == $peer)) as $peer |
		(if $peer.path != null then $peer.paths[$peer.path] else {} end) as $in_use | '"$3"
}
_paths_hold() {
	[[ $(_paths "$@") = true ]]
}
# Both ways.
_ways_hold() {
	_paths_hold "$near" "$far" "$1" && _paths_hold "$far" "$near" "$1"
}
_all_alive() {
	_ways_hold '$peer.paths | all(.alive)'
}

# _blow COMMAND...: the command amid traffic: half a second of it before, until it flows again after.
# RATE packets a second, WAYS "up down" or "up".
_blow() {
	local result=0
	traffic_start up hfra1 hsin1 10.2.1.2 7000 --rate "$RATE" --seconds 120
	[[ $WAYS = up ]] || traffic_start down hsin2 hfra2 10.1.2.2 7000 --rate "$RATE" --seconds 120
	_flows $((RATE / 2)) && "$@" && _flows $((RATE / 2)) || result=1
	traffic_stop up
	[[ $WAYS = up ]] || traffic_stop down
	return $result
}
_flows() {
	traffic_passes hsin1 "$1" 60 && { [[ $WAYS = up ]] || traffic_passes hfra2 "$1" 60; }
}
# The worse of both directions: the longest silence, or the packets of the longest run that is lost.
_outage() {
	local way
	for way in $WAYS; do
		jq 'if .sender_finished then [.longest_gap_ms, .outage_ms] | max else 120000 end' \
			"$LAB_DIR/$way.recv"
	done | jq -s max
}
_lost_packets() {
	local way
	for way in $WAYS; do
		traffic_get "$way" lost
	done | jq -s add
}
# _numbers VALUE...: as a JSON array
_numbers() {
	printf '%s\n' "$@" | array
}

# The line of the provider by which the near gateway's path in use leaves.
_line_in_use() {
	local addr
	addr=$(_paths "$near" "$far" '$in_use.local')
	[[ $addr = "$(gateway_private "$near" 1)" ]] && echo ispa-fra || echo ispb-fra
}

# _cut LINE WAY: its provider dies, what is on its way there is lost too. _dead_for LINE WAY SECONDS
_cut() {
	topology_wanem "$1" "$2" cut
}
_dead_for() {
	_cut "$1" "$2" && sleep "$3" && topology_wanem "$1" "$2" cut off
}

# _outages NAME COUNT HOW WAY...: cuts of the line in use, WAY being that of the line (ab, ba, both) in turn.
# Providers are 10 and 12 ms away, so that one way takes 12 ms at most by any direct path.
_outages() {
	local name=$1 count=$2 how=$3 i line ways=("${@:4}") ours=() plain=() RATE=1000 WAYS="up down"
	_mesh "ispa-fra ispb-fra"
	topology_wanem ispa-fra delay 10ms
	topology_wanem ispb-fra delay 12ms
	_mesh_up || return
	for ((i = 0; i < count; i++)); do
		line=$(_line_in_use)
		_blow _cut "$line" "${ways[i % ${#ways[@]}]}" || return
		ours+=("$(_outage)")
		topology_wanem "$line" both cut off
		_ready && lab_wait "all paths" 60 _all_alive || return
	done
	_reload off || return
	lab_wait "the end of the data plane" 20 holds "$near" '.dataplane.on | not' || return
	for ((i = 0; i < 3; i++)); do
		# Its endpoints are the first provider's.
		_blow _dead_for ispa-fra "${ways[i % ${#ways[@]}]}" 5 || return
		plain+=("$(_outage)")
		_ready || return
	done
	result "$name" ms "$how" "$(_numbers "${ours[@]}")" \
		"the same gateways with dataplane: off, that is WireGuard on its one path, and a provider that is back after 5 s" \
		"$(_numbers "${plain[@]}")"
}
path_cut_outage() {
	_outages path_cut_outage "$CUTS" "the provider of the path in use vanishes, with all that is on its way there, 1,000 packets a second each way; the longest silence of both directions; one way takes 12 ms, so the bar is 62" both
}
one_way_cut_outage() {
	_outages one_way_cut_outage $((CUTS / 2)) "as path_cut_outage, but only one direction of that provider dies, to it and from it in turn" ab ba
}

# _silence ROUTER [MATCH]: everything of the tunnels vanishes there, nobody is told. _speak: as before.
_silence() {
	lab_in "$1" nft "add table ip cut; add chain ip cut here { type filter hook prerouting priority -500; };
		add rule ip cut here ${2:-ip protocol udp} drop"
}
_speak() {
	lab_in "$1" nft delete table ip cut
}
_provider_dies() {
	local router
	router=$(_line_in_use)
	_blow _silence "$router" || return
	_speak "$router"
}
# Direct paths are silenced before: two relays carry the traffic.
_relay_dies() {
	local relay
	relay=$(_paths "$near" "$far" '$in_use.relay')
	_blow lab_cut "$relay" wan0 || return
	lab_mend "$relay" wan0
}
_direct() {
	local x between="ip saddr { 203.0.113.16/28, 192.0.2.16/28 } ip daddr { 203.0.113.32/28, 192.0.2.32/28 }"
	for x in x1 x2; do
		if [[ $1 = off ]]; then
			_silence $x "$between" || return
		else
			_speak $x
		fi
	done
}
_relays_alive() {
	_ways_hold '[$peer.paths[] | select(.relay != null) | .alive] | all'
}
_second_too() {
	_ways_hold '$peer.second != null and $peer.paths[$peer.second].alive'
}
# _deaths COUNT: half of providers, half of relays in use; losses, one a line.
_deaths() {
	local i
	for ((i = 0; i < $1 / 2; i++)); do
		_provider_dies || return
		_lost_packets
		_ready && lab_wait "all paths" 60 _all_alive || return
	done
	_direct off && _ready || return
	lab_wait "a relay" 60 _ways_hold '$in_use.relay != null' || return
	for ((; i < $1; i++)); do
		_ready && lab_wait "both relays" 60 _relays_alive && lab_wait "a second path" 60 _second_too || return
		_relay_dies || return
		_lost_packets
	done
	_direct on
	_ready && lab_wait "all paths" 60 _all_alive
}
path_cut_protected_lost() {
	local RATE=10000 WAYS=up ours idle best i dropped
	MESH_POLICIES='  - {between: [fra, sin], class: protected}'
	_mesh ""
	_mesh_up && _buffers || return
	for ((i = 0; i < 5; i++)); do
		_blow true || return
		idle+=" $(_lost_packets)"
	done
	dropped=$(_dropped)
	ours=$(_deaths "$CUTS") || return
	dropped=$(($(_dropped) - dropped))
	_reload auto || return
	lab_wait "class best" 20 _ways_hold '$peer.class == "best"' || return
	best=$(_deaths $((CUTS / 3))) || return
	result path_cut_protected_lost packets \
		"10,000 packets of 64 bytes a second, fra to sin; half of the trials the provider of the path in use dies, half the relay in use (direct paths are gone then); lost without any death:$idle; dropped at engines' queues in all trials: $dropped" \
		"$(array <<<"$ours")" "class best, likewise" "$(array <<<"$best")"
}

# What overflows while an engine's process waits for a CPU is no loss of the network: longer queues
# into the tunnels and into the engines' sockets.
_buffers() {
	local g
	[[ $(status "$near" .engine) = user ]] || return 0
	for g in "${GATEWAYS[@]}"; do
		# shellcheck disable=SC2016
		lab_in "$g" bash -e -c 'rcvbuf 16777216 $(pgrep wireguard-go)
			for np in /sys/class/net/np*; do ip link set "${np##*/}" txqueuelen 10000; done' || return
	done
}
# What overflows nevertheless, in all gateways.
_dropped() {
	local g
	for g in "${GATEWAYS[@]}"; do
		lab_in "$g" nstat -asz UdpRcvbufErrors | awk 'END { print $2 }'
		lab_in "$g" bash -c 'cat /sys/class/net/np*/statistics/tx_dropped'
	done | jq -s add
}

# The world of 452 ms and 9 % between the sites, and two relays in the middle of 62 ms.
_far_mesh() {
	_mesh "transit1 transit2 pop1 pop2"
	topology_wanem transit1 delay 226ms loss 9%
	topology_wanem transit2 delay 226ms loss 9%
	topology_wanem pop1 delay 15.5ms
	topology_wanem pop2 delay 15.5ms
	topology_config
	topology_start
	# Direct paths that lose as much are not always alive.
	_ready && lab_wait "relays" 60 _ways_hold '$in_use.relay != null and $in_use.state == "up"'
}

_since() {
	awk -v ns=$(($(date +%s%N) - $1)) 'BEGIN { printf "%.3f", ns / 1e9 }'
}
brownout_leave() {
	local i relay start ours=() before after RATE=1000 WAYS="up down"
	_far_mesh || return
	for ((i = 0; i < TRIALS; i++)); do
		# It has had time to forget what it lost before, and to learn what it loses usually.
		lab_wait "a minute without loss" 150 _ways_hold '$in_use.state == "up" and
			($in_use.loss_60s | .probes >= 3000 and .out_percent == 0 and .in_percent == 0)' &&
			lab_wait "one relay for both ways" 150 _same_relay || return
		relay=$(_paths "$near" "$far" '$in_use.relay')
		start=$(date +%s%N)
		topology_wanem "$relay" ab loss 5% || return
		lab_wait "another path" 30 _ways_hold "\$in_use.relay != \"$relay\"" || return
		ours+=("$(_since "$start")")
		topology_wanem "$relay" ab loss off
	done
	_reload off || return
	lab_wait "the end of the data plane" 20 holds "$near" '.dataplane.on | not' || return
	topology_wanem transit1 loss 5%
	traffic_start up hfra1 hsin1 10.2.1.2 7000 --seconds 30
	sleep 10
	before=$(topology_wanem transit1 stats | jq .ab.in)
	traffic_passes hsin1 1000 || return
	after=$(topology_wanem transit1 stats | jq .ab.in)
	traffic_stop up
	((after - before >= 900)) || return
	result brownout_leave s \
		"5 % loss of each direction appears on the path in use (62 ms by a relay); from then until both active gateways, by netpas paths, use another one; read some 20 times a second; that path had been in use for half a minute, and had lost nothing for one" \
		"$(_numbers "${ours[@]}")" \
		"dataplane: off, that is WireGuard alone: has not left, and still loses $(jq '100 * .lost / .sent * 10 | round / 10' "$LAB_DIR/up.recv") %, after" \
		"[10]"
}
_same_relay() {
	[[ $(_paths "$near" "$far" '$in_use.relay') = "$(_paths "$far" "$near" '$in_use.relay')" ]]
}

# _ping ADDRESS: the median of 100 round trips in ms
_ping() {
	lab_in hfra1 ping -n -i 0.02 -c 100 -W 2 "$1" | sed -n 's/.*time=\([0-9.]*\) ms/\1/p' | sort -n |
		awk '{ ms[NR] = $1 } END { print ms[int((NR + 1) / 2)] }'
}
_loss() {
	traffic_start one hfra1 hsin1 "$1" "$2" --rate 1000 --seconds 3
	traffic_end one
	jq '100 * .lost / .sent' "$LAB_DIR/one.recv"
}
mesh() {
	local i ours_rtt=() raw_rtt=() ours_loss=() raw_loss=()
	_far_mesh || return
	for ((i = 0; i < TRIALS; i++)); do
		raw_rtt+=("$(_ping 198.18.2.2)")
		ours_rtt+=("$(_ping 10.2.1.2)")
		raw_loss+=("$(_loss 198.18.2.2 5201)")
		ours_loss+=("$(_loss 10.2.1.2 7000)")
	done
	result mesh_loss % "3,000 packets in 3 s, fra to sin; direct paths lose 9 % of each direction, two relays nothing; alternating with the baseline" \
		"$(_numbers "${ours_loss[@]}")" "the raw path, without any gateway" "$(_numbers "${raw_loss[@]}")"
	result mesh_rtt ms "median of 100 pings, host to host, a trial; direct paths take 452 ms, two relays 62 ms; alternating with the baseline" \
		"$(_numbers "${ours_rtt[@]}")" "the raw path, without any gateway" "$(_numbers "${raw_rtt[@]}")"
}

# netpasd of these nodes is killed and does not come back by itself: they were started so.
_kill() {
	local g
	for g; do
		lab_in "$g" kill -KILL "$(lab_daemon_pid "$g" netpasd)" || return
	done
}
_back() {
	local g
	for g; do
		lab_daemon -1 "$g" netpasd netpasd -v
	done
	for g; do
		lab_wait "netpasd of $g" 20 _answers "$g" || return
	done
}
_away() {
	_kill "$@" && sleep "$AWAY"
}
_away_and_back() {
	_away "$@" && _back "$@"
}
_away_and_cut() {
	_kill "$near" && topology_wanem "$1" cut && sleep 5 && _back "$near"
}
_back_and_cut() {
	_away_and_back "$near" && _cut "$1" both
}
daemon_killed() {
	local g i line ours=() idle=() towards=() from=() again=() AWAY=30 RATE=1000 WAYS="up down"
	_mesh "ispa-fra ispb-fra"
	topology_wanem ispa-fra delay 10ms
	topology_wanem ispb-fra delay 12ms
	_mesh_up || return
	for g in "${GATEWAYS[@]}" "${POPS[@]}"; do
		lab_stop "$g" netpasd
	done
	_back "${GATEWAYS[@]}" "${POPS[@]}" || return
	_ready && lab_wait "all paths" 60 _all_alive || return
	for i in 1 2 3; do
		case $i in
		1) set -- "$near" ;;
		2) set -- "$far" ;;
		3) set -- "${GATEWAYS[@]}" "${POPS[@]}" ;;
		esac
		_blow _away_and_back "$@" || return
		ours+=("$(_lost_packets)")
		_ready && lab_wait "all paths" 60 _all_alive || return
	done
	_blow sleep "$AWAY" || return
	idle+=("$(_lost_packets)")
	for i in 1 2 3; do
		line=$(_line_in_use)
		_blow _away_and_cut "$line" || return
		towards+=("$(WAYS=down _outage)")
		from+=("$(WAYS=up _outage)")
		topology_wanem "$line" cut off
		_ready && lab_wait "all paths" 60 _all_alive || return
	done
	for i in 1 2 3 4 5; do
		line=$(_line_in_use)
		AWAY=2 _blow _back_and_cut "$line" || return
		again+=("$(_outage)")
		topology_wanem "$line" both cut off
		_ready && lab_wait "all paths" 60 _all_alive || return
	done
	result daemon_killed_lost packets \
		"netpasd is killed -9 and away for 30 s, 1,000 packets a second each way: of the near gateway, of the far one, of all gateways and relays at once" \
		"$(_numbers "${ours[@]}")" "the same time without" "$(_numbers "${idle[@]}")"
	result daemon_killed_cut_outage ms \
		"netpasd of the near gateway is killed, the provider of its path in use dies, netpasd is back after 5 s; the direction towards it, which the far gateway's probes protect" \
		"$(_numbers "${towards[@]}")" \
		"the direction from it: without a daemon it sends no probes, and keeps its path" "$(_numbers "${from[@]}")"
	result daemon_back_cut_outage ms \
		"netpasd of the near gateway is killed, is back after 2 s, and as soon as it answers the provider of the path in use dies; both directions" \
		"$(_numbers "${again[@]}")"
}
