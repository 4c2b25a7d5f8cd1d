# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a lab leaves behind; for runners, and outside of it.

# Of a lab that runs beside this one, and has got the number of a namespace that is gone.
_left_elsewhere() { # PID DIR
	local lab
	lab=$( (tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^LAB_INSIDE=//p') 2>/dev/null)
	[[ $lab && $lab != "$2" ]]
}

# left_of DIR: what is left of the lab there: processes in its namespaces that were there before its end, and mounts.
left_of() {
	local inode pid start now left
	now=$(awk '{ print int($1 * 100) }' /proc/uptime)
	for _ in $(seq 50); do
		left=
		while read -r pid inode; do
			grep -qxF "$inode" "$1"/namespaces* 2>/dev/null || continue
			start=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)
			[[ $start && $start -le $now ]] || continue
			! _left_elsewhere "$pid" "$1" || continue
			left+="process $pid ($( (tr '\0' ' ' <"/proc/$pid/cmdline") 2>/dev/null)) is in $inode"$'\n'
		done < <(cd /proc && for p in [0-9]*; do
			echo "$p $(readlink "$p/ns/net")"
			echo "$p $(readlink "$p/ns/pid")"
			echo "$p $(readlink "$p/ns/mnt")"
		done 2>/dev/null | awk 'NF == 2')
		if grep -qF "$1/" /proc/self/mountinfo; then
			left+="mounts of $1"$'\n'
		fi
		[[ $left ]] || return 0
		sleep 0.1
	done
	printf '%s' "$left"
	return 1
}
