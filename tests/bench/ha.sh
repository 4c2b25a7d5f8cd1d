# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Gateways that die, freeze, hand over, or do not hear each other: what the customer notices. Read by
# run. POWEROFFS=n for another number of power-offs than 30, CHANGES=n of planned changes than 30.
#
# Beside it, in the same lab, the old-fashioned pair: keepalived with its default timers, and one
# WireGuard key, with a tunnel on the gateway that has the VIP.

POWEROFFS=${POWEROFFS:-30}
CHANGES=${CHANGES:-30}

bench poweroff_outage_fast "outage when the active gateway loses power, profile fast; beside a floating key"
bench poweroff_outage_cloud "the same, profile cloud"
bench switchover_lost "packets lost by netpas switchover; beside stopping keepalived of the old-fashioned pair"
bench drain_lost "packets lost by netpas drain and its end"
bench rolling_restart_lost "packets lost by netpas rolling restart; beside the old-fashioned pair, restarted one after the other"
bench rolling_upgrade_lost "the same by netpas rolling upgrade, to a build with other programs in the kernel and back"
bench split_brain_heal "time until one gateway claims after the LAN between two healed; beside the old-fashioned pair"
bench freeze_lost "packets lost when all processes of the active gateway freeze and thaw; beside the old-fashioned pair"
bench false_takeovers_fast "takeovers without a reason in TRIALS minutes, CPUs busy; beside fast without real-time priority"
bench false_takeovers_cloud "takeovers without a reason in TRIALS minutes, CPUs busy"

# -- our pair --

# _ha_up VRRP: two sites with that profile or interval.
_ha_up() {
	MESH_VRRP=$1
	topology_network
	topology_config
	topology_start
	topology_ready 60 && _ha_buffers
}
# What overflows while an engine waits for a CPU of this machine is no loss of a change of roles.
_ha_buffers() {
	local g
	[[ $(status "$(active_of fra)" .engine) = user ]] || return 0
	for g in "${GATEWAYS[@]}"; do
		# shellcheck disable=SC2016
		lab_in "$g" bash -e -c 'rcvbuf 16777216 $(pgrep wireguard-go)
			for np in /sys/class/net/np*; do ip link set "${np##*/}" txqueuelen 10000; done' || return
	done
}
_ha_traffic() {
	traffic_start up hfra1 hsin1 10.2.1.2 7000 --rate 1000 --seconds 120
	traffic_start down hsin2 hfra2 10.1.2.2 7000 --rate 1000 --seconds 120
	traffic_passes hsin1 500 60 && traffic_passes hfra2 500 60
}
_ha_traffic_end() {
	local result=0
	traffic_passes hsin1 500 60 && traffic_passes hfra2 500 60 || result=1
	traffic_stop up
	traffic_stop down
	return $result
}
# _ha_outage WAY: the longest silence, or the packets of the longest run that is lost, in ms.
_ha_outage() {
	jq 'if .sender_finished then [.longest_gap_ms, .outage_ms] | max else 120000 end' "$LAB_DIR/$1.recv"
}
_ha_lost() {
	echo $(($(traffic_get up lost) + $(traffic_get down lost)))
}
_ha_numbers() {
	printf '%s\n' "$@" | array
}
_ha_worst() {
	printf '%s\n' "$@" | jq -s max
}

# _ha_claimed NODE: when it last became active, by its log, in seconds of the day.
_ha_claimed() {
	awk '/ role: .* -> active / { split($1, t, ":"); at = t[1] * 3600 + t[2] * 60 + t[3] }
		END { printf "%.3f", at }' "$LAB_DIR/$1/netpasd.log"
}
# _ha_detection NODE: from the last packet of the site that arrived to the claim of that gateway, in ms;
# nothing if the claim is not in the longest silence: that one was another.
_ha_detection() {
	jq --argjson claimed "$(_ha_claimed "$1")" \
		'(($claimed - (.longest_gap_from | . - (. / 86400 | floor) * 86400)) * 1000) as $ms |
			select($ms > 0 and $ms < .longest_gap_ms + 50) | $ms' "$LAB_DIR/up.recv"
}
_ha_spread() {
	_ha_numbers "$@" | jq -c 'sort | {median: .[length / 2 | floor], max: .[-1]}'
}

