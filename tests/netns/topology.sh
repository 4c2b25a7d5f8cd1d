# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Two sites (SITES=3: three) joined over an Internet of several routers. For site S (1 fra, 2 sin,
# 3 nyc), X being its name:
#
#	hX1 10.S.1.2  fd00:10:S:1::2 --.                  lan-X           .-- X-a lan0 172.16.S.2
#	hX2 10.S.2.2  fd00:10:S:2::2 --+-- cX 172.16.S.1 --[switch]-------+   VIP      172.16.S.254
#	hX3 10.S.99.2 fd00:10:S:99::2 -'    |  fd00:16:S::1               '-- X-b lan0 172.16.S.3
#	    (no subnet of the mesh)         | own uplink 198.18.S.2               |
#	                                    |                                     | wan0 10.200.S.10, .11
#	                     web -- x1 -- ispa-X ---------[switch wan-X]----------+      10.200.S.12, .13
#	          198.51.100.80     x2 -- ispb-X -------------'
#
# RELAYS=n (up to 3): pop1 at x1 (198.51.101.2), pop2 at x2 (198.51.102.2), pop3 at x1 (198.51.103.2).
#
# LINES="NAME...": these links of the Internet are WAN lines (docs/wan-emulator.md), which
# topology_wanem sets while everything runs:
#	ispa-X, ispb-X, popN	the access of that provider or relay; ab: to it, ba: from it
#	core			between x1 and x2; ab: to x2
#	transit1, transit2	at x1, x2: what comes there from a site and is for another one, and not
#				for a relay, goes round by it; ab: from the site of the lower number
#
# The gateways' WAN addresses are private; ispa-X maps the first of each to 203.0.113.(16S+2),
# .(16S+3), ispb-X the second to 192.0.2.(16S+2), .(16S+3), one to one and without state, as clouds
# do. Customers reach the web by their own router's uplink (source NAT there), also from site to
# site: 198.18.S.2 port 5201 is hX1's, and passes the same routers as the tunnels do.

. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

SITES=${SITES:-2}
RELAYS=${RELAYS:-0}
LINES=${LINES:-}
DATAPLANE=${DATAPLANE:-auto} # of all nodes
ENGINE=${ENGINE:-user} # user: wireguard-go; netpas: netpas-wg; kernel
[[ $ENGINE = netpas ]] && ENGINE_PROGRAM=netpas-wg || ENGINE_PROGRAM=wireguard-go
export ENGINE_PROGRAM
MESH_MTU=${MESH_MTU:-1420}
# All nodes of the lab share the CPUs, and answer each other's probes: where emulation makes those slow,
# probes are as much more seldom as adverts are.
MESH_PROBE=${MESH_PROBE:-$((LAB_TIME_SCALE > 10 ? 100 : 10 * LAB_TIME_SCALE))ms}
MESH_ADVERT=${MESH_ADVERT:-$((LAB_TIME_SCALE > 10 ? 1000 : 100 * LAB_TIME_SCALE))ms}
MESH_VRRP=${MESH_VRRP:-advert: $MESH_ADVERT} # of all sites
SITE_NAMES=(- fra sin nyc)
WEB=198.51.100.80
GATEWAYS=()	       # of all sites
POPS=()		       # the relays
declare -A SITE_OF     # gateway -> number of its site
declare -A GATEWAY_ID  # gateway -> its id
declare -A SITE_SUBNETS # site's number -> lines of its "subnets:" list
MESH_LANES=${MESH_LANES:-} # the "lanes:" list, in brackets
MESH_POLICIES=${MESH_POLICIES:-} # lines of the "policies:" list
GATEWAY_ALLOW=${GATEWAY_ALLOW:-} # lines of node.yaml's "allow:" list
GATEWAY_WEB=${GATEWAY_WEB:-} # lines of node.yaml's "web:" section; the token is LAB_DIR/web.token

for _s in $(seq 1 "$SITES"); do
	for _g in a b; do
		_n=${SITE_NAMES[_s]}-$_g
		GATEWAYS+=("$_n")
		SITE_OF[$_n]=$_s
		GATEWAY_ID[$_n]=$((_s * 2 - ($([[ $_g = a ]] && echo 1 || echo 0))))
	done
	SITE_SUBNETS[$_s]="10.$_s.1.0/24
