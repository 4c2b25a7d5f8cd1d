# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The image in emulated machines: how soon it forwards, and what cut power does to an upgrade. Read by run.
# They take the image of build/image. POWER_CUTS=n for another number of cuts than 100.

bench boot_to_forwarding "seconds from power on of a gateway to the first packet that it carries from end to end; share that is ours"
bench upgrade_power_cuts "of 100 power cuts at random moments of an upgrade, how many the machine comes back from"

# One gateway at either end, so that nobody else carries the packet.
boot_to_forwarding() {
	local disk node times=() shares=() i from
	LAB_TIME_SCALE=10 # the lab's own is for what runs here
	# shellcheck source-path=SCRIPTDIR/../image
	. "$(dirname "${BASH_SOURCE[0]}")/../image/sites.sh"
	disk=$(image_file qcow2) || return
	sites_network
	sites_keys
	for node in fra-a sin-a; do
		sites_machine "$node" "$disk" format=qcow2
		machine_on "$node" && machine_up "$node" 60 || return
	done
	lab_wait "both to reach each other" 60 reach hfra1 10.2.1.2 || return
	for ((i = 0; i < TRIALS; i++)); do
		machine_off fra-a
		from=$EPOCHREALTIME
		machine_on fra-a
		lab_wait "a packet" 120 lab_in hfra1 ping -q -c 1 -W 1 10.2.1.2 || return
		times+=("$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')")
		lab_wait "all units" 60 _machines_started fra-a || return
		shares+=("$(_machines_ours fra-a | jq "100 * . / ${times[-1]}")")
	done
	{
		machine_run fra-a systemd-analyze
		machine_run fra-a systemd-analyze blame
		machine_run fra-a systemd-analyze critical-chain netpasd.service
	} >"$OUT/boot-units.txt"
	result boot_to_forwarding s \
		"one emulated CPU (qemu without KVM, another machine idle beside), from power on to a ping's answer from the far host, a second's tries" \
		"$(printf '%s\n' "${times[@]}" | array)"
	result boot_to_forwarding_ours % \
		"share of that in which our own units start (systemd's times of netpas*.service, overlaps counted once)" \
		"$(printf '%s\n' "${shares[@]}" | array)"
}
_machines_started() {
	[[ $(machine_run "$1" systemctl is-system-running) =~ ^(running|degraded)$ ]]
}
# Seconds in which one of our units was being started.
_machines_ours() {
	machine_run "$1" bash -c 'systemctl show -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic \
		$(systemctl list-units --all --plain --no-legend "netpas*.service" | cut -d " " -f 1)' |
		awk -F = '/^InactiveExit/ { from = $2 } /^ActiveEnter/ { to = $2 }
			NF < 2 || /^ActiveEnter/ { if (from && to > from) print from, to; if (to) from = to = 0 }' | sort -n |
		awk '{ if ($1 > end) { sum += $2 - $1; end = $2 } else if ($2 > end) { sum += $2 - end; end = $2 } }
			END { print sum / 1e6 }'
}

upgrade_power_cuts() {
	local cuts=${POWER_CUTS:-100}
	LAB_INSIDE='' "$(dirname "${BASH_SOURCE[0]}")/../image/powercuts" "$cuts" || :
	result upgrade_power_cuts_survived "of $cuts" \
		"SIGKILL of qemu at a random moment of netpas upgrade, its trial boot and confirmation; then a start: SSH answers, a good slot runs, what good slots hold is whole" \
		"$(jq -c '[.survived]' "$LAB_BUILD/image-check/powercuts.json")"
}
