# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Metering: whether it is exact, how long a report takes, what it costs.

. "$(dirname "${BASH_SOURCE[0]}")/../netns/usage.sh"

bench usage_diff_bytes "bytes that records differ from hosts by: 1,000,000 packets, kills, reload, programs exchanged, switchover, power off"
bench usage_month_report "seconds for a month by subnet out of a year of 200 pairs of subnets; beside sqlite3 alone"
bench metering_cost "Gbit/s through the appliance with metering; beside the same programs built without"

USAGE_PACKETS=${USAGE_PACKETS:-1000000}

_usage_reload() {
	local g
	topology_config
	for g in "${GATEWAYS[@]}"; do
		lab_in "$g" netpas reload >/dev/null || return
	done
}
_usage_traffic() {
	traffic_start up1 hfra1 hsin1 10.2.1.2 7000 --rate 2000 --seconds 3600 --size 1200
	traffic_start down1 hsin1 hfra1 10.1.1.2 7000 --rate 2000 --seconds 3600 --size 300
	traffic_start up2 hfra2 hsin2 fd00:10:2:2::2 7000 --rate 2000 --seconds 3600 --size 100
	traffic_start down2 hsin2 hfra2 fd00:10:1:2::2 7000 --rate 2000 --seconds 3600 --size 1100
}
_usage_traffic_stop() {
	local way
	for way in up1 down1 up2 down2; do
		traffic_stop $way
	done
}
# What is metered of it, and what is shown as unbilled, is what hosts have sent and got.
_usage_power() {
	usage_power_begin || return
	_usage_traffic
	traffic_passes hsin1 $(($3 / 2)) 600 && usage_poweroff "$1" "$2" && traffic_passes hsin1 $(($3 / 2)) 600 || return
	_usage_traffic_stop
	lab_wait "far records that agree" 30 usage_power_far &&
		lab_wait "the other gateway's record" 30 usage_power_survivor "$2" &&
		usage_power_dead "$1" && usage_power_reconciles
}
usage_diff_bytes() {
	local near other s k diff=0 packets=0 metered hosts fifth=$((USAGE_PACKETS / 20))
	topology_up || return
	usage_fit && usage_begin || return
	near=$(active_of fra)
	other=$(standby_of fra)
	_usage_traffic
	traffic_passes hsin1 $fifth 600 || return
	lab_in "$near" pkill -9 -x netpas-usage
	lab_kill "$near" netpasd
	SITE_SUBNETS[1]+=$'\n10.1.99.0/24'
	traffic_passes hsin1 $fifth 600 || return
	_usage_reload || return
	traffic_passes hsin1 $fifth 600 || return
	lab_wait "health" 30 healthy "$near" && lab_in "$other" netpas switchover >/dev/null || return
	traffic_passes hsin1 $fifth 600 || return
	_usage_traffic_stop
	lab_wait "records that agree" 30 usage_agrees
	for s in 1 2; do
		for k in 1 2; do
			metered=$(usage_since $s $k) && hosts=$(usage_hosts $s $k) || return
			diff=$((diff + $(awk '{ d = $2 - $6; e = $4 - $8; print (d < 0 ? -d : d) + (e < 0 ? -e : e) }' \
				<<<"$metered $hosts")))
			packets=$((packets + ${hosts%% *}))
		done
	done
	_usage_power "$other" "$near" $fifth || return
	for k in 1 2; do
		hosts=$(usage_less "$(usage_hosts 2 $k)" "${POWER[hosts.$k]}") || return
		packets=$((packets + $(awk '{ print $1 + $3 }' <<<"$hosts")))
	done
	result usage_diff_bytes bytes \
		"both ways, IPv4 and IPv6, both sites' records against $packets packets that hosts sent; netpasd and netpas-usage killed, reload, programs exchanged, switchover; then the active gateway powered off, its last reading $USAGE_DARK_MS ms old, $(awk '{ n += $2 + $4 } END { print n }' <<<"$(printf '%s\n' "${USAGE_RESIDUAL[@]}")") bytes of it shown as unbilled" \
		"[$diff]"
}