# _ha_poweroffs VRRP NAME
_ha_poweroffs() {
	local i g ms up=() down=() worst=() gaps=() lost=() detection=() switching=() old
	_ha_up "$1" || return
	for ((i = 0; i < POWEROFFS; i++)); do
		g=$(active_of fra)
		_ha_traffic && lab_poweroff "$g" && _ha_traffic_end || return
		up+=("$(_ha_outage up)")
		down+=("$(_ha_outage down)")
		worst+=("$(_ha_worst "${up[-1]}" "${down[-1]}")")
		gaps+=("$(traffic_get up sender_worst_gap_ms)" "$(traffic_get down sender_worst_gap_ms)")
		lost+=("$(_ha_worst "$(traffic_get up outage_ms)" "$(traffic_get down outage_ms)")")
		ms=$(_ha_detection "$(_ha_other "$g")")
		if [[ $ms ]]; then
			detection+=("$ms")
			switching+=("$(jq -n "${up[-1]} - $ms")")
		fi
		topology_gateway_on "$g"
		topology_ready 60 && _ha_buffers || return
	done
	lab_clear
	old=$(_ha_old_poweroffs) || return
	result "$2" ms \
		"the active gateway loses power under 1,000 packets a second each way; the longer of the silence by the kernel's time stamps and of the longest run of lost packets, the worse of both directions, detection included; from the site alone $(_ha_spread "${up[@]}"), to it $(_ha_spread "${down[@]}"), by lost packets alone $(_ha_spread "${lost[@]}"); the senders' own longest gap $(_ha_worst "${gaps[@]}") ms" \
		"$(_ha_numbers "${worst[@]}")" \
		"keepalived with its default timers (adverts every second), one WireGuard key that moves with the VIP" \
		"$(array <<<"$old")"
	result "$2_detection" ms \
		"of these: from the last packet out of the site that arrived to the other gateway's claim, by its log; where that lies in the longest silence" \
		"$(_ha_numbers "${detection[@]}")"
	result "$2_switching" ms "of these: from that claim to the first packet out of the site that arrived" \
		"$(_ha_numbers "${switching[@]}")"
}
poweroff_outage_fast() {
	_ha_poweroffs "profile: fast" poweroff_outage_fast
}
poweroff_outage_cloud() {
	_ha_poweroffs "profile: cloud" poweroff_outage_cloud
}

_ha_other() {
	[[ $1 = *-a ]] && echo "${1%a}b" || echo "${1%b}a"
}
# On the active gateway and on the standby one in turn.
_ha_switch() {
	local at
	at=$(active_of fra)
	(($1 % 2)) && at=$(_ha_other "$at")
	lab_in "$at" netpas switchover >/dev/null && lab_wait "it" 20 pair_settled fra
}
switchover_lost() {
	local i lost=() old
	_ha_up "profile: cloud" || return
	for ((i = 0; i < CHANGES; i++)); do
		_ha_traffic && _ha_switch $i && _ha_traffic_end || return
		lost+=("$(_ha_lost)")
	done
	lab_clear
	old=$(_ha_old_stops) || return
	result switchover_lost packets \
		"netpas switchover under 1,000 packets a second each way, of the active gateway and of the standby one in turn, profile cloud" \
		"$(_ha_numbers "${lost[@]}")" \
		"keepalived of the active one is stopped; default timers, one WireGuard key that moves with the VIP" \
		"$(array <<<"$old")"
}
_ha_drain() {
	local at
	at=$(active_of fra)
	lab_in "$at" netpas drain >/dev/null && lab_wait "it" 20 pair_settled fra &&
		lab_in "$at" netpas drain --end >/dev/null
}
drain_lost() {
	local i lost=() idle=()
	_ha_up "profile: cloud" || return
	for ((i = 0; i < CHANGES; i++)); do
		_ha_traffic && _ha_drain && _ha_traffic_end || return
		lost+=("$(_ha_lost)")
		_ha_traffic && _ha_traffic_end || return
		idle+=("$(_ha_lost)")
	done
	result drain_lost packets \
		"netpas drain of the active gateway and netpas drain --end, under 1,000 packets a second each way, profile cloud" \
		"$(_ha_numbers "${lost[@]}")" "the same time without" "$(_ha_numbers "${idle[@]}")"
}

