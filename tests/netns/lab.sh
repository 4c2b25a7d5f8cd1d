# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A lab of network nodes on one machine, for bash scripts to source.
#
# Everything is held by processes, nothing by names in the file system:
#
#	script --> unshare: the lab (own pid, mount, network namespaces), the script again as pid 1
#	             `-> unshare: a node (own pid, mount, network, uts, ipc namespaces), `sleep` as pid 1
#
# Each arrow kills downwards (parent-death signals, the end of a pid namespace), so however the
# script ends, kill -9 included, every process, namespace, link and mount of the lab goes with it;
# the machine's own namespaces never see any of it.
#
# A node has its own /run, /sys and /proc; its /etc/netpas and /var/lib/netpas are directories of
# the lab's work directory, LAB_DIR/NODE/etc and LAB_DIR/NODE/state; logs are LAB_DIR/NODE/*.log.
#
# Start with lab_begin "$@"; what follows runs inside the lab.

set -uo pipefail

LAB_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_BUILD=${BUILD:-$(cd "$LAB_HOME/../.." && pwd)/build}
[[ $LAB_BUILD = /* ]] || LAB_BUILD=$PWD/$LAB_BUILD
LAB_NAME=${LAB_NAME:-$(basename "$0" .test)}
LAB_DIR=$LAB_BUILD/lab/run/$LAB_NAME
export PATH=$LAB_BUILD:$LAB_BUILD/lab:$PATH:/usr/sbin:/sbin
export LC_ALL=C

# How much longer everything takes here than on bare metal: deadlines, and intervals whose missing
# means death, are that much longer. 1 unless the host is an emulator.
LAB_TIME_SCALE=${LAB_TIME_SCALE:-1}
# Milliseconds between two looks of lab_wait, at first and at most.
LAB_POLL=${LAB_POLL:-20}
LAB_POLL_MAX=${LAB_POLL_MAX:-250}

declare -A LAB_PID    # node -> its pid 1, in the lab's pid namespace
declare -A LAB_BRIDGE # node -> its bridge device, where it is a switch
LAB_LINKS=()	      # "node if node if mtu number", as made

lab_die() {
	echo "lab: $*" >&2
	exit 1
}

# lab_begin "$@": go on inside a lab of our own. Called once, before anything else.
lab_begin() {
	local child status=0
	if [[ ${LAB_INSIDE:-} = "$LAB_DIR" ]]; then
		_lab_inside
		return
	fi
	[[ $EUID = 0 ]] || lab_die "needs root"
	mkdir -p "$LAB_BUILD/lab/run"
	exec 9>"$LAB_DIR.lock"
	flock -n 9 || lab_die "'$LAB_NAME' is running already (set LAB_NAME for another one)"
	rm -rf "$LAB_DIR"
	mkdir -p "$LAB_DIR"
	LAB_INSIDE=$LAB_DIR setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child \
		--mount-proc env --default-signal=INT,QUIT bash "$0" "$@" <&0 9>&- &
	child=$!
	trap 'kill -KILL $child; wait $child 2>/dev/null; exit 130' INT TERM HUP
	echo $child >"$LAB_DIR/outer.pid"
	wait $child || status=$?
	exit $status
}

# In the lab: places for the nodes' private directories, without touching the machine's.
_lab_inside() {
	trap 'exit 130' INT TERM HUP
	mkdir -p "$LAB_DIR/.etc"
	mount -t tmpfs tmpfs "$LAB_DIR/.etc"
	cp -a /etc/. "$LAB_DIR/.etc/"
	mkdir -p "$LAB_DIR/.etc/netpas"
	mount --bind "$LAB_DIR/.etc" /etc
	mount -t tmpfs -o mode=755 tmpfs /var/lib
	mkdir /var/lib/netpas
	ip link set lo up
	readlink /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/mnt >"$LAB_DIR/namespaces"
}

# lab_node NODE...: make nodes, all at once.
lab_node() {
	local node dir pid
	local -A starting=()
	for node; do
		dir=$LAB_DIR/$node
		rm -rf "$dir"
		mkdir -p "$dir/etc" "$dir/state"
		# shellcheck disable=SC2016
		unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc \
			bash -c '
			set -e
			hostname "$1"
			mount -t sysfs sysfs /sys
			mount -t tmpfs -o mode=755 tmpfs /run
			mkdir -p /run/netpas /run/wireguard /run/lock
			mount --bind "$2/etc" /etc/netpas
			mount --bind "$2/state" /var/lib/netpas
			ip link set lo up
			readlink /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/mnt >"$2/../namespaces.$1"
			echo >"$2/up"
			exec env --ignore-signal=CHLD sleep infinity' node "$node" "$dir" \
			</dev/null >"$dir/node.log" 2>&1 &
		starting[$node]=$!
		disown $!
	done
	for node in "${!starting[@]}"; do
		dir=$LAB_DIR/$node
		pid=
		lab_wait "node $node" 10 test -e "$dir/up" || {
			cat "$dir/node.log" >&2
			lab_die "node $node did not start"
		}
		pid=$(pgrep -P "${starting[$node]}") || lab_die "node $node ended"
		rm -f "$dir/up"
		echo "$pid" >"$dir/pid"
		LAB_PID[$node]=$pid
	done
}

# lab_in NODE COMMAND...: run in the node, in the foreground.
lab_in() {
	local node=$1
	shift
	[[ ${LAB_PID[$node]:-} ]] || { echo "lab: no node $node" >&2; return 125; }
	nsenter --target "${LAB_PID[$node]}" --mount --net --pid --uts --ipc -- "$@"
}

# lab_ip NODE <<lines: a batch of ip(8) commands.
lab_ip() {
	lab_in "$1" ip -batch - || lab_die "ip: failed on $1"
}

# lab_sysctl NODE PATH=VALUE...: paths below /proc/sys, with slashes.
lab_sysctl() {
	local node=$1
	shift
	# shellcheck disable=SC2016
	lab_in "$node" bash -c 'for s; do echo "${s#*=}" >"/proc/sys/${s%%=*}" || exit; done' sysctl "$@"
}

# lab_bridge NODE: a node that is a switch.
lab_bridge() {
	lab_node "$@"
	local node
	for node; do
		LAB_BRIDGE[$node]=br0
		lab_sysctl "$node" net/ipv6/conf/all/disable_ipv6=1 net/ipv6/conf/default/disable_ipv6=1
		lab_ip "$node" <<-END
			link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
			link set br0 up
		END
	done
}

# lab_link NODE IF NODE IF [MTU]: a cable. The end at a switch becomes a port of it. The hardware
# addresses are the cable's for ever: a machine that is powered on again has those it had.
lab_link() {
	local number=$((${#LAB_LINKS[@]} + 1))
	LAB_LINKS+=("$1 $2 $3 $4 ${5:-1500} $number")
	_lab_link "$1" "$2" "$3" "$4" "${5:-1500}" $number
}

_lab_link() {
	local i mac
	printf -v mac '02:00:00:%s:%02x:0' "${7:-00}" "$6"
	ip link add name "$2" mtu "$5" address "${mac}1" netns "${LAB_PID[$1]}" type veth \
		peer name "$4" mtu "$5" address "${mac}2" netns "${LAB_PID[$3]}" ||
		lab_die "link $1 $2 - $3 $4"
	for i in "$1 $2" "$3 $4"; do
		# shellcheck disable=SC2086
		_lab_plug $i
		# shellcheck disable=SC2086
		set -- $i
		lab_ip "$1" <<<"link set $2 up"
	done
}

_lab_plug() {
	[[ -z ${LAB_BRIDGE[$1]:-} ]] || lab_ip "$1" <<<"link set $2 master ${LAB_BRIDGE[$1]}"
}

# lab_offload_off NODE IF...: transmit checksum offload off, so that checksums on it are real.
lab_offload_off() {
	local node=$1
	shift
	lab_in "$node" offload "$@" || lab_die "$node: cannot turn the checksum offload of $* off"
}

# lab_xdp_pass NODE IF...: let XDP programs at the other ends of these cables send.
lab_xdp_pass() {
	local node=$1
	shift
	lab_in "$node" pass "$@" || lab_die "$node: no XDP program on $*"
}

# The other ends of a node's links (of one of them): "node if" lines.
_lab_far_ends() {
	local a ai b bi rest
	for rest in "${LAB_LINKS[@]}"; do
		read -r a ai b bi rest <<<"$rest"
		[[ $a = "$1" && ${2:-$ai} = "$ai" ]] && echo "$b $bi"
		[[ $b = "$1" && ${2:-$bi} = "$bi" ]] && echo "$a $ai"
	done
	return 0
}

# lab_cut NODE IF: nothing passes the cable any more, and at a switch neither end sees its carrier
# go; lab_mend undoes it.
lab_cut() {
	local far if
	while read -r far if; do
		if [[ ${LAB_BRIDGE[$far]:-} ]]; then
			lab_ip "$far" <<<"link set $if nomaster"
		else
			lab_ip "$far" <<<"link set $if down"
		fi
	done < <(_lab_far_ends "$1" "$2")
}

lab_mend() {
	local far if
	while read -r far if; do
		_lab_plug "$far" "$if"
		lab_ip "$far" <<<"link set $if up"
	done < <(_lab_far_ends "$1" "$2")
}

# lab_poweroff NODE: gone between two packets; nobody is told.
lab_poweroff() {
	local far if pid=${LAB_PID[$1]} cuts=()
	while read -r far if; do
		if [[ ${LAB_BRIDGE[$far]:-} ]]; then
			lab_in "$far" ip link set "$if" nomaster &
		else
			lab_in "$far" ip link set "$if" down &
		fi
		cuts+=($!)
	done < <(_lab_far_ends "$1")
	wait "${cuts[@]}"
	kill -KILL "$pid"
	unset "LAB_PID[$1]"
	lab_wait "end of $1" 10 _lab_gone "$pid"
}

_lab_gone() {
	! kill -0 "$1" 2>/dev/null
}

# lab_poweron NODE [OCTET]: the node again, empty but for its directories, with its links; addresses
# are the caller's. OCTET (two hex digits): another machine in its place, whose hardware addresses
# have this in them.
lab_poweron() {
	local node=$1 keep=$LAB_DIR/.keep.$1 a ai b bi mtu number link
	rm -rf "$keep"
	mv "$LAB_DIR/$node" "$keep"
	lab_node "$node"
	cp -a "$keep/etc/." "$LAB_DIR/$node/etc/"
	cp -a "$keep/state/." "$LAB_DIR/$node/state/"
	for link in "${LAB_LINKS[@]}"; do
		read -r a ai b bi mtu number <<<"$link"
		[[ $a = "$node" || $b = "$node" ]] || continue
		lab_wait "the old $a $ai" 10 _lab_link_gone "$a" "$ai" "$b" "$bi"
		_lab_link "$a" "$ai" "$b" "$bi" "$mtu" "$number" "${2:-}"
	done
}

_lab_link_gone() {
	! lab_in "$1" test -e "/sys/class/net/$2" && ! lab_in "$3" test -e "/sys/class/net/$4"
}

# lab_daemon [-1] [-w USEC] NODE NAME COMMAND...: run it supervised, as a service manager would:
# restarted 100 ms after a failure, with a notify socket (-w: and a watchdog). -1: not restarted.
# Its output goes to LAB_DIR/NODE/NAME.log, what happened to LAB_DIR/NODE/NAME.events.
lab_daemon() {
	local options=()
	while [[ $1 = -* ]]; do
		options+=("$1")
		[[ $1 != -w ]] || { options+=("$2"); shift; }
		shift
	done
	local node=$1 name=$2
	shift 2
	rm -f "$LAB_DIR/$node/$name.pid"
	nsenter --target "${LAB_PID[$node]}" --mount --net --pid --uts --ipc -- \
		supervisor "${options[@]}" "$LAB_DIR/$node/$name" "$@" </dev/null &
	disown $!
	lab_wait "start of $name on $node" 10 test -s "$LAB_DIR/$node/$name.pid"
}

# Pid of a daemon as the node sees it.
lab_daemon_pid() {
	cat "$LAB_DIR/$1/$2.pid" 2>/dev/null
}

# lab_kill NODE NAME [SIGNAL=KILL]: to the daemon; its supervisor starts it again.
lab_kill() {
	lab_in "$1" kill "-${3:-KILL}" "$(lab_daemon_pid "$1" "$2")"
}

# lab_stop NODE NAME: SIGTERM to the daemon, and no restart. Waits for its end.
lab_stop() {
	local pid
	pid=$(cat "$LAB_DIR/$1/$2.supervisor") || return
	lab_in "$1" kill -TERM "$pid" 2>/dev/null || return 0
	lab_wait "end of $2 on $1" 30 _lab_gone_in "$1" "$pid"
}

_lab_gone_in() {
	! lab_in "$1" kill -0 "$2" 2>/dev/null
}

# lab_event NODE NAME TEXT: the supervisor has seen it, such as "notify READY=1".
lab_event() {
	grep -qF -- "$3" "$LAB_DIR/$1/$2.events" 2>/dev/null
}

# lab_wait DESCRIPTION SECONDS COMMAND...: until the command succeeds; complains and fails if it
# does not in time. The command's output is thrown away. Who has waited long looks more seldom, as each
# look takes time from what it waits for: what it finds is late by a sixteenth of the wait.
lab_wait() {
	local what=$1 begin=${EPOCHREALTIME/./} limit=$(($2 * 1000 * LAB_TIME_SCALE)) waited pause
	shift 2
	until "$@" >/dev/null 2>&1; do
		waited=$(((${EPOCHREALTIME/./} - begin) / 1000))
		if ((waited > limit)); then
			echo "# waited in vain for: $what" >&2
			return 1
		fi
		pause=$((waited / 16))
		pause=$((pause < LAB_POLL ? LAB_POLL : pause > LAB_POLL_MAX ? LAB_POLL_MAX : pause))
		printf -v pause %d.%03d $((pause / 1000)) $((pause % 1000))
		sleep "$pause"
	done
}

# lab_term PID: end a background lab_in: the command inside gets SIGTERM, and is waited for.
lab_term() {
	local enter

	# bash, whose child is nsenter, whose child is the command; it may have ended by itself
	enter=$(pgrep -P "$1") && pkill -TERM -P "$enter"
	wait "$1"
}

# lab_clear: end all nodes, also those that a subshell made.
lab_clear() {
	local file pid
	for file in "$LAB_DIR"/*/pid; do
		[[ -e $file ]] || continue
		pid=$(cat "$file")
		kill -KILL "$pid" 2>/dev/null
		lab_wait "the end of $file" 10 _lab_gone "$pid"
		rm -f "$file"
	done
	LAB_PID=()
	LAB_LINKS=()
	LAB_BRIDGE=()
}

# lab_shell [NODE]: a shell in the lab, or in a node; enter is a command in it.
lab_shell() {
	export LAB_DIR LAB_HOME
	if [[ ${1:-} ]]; then
		lab_in "$1" env PS1="$1# " bash --norc --noprofile -i
	else
		env PS1="lab# " PATH="$LAB_HOME:$PATH" bash --norc --noprofile -i
	fi
}
