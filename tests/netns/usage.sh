# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What hosts of fra and sin have sent and got, beside what gateways have metered. After topology.sh.

# -- what hosts send and get: each frame on their lines, fragments apart --

# _usage_line NODE DEVICE NAME MATCH...: count what comes in by a device.
_usage_line() {
	lab_in "$1" nft -f - <<-END
		table netdev usage {
			counter $3 { }
			chain $3 {
				type filter hook ingress device "$2" priority 0;
				${*:4} counter name $3
			}
		}
	END
}
usage_lines() {
	local here there
	for here in 1 2; do
		there=$((3 - here))
		_usage_line "c${SITE_NAMES[here]}" h1 sent1 ip daddr 10.$there.1.0/24 || return
		_usage_line "c${SITE_NAMES[here]}" h2 sent2 ip6 daddr fd00:10:$there:2::/64 || return
		_usage_line "h${SITE_NAMES[here]}1" eth0 got1 ip saddr 10.$there.1.0/24 || return
		_usage_line "h${SITE_NAMES[here]}2" eth0 got2 ip6 saddr fd00:10:$there:2::/64 || return
	done
}
# _usage_line_count NODE NAME: "packets bytes"
_usage_line_count() {
	lab_in "$1" nft -j list counter netdev usage "$2" |
		jq -r '[.nftables[].counter // empty][0] | "\(.packets) \(.bytes)"'
}
# usage_hosts SITE K: what the host of that subnet has sent and got.
usage_hosts() {
	echo "$(_usage_line_count "c${SITE_NAMES[$1]}" "sent$2") $(_usage_line_count "h${SITE_NAMES[$1]}$2" "got$2")"
}

# -- what is metered --

usage_local_subnet() {
	[[ $2 = 1 ]] && echo "10.$1.1.0/24" || echo "fd00:10:$1:2::/64"
}
# usage_records SITE: what the two gateways of a site have recorded, in LAB_DIR/NODE.db.
usage_records() {
	local g
	for g in "${SITE_NAMES[$1]}-a" "${SITE_NAMES[$1]}-b"; do
		rm -f "$LAB_DIR/$g.db"
		lab_in "$g" netpas usage export "$LAB_DIR/$g.db" || return
	done
}
# usage_metered SITE K: as usage_hosts, by the records of both gateways.
usage_metered() {
	usage_records "$1" || return
	lab_in "${SITE_NAMES[$1]}-a" netpas usage merge --by subnet --json \
		"$LAB_DIR/${SITE_NAMES[$1]}-a.db" "$LAB_DIR/${SITE_NAMES[$1]}-b.db" |
		jq -r --arg local "$(usage_local_subnet "$1" "$2")" --arg remote "$(usage_local_subnet $((3 - $1)) "$2")" '
			[.rows[] | select(.local == $local and .remote == $remote)] |
			"\(map(.out_packets) | add // 0) \(map(.out_bytes) | add // 0) " +
			"\(map(.in_packets) | add // 0) \(map(.in_bytes) | add // 0)"'
}
declare -A BEGUN # SITE.K -> metered
# usage_since SITE K: usage_metered, since usage_begin() was called.
usage_since() {
	awk -v before="${BEGUN[$1.$2]}" '{ split(before, b)
		print $1 - b[1], $2 - b[2], $3 - b[3], $4 - b[4] }' <<<"$(usage_metered "$1" "$2")"
}
# Every gateway has read its counters after now.
usage_newer() {
	local g now=${NOW:-0}
	for g in "${GATEWAYS[@]}"; do
		holds "$g" ".usage.recorded_ms > $now and .usage.error == \"\"" || return
	done
}
usage_begin() {
	local s k
	NOW=$(date +%s%3N)
	lab_wait "readings" 10 usage_newer && usage_lines || return
	for s in 1 2; do
		for k in 1 2; do
			BEGUN[$s.$k]=$(usage_metered $s $k) || return
		done
	done
}
usage_agrees() {
	local s k
	for s in 1 2; do
		for k in 1 2; do
			equal "$(usage_since $s $k)" "$(usage_hosts $s $k)" || return
		done
	done
}

# What is too big for a tunnel is refused by the gateway, and not carried.
usage_fit() {
	local h
	for h in hfra1 hfra2 hsin1 hsin2; do
		lab_in $h ip link set eth0 mtu 1400 || return
	done
}
