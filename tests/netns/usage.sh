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
	# An engine may hand over several packets as one, which a counter takes for one: apart on the way to the LAN.
	for h in "${GATEWAYS[@]}"; do
		lab_offload_off "$h" lan0
	done
}

# -- what each gateway was given, and gave, on its LAN: frames to and from its own address --

_usage_mac() {
	lab_in "$1" cat /sys/class/net/lan0/address
}
# usage_switch_count SITE: from now on, at the site's switch.
usage_switch_count() {
	local n=${SITE_NAMES[$1]} there=$((3 - $1)) g mac
	for g in "$n-a" "$n-b"; do
		mac=$(_usage_mac "$g") || return
		lab_in "lan-$n" nft -f - <<-END || return
			table bridge usage {
				counter ${g#*-}_out1 { }
				counter ${g#*-}_out2 { }
				counter ${g#*-}_in1 { }
				counter ${g#*-}_in2 { }
				chain $g {
					type filter hook forward priority 0;
					oifname "gw${g#*-}" ether daddr $mac ip daddr 10.$there.1.0/24 counter name ${g#*-}_out1
					oifname "gw${g#*-}" ether daddr $mac ip6 daddr fd00:10:$there:2::/64 counter name ${g#*-}_out2
					iifname "gw${g#*-}" ether saddr $mac ip saddr 10.$there.1.0/24 counter name ${g#*-}_in1
					iifname "gw${g#*-}" ether saddr $mac ip6 saddr fd00:10:$there:2::/64 counter name ${g#*-}_in2
				}
			}
		END
	done
}
# usage_switched GATEWAY K: as usage_hosts.
usage_switched() {
	local g=${1#*-}
	lab_in "lan-${1%-*}" nft -j list counters table bridge usage | jq -r --arg g "$g" --arg k "$2" '
		[.nftables[].counter // empty] | map({(.name): "\(.packets) \(.bytes)"}) | add |
		"\(.[$g + "_out" + $k]) \(.[$g + "_in" + $k])"'
}

# usage_metered_by GATEWAY K: as usage_metered, of one gateway. A gateway without power is asked by its disk.
usage_metered_by() {
	local s=${SITE_OF[$1]}
	rm -f "$LAB_DIR/$1.db"
	if [[ ${LAB_PID[$1]:-} ]]; then
		lab_in "$1" netpas usage export "$LAB_DIR/$1.db" || return
	else
		netpas -s "$LAB_DIR/$1/state" usage export "$LAB_DIR/$1.db" || return
	fi
	netpas usage merge --by subnet --json "$LAB_DIR/$1.db" |
		jq -r --arg local "$(usage_local_subnet "$s" "$2")" --arg remote "$(usage_local_subnet $((3 - s)) "$2")" '
			[.rows[] | select(.local == $local and .remote == $remote)] |
			"\(map(.out_packets) | add // 0) \(map(.out_bytes) | add // 0) " +
			"\(map(.in_packets) | add // 0) \(map(.in_bytes) | add // 0)"'
}
# usage_less "A..." "B...": number by number.
usage_less() {
	awk -v b="$2" '{ n = split(b, less); for (i = 1; i <= n; i++) printf "%d%s", $i - less[i], i < n ? " " : "\n" }' <<<"$1"
}

# -- a gateway loses its power --
#
# Its counters are gone, and with them what it carried after the last reading on its disk: that is the
# residual. So equality is this, for each pair of subnets, packets and bytes:
#
#   the far site, whose records are whole		metered = what its hosts sent, and what they got
#   the gateway that goes on			metered = what passed between it and its LAN
#   the dead one				metered = that, less the residual; which is what passed after
#						a moment that its record is known to reach at most
#   a report of all records			metered at the near site, less what is shown as unbilled,
#						= what the far site's hosts got; likewise what they sent

declare -A POWER # what of -> counts before
declare -a USAGE_RESIDUAL
USAGE_DARK_MS=
# Nothing moves: from now on.
usage_power_begin() {
	local k g
	NOW=$(date +%s%3N)
	lab_wait "readings" 10 usage_newer && usage_switch_count 1 && usage_records 1 && usage_records 2 || return
	for k in 1 2; do
		POWER[far.$k]=$(usage_metered 2 $k) && POWER[hosts.$k]=$(usage_hosts 2 $k) &&
			POWER[merged.$k]=$(usage_merged $k) || return
		for g in fra-a fra-b; do
			POWER[$g.$k]=$(usage_metered_by $g $k) || return
		done
	done
}
# usage_merged K: "out unbilled in unbilled", bytes of fra's subnet by a report of the four records in LAB_DIR.
usage_merged() {
	netpas usage merge --by subnet --json "$LAB_DIR"/{fra-a,fra-b,sin-a,sin-b}.db |
		jq -r --arg local "$(usage_local_subnet 1 "$1")" --arg remote "$(usage_local_subnet 2 "$1")" '
			[.rows[] | select(.local == $local and .remote == $remote)] | first |
			"\(.out_bytes) \(.unbilled_out_bytes) \(.in_bytes) \(.unbilled_in_bytes)"'
}
_usage_reading() {
	holds "$1" ".usage.recorded_ms > $2 and .usage.error == \"\""
}
# usage_poweroff GATEWAY OTHER: under traffic, until that flows again by the other one.
usage_poweroff() {
	local k at
	for k in 1 2; do
		POWER[passed.$k]=$(usage_switched "$1" $k) || return
	done
	at=$(date +%s%3N)
	lab_wait "a reading" 10 _usage_reading "$1" "$at" || return
	lab_poweroff "$1"
	USAGE_DARK_MS=$(($(date +%s%3N) - $(usage_last_ms "$1")))
	lab_wait "the other gateway" 15 holds "$2" '.role == "active"' && traffic_passes hsin1 1000 &&
		traffic_passes hfra2 1000
}
# What its disk says: when it was last read.
usage_last_ms() {
	sqlite3 "file:$LAB_DIR/$1/state/usage.db?mode=ro" 'SELECT last_ms FROM period ORDER BY n DESC LIMIT 1'
}
usage_power_far() {
	local k
	for k in 1 2; do
		equal "$(usage_less "$(usage_metered 2 $k)" "${POWER[far.$k]}")" \
			"$(usage_less "$(usage_hosts 2 $k)" "${POWER[hosts.$k]}")" || return
	done
}
usage_power_survivor() {
	local k
	for k in 1 2; do
		equal "$(usage_less "$(usage_metered_by "$1" $k)" "${POWER[$1.$k]}")" "$(usage_switched "$1" $k)" || return
	done
}
# usage_residual GATEWAY K: what passed, less what is recorded.
usage_residual() {
	usage_less "$(usage_switched "$1" "$2")" "$(usage_less "$(usage_metered_by "$1" "$2")" "${POWER[$1.$2]}")"
}
usage_power_dead() {
	local k
	for k in 1 2; do
		USAGE_RESIDUAL[k]=$(usage_residual "$1" $k) || return
		# In its last moments it may count what it gives to a LAN that is cut off already.
		awk -v most="$(usage_less "$(usage_switched "$1" $k)" "${POWER[passed.$k]}")" '{
			n = split(most, m)
			for (i = 1; i <= n; i++)
				bad += $i > m[i] || $i < -m[i]
			exit bad || !n
		}' <<<"${USAGE_RESIDUAL[k]}" || {
			echo "residual ${USAGE_RESIDUAL[k]}"
			return 1
		}
	done
}
usage_power_reconciles() {
	local k
	usage_records 2 || return
	for k in 1 2; do
		equal "$(usage_less "$(usage_merged $k)" "${POWER[merged.$k]}" | awk '{ print $1 - $2, $3 + $4 }')" \
			"$(usage_less "$(usage_hosts 2 $k)" "${POWER[hosts.$k]}" | awk '{ print $4, $2 }')" || return
	done
}
usage_power_cut() {
	usage_records 1 && [[ $(netpas usage merge --json "$LAB_DIR/$1.db" | jq .slots.cut) = 1 ]] &&
		contains "$(netpas usage merge "$LAB_DIR/$1.db")" "up to a second is not recorded"
}
