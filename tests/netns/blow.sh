# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Something happens while customers' packets flow between fra and sin: what they notice. Sourced by
# scenarios, after topology.sh and check.sh.

BLOW_PACKETS=1000 # that come in before, twice as many after it

# blow COMMAND...: the command under traffic both ways, until that flows again.
blow() {
	local result=0
	traffic_start up hfra1 hsin1 10.2.1.2 7000 --seconds "$TRAFFIC_BOUND"
	traffic_start down hsin2 hfra2 fd00:10:1:2::2 7000 --seconds "$TRAFFIC_BOUND"
	traffic_passes hsin1 $BLOW_PACKETS && traffic_passes hfra2 $BLOW_PACKETS || result=1
	"$@" || result=1
	lab_wait "IPv4 again" 15 reach hfra2 10.2.2.2 -c 1 || result=1
	lab_wait "IPv6 again" 15 reach hsin1 fd00:10:1:1::2 -c 1 || result=1
	traffic_passes hsin1 $((2 * BLOW_PACKETS)) && traffic_passes hfra2 $((2 * BLOW_PACKETS)) || result=1
	traffic_stop up
	traffic_stop down
	return $result
}
# The worse of both directions in ms. A sender whose end was not seen has not been heard again.
outage() {
	jq -s 'map(if .sender_finished then [.longest_gap_ms, .outage_ms] | max else 60000 end) | max' \
		"$LAB_DIR/up.recv" "$LAB_DIR/down.recv"
}
# measured WHAT LIMIT: a check that says the outage, in ms
measured() {
	local ms
	ms=$(outage)
	check "$1: the customer's outage is $ms ms" within "$ms" 0 "$2"
}
lossless() {
	equal "$(traffic_get up lost) $(traffic_get down lost)" "0 0"
}
