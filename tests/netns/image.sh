# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Gateways of the lab as appliances: two slots and the ESP as files of each, GRUB by its own configuration, a
# restart as a power cut. Read after rolling.sh. What the appliance's units do is done here: netpas-upgrade-job.path
# and the start of a machine by image_work, the trial and what was left half-way by image_start.

export NETPAS_MACHINE=/var/lib/netpas/machine
IMAGE_KEY=$LAB_DIR/image.key
IMAGE_MIB=${IMAGE_MIB:-3}
declare -A IMAGE_PROGRAM # version -> its netpasd

image_dir() {
	echo "$LAB_DIR/$1/state/machine"
}

# A squashfs as far as anybody looks, of IMAGE_MIB.
_image_make() { # VERSION FILE
	{
		printf 'hsqs%12s%s\n' '' "$1"
		head -c $((IMAGE_MIB * 1000000)) /dev/urandom
	} >"$2"
	truncate -s "${IMAGE_MIB}M" "$2"
}

_image_version() { # SLOT-FILE
	dd if="$1" bs=1 skip=16 count=64 status=none | head -n 1
}

# image_prepare: once, before the daemons start. There is no systemctl in a node.
image_prepare() {
	openssl genpkey -algorithm ed25519 -out "$IMAGE_KEY" 2>/dev/null &&
		openssl pkey -in "$IMAGE_KEY" -pubout -out "$LAB_DIR/image.pub" || return
	mkdir -p "$LAB_DIR/bin"
	printf '#!/bin/sh\n[ "$1" != reboot ] || echo >%s/reboot\n' "$NETPAS_MACHINE" >"$LAB_DIR/bin/systemctl"
	chmod 755 "$LAB_DIR/bin/systemctl"
	PATH=$LAB_DIR/bin:$PATH
}

# image_bundle VERSION NETPASD: LAB_DIR/VERSION.bundle
image_bundle() {
	IMAGE_PROGRAM[$1]=$2
	_image_make "$1" "$LAB_DIR/image" &&
		firmware-image/bundle "$LAB_DIR/image" "$1" "$IMAGE_KEY" "$LAB_DIR/$1.bundle"
}

# image_factory VERSION NETPASD GATEWAY...: they run it in slot a.
image_factory() {
	local version=$1 g dir
	IMAGE_PROGRAM[$1]=$2
	shift 2
	for g; do
		dir=$(image_dir "$g")
		mkdir -p "$dir/grub" && cp firmware-image/grubenv "$dir/grub/grubenv" &&
			cp firmware-image/grubenv "$dir/grub/grubenv.bak" && cp "$LAB_DIR/image.pub" "$dir/keys" &&
			_image_make "$version" "$dir/slot-a" && truncate -s $((IMAGE_MIB + 1))M "$dir/slot-b" "$dir/slot-a" &&
			_image_boot "$g" || return
	done
}

# What GRUB starts, as that machine sees itself then.
_image_boot() {
	local dir said version
	dir=$(image_dir "$1")
	said=$(tests/unit/grub "$dir") || return
	version=$(_image_version "$dir/slot-${said%% *}")
	echo "$1 starts slot $said, $version"
	printf 'ro netpas.slot=%s%s\n' "${said%% *}" "${said#?}" | sed 's/ trial$/ netpas.trial=1/' >"$dir/cmdline"
	printf 'IMAGE_ID=netpas\nIMAGE_VERSION="%s"\n' "$version" >"$dir/os-release"
	cat /proc/sys/kernel/random/uuid >"$dir/boot-id"
	rm -f "$dir/reboot"
	rolling_install "${IMAGE_PROGRAM[$version]}" "$1"
}

# netpas-trial.service or netpas-boot-check.service, then netpas-rolling.service.
_image_services() {
	{ lab_wait "tunnels of $1" 20 tunnels_up "$1" && rolling_buffers "$1"; } >/dev/null 2>&1 &
	lab_in "$1" netpas upgrade confirm --boot --soak 1 --deadline "${IMAGE_DEADLINE:-15}" &&
		lab_in "$1" netpas rolling resume
	echo "$1: the last exit code is $?"
}

# image_start GATEWAY: power off, and on again.
image_start() {
	lab_poweroff "$1" && _image_boot "$1" && topology_gateway_on "$1" || return
	_image_services "$1" >>"$LAB_DIR/$1.start.log" 2>&1 &
}

# image_work GATEWAY...: what their service managers would do now.
image_work() {
	local g
	for g; do
		if [[ -e /proc/${LAB_PID[$g]}/root/run/netpas/image-job.json ]]; then
			lab_in "$g" netpas upgrade job >>"$LAB_DIR/$g.job.log" 2>&1 &
		fi
		[[ ! -e $(image_dir "$g")/reboot ]] || image_start "$g" || return
	done
}

# image_follow SECONDS COMMAND...: the pair's machines work until the command is true.
image_follow() {
	local deadline=$((SECONDS + $1 * LAB_TIME_SCALE))
	shift
	until "$@" >/dev/null 2>&1; do
		image_work fra-a fra-b || return
		((SECONDS < deadline)) || { image_logs; echo "in vain: $*"; return 1; }
		sleep 0.1
	done
}

image_logs() {
	local file
	for file in "$LAB_DIR"/rolling.out "$LAB_DIR"/fra-?.{job,start}.log; do
		[[ ! -e $file ]] || { echo "== ${file##*/}"; cat "$file"; }
	done
}

# image_holds GATEWAY FILTER: of netpas upgrade status; image_run GATEWAY FILTER: of the rolling upgrade's record.
image_holds() {
	lab_in "$1" netpas upgrade status --json | jq -e "$2" >/dev/null
}
image_run() {
	lab_in "$1" netpas rolling status --json | jq -e "$2" >/dev/null
}
