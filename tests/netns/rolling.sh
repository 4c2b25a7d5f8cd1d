# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# netpas rolling in the lab: gateways whose software can be replaced one by one. Read after topology.sh, whose
# start of the daemons it replaces.

ROLLING_DIR=$LAB_DIR/software
ROLLING_PID=

# rolling_install FILE GATEWAY...: as a package does it, under the old name with a new inode.
rolling_install() {
	local file=$1 g
	shift
	for g; do
		mkdir -p "$ROLLING_DIR/$g"
		install -m 755 "$file" "$ROLLING_DIR/$g/netpasd.new" &&
			mv "$ROLLING_DIR/$g/netpasd.new" "$ROLLING_DIR/$g/netpasd" || return
	done
}

topology_start() {
	local g
	(($#)) || set -- "${GATEWAYS[@]}" "${POPS[@]}"
	for g; do
		[[ -e $ROLLING_DIR/$g/netpasd ]] || rolling_install "$LAB_BUILD/netpasd" "$g"
		lab_daemon -w 20000000 "$g" netpasd "$ROLLING_DIR/$g/netpasd" -v
	done
}

# rolling_buffers GATEWAY...: what overflows while an engine waits for a CPU of this machine is no loss of a
# restart.
rolling_buffers() {
	local g
	for g; do
		[[ $(status "$g" .engine) = user ]] || continue
		# shellcheck disable=SC2016
		lab_in "$g" bash -e -c 'rcvbuf 16777216 $(pgrep '"$ENGINE_PROGRAM"')
			for np in /sys/class/net/np*; do ip link set "${np##*/}" txqueuelen 10000; done' || return
	done
}

# The engines of a gateway that was restarted are new ones.
_rolling_follow() {
	local line
	while read -r line; do
		echo "$line"
		[[ $line = *" s  waiting until "*" is as good"* ]] || continue
		line=${line#*waiting until }
		rolling_buffers "${line%% *}" >/dev/null 2>&1
	done
}

# rolling GATEWAY ARGUMENT...: netpas rolling there. Its exit code.
rolling() {
	local node=$1
	shift
	lab_in "$node" netpas rolling "$@" 2>&1 | _rolling_follow
	return "${PIPESTATUS[0]}"
}

# rolling_says CODE TEXT GATEWAY ARGUMENT...: it ends with this exit code and says so.
rolling_says() {
	local wanted=$1 text=$2 said code=0
	shift 2
	said=$(rolling "$@") || code=$?
	[[ $code = "$wanted" ]] || { echo "exit code $code: $said"; return 1; }
	contains "$said" "$text"
}

# rolling_begin GATEWAY ARGUMENT...: in the background.
rolling_begin() {
	local node=$1
	shift
	: >"$LAB_DIR/rolling.out"
	lab_in "$node" netpas rolling "$@" >"$LAB_DIR/rolling.out" 2>&1 &
	ROLLING_PID=$!
}

# rolling_reaches TEXT: it is at the step that it calls so; the plan, before that, has no times.
rolling_reaches() {
	lab_wait "it" 40 grep -qF " s  $1" "$LAB_DIR/rolling.out" && return
	cat "$LAB_DIR/rolling.out"
	return 1
}

# rolling_ends CODE TEXT
rolling_ends() {
	local code=0
	wait "$ROLLING_PID" || code=$?
	[[ $code = "$1" ]] || { echo "exit code $code: $(<"$LAB_DIR/rolling.out")"; return 1; }
	contains "$(<"$LAB_DIR/rolling.out")" "$2"
}

# rolling_kill SIGNAL: to the command itself: nsenter's child, whose parent is lab_in's shell.
rolling_kill() {
	pkill "-$1" -P "$(pgrep -P "$ROLLING_PID")"
}

rolling_killed() {
	rolling_kill KILL && { wait "$ROLLING_PID" 2>/dev/null; (($? == 137)); }
}