# A year of made-up slots.
_usage_year() {
	sqlite3 "$1" <<-END
		PRAGMA journal_mode = OFF;
		PRAGMA synchronous = OFF;
		DELETE FROM period;
		INSERT OR REPLACE INTO epoch VALUES(1, '00000000000000e1', '', 0);
		INSERT OR REPLACE INTO site VALUES(1, 'fra'), (3, 'sin');
		INSERT OR REPLACE INTO node VALUES(1, 'fra-a', 1);
		WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 200)
			INSERT INTO pair SELECT n, 1, 3, 0, '10.1.' || n || '.0/24', '10.2.' || n || '.0/24' FROM s;
		WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 105120)
			INSERT INTO period SELECT n, n, 1735689300 + 300 * n, 0, 0, 0, 300, 1000, 1, '0', 1, 0, 1 FROM s;
		INSERT INTO usage SELECT p.n, pair.n, 100000000, 100000000000, 100000000, 100000000000,
			100000000 + p.n, 100000000000 + (p.n * 7919 + pair.n * 104729) % 1000000007,
			100000000 + p.n, 100000000000 + (p.n * 6101 + pair.n * 7) % 1000000007
			FROM period p CROSS JOIN pair;
		INSERT INTO line SELECT period, 1, 3, sum(out_packets - out_packets0), sum(out_bytes - out_bytes0),
			sum(in_packets - in_packets0), sum(in_bytes - in_bytes0) FROM usage GROUP BY period;
		PRAGMA journal_mode = WAL;
	END
}
_usage_seconds() {
	local begin
	begin=$(date +%s%N)
	"$@" >/dev/null || return
	awk -v ns=$(($(date +%s%N) - begin)) 'BEGIN { printf "%.4f\n", ns / 1e9 }'
}
_usage_alone() {
	sqlite3 "file:$1?mode=ro" "SELECT pair, sum(u.out_bytes - u.out_bytes0), sum(u.in_bytes - u.in_bytes0)
		FROM period p CROSS JOIN usage u ON u.period = p.n
		WHERE p.slot >= 1748736000 AND p.slot < 1751328000 GROUP BY pair"
}
usage_month_report() {
	local dir=$LAB_DIR/year by report=() alone=()
	mkdir -p "$dir"
	# An empty record, as netpas-usage makes it.
	timeout 2 "$BUILD/netpas-usage" "$dir" "$dir" >/dev/null 2>&1
	_usage_year "$dir/usage.db" >/dev/null || return
	for _ in $(seq "$TRIALS"); do
		report+=("$(_usage_seconds "$BUILD/netpas" -s "$dir" usage --from 2025-06 --by subnet --json)")
		alone+=("$(_usage_seconds _usage_alone "$dir/usage.db")")
	done
	rm -rf "$dir"
	result usage_month_report s \
		"netpas usage --from 2025-06 --by subnet: totals, mean, peak, p95 of 200 pairs; a year of 5-minute slots" \
		"$(printf '%s\n' "${report[@]}" | array)" "sqlite3: sums of the same rows" \
		"$(printf '%s\n' "${alone[@]}" | array)"
}

_metering_paths() {
	[[ $(lab_in fra-a netpas paths --json | jq '.peers[] | select(.peer == "sin-a") |
		.paths | all(.alive)') = true ]]
}
metering_cost() {
	local i on=() off=() RELAYS=0 POPS=() path=$PATH
	topology_network
	lab_poweroff fra-b
	lab_poweroff sin-b
	for i in $(seq $((2 * TRIALS))); do
		PATH=$path
		((i % 2)) || PATH=$BUILD/bench/unmetered:$path
		DATAPLANE=auto
		topology_config fra-a sin-a
		topology_start fra-a sin-a
		lab_wait "the appliance" 20 reach hfra1 10.2.1.2 || return
		lab_wait "its paths" 20 _metering_paths || return
		if ((i % 2)); then
			on+=("$(_gbps)")
		else
			off+=("$(_gbps)")
		fi
		_pair_down || return
	done
	PATH=$path
	result metering_cost Gbit/s "iperf3, one TCP stream, host to host; in turn with the baseline" \
		"$(printf '%s\n' "${on[@]}" | array)" "the same with BPF programs built without metering" \
		"$(printf '%s\n' "${off[@]}" | array)"
}
