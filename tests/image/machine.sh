# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Virtual machines as nodes of the lab, for scripts that have sourced ../netns/lab.sh.
#
#	node "switch": bridges, one for each segment        machines: qemu, in that namespace
#	  bridge -- tap "fra-a.0" ------------------------- virtio-net of fra-a
#	  bridge -- veth (lab_link) -- another node
#
# A machine is emulated without KVM on purpose: the same everywhere. It has one CPU, as five share the host's; its
# thread is its own. All of them end with the lab, as every process of it does.
#
# lab_in, and with it whatever asks a node something, reaches a machine by SSH, at an address that the
# script gives. Power goes off by SIGKILL: what the guest has not flushed may be lost, as qemu holds the
# tables of the overlay back until then.

MACHINE_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MACHINE_MEMORY=${MACHINE_MEMORY:-512}
# The plainest CPU is the fastest to emulate (tests/vm/run).
MACHINE_CPU=${MACHINE_CPU:-qemu64,+rdrand}
MACHINE_FIRMWARE=${MACHINE_FIRMWARE:-/usr/share/OVMF}
# Sockets: on the lab's own tmpfs, as their paths have to be short.
MACHINE_RUN=/var/lib/machines

declare -A MACHINE_ADDRESS # name -> where SSH reaches it
declare -A MACHINE_SEEN	   # name -> bytes of its console before it was switched on last
declare -A MACHINE_ON	   # name -> when that was, in seconds
MACHINES=()		   # all names

# lab_in of the lab's namespaces, and this one for both.
eval "_machine_namespace_$(declare -f lab_in)"
lab_in() {
	if [[ ${MACHINE_ADDRESS[$1]:-} ]]; then
		machine_run "$@"
	else
		_machine_namespace_lab_in "$@"
	fi
}

# machine_switch BRIDGE...: the node that all machines are plugged into, with these segments.
machine_switch() {
	local bridge
	mkdir -p "$MACHINE_RUN"
	[[ -e $LAB_DIR/id ]] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$LAB_DIR/id" || lab_die "no SSH key"
	lab_node switch
	lab_sysctl switch net/ipv6/conf/all/disable_ipv6=1 net/ipv6/conf/default/disable_ipv6=1
	for bridge; do
		lab_ip switch <<-END
			link add $bridge type bridge stp_state 0 forward_delay 0 mcast_snooping 0
			link set $bridge up
		END
	done
}

# machine_plug NODE IF BRIDGE: a cable from a node of the lab to a segment.
machine_plug() {
	lab_link "$1" "$2" switch "$1.$2"
	lab_ip switch <<<"link set $1.$2 master $3"
}

# machine_mac NAME NIC: its hardware address.
machine_mac() {
	local i
	for i in "${!MACHINES[@]}"; do
		[[ ${MACHINES[i]} != "$1" ]] || printf '52:54:00:00:%02x:%02x\n' $((i + 1)) "$2"
	done
}

# machine_name NAME...: so that their hardware addresses are known before they are made.
machine_name() {
	MACHINES+=("$@")
}