10.$_s.2.0/24
fd00:10:$_s:1::/64
fd00:10:$_s:2::/64"
done
for _s in $(seq 1 "$RELAYS"); do
	POPS+=("pop$_s")
done
unset _s _g _n

# 0 for gateway a, 1 for gateway b.
_second() {
	[[ $1 = *-b ]] && echo 1 || echo 0
}

gateway_lan4() { echo "172.16.${SITE_OF[$1]}.$((2 + $(_second "$1")))"; }
gateway_lan6() { echo "fd00:16:${SITE_OF[$1]}::$((2 + $(_second "$1")))"; }
# gateway_private NODE 1|2, gateway_public NODE 1|2
gateway_private() { echo "10.200.${SITE_OF[$1]}.$((9 + 2 * $(_second "$1") + $2))"; }
gateway_public() {
	local net=203.0.113
	[[ $2 = 1 ]] || net=192.0.2
	echo "$net.$((SITE_OF[$1] * 16 + 2 + $(_second "$1")))"
}

# The whole network without Netpas.
topology_network() {
	local s n bridges=() nodes=(x1 x2 web "${POPS[@]}")
	for s in $(seq 1 "$SITES"); do
		n=${SITE_NAMES[s]}
		bridges+=("lan-$n" "wan-$n")
		nodes+=("c$n" "h${n}1" "h${n}2" "h${n}3" "ispa-$n" "ispb-$n" "$n-a" "$n-b")
	done
	lab_bridge "${bridges[@]}"
	lab_node "${nodes[@]}"
	if [[ $LINES ]]; then
		lab_node lines
		lab_sysctl lines net/ipv6/conf/all/disable_ipv6=1 net/ipv6/conf/default/disable_ipv6=1
	fi
	_topology_core
	for s in $(seq 1 "$SITES"); do
		_topology_site "$s"
	done
	for n in transit1 transit2; do
		! _is_line $n || _topology_transit $n
	done
	for n in "${POPS[@]}"; do
		_topology_relay "$n"
	done
	_topology_offload
}

_topology_router() {
	lab_sysctl "$1" net/ipv4/ip_forward=1 net/ipv6/conf/all/forwarding=1 \
		net/ipv6/conf/all/accept_dad=0 net/ipv6/conf/default/accept_dad=0 \
		net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0
}

_is_line() {
	[[ " $LINES " = *" $1 "* ]]
}

# _topology_link NAME NODE IF NODE IF: a link of the Internet, with a line in the middle if it is one.
_topology_link() {
	if ! _is_line "$1"; then
		lab_link "$2" "$3" "$4" "$5"
		return
	fi
	lab_link "$2" "$3" lines "$1-a"
	lab_link lines "$1-b" "$4" "$5"
	lab_daemon lines "$1" wanem -c "$LAB_DIR/lines/$1.ctl" "$1-a" "$1-b"
	lab_wait "the line $1" 5 topology_wanem "$1" stats || lab_die "no line $1"
}

# topology_wanem LINE SETTING...|stats|show|reset: to the emulator of the line.
topology_wanem() {
	local line=$1
	shift
	wanem ctl "$LAB_DIR/lines/$line.ctl" "$@"
}

