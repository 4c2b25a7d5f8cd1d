# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The appliance image: how long it takes, how large it is, whether it can be repeated. Read by run.

bench image_build "minutes to build the image with nothing built or fetched before; MB of the qcow2"
bench image_identical "1 if a second build, in another directory, gives the same bytes"

_image_make() {
	# With the machine's packages and network, which the lab hides. Of its own make: what was handed to this one is
	# none of its business.
	nsenter --mount=/proc/self/fd/7 --net=/proc/self/fd/8 env -u MAKEFLAGS -u MAKELEVEL -u BUILD \
		make --no-print-directory -C "$LAB_HOME/../.." \
		BUILD="${LAB_BUILD#"$(realpath "$LAB_HOME/../..")"/}/bench/image" "$@" >"$LAB_DIR/image.log" 2>&1 || {
		tail -n 20 "$LAB_DIR/image.log" >&2
		return 1
	}
}

image_build() {
	local began ended
	rm -rf "$OUT/image"
	began=$EPOCHREALTIME
	_image_make image || return
	ended=$EPOCHREALTIME
	result image_build min "make image: packages fetched, programs compiled, all formats; at most 15" \
		"[$(awk -v began="$began" -v ended="$ended" 'BEGIN { print (ended - began) / 60 }')]"
	result image_size MB "the compressed qcow2, 10^6 bytes; at most 150" \
		"[$(stat -L -c %s "$OUT/image/image/netpas.qcow2" | awk '{ print $1 / 1e6 }')]"
}

image_identical() {
	_image_make image-twice || return
	grep -E '^[0-9a-f]{64}  .*\.raw$' "$LAB_DIR/image.log" >&2
	result image_identical 1 "sums of squashfs, disk, all formats, manifest and SBOM of two builds" "[1]"
}