# _ha_rolling NAME HOW [upgrade]: of both gateways, on the active one and on the standby one in turn. An upgrade is to
# the other of two builds each time.
_ha_rolling() {
	local i at kind=${3:-restart} lost=() old
	# shellcheck source-path=SCRIPTDIR/../netns
	. "$LAB_HOME/rolling.sh"
	_ha_up "profile: cloud" || return
	for ((i = 0; i < (CHANGES + 2) / 3; i++)); do
		at=$(active_of fra)
		((i % 2)) && at=$(_ha_other "$at")
		if [[ $kind = upgrade ]]; then
			rolling_install "$( ((i % 2)) && echo "$LAB_BUILD/netpasd" || echo "$LAB_BUILD/lab/next/netpasd")" \
				fra-a fra-b || return
		fi
		_ha_traffic && rolling "$at" "$kind" --soak 3 >"$LAB_DIR/rolling.out" && _ha_traffic_end || {
			cat "$LAB_DIR/rolling.out" >&2
			return 1
		}
		lost+=("$(_ha_lost)")
	done
	lab_clear
	old=$(_ha_old_restarts) || return
	result "$1" packets "$2, under 1,000 packets a second each way, profile cloud" "$(_ha_numbers "${lost[@]}")" \
		"keepalived and the engine of both gateways are restarted, the standby one first; default timers, one WireGuard key that moves with the VIP" \
		"$(array <<<"$old")"
}
rolling_restart_lost() {
	_ha_rolling rolling_restart_lost \
		"netpas rolling restart: netpasd, keepalived and engines of both gateways, one after the other"
}
rolling_upgrade_lost() {
	_ha_rolling rolling_upgrade_lost \
		"netpas rolling upgrade of both gateways to another build, whose programs' maps have another layout, and back in turn" upgrade
}

# _ha_apart on|off: the gateways' switch ports hear everybody but each other.
_ha_apart() {
	local p
	for p in gwa gwb; do
		lab_in lan-fra ip link set $p type bridge_slave isolated "$1" || return
	done
}
_ha_has_vip() {
	[[ $(lab_in "$1" ip -o addr show dev lan0 to 172.16.1.254) ]]
}
_ha_both_vips() {
	_ha_has_vip fra-a && _ha_has_vip fra-b
}
_ha_one_vip() {
	! _ha_both_vips
}
_ha_ms_since() {
	awk -v ns=$(($(date +%s%N) - $1)) 'BEGIN { printf "%.3f", ns / 1e6 }'
}
# Both gateways get a claim of their own, and hear each other again: ms until one holds the VIP.
_ha_heal() {
	local start
	_ha_apart on && lab_wait "two claimants" 30 _ha_both_vips || return
	[[ ! ${1:-} ]] || lab_wait "one to be overruled" 20 eval \
		'holds fra-a ".role == \"overruled\"" || holds fra-b ".role == \"overruled\""' || return
	start=$(date +%s%N)
	_ha_apart off && lab_wait "one claimant" 30 _ha_one_vip || return
	_ha_ms_since "$start"
}
split_brain_heal() {
	local i ms=() old
	_ha_up "profile: cloud" || return
	for ((i = 0; i < TRIALS; i++)); do
		ms+=("$(_ha_heal overruled)") || return
		topology_ready 60 || return
	done
	lab_clear
	old=$(_ha_old_heals) || return
	result split_brain_heal ms \
		"the two gateways could not hear each other on the LAN and both held the VIP; from the moment they can until one holds it, looked at some 50 times a second, profile cloud" \
		"$(_ha_numbers "${ms[@]}")" "keepalived with its default timers" "$(array <<<"$old")"
}

# _ha_signal SIGNAL NODE: to all that makes it a gateway.
_ha_signal() {
	# shellcheck disable=SC2016
	lab_in "$2" bash -c 'kill -'"$1"' $(pgrep "netpasd|keepalived|wireguard-go")'
}
freeze_lost() {
	local i g lost=() thaw=() old
	_ha_up "profile: cloud" || return
	for ((i = 0; i < TRIALS; i++)); do
		g=$(active_of fra)
		_ha_traffic && _ha_signal STOP "$g" && sleep 10 && _ha_traffic_end || return
		lost+=("$(_ha_lost)")
		_ha_traffic && _ha_signal CONT "$g" && lab_wait "one claimant" 20 pair_settled fra &&
			_ha_traffic_end || return
		thaw+=("$(_ha_lost)")
		topology_ready 60 || return
	done
	lab_clear
	old=$(_ha_old_freezes) || return
	result freeze_lost packets \
		"netpasd, keepalived and engines of the active gateway are stopped for 10 s under 1,000 packets a second each way, profile cloud; by the thaw were lost: ${thaw[*]}" \
		"$(_ha_numbers "${lost[@]}")" \
		"keepalived and the engine of the old-fashioned pair, likewise" "$(array <<<"$old")"
}

