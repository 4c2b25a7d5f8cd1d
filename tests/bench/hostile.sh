# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What customers lose beside a flood at a gateway's WAN.

bench hostile_wan_legit_loss "% that customers lose beside 10,000,000 hostile frames; beside the same without; the rate that 1 % allows"

HOSTILE_FRAMES=${HOSTILE_FRAMES:-10000000} # in all
HOSTILE_RATE=${HOSTILE_RATE:-120000}	   # a second; flood, gateways and hosts share the CPUs
HOSTILE_LEGIT=1000			   # customers' packets a second, each way

# _hostile_lost COMMAND...: customers' packets lost around the command, in lost. Fails if hosts saw
# anything else, or anything twice.
_hostile_lost() {
	local way result=0
	traffic_start up hfra1 hsin1 10.2.1.2 7000 --rate $HOSTILE_LEGIT --seconds 600 --size 1300
	traffic_start down hsin1 hfra1 10.1.1.2 7000 --rate $HOSTILE_LEGIT --seconds 600 --size 1300
	traffic_passes hsin1 $HOSTILE_LEGIT || result=1
	"$@" || result=1
	traffic_passes hsin1 $((HOSTILE_LEGIT / 2)) || result=1
	traffic_stop up
	traffic_stop down
	for way in up down; do
		[[ $(traffic_get $way duplicated),$(traffic_get $way foreign) = 0,0 ]] || {
			echo "bench: hostile frames reached a host ($way)" >&2
			result=1
		}
	done
	lost=$(($(traffic_get up lost) + $(traffic_get down lost)))
	return $result
}
# _hostile_flood FRAMES RATE SEED OPTIONS...
_hostile_flood() {
	hostile_flood fra-a sin-a --count "$1" --rate "$2" --seed "$3" "${@:4}" >"$LAB_DIR/flood"
}
_hostile_quiet() {
	sleep "$1"
}
# Of the packets that were sent while the flood lasted (that before and after it dilutes nothing).
_hostile_percent() {
	awk -v lost="$1" -v s="$2" -v rate=$HOSTILE_LEGIT 'BEGIN { printf "%.4f", 100 * lost / (2 * rate * s) }'
}
_hostile_up() {
	DATAPLANE=$1
	topology_config fra-a sin-a pop1
	topology_start fra-a sin-a pop1
	lab_wait "the appliance" 20 reach hfra1 10.2.1.2
}
_hostile_down() {
	local g
	for g in fra-a sin-a pop1; do
		lab_in $g netpas down >/dev/null || return
		lab_stop $g netpasd
	done
}
hostile_wan_legit_loss() {
	local lost i seconds rate best=0 each=$((HOSTILE_FRAMES / TRIALS)) RELAYS=1 POPS=(pop1) DATAPLANE=native
	local flooded=() quiet=() tc=() filter=() rates=() seen full
	topology_network
	lab_poweroff fra-b
	lab_poweroff sin-b
	_hostile_up native || return
	for i in $(seq "$TRIALS"); do
		_hostile_lost _hostile_flood $each "$HOSTILE_RATE" "$i" --listen 2 || return
		seconds=$(jq .seconds "$LAB_DIR/flood")
		rates+=("$(jq .rate "$LAB_DIR/flood")")
		flooded+=("$(_hostile_percent "$lost" "$seconds")")
		seconds=$(jq '.seconds / 2' "$LAB_DIR/flood") # half as long
		_hostile_lost _hostile_quiet "$seconds" || return
		quiet+=("$(_hostile_percent "$lost" "$seconds")")
	done
	seen=$(lab_in fra-a netpas drops --json |
		jq '[to_entries[] | select(.key | startswith("drop_") or . == "pass_other") | .value.packets] | add')
	full=$(lab_in wan-fra cat /sys/class/net/gwa/statistics/tx_dropped)
	# As fast as it goes, and down from there until customers lose no more than 1 %.
	for rate in 0 400000 300000 200000 150000 100000 50000 20000; do
		_hostile_lost _hostile_flood $((rate ? rate * 5 : 2000000)) $rate 99 --listen 2 || return
		seconds=$(jq .seconds "$LAB_DIR/flood")
		best=$(jq .rate "$LAB_DIR/flood")
		awk -v p="$(_hostile_percent "$lost" "$seconds")" 'BEGIN { exit !(p <= 1) }' && break
		best=0
	done
	_hostile_down || return
	_hostile_up tc || return
	for i in 1 2; do
		_hostile_lost _hostile_flood $((each / 4)) "$HOSTILE_RATE" "$i" --listen 2 || return
		tc+=("$(_hostile_percent "$lost" "$(jq .seconds "$LAB_DIR/flood")")")
	done
	_hostile_down || return
	_hostile_up off || return
	for i in 1 2; do
		_hostile_lost _hostile_flood $((each / 4)) "$HOSTILE_RATE" "$i" || return
		filter+=("$(_hostile_percent "$lost" "$(jq .seconds "$LAB_DIR/flood")")")
	done
	result hostile_wan_legit_loss % \
		"1,000 packets of 1,300 bytes a second each way beside $((each * TRIALS)) hostile frames of 23 kinds in $TRIALS parts, $(IFS=/; echo "${rates[*]}") a second; native XDP, wireguard-go; at most 2 s of recordings are sent again; $seen were dropped or were the stack's, $full found the cable to the gateway full; alternating with the baseline" \
		"$(printf '%s\n' "${flooded[@]}" | array)" "the same without a flood" \
		"$(printf '%s\n' "${quiet[@]}" | array)"
	result hostile_wan_legit_loss_tc % "the same flood, $((each / 4)) frames twice, with dataplane: tc" \
		"$(printf '%s\n' "${tc[@]}" | array)" "in XDP" "$(printf '%s\n' "${flooded[@]}" | array)"
	result hostile_wan_legit_loss_filter % \
		"the same flood, $((each / 4)) frames twice, with dataplane: off: the filter drops it; nothing that was recorded is sent again" \
		"$(printf '%s\n' "${filter[@]}" | array)" "in XDP" \
		"$(printf '%s\n' "${flooded[@]}" | array)"
	result hostile_wan_legit_loss_rate frames/s \
		"hostile frames a second beside which customers lose no more than 1 %, the flooder on the same CPUs; 0: none of those tried" "[$best]"
}