# machine_new NAME DISK WORD=VALUE...: a machine, switched off, with an overlay over the image DISK.
#	format=raw|qcow2|vmdk|vpc	of DISK (raw)
#	size=SIZE			of the overlay (that of DISK)
#	firmware=bios|uefi		(bios)
#	bus=virtio|scsi|nvme|pvscsi|ahci	that the disk is at (virtio)
#	card=virtio|vmxnet3		of the network (virtio)
#	seed=FILE			another disk, read only
#	data=NAME:FILE			one more, read only, whose serial number is NAME; may be given again
#	smbios=TEXT			of -smbios, may be given again
#	nic=BRIDGE			a network card there, in order
machine_new() {
	local name=$1 disk=$2 dir=$LAB_DIR/$1 word tap n=0
	local format=raw size='' firmware=bios bus=virtio card=virtio seed=''
	local -a qemu cards=() more=()
	shift 2
	mkdir -p "$dir"
	qemu=(qemu-system-x86_64 -name "$name" -machine q35,hpet=off -accel "tcg,thread=single"
		-cpu "$MACHINE_CPU" -smp 1 -m "$MACHINE_MEMORY" -nodefaults -no-user-config
		-display none -rtc base=utc -device virtio-rng-pci
		-device i6300esb -action watchdog=reset
		-qmp "unix:$MACHINE_RUN/$name.qmp,server=on,wait=off"
		-chardev "socket,id=console,path=$MACHINE_RUN/$name.console,server=on,wait=off,logfile=$dir/console.log,logappend=on"
		-serial chardev:console)
	for word; do
		case $word in
		format=*) format=${word#*=} ;;
		size=*) size=${word#*=} ;;
		firmware=*) firmware=${word#*=} ;;
		bus=*) bus=${word#*=} ;;
		card=*) card=${word#*=} ;;
		seed=*) seed=${word#*=} ;;
		data=*) more+=("${word#*=}") ;;
		smbios=*) qemu+=(-smbios "${word#*=}") ;;
		nic=*) cards+=("${word#*=}") ;;
		*) lab_die "machine_new: $word" ;;
		esac
	done
	qemu-img create -q -f qcow2 -b "$disk" -F "$format" "$dir/disk.qcow2" ${size:+"$size"} ||
		lab_die "no overlay over $disk"
	qemu+=(-drive "if=none,id=disk,format=qcow2,cache=writeback,discard=unmap,file=$dir/disk.qcow2")
	case $bus in
	virtio) qemu+=(-device virtio-blk-pci,drive=disk,bootindex=1) ;;
	scsi) qemu+=(-device virtio-scsi-pci,id=scsi -device scsi-hd,bus=scsi.0,drive=disk,bootindex=1) ;;
	pvscsi) qemu+=(-device pvscsi,id=scsi -device scsi-hd,bus=scsi.0,drive=disk,bootindex=1) ;;
	nvme) qemu+=(-device "nvme,serial=$name,drive=disk,bootindex=1") ;;
	ahci) qemu+=(-device ide-hd,bus=ide.0,drive=disk,bootindex=1) ;;
	*) lab_die "machine_new: bus=$bus" ;;
	esac
	[[ -z $seed ]] || qemu+=(-drive "if=none,id=seed,format=raw,readonly=on,file=$seed"
		-device virtio-blk-pci,drive=seed)
	for word in "${more[@]}"; do
		qemu+=(-drive "if=none,id=${word%%:*},format=raw,readonly=on,file=${word#*:}"
			-device "virtio-blk-pci,drive=${word%%:*},serial=${word%%:*}")
	done
	if [[ $firmware = uefi ]]; then
		cp "$MACHINE_FIRMWARE/OVMF_VARS_4M.fd" "$dir/variables.fd" || lab_die "no UEFI firmware: install ovmf"
		qemu+=(-drive "if=pflash,format=raw,unit=0,readonly=on,file=$MACHINE_FIRMWARE/OVMF_CODE_4M.fd"
			-drive "if=pflash,format=raw,unit=1,file=$dir/variables.fd")
	fi
	# Two pairs of queues: XDP wants one of its own for each CPU.
	for word in "${cards[@]}"; do
		tap=$name.$n
		lab_ip switch <<-END
			tuntap add dev $tap mode tap $([[ $card != virtio ]] || echo multi_queue)
			link set $tap master $word up
		END
		if [[ $card = virtio ]]; then
			qemu+=(-netdev "tap,id=n$n,ifname=$tap,script=no,downscript=no,vhost=off,queues=2"
				-device "virtio-net-pci,netdev=n$n,mac=$(machine_mac "$name" $n),mq=on,vectors=6,rx_queue_size=1024,romfile=")
		else
			qemu+=(-netdev "tap,id=n$n,ifname=$tap,script=no,downscript=no,vhost=off"
				-device "$card,netdev=n$n,mac=$(machine_mac "$name" $n),romfile=")
		fi
		n=$((n + 1))
	done
	printf '%s\0' "${qemu[@]}" >"$dir/qemu"
}

# machine_on NAME [OPTION...]: switch it on, with more options for qemu.
machine_on() {
	local name=$1 dir=$LAB_DIR/$1
	local -a qemu
	shift
	mapfile -d '' qemu <"$dir/qemu"
	touch "$dir/console.log"
	rm -f "$MACHINE_RUN/$name.qmp"
	MACHINE_SEEN[$name]=$(stat -c %s "$dir/console.log")
	MACHINE_ON[$name]=$EPOCHREALTIME
	nsenter --net="/proc/${LAB_PID[switch]}/ns/net" "${qemu[@]}" "$@" </dev/null >>"$dir/qemu.log" 2>&1 &
	LAB_PID[$name]=$!
	disown $!
	lab_wait "qemu of $name" 1 machine_qmp "$name" query-status || {
		cat "$dir/qemu.log" >&2
		unset "LAB_PID[$name]"
		return 1
	}
}