# _ha_takeovers VRRP MINUTES: claims at the site beyond those that it began with.
_ha_takeovers() {
	local before after busy=() cpu
	_ha_up "$1" || return
	before=$(_ha_claims) || return
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		(while :; do :; done) &
		busy+=($!)
	done
	sleep $(($2 * 60))
	kill "${busy[@]}"
	wait "${busy[@]}" 2>/dev/null
	after=$(_ha_claims) || return
	lab_clear
	echo $((after - before))
}
_ha_claims() {
	local a b
	a=$(status fra-a .generation) && b=$(status fra-b .generation) && echo $((a > b ? a : b))
}
false_takeovers_fast() {
	local ours plain
	ours=$(_ha_takeovers "profile: fast" "$TRIALS") || return
	plain=$(_ha_takeovers "advert: 10ms" "$TRIALS") || return
	result false_takeovers_fast takeovers \
		"nothing dies for $TRIALS minutes, with a busy loop for each CPU beside the whole lab; adverts every 10 ms" \
		"[$ours]" "the same adverts without real-time priority" "[$plain]"
}
false_takeovers_cloud() {
	local ours
	ours=$(_ha_takeovers "profile: cloud" "$TRIALS") || return
	result false_takeovers_cloud takeovers \
		"nothing dies for $TRIALS minutes, with a busy loop for each CPU beside the whole lab; adverts every 100 ms" \
		"[$ours]"
}

# -- the old-fashioned pair --

