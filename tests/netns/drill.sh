# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Drills of the pair fra, for scenarios to source after topology.sh and check.sh.

LIMIT=$((2000 * LAB_TIME_SCALE)) # of all drills here: whether, not how fast, is what is asked

# Both gateways are as a drill wants them, which a role change before may take a moment for.
drillable() {
	local here
	here=$(standby_of fra) || return
	lab_in "$here" netpas drill plan "$@" >/dev/null 2>&1
}
# drill SCENARIO OPTIONS...: run it from the standby; the report is LAB_DIR/report.
drill() {
	lab_wait "a pair that can be drilled" 60 drillable "$@" || return
	here=$(standby_of fra)
	there=$(active_of fra)
	lab_in "$here" netpas drill run "$@" --limit $LIMIT --json >"$LAB_DIR/report"
}
reported() {
	jq -e "$1" "$LAB_DIR/report" >/dev/null && return
	jq 'del(.directions[].timeline)' "$LAB_DIR/report"
	return 1
}
# What a drill may have left at a gateway: losses that are in force, and what is stopped.
faults_of() {
	lab_in "$1" bpftool map dump pinned /sys/fs/bpf/netpas/dp_faults -j |
		jq -r '.[0].formatted.value.until_ns // ([.[0].value[0:8][] | ltrimstr("0x")] | reverse | join("") | "0x" + .)'
}
no_faults() {
	local until now
	until=$(faults_of "$1") && [[ $until ]] || return
	until=$((until))
	now=$(awk '{ printf "%.0f", $1 * 1e9 }' /proc/uptime)
	((until == 0 || until < now)) && return
	echo "until $until, and it is $now"
	return 1
}
stopped_at() {
	lab_in "$1" ps -e -o stat= -o comm= | awk '$1 ~ /^T/ { print $2 }'
}
nothing_left() {
	no_faults "$1" && equal "$(stopped_at "$1")" ""
}
agent_of() {
	lab_in "$1" pgrep -o -x netpas-drill
}
no_agent() {
	! agent_of "$1"
}
