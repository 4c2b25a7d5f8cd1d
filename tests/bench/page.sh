# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The operator's page: what it weighs, how soon it shows what happened, what viewers cost the daemon.
# Read by run.

bench page_weight "kB that a browser fetches for the page; seconds to its first paint"
bench page_event_delay "seconds from a path's cut, and a gateway's power-off, to the page that shows it"
bench page_viewers "share of a core that netpasd takes with 50 pages open; beside none"

_page_up() {
	# shellcheck disable=SC2034
	GATEWAY_WEB='  allow: [10.1.1.0/24]'
	topology_network
	topology_config
	topology_start
	topology_ready 60 || return
	_page_token=$(<"$LAB_DIR/web.token")
}
_page_url() {
	echo "http://$(gateway_lan4 "$1"):9480/"
}
_page_browser() {
	command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || {
		echo "  there is no Chromium here" >&2
		return 1
	}
	coproc PAGE { lab_in hfra1 "$LAB_HOME/browser" 2>"$LAB_DIR/browser.log"; }
	exec 7<&"${PAGE[0]}" 8>&"${PAGE[1]}"
}
_page_browser_end() {
	eval "exec 8>&- ${PAGE[1]}>&-"
	wait "$PAGE_PID"
}
_page_tell() {
	local line
	echo "$*" >&8
	IFS= read -r -t 60 -u 7 line
	echo "$line"
}
_page_show() {
	_page_tell open "$(_page_url "$1")" >/dev/null
	[[ $(_page_tell eval 'document.getElementById("token") !== null') != *true* ]] ||
		_page_tell login "$_page_token" >/dev/null
	_page_tell wait 10 'document.getElementById("live").textContent === "live"' | jq -e .at >/dev/null
}

page_weight() {
	local weights=() paints=() i load
	_page_up && _page_browser || return
	for i in $(seq "$TRIALS"); do
		_page_show "$(active_of fra)" || return
		load=$(_page_tell load)
		weights+=("$(jq '.bytes / 1000' <<<"$load")")
		paints+=("$(jq '.paint_ms / 1000' <<<"$load")")
	done
	_page_browser_end
	result page_weight kB "all that Chromium fetches for the page, without events; at most 150" \
		"$(printf '%s\n' "${weights[@]}" | array)"
	result page_first_paint s "first contentful paint in headless Chromium; at most 1" \
		"$(printf '%s\n' "${paints[@]}" | array)"
	lab_clear
}

# _page_seen BEGAN EXPRESSION: seconds until the page shows it.
_page_seen() {
	_page_tell wait 20 "$2" | jq -e --argjson began "$1" '(.at - $began) / 1000'
}

page_event_delay() {
	local cuts=() failovers=() i near other far cut provider row began
	_page_up && _page_browser || return
	for i in $(seq "$TRIALS"); do
		near=$(active_of fra)
		far=$(active_of sin)
		_page_show "$near" || return
		cut=$(lab_in "$near" netpas paths --json |
			jq -c --arg peer "$far" '.peers[] | select(.peer == $peer) | .paths[.path]')
		provider=ispa-fra
		[[ $(jq -r .local <<<"$cut") = "$(gateway_private "$near" 1)" ]] || provider=ispb-fra
		row="document.querySelector('tr[data-peer=\"$far\"][data-path=\"$(jq .path <<<"$cut")\"]').dataset.state"
		began=$(date +%s%3N)
		lab_in $provider nft "add table ip cut; add chain ip cut out { type filter hook forward priority 0; };
			add rule ip cut out ip saddr $(jq -r .local <<<"$cut") ip daddr $(jq -r .remote <<<"$cut") drop"
		cuts+=("$(_page_seen "$began" "$row === 'down'")") || return
		lab_in $provider nft delete table ip cut
		_page_tell wait 20 "$row === 'up'" >/dev/null

		other=$(standby_of fra)
		_page_show "$other" || return
		# What its page has open would keep a dead node's namespace for minutes, waiting for an answer.
		lab_sysctl "$near" net/ipv4/tcp_orphan_retries=1
		began=$(date +%s%3N)
		lab_poweroff "$near"
		failovers+=("$(_page_seen "$began" "document.querySelector('[data-gateway=\"$other\"]').dataset.role === 'active'")") || return
		topology_gateway_on "$near"
		topology_ready 60 || return
	done
	_page_browser_end
	result page_event_delay s "from the cut of the path in use to the page that shows it as down; one view a second" \
		"$(printf '%s\n' "${cuts[@]}" | array)"
	result page_event_delay_failover s \
		"from the active gateway's power-off to the other one's page that shows it as active; adverts of 100 ms" \
		"$(printf '%s\n' "${failovers[@]}" | array)"
	lab_clear
}

# _page_cpu NODE SECONDS: share of a core that netpasd takes, in percent.
_page_cpu() {
	local before
	before=$(_page_ticks "$1")
	sleep "$2"
	echo "$(($(_page_ticks "$1") - before)) $2 $(getconf CLK_TCK)" | awk '{ print 100 * $1 / $2 / $3 }'
}
_page_ticks() {
	lab_in "$1" awk '{ print $14 + $15 }' "/proc/$(lab_daemon_pid "$1" netpasd)/stat"
}

page_viewers() {
	local with=() without=() i near viewers
	_page_up || return
	near=$(active_of fra)
	for i in $(seq "$TRIALS"); do
		without+=("$(_page_cpu "$near" 10)")
		lab_in hfra1 "$(dirname "$LAB_HOME")/bench/viewers" "$(_page_url "$near")" "$_page_token" 50 14 >"$LAB_DIR/viewers" &
		viewers=$!
		sleep 2
		with+=("$(_page_cpu "$near" 10)")
		wait $viewers || return
		(($(<"$LAB_DIR/viewers") >= 10)) || { echo "  viewers got $(<"$LAB_DIR/viewers") events in 14 s" >&2; return 1; }
	done
	result page_viewers % "CPU time of netpasd over 10 s while 50 pages are open, 8 paths; 5 more than without at most" \
		"$(printf '%s\n' "${with[@]}" | array)" "no page is open" "$(printf '%s\n' "${without[@]}" | array)"
	lab_clear
}