_ha_old_up() {
	local g
	topology_network
	for g in floating sin-a; do
		(umask 077 && wg genkey >"$LAB_DIR/old.$g.key") || return
	done
	_ha_old_far && _ha_old_gateway fra-a 150 && _ha_old_gateway fra-b 100 || return
	lab_wait "a ping" 60 reach hfra1 10.2.1.2
}
_ha_old_engine() {
	if lab_in "$1" ip link add wg0 type wireguard 2>/dev/null; then
		return
	fi
	lab_in "$1" env WG_PROCESS_FOREGROUND=1 wireguard-go -f wg0 >"$LAB_DIR/$1/wg0.log" 2>&1 &
	disown $!
	lab_wait "the engine of $1" 10 lab_in "$1" wg show wg0
}
_ha_old_far() {
	_ha_old_engine sin-a || return
	lab_sysctl sin-a net/ipv4/ip_forward=1 net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/lan0/rp_filter=0
	lab_in sin-a wg set wg0 listen-port 51820 private-key "$LAB_DIR/old.sin-a.key" \
		peer "$(wg pubkey <"$LAB_DIR/old.floating.key")" allowed-ips 0.0.0.0/0 || return
	lab_ip sin-a <<-END
		link set wg0 mtu 1420 up
		addr add 172.16.2.254/32 dev lan0
		route add 10.1.0.0/16 dev wg0
		route add 10.2.0.0/16 via 172.16.2.1
	END
}
# _ha_old_gateway NODE PRIORITY. The tunnel is there where the VIP is, as two live ones with one key would
# take the far end from each other.
_ha_old_gateway() {
	lab_sysctl "$1" net/ipv4/ip_forward=1 net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/lan0/rp_filter=0 \
		net/ipv4/conf/default/rp_filter=0
	lab_ip "$1" <<<"route add 10.1.0.0/16 via 172.16.1.1"
	(umask 077 && cat >"$LAB_DIR/$1/etc/wg0.conf") <<-END
		[Interface]
		ListenPort = 51820
		PrivateKey = $(cat "$LAB_DIR/old.floating.key")
		[Peer]
		PublicKey = $(wg pubkey <"$LAB_DIR/old.sin-a.key")
		AllowedIPs = 0.0.0.0/0
		Endpoint = $(gateway_public sin-a 1):51820
		PersistentKeepalive = 25
	END
	cat >"$LAB_DIR/$1/etc/role" <<-'END'
		#!/bin/sh
		if [ "$3" = MASTER ]; then
			ip link add wg0 type wireguard || wireguard-go wg0
			wg setconf wg0 /etc/netpas/wg0.conf
			ip link set wg0 mtu 1420 up
			ip route replace 10.2.0.0/16 dev wg0
		else
			ip link del wg0
		fi
	END
	chmod 755 "$LAB_DIR/$1/etc/role"
	cat >"$LAB_DIR/$1/etc/keepalived.conf" <<-END
		global_defs {
			router_id $1
			script_user root
			enable_script_security
		}
		vrrp_instance old {
			state BACKUP
			interface lan0
			virtual_router_id 51
			priority $2
			virtual_ipaddress {
				172.16.1.254/24 dev lan0
			}
			notify /etc/netpas/role
		}
	END
	_ha_old_keepalived "$1"
}
# Not as nsenter's child, which would stop with it.
_ha_old_keepalived() {
	lab_in "$1" sh -c 'keepalived --vrrp --use-file /etc/netpas/keepalived.conf --log-console \
		--dont-fork >/run/keepalived.log 2>&1 &'
}
_ha_old_active() {
	_ha_has_vip fra-a && echo fra-a || echo fra-b
}
_ha_old_settled() {
	[[ $(_ha_has_vip fra-a && echo a)$(_ha_has_vip fra-b && echo b) = ? ]]
}
_ha_old_ready() {
	lab_wait "one VIP" 30 _ha_old_settled && lab_wait "a ping" 60 reach hfra1 10.2.1.2
}
_ha_old_poweroffs() {
	local i g
	_ha_old_up || return
	for ((i = 0; i < (POWEROFFS + 5) / 6; i++)); do
		g=$(_ha_old_active)
		_ha_traffic && lab_poweroff "$g" && _ha_traffic_end || return
		_ha_worst "$(_ha_outage up)" "$(_ha_outage down)"
		lab_poweron "$g"
		topology_gateway_network "$g"
		_ha_old_gateway "$g" "$([[ $g = *-a ]] && echo 150 || echo 100)" || return
		# It takes the role back, being the first.
		[[ $g = fra-b ]] || lab_wait "the first gateway" 60 _ha_has_vip fra-a || return
		_ha_old_ready || return
	done
}
_ha_old_stops() {
	local i g
	_ha_old_up || return
	for ((i = 0; i < (CHANGES + 5) / 6; i++)); do
		g=$(_ha_old_active)
		_ha_traffic && lab_in "$g" pkill -TERM keepalived && _ha_traffic_end || return
		_ha_lost
		_ha_old_keepalived "$g"
		lab_wait "the first gateway" 60 _ha_has_vip fra-a && _ha_old_ready || return
	done
}
# The engine is where the VIP is, and goes and comes with that.
_ha_old_restarts() {
	local i g active
	_ha_old_up || return
	for ((i = 0; i < (CHANGES + 5) / 6; i++)); do
		_ha_traffic || return
		active=$(_ha_old_active)
		for g in "$(_ha_other "$active")" "$active"; do
			lab_in "$g" pkill -TERM keepalived
			lab_wait "its end" 10 fails lab_in "$g" pgrep keepalived
			lab_in "$g" pkill -TERM wireguard-go
			_ha_old_keepalived "$g"
			lab_wait "the first gateway" 60 _ha_has_vip fra-a && _ha_old_ready || return
		done
		_ha_traffic_end || return
		_ha_lost
	done
}
_ha_old_heals() {
	local i
	_ha_old_up || return
	for ((i = 0; i < TRIALS; i++)); do
		_ha_heal || return
		echo
		_ha_old_ready || return
	done
}
_ha_old_freezes() {
	local i g
	_ha_old_up || return
	for ((i = 0; i < (TRIALS + 1) / 2; i++)); do
		g=$(_ha_old_active)
		_ha_traffic && _ha_signal STOP "$g" && sleep 10 && _ha_traffic_end || return
		_ha_lost
		_ha_signal CONT "$g"
		lab_wait "the first gateway" 60 _ha_has_vip fra-a && _ha_old_ready || return
	done
}
