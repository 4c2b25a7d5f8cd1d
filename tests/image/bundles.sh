# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Upgrades of machines: bundles of other versions, signed with the image's key, and how one ends. After
# machine.sh.

# bundle_make VERSION [FAULT]: LAB_DIR/VERSION.bundle, of LAB_DIR/VERSION.squashfs.
bundle_make() {
	local root=$LAB_DIR/$1.squashfs
	"$MACHINE_HOME/next" "$IMAGE/root.squashfs" "$root" "$@" &&
		"$MACHINE_HOME/../../firmware-image/bundle" "$root" "$1" "$IMAGE/key.pem" "$LAB_DIR/$1.bundle"
}

# bundles_begin, bundles_end: those of a good version, of one with a netpasd that does not run, of one without init,
# in what the machines leave of the host meanwhile.
GOOD=20980101.0000-ggood
NETPASD=20980202.0000-gnetpasd
INIT=20980303.0000-ginit
bundles_begin() {
	(
		chrt --idle --pid 0 "$BASHPID"
		bundle_make $GOOD && bundle_make $NETPASD netpasd && bundle_make $INIT init
	) >"$LAB_DIR/bundles.said" 2>&1 &
	BUNDLES=$!
}
bundles_end() {
	[[ ${BUNDLES:-} ]] || bundles_begin
	wait "$BUNDLES" && return
	cat "$LAB_DIR/bundles.said"
	return 1
}

# upgrade_send NAME BUNDLE OPTION...: netpas upgrade with the file LAB_DIR/BUNDLE.bundle.
upgrade_send() {
	MACHINE_TIMEOUT=900 machine_run "$1" netpas upgrade - "${@:3}" <"$LAB_DIR/$2.bundle"
}

# upgrade_says NAME FILTER: jq over its status.
upgrade_says() {
	machine_run "$1" netpas upgrade status --json | jq -r "$2"
}

# upgrade_holds NAME FILTER
upgrade_holds() {
	machine_run "$1" netpas upgrade status --json 2>/dev/null | jq -e "$2" >/dev/null 2>&1
}

boot_of() {
	machine_run "$1" cat /proc/sys/kernel/random/boot_id
}

_another_boot() {
	local now
	now=$(boot_of "$1") && [[ $now && $now != "$2" ]]
}

# upgrade_restarts NAME BOOT [SECONDS]: until it has started again since BOOT. Since machine_mark GRUB has said
# what it starts; who asks before only keeps the machine from its end.
upgrade_restarts() {
	lab_wait "$1, starting" "${3:-60}" machine_said "$1" 'Netpas: slot' || return
	_machine_forget "$1"
	machine_up "$1" "${3:-60}" && lab_wait "$1, started again" "${3:-60}" _another_boot "$1" "$2"
}

# slot_of NAME: the slot that it runs from.
slot_of() {
	machine_run "$1" sed -n 's/.*netpas\.slot=\([ab]\).*/\1/p' /proc/cmdline
}

# version_of NAME: of the image that it runs.
version_of() {
	machine_run "$1" sed -n 's/^IMAGE_VERSION=//p' /usr/lib/os-release | tr -d '"'
}
