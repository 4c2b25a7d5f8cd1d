# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# TCP through two gateways, beside the bare engine between the same two.

bench throughput "TCP from host to host: filter alone, data plane with everything on; beside the bare engine; netpas-wg beside it"

_listens() {
	[[ $(lab_in "$1" ss -Hltn "sport = :$2") ]]
}
_gbps() {
	local server
	lab_in hsin1 iperf3 -s -1 -p 5300 >/dev/null 2>&1 &
	server=$!
	lab_wait "iperf3" 5 _listens hsin1 5300
	lab_in hfra1 iperf3 -c 10.2.1.2 -p 5300 -t "${SECONDS_EACH:-5}" -O 1 -J |
		jq '.end.sum_received.bits_per_second / 1e9'
	wait $server
}
# The bare engine between the same two gateways: one interface, static routes, no filter. It is
# started as netpasd starts its engines, in a session of its own: the scheduler shares the CPU out
# between sessions, and on few cores that alone is worth a tenth of the throughput.
_bare_up() {
	local g peer lan other
	for g in fra-a sin-a; do
		peer=sin-a lan=1 other=2
		[[ $g = fra-a ]] || peer=fra-a lan=2 other=1
		if [[ $engine = kernel ]]; then
			lab_in $g ip link add bare0 type wireguard || return
		else
			lab_daemon -1 $g bare wireguard-go -f bare0
			lab_wait "bare0 on $g" 5 lab_in $g wg show bare0 >/dev/null || return
		fi
		lab_in $g wg set bare0 private-key "$LAB_DIR/$g.key" listen-port 51820 \
			peer "$(cat "$LAB_DIR/$peer.pub")" endpoint "$(gateway_public $peer 1):51820" \
			allowed-ips 0.0.0.0/0 persistent-keepalive 25 || return
		lab_sysctl $g net/ipv4/ip_forward=1
		lab_ip $g <<-END
			link set bare0 mtu 1420 up
			addr add 172.16.$lan.254/32 dev lan0
			route add 10.$other.0.0/16 dev bare0
			route add 10.$lan.0.0/16 via 172.16.$lan.1
		END
	done
	lab_wait "the bare tunnel" 15 reach hfra1 10.2.1.2
}
_bare_down() {
	local g lan
	for g in fra-a sin-a; do
		lan=1
		[[ $g = fra-a ]] || lan=2
		lab_ip $g <<-END
			link del bare0
			addr del 172.16.$lan.254/32 dev lan0
			route del 10.$lan.0.0/16 via 172.16.$lan.1
		END
		lab_sysctl $g net/ipv4/ip_forward=0
		[[ $engine = kernel ]] || lab_stop $g bare
	done
}
# _pair_up off|auto
_pair_up() {
	DATAPLANE=$1
	topology_config fra-a sin-a "${POPS[@]}"
	topology_start fra-a sin-a "${POPS[@]}"
	lab_wait "the appliance" 20 reach hfra1 10.2.1.2 || return
	[[ $1 = off ]] || lab_wait "the paths" 20 _pair_living
}
# Paths to the gateway that is on: four direct ones, two by relays from each address.
_pair_living() {
	[[ $(lab_in fra-a netpas paths --json | jq '.peers[] | select(.peer == "sin-a") |
		.paths | length == 8 and all(.alive)') = true ]]
}
_pair_down() {
	local g
	for g in fra-a sin-a "${POPS[@]}"; do
		lab_in $g netpas down >/dev/null || return
		lab_stop $g netpasd
	done
}
# _pair_gbps ENGINE off|auto: with this engine on both gateways, started anew.
_pair_gbps() {
	local ENGINE=$1
	_pair_up "$2" || return
	engine=$(status fra-a .engine)
	[[ $ENGINE != netpas ]] || lab_in fra-a pgrep -x netpas-wg >/dev/null || return
	values[$1-$2]+="$(_gbps) "
	_pair_down
}
throughput() {
	local bare=() own plane engine=user RELAYS=2 POPS=(pop1 pop2) engines=("$ENGINE")
	local -A values=() name=([off]=appliance [auto]=dataplane) with=([off]="dataplane: off"
		[auto]="dataplane: auto, two relays, eight paths probed")
	local how="iperf3, one TCP stream, host to host over router, gateway, Internet, gateway, router; in turn with the baseline"
	[[ $ENGINE = netpas ]] || engines+=(netpas)
	topology_network
	lab_poweroff fra-b
	lab_poweroff sin-b
	for _ in $(seq "$TRIALS"); do
		for own in "${engines[@]}"; do
			for plane in off auto; do
				_pair_gbps "$own" $plane || return
			done
		done
		engine=$ENGINE
		_bare_up || return
		bare+=("$(_gbps)")
		_bare_down
	done
	bare=$(printf '%s\n' "${bare[@]}" | array)
	[[ $ENGINE = kernel ]] || engine=wireguard-go
	for plane in off auto; do
		result "throughput_${name[$plane]}" Gbit/s "$how; ${with[$plane]}" \
			"$(array <<<"${values[$ENGINE-$plane]}")" \
			"the bare engine ($engine) between the same gateways, static routes, no filter" "$bare"
		[[ $ENGINE = netpas ]] ||
			result "throughput_${name[$plane]}_netpas_wg" Gbit/s "$how; ${with[$plane]}; netpas-wg" \
				"$(array <<<"${values[netpas-$plane]}")" "the same with $engine" \
				"$(array <<<"${values[$ENGINE-$plane]}")"
	done
}