# machine_off NAME: its power goes, between two instructions.
machine_off() {
	local pid=${LAB_PID[$1]}
	kill -KILL "$pid"
	unset "LAB_PID[$1]"
	_machine_forget "$1"
	lab_wait "the end of $1" 2 _lab_gone "$pid"
}

# machine_reset NAME: its reset button.
machine_reset() {
	machine_qmp "$1" system_reset
	_machine_forget "$1"
}

# machine_pause NAME: it stands still, its clock too, and costs nothing, until machine_resume NAME.
machine_pause() {
	_machine_forget "$1"
	machine_qmp "$1" stop >/dev/null
}
machine_resume() {
	machine_qmp "$1" cont >/dev/null
}

# machine_qmp NAME COMMAND [JSON]: to qemu; prints its answer.
machine_qmp() {
	"$MACHINE_HOME/qmp" "$MACHINE_RUN/$1.qmp" "${@:2}"
}

# machine_run NAME COMMAND...: by SSH, for two minutes at most. One connection serves all commands; to make it, where
# there is none and the machine is on, is tried for two more.
machine_run() {
	local name=$1 deadline=$((SECONDS + 120))
	shift
	[[ ${LAB_PID[$name]:-} ]] || return 125
	until [[ -S $MACHINE_RUN/$name.ssh ]] || _machine_ssh "$name" -MNf >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 125
		sleep 1
	done
	_machine_ssh "$name" -- "$(printf '%q ' "$@")"
}

_machine_ssh() {
	local name=$1
	shift
	nsenter --net="/proc/${LAB_PID[switch]}/ns/net" timeout -k 5 "${MACHINE_TIMEOUT:-120}" \
		ssh -F none -i "$LAB_DIR/id" -o BatchMode=yes -o ConnectTimeout=60 -o LogLevel=ERROR \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o ServerAliveInterval=5 -o ServerAliveCountMax=6 \
		-o "ControlPath=$MACHINE_RUN/$name.ssh" "root@${MACHINE_ADDRESS[$name]}" "$@"
}

# The connection to a machine that is not there any more.
_machine_forget() {
	[[ ! -S $MACHINE_RUN/$1.ssh ]] || _machine_ssh "$1" -O exit >/dev/null 2>&1
	rm -f "$MACHINE_RUN/$1.ssh"
}

# machine_said NAME TEXT: its console has shown that since it was switched on last, or since machine_mark.
machine_said() {
	tail -c "+$((MACHINE_SEEN[$1] + 1))" "$LAB_DIR/$1/console.log" | tr -d '\r' | grep -qaE -- "$2"
}

# machine_mark NAME: what its console has said so far does not count any more.
machine_mark() {
	MACHINE_SEEN[$1]=$(stat -c %s "$LAB_DIR/$1/console.log")
}

# machine_type NAME LINE: at its console.
machine_type() {
	"$MACHINE_HOME/type" "$MACHINE_RUN/$1.console" "$2"
}

# machine_up NAME SECONDS: until it answers by SSH. Its port is asked first: what a firewall swallows while
# the machine starts is not waited for, and nobody shakes hands in vain.
machine_up() {
	lab_wait "SSH of $1" "$2" _machine_listens "$1" && lab_wait "$1" "$2" machine_run "$1" true
}

_machine_listens() {
	nsenter --net="/proc/${LAB_PID[switch]}/ns/net" timeout 1 bash -c ": <>/dev/tcp/${MACHINE_ADDRESS[$1]}/22"
}

# machine_age NAME: seconds since it was switched on.
machine_age() {
	awk -v from="${MACHINE_ON[$1]}" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'
}

# machine_work NAME: seconds of a CPU that it has had since then, which other load of the host does not change.
machine_work() {
	awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.1f", ($12 + $13) / tick }' "/proc/${LAB_PID[$1]}/stat"
}

# The kernel's complaints on all consoles, of all boots.
machine_complaints() {
	local name
	for name in "${MACHINES[@]}"; do
		[[ ! -e $LAB_DIR/$name/console.log ]] ||
			grep -aE 'Oops|BUG:|WARNING: CPU|Call Trace|general protection|soft lockup' \
				"$LAB_DIR/$name/console.log" | sed "s/^/$name: /"
	done
}