# Both ends are at the same router, and what comes out of it is routed on as from anywhere. The
# neighbour is given by hand: nobody asks himself.
_topology_transit() {
	local x=x${1#transit}
	lab_sysctl "$x" net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/default/rp_filter=0
	_topology_link "$1" "$x" east "$x" west
	lab_sysctl "$x" net/ipv4/conf/east/rp_filter=0 net/ipv4/conf/west/rp_filter=0
	lab_ip "$x" <<-END
		neigh add 100.67.0.2 lladdr $(lab_in "$x" cat /sys/class/net/west/address) dev east nud permanent
		neigh add 100.67.0.1 lladdr $(lab_in "$x" cat /sys/class/net/east/address) dev west nud permanent
		route add default via 100.67.0.2 dev east onlink table 101
		route add default via 100.67.0.1 dev west onlink table 102
	END
	topology_transit "$1" add
}

# topology_transit TRANSIT add|del: traffic goes round by it, or straight through the router.
topology_transit() {
	local a b prefix
	for a in $(seq 1 "$SITES"); do
		for b in $(seq 1 "$SITES"); do
			[[ $a != "$b" ]] || continue
			for prefix in "203.0.113.$((b * 16))/28" "192.0.2.$((b * 16))/28" "198.18.$b.0/30"; do
				lab_ip "x${1#transit}" <<-END
					rule $2 pref 100 iif ${SITE_NAMES[a]} to $prefix lookup $((a < b ? 101 : 102))
				END
			done
		done
	done
}

_topology_core() {
	_topology_router x1
	_topology_router x2
	_topology_link core x1 x2 x2 x1
	lab_link x1 web web eth0
	lab_ip x1 <<-END
		addr add 100.66.0.1/30 dev x2
		addr add 198.51.100.1/24 dev web
		route add 192.0.2.0/24 via 100.66.0.2
	END
	lab_ip x2 <<-END
		addr add 100.66.0.2/30 dev x1
		route add default via 100.66.0.1
	END
	lab_ip web <<-END
		addr add $WEB/24 dev eth0
		route add default via 198.51.100.1
	END
}

_topology_site() {
	local s=$1 n=${SITE_NAMES[$1]} h g
	local c=c$n a=ispa-$n b=ispb-$n other

	# the Internet's side
	_topology_router "$a"
	_topology_router "$b"
	_topology_link "$a" x1 "$n" "$a" x1
	_topology_link "$b" x2 "$n" "$b" x2
	lab_link "$a" wan "wan-$n" ispa
	lab_link "$b" wan "wan-$n" ispb
	lab_link "$a" cust "$c" up0
	lab_ip x1 <<-END
		addr add 100.64.$s.1/30 dev $n
		route add 203.0.113.$((s * 16))/28 via 100.64.$s.2
		route add 198.18.$s.0/30 via 100.64.$s.2
	END
	lab_ip x2 <<-END
		addr add 100.65.$s.1/30 dev $n
		route add 192.0.2.$((s * 16))/28 via 100.65.$s.2
	END
	lab_ip "$a" <<-END
		addr add 100.64.$s.2/30 dev x1
		addr add 10.200.$s.1/24 dev wan
		addr add 198.18.$s.1/30 dev cust
		route add default via 100.64.$s.1
	END
	lab_ip "$b" <<-END
		addr add 100.65.$s.2/30 dev x2
		addr add 10.200.$s.2/24 dev wan
		route add default via 100.65.$s.1
	END
	lab_in "$a" nft -f - <<-END
		table ip provider {
			chain forward {
				type filter hook forward priority filter;
				iifname cust ip daddr 10.200.0.0/16 drop
			}
		}
	END
	_topology_nat "$a" x1 1 "$s"
	_topology_nat "$b" x2 2 "$s"

	# the customer's side
	_topology_router "$c"
	lab_link "$c" lan "lan-$n" router
	lab_ip "$c" <<-END
		addr add 172.16.$s.1/24 dev lan
		addr add fd00:16:$s::1/64 dev lan nodad
		addr add 198.18.$s.2/30 dev up0
		route add default via 198.18.$s.1
	END
	lab_in "$c" nft -f - <<-END
		table ip customer {
			chain in {
				type nat hook prerouting priority dstnat;
				iifname up0 tcp dport 5201-5209 dnat to 10.$s.1.2
				iifname up0 udp dport 5201-5209 dnat to 10.$s.1.2
			}
			chain out {
				type nat hook postrouting priority srcnat;
				oifname up0 snat to 198.18.$s.2
			}
		}
	END
	for other in $(seq 1 "$SITES"); do
		[[ $other != "$s" ]] || continue
		lab_ip "$c" <<-END
			route add 10.$other.0.0/16 via 172.16.$s.254
			route add fd00:10:$other::/48 via fd00:16:$s::fe
		END
	done
	for h in 1 2 99; do
		_topology_host "$s" "$h" "h$n${h/99/3}"
	done

	for g in "$n-a" "$n-b"; do
		lab_link "$g" lan0 "lan-$n" "gw${g##*-}"
		lab_link "$g" wan0 "wan-$n" "gw${g##*-}"
		topology_gateway_network "$g"
	done
}

# _topology_host SITE NUMBER NAME: a host on a subnet of its own of the site's router.
_topology_host() {
	local s=$1 h=$2 host=$3 router=c${SITE_NAMES[$1]}
	lab_sysctl "$host" net/ipv6/conf/all/accept_dad=0 net/ipv6/conf/default/accept_dad=0
	lab_link "$router" "h$h" "$host" eth0
	lab_ip "$router" <<-END
		addr add 10.$s.$h.1/24 dev h$h
		addr add fd00:10:$s:$h::1/64 dev h$h nodad
	END
	lab_ip "$host" <<-END
		addr add 10.$s.$h.2/24 dev eth0
		addr add fd00:10:$s:$h::2/64 dev eth0 nodad
		route add default via 10.$s.$h.1
		route add default via fd00:10:$s:$h::1
	END
}

# The router of the Internet that a relay is at, and its address.
relay_router() { [[ $1 = pop2 ]] && echo x2 || echo x1; }
relay_public() { echo "198.51.10${1#pop}.2"; }
relay_id() { echo "$((100 + ${1#pop}))"; }

_topology_relay() {
	local net=198.51.10${1#pop} x
	x=$(relay_router "$1")
	_topology_link "$1" "$x" "$1" "$1" wan0
	lab_ip "$x" <<<"addr add $net.1/30 dev $1"
	[[ $x = x1 ]] || lab_ip x1 <<<"route add $net.0/30 via 100.66.0.2"
	lab_ip "$1" <<-END
		addr add $net.2/30 dev wan0
		route add default via $net.1
	END
}

# What the cloud gives a gateway: addresses, a default route, and for its second address its own.
topology_gateway_network() {
	local g=$1 s=${SITE_OF[$1]}
	lab_ip "$g" <<-END
		addr add $(gateway_lan4 "$g")/24 dev lan0
		addr add $(gateway_lan6 "$g")/64 dev lan0 nodad
		addr add $(gateway_private "$g" 1)/24 dev wan0
		addr add $(gateway_private "$g" 2)/24 dev wan0
		route add default via 10.200.$s.1
		route add default via 10.200.$s.2 table 200
		rule add pref 200 from $(gateway_private "$g" 2) lookup 200
	END
}

# Stateless: a cloud's mapping has no flows either, and no port ever changes.
_topology_nat() {
	local node=$1 outside=$2 which=$3 g s=$4 in='' out=''
	for g in "${GATEWAYS[@]}"; do
		[[ ${SITE_OF[$g]} = "$s" ]] || continue
		in+="$(gateway_public "$g" "$which") : $(gateway_private "$g" "$which"), "
		out+="$(gateway_private "$g" "$which") : $(gateway_public "$g" "$which"), "
	done
	lab_in "$node" nft -f - <<-END
		table ip cloud {
			chain in {
				type filter hook prerouting priority raw;
				iifname $outside ip daddr set ip daddr map { $in }
			}
			chain out {
				type filter hook postrouting priority srcnat;
				oifname $outside ip saddr set ip saddr map { $out }
			}
		}
	END
}

_topology_offload() {
	local s n
	for s in $(seq 1 "$SITES"); do
		n=${SITE_NAMES[s]}
		lab_offload_off "wan-$n" ispa ispb gwa gwb
		lab_offload_off "ispa-$n" wan x1
		lab_offload_off "ispb-$n" wan x2
		lab_offload_off "$n-a" wan0
		lab_offload_off "$n-b" wan0
		lab_offload_off x1 "$n"
		lab_offload_off x2 "$n"
	done
	lab_offload_off x1 x2
	lab_offload_off x2 x1
	for n in "${POPS[@]}"; do
		lab_offload_off "$(relay_router "$n")" "$n"
		lab_offload_off "$n" wan0
	done
	[[ $DATAPLANE = native || $DATAPLANE = generic ]] || return 0
	for s in $(seq 1 "$SITES"); do
		lab_xdp_pass "wan-${SITE_NAMES[s]}" gwa gwb
	done
	for n in "${POPS[@]}"; do
		if _is_line "$n"; then
			lab_xdp_pass lines "$n-b"
		else
			lab_xdp_pass "$(relay_router "$n")" "$n"
		fi
	done
}

# -- Netpas on it --

_keygen() {
	if [[ -x $LAB_BUILD/netpas ]]; then
		netpas keygen "$1" >/dev/null
	else
		(umask 077 && wg genkey >"$1")
	fi
}

_pubkey() {
	if [[ -x $LAB_BUILD/netpas ]]; then
		netpas pubkey "$1"
	else
		wg pubkey <"$1"
	fi
}

# topology_config [GATEWAY...]: write mesh.yaml and node.yaml of these (all) gateways from
# the variables above; keys are made once.
topology_config() {
	local g
	local -a which=("$@")
	(($#)) || which=("${GATEWAYS[@]}" "${POPS[@]}")
	for g in "${GATEWAYS[@]}" "${POPS[@]}"; do
		[[ -e $LAB_DIR/$g.key ]] || _keygen "$LAB_DIR/$g.key" || lab_die "no key for $g"
		[[ -e $LAB_DIR/$g.pub ]] || _pubkey "$LAB_DIR/$g.key" >"$LAB_DIR/$g.pub"
	done
	[[ -z $GATEWAY_WEB || -e $LAB_DIR/web.token ]] || _keygen "$LAB_DIR/web.token"
	topology_mesh >"$LAB_DIR/mesh.yaml"
	for g in "${which[@]}"; do
		cp "$LAB_DIR/mesh.yaml" "$LAB_DIR/$g/etc/mesh.yaml"
		install -m 600 "$LAB_DIR/$g.key" "$LAB_DIR/$g/etc/private.key"
		[[ -z $GATEWAY_WEB ]] || install -m 600 "$LAB_DIR/web.token" "$LAB_DIR/$g/etc/web.token"
		topology_node "$g" >"$LAB_DIR/$g/etc/node.yaml"
	done
}

topology_mesh() {
	local s g
	cat <<-END
		mesh: lab
		mtu: $MESH_MTU
		probes: {fast: $MESH_PROBE}
	END
	[[ -z $MESH_LANES ]] || echo "lanes: $MESH_LANES"
	echo "sites:"
	for s in $(seq 1 "$SITES"); do
		cat <<-END
		  - name: ${SITE_NAMES[s]}
		    lan:
		      prefixes: [172.16.$s.0/24, "fd00:16:$s::/64"]
		      routers: [172.16.$s.1, "fd00:16:$s::1"]
		      vips: [172.16.$s.254, "fd00:16:$s::fe"]
		    vrrp: {id: $((50 + s)), $MESH_VRRP}
		    subnets:
		END
		sed 's/.*/      - "&"/' <<<"${SITE_SUBNETS[$s]}"
		echo "    gateways:"
		for g in "${GATEWAYS[@]}"; do
			[[ ${SITE_OF[$g]} = "$s" ]] || continue
			cat <<-END
			      - name: $g
			        id: ${GATEWAY_ID[$g]}
			        public_key: $(cat "$LAB_DIR/$g.pub")
			        lan: [$(gateway_lan4 "$g"), "$(gateway_lan6 "$g")"]
			        wan:
			          - {public: $(gateway_public "$g" 1), private: $(gateway_private "$g" 1)}
			          - {public: $(gateway_public "$g" 2), private: $(gateway_private "$g" 2)}
			END
		done
	done
	((RELAYS == 0)) || echo "relays:"
	for g in "${POPS[@]}"; do
		echo "  - {name: $g, id: $(relay_id "$g"), public_key: $(cat "$LAB_DIR/$g.pub")," \
			"wan: [$(relay_public "$g")]}"
	done
	[[ -z $MESH_POLICIES ]] || printf 'policies:\n%s\n' "$MESH_POLICIES"
}

_engine_word() {
	case $ENGINE in
	user) echo wireguard-go ;;
	netpas) echo user ;;
	*) echo "$ENGINE" ;;
	esac
}
topology_node() {
	cat <<-END
		node: $1
		key: private.key
	END
	if [[ $1 = pop* ]]; then
		echo "interfaces: {wan: [wan0]}"
		return
	fi
	cat <<-END
		interfaces: {lan: lan0, wan: [wan0]}
		engine: $(_engine_word)
		dataplane: $DATAPLANE
	END
	[[ -z $GATEWAY_ALLOW ]] || printf 'allow:\n%s\n' "$GATEWAY_ALLOW"
	[[ -z $GATEWAY_WEB ]] || printf 'web:\n%s\n' "$GATEWAY_WEB"
}

# topology_start [NODE...]: netpasd on these (all) gateways and relays.
topology_start() {
	local g
	(($#)) || set -- "${GATEWAYS[@]}" "${POPS[@]}"
	for g; do
		lab_daemon "$g" netpasd netpasd -v
	done
}

# status NODE FILTER: jq over what netpas says of the node.
status() {
	lab_in "$1" netpas status --json | jq -r "$2"
}

# holds NODE FILTER: the filter is true of the status.
holds() {
	lab_in "$1" netpas status --json 2>/dev/null | jq -e "$2" >/dev/null 2>&1
}

# The gateway of a site that says it is active, and the one that does not.
active_of() {
	local g
	for g in "$1-a" "$1-b"; do
		[[ ${LAB_PID[$g]:-} ]] && holds "$g" '.role == "active"' && { echo "$g"; return 0; }
	done
	return 1
}

standby_of() {
	local active
	active=$(active_of "$1") || return
	[[ $active = *-a ]] && echo "$1-b" || echo "$1-a"
}

# Every tunnel of the node is alive.
tunnels_up() {
	holds "$1" '(.tunnels | length) > 0 and all(.tunnels[]; .alive)'
}

# One gateway of the site is active and holds all VIPs, the other one is standby.
pair_settled() {
	local a
	a=$(active_of "$1") || return
	holds "$a" 'all(.vips[]; .held)' || return
	[[ $a = "$1-a" ]] && a=$1-b || a=$1-a
	[[ -z ${LAB_PID[$a]:-} ]] || holds "$a" '.role == "standby"'
}

# healthy NODE: it has no fault that counts, nor has had one lately.
healthy() {
	holds "$1" '.health.severity == 0'
}

# Remote sites are followed to the gateway that is active there.
_followed() {
	local g s active
	for g in "${GATEWAYS[@]}"; do
		[[ ${LAB_PID[$g]:-} ]] || continue
		for s in $(seq 1 "$SITES"); do
			[[ $s != "${SITE_OF[$g]}" ]] || continue
			active=$(active_of "${SITE_NAMES[s]}") || return
			holds "$g" ".sites[] | select(.name == \"${SITE_NAMES[s]}\") | .gateway == \"$active\"" ||
				return
		done
	done
}

# topology_ready [SECONDS]: tunnels up, pairs settled, followed, and hosts reach each other.
topology_ready() {
	local g s deadline=${1:-20}
	for g in "${GATEWAYS[@]}"; do
		[[ ${LAB_PID[$g]:-} ]] || continue
		lab_wait "tunnels of $g" "$deadline" tunnels_up "$g" || return
	done
	for s in $(seq 1 "$SITES"); do
		lab_wait "one active gateway at ${SITE_NAMES[s]}" "$deadline" \
			pair_settled "${SITE_NAMES[s]}" || return
	done
	lab_wait "the gateways to follow each other" "$deadline" _followed || return
	for s in $(seq 2 "$SITES"); do
		lab_wait "a ping from hfra1 to h${SITE_NAMES[s]}1" 10 reach hfra1 "10.$s.1.2" &&
			lab_wait "an IPv6 ping from hfra1" 10 reach hfra1 "fd00:10:$s:1::2" || return
	done
}

# topology_up: all of it.
topology_up() {
	topology_network
	topology_config
	topology_start
	topology_ready "$@"
}

# topology_gateway_on NODE [OCTET]: power on what lab_poweroff ended.
topology_gateway_on() {
	lab_poweron "$@"
	lab_offload_off "$1" wan0
	lab_offload_off "wan-${SITE_NAMES[SITE_OF[$1]]}" "gw${1##*-}"
	topology_gateway_network "$1"
	topology_start "$1"
}

# reach NODE ADDRESS [PING OPTIONS]: one of three pings is answered.
reach() {
	local node=$1 address=$2
	shift 2
	lab_in "$node" ping -q -n -c 3 -i 0.1 -W 1 "$@" "$address" >/dev/null 2>&1
}

# Not even one of three.
unreachable() {
	! reach "$@"
}

# -- traffic --

# traffic_start NAME FROM TO ADDRESS PORT SEND-OPTIONS...: numbered packets in the background;
# traffic_end NAME waits for the end of both and leaves LAB_DIR/NAME.recv and .send (JSON).
# An emulator that stalls for a second would drop what its queues do not hold, so it gets less.
TRAFFIC_RATE=$((1000 / LAB_TIME_SCALE)) # packets a second, unless SEND-OPTIONS say otherwise
TRAFFIC_BOUND=$((60 * LAB_TIME_SCALE)) # seconds, for traffic that is going to be stopped
declare -A TRAFFIC_SEND TRAFFIC_RECV
traffic_start() {
	local name=$1 from=$2 to=$3 address=$4 port=$5
	shift 5
	rm -f "$LAB_DIR/$name.ready"
	lab_in "$to" traffic recv --port "$port" --json --ready "$LAB_DIR/$name.ready" --idle $((${TRAFFIC_IDLE:-30} * LAB_TIME_SCALE)) \
		>"$LAB_DIR/$name.recv" 2>&1 &
	TRAFFIC_RECV[$name]=$!
	lab_wait "the receiver of $name" 5 test -e "$LAB_DIR/$name.ready"
	lab_in "$from" traffic send --to "$address" --port "$port" \
		--rate "$TRAFFIC_RATE" --json "$@" >"$LAB_DIR/$name.send" 2>&1 &
	TRAFFIC_SEND[$name]=$!
}

traffic_end() {
	wait "${TRAFFIC_SEND[$1]}"
	wait "${TRAFFIC_RECV[$1]}"
}

# traffic_stop NAME: end an endless sender, then as traffic_end.
traffic_stop() {
	lab_term "${TRAFFIC_SEND[$1]}"
	wait "${TRAFFIC_RECV[$1]}"
}

# traffic_passes NODE COUNT [SECONDS]: until so many more packets have come in at a host.
traffic_passes() {
	local until
	until=$(($(_rx_packets "$1") + $2 / LAB_TIME_SCALE))
	lab_wait "$(($2 / LAB_TIME_SCALE)) packets at $1" "${3:-15}" _rx_at_least "$1" "$until"
}

_rx_packets() {
	lab_in "$1" cat /sys/class/net/eth0/statistics/rx_packets
}

_rx_at_least() {
	(($(_rx_packets "$1") >= $2))
}

# traffic_get NAME FIELD: of what was received.
traffic_get() {
	jq -r ".$2" "$LAB_DIR/$1.recv"
}

# counter NODE NAME: packets, of those that `netpas status` and `netpas drops` show.
counter() {
	{
		lab_in "$1" netpas status --json | jq .counters
		lab_in "$1" netpas drops --json
	} | jq -s --arg name "$2" 'add[$name].packets'
}

# hostile_flood GATEWAY PEER OPTIONS...: frames that nobody means well with come in at the gateway's
# WAN, from the switch before it; traffic between the two must be running. What was sent: JSON.
hostile_flood() {
	local near=$1 far=$2 site=${SITE_OF[$1]} mac
	shift 2
	mac=$(lab_in "$near" cat /sys/class/net/wan0/address) || return
	lab_in "wan-${SITE_NAMES[site]}" hostile --if "gw${near##*-}" --mac "$mac" \
		--self "${GATEWAY_ID[$near]}" --local "$(gateway_private "$near" 1)" \
		--peer "${GATEWAY_ID[$far]},$(gateway_public "$far" 1),$(gateway_public "$far" 2)" \
		--relay "$(relay_id pop1),$(relay_public pop1)" \
		--inner "10.${SITE_OF[$far]}.1.2,10.$site.1.2" "$@"
}
