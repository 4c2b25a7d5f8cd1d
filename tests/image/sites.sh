# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Two sites of two gateways each, and a relay, all five of them virtual machines of the image; the
# customers, their routers and the Internet are namespaces. For site S (1 fra, 2 sin), X being its name:
#
#	hX1 10.S.1.2  fd00:10:S:1::2 --.                   [lan-X]         .-- X-a eth0 172.16.S.2
#	hX2 10.S.2.2  fd00:10:S:2::2 --+-- cX 172.16.S.1 ------------------+   VIP      172.16.S.254
#	                                   fd00:16:S::1                    '-- X-b eth0 172.16.S.3
#	                                                                       |
#	        Internet x1 ---------------------------[wan-X] 203.0.113.(16S) +-- X-a eth1 203.0.113.(16S+2)
#	                 '-- [wan-pop] 198.51.101.0/29 -- pop1 eth0 .2         '-- X-b eth1 203.0.113.(16S+3)
#
# Names and addresses are those of tests/netns/topology.sh, so what it asks of gateways, and its
# traffic, work here as well. SSH comes from the switches: 172.16.S.9 on the LANs, 198.51.101.3.
#
# IMAGE: the directory with the image's formats (build/image).

LAB_TIME_SCALE=${LAB_TIME_SCALE:-10}
LAB_POLL=${LAB_POLL:-200} LAB_POLL_MAX=${LAB_POLL_MAX:-2000} # an answer costs an emulated machine 200 ms
RELAYS=1
. "$(dirname "${BASH_SOURCE[0]}")/../netns/topology.sh"
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
. "$(dirname "${BASH_SOURCE[0]}")/bundles.sh"

IMAGE=${IMAGE:-$LAB_BUILD/image}
NODES=("${GATEWAYS[@]}" "${POPS[@]}")

# image_file ENDING: the image's file of that format.
image_file() {
	[[ -e $IMAGE/netpas.$1 ]] || {
		echo "no $IMAGE/netpas.$1: run 'make image'" >&2
		return 1
	}
	echo "$IMAGE/netpas.$1"
}

wan_address() { echo "203.0.113.$((SITE_OF[$1] * 16 + 2 + $(_second "$1")))"; }

# sites_network: all but the machines.
sites_network() {
	local s n h
	lab_node x1
	machine_switch lan-fra lan-sin wan-fra wan-sin wan-pop
	machine_name "${NODES[@]}"
	_topology_router x1
	machine_plug x1 pop wan-pop
	lab_ip x1 <<<"addr add 198.51.101.1/29 dev pop"
	lab_ip switch <<<"addr add 198.51.101.3/29 dev wan-pop"
	MACHINE_ADDRESS[pop1]=198.51.101.2
	for s in 1 2; do
		n=${SITE_NAMES[s]}
		lab_node "c$n" "h${n}1" "h${n}2"
		machine_plug x1 "$n" "wan-$n"
		machine_plug "c$n" lan "lan-$n"
		lab_ip x1 <<<"addr add 203.0.113.$((16 * s + 1))/28 dev $n"
		lab_ip switch <<<"addr add 172.16.$s.9/24 dev lan-$n"
		_topology_router "c$n"
		lab_ip "c$n" <<-END
			addr add 172.16.$s.1/24 dev lan
			addr add fd00:16:$s::1/64 dev lan nodad
			route add 10.$((3 - s)).0.0/16 via 172.16.$s.254
			route add fd00:10:$((3 - s))::/48 via fd00:16:$s::fe
		END
		for h in 1 2; do
			_topology_host "$s" "$h" "h$n$h"
		done
		MACHINE_ADDRESS[$n-a]=$(gateway_lan4 "$n-a")
		MACHINE_ADDRESS[$n-b]=$(gateway_lan4 "$n-b")
	done
}

# mesh.yaml, the same for all.
sites_mesh() {
	local s g
	cat <<-END
		mesh: lab
		probes: {fast: $MESH_PROBE}
		sites:
	END
	for s in 1 2; do
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
		for g in "${SITE_NAMES[s]}-a" "${SITE_NAMES[s]}-b"; do
			cat <<-END
			      - name: $g
			        id: ${GATEWAY_ID[$g]}
			        public_key: $(cat "$LAB_DIR/$g.pub")
			        lan: [$(gateway_lan4 "$g"), "$(gateway_lan6 "$g")"]
			        wan: [$(wan_address "$g")]
			END
		done
	done
	cat <<-END
		relays:
		  - {name: pop1, id: 101, public_key: $(cat "$LAB_DIR/pop1.pub"), wan: [198.51.101.2]}
	END
}

# sites_user_data NODE: what the machine is given at its first boot.
sites_user_data() {
	local node=$1 s=${SITE_OF[$1]:-}
	cat <<-END
		#netpas
		hostname: $node
		ssh_authorized_keys:
		  - $(cat "$LAB_DIR/id.pub")
		private_key: $(cat "$LAB_DIR/$node.key")
	END
	if [[ $s ]]; then
		cat <<-END
			interfaces:
			  lan: {mac: "$(machine_mac "$node" 0)"}
			  wan: [{mac: "$(machine_mac "$node" 1)"}]
			network:
			  lan: {addresses: [$(gateway_lan4 "$node")/24, "$(gateway_lan6 "$node")/64"]}
			  wan: {addresses: [$(wan_address "$node")/28], gateway: [203.0.113.$((16 * s + 1))]}
			node:
			  node: $node
			  allow:
			    - {from: 172.16.$s.9/32, tcp: 22}
		END
	else
		cat <<-END
			interfaces:
			  wan: [{mac: "$(machine_mac "$node" 0)"}]
			network:
			  wan: {addresses: [198.51.101.2/29], gateway: [198.51.101.1]}
			node:
			  node: $node
			  allow:
			    - {from: 198.51.101.3/32, tcp: 22}
		END
	fi
	echo "mesh:"
	sites_mesh | sed 's/^/  /'
}

# sites_machine NODE DISK WORD...: the machine, with its seed, or with source=ec2 without one.
sites_machine() {
	local node=$1 disk=$2 word
	local -a words=()
	shift 2
	for word; do
		[[ $word = source=ec2 ]] || words+=("$word")
	done
	if [[ " $* " = *" source=ec2 "* ]]; then
		words+=("${CLOUD_EC2[@]/#/smbios=}")
	else
		sites_user_data "$node" >"$LAB_DIR/$node.user-data"
		"$MACHINE_HOME/seed" "$LAB_DIR/$node.seed" "$LAB_DIR/$node.user-data" "lab-$node" || lab_die "no seed"
		words+=("seed=$LAB_DIR/$node.seed")
	fi
	if [[ ${SITE_OF[$node]:-} ]]; then
		words+=("nic=lan-${node%-*}" "nic=wan-${node%-*}")
	else
		words+=(nic=wan-pop)
	fi
	machine_new "$node" "$disk" "${words[@]}"
}

sites_keys() {
	local node
	for node in "${NODES[@]}"; do
		_keygen "$LAB_DIR/$node.key" && _pubkey "$LAB_DIR/$node.key" >"$LAB_DIR/$node.pub" ||
			lab_die "no key for $node"
	done
}

# sites_started NODE: what it took.
sites_started() {
	echo "# $1 answers $(machine_age "$1") s after it was switched on, $(machine_work "$1") s of them at work"
}

# sites_on COMMAND...: switch all on; the command gets the name of each, to wait until it answers. Two start at
# a time, and who has started stands still until all have: all have to share two CPUs, and a machine that starts too
# slowly gives units of its own up.
sites_on() {
	local i next
	machine_on "${NODES[0]}" || return
	for i in "${!NODES[@]}"; do
		next=${NODES[i + 1]:-}
		[[ ! $next ]] || machine_on "$next" || return
		"$@" "${NODES[i]}" && machine_pause "${NODES[i]}" || return
	done
	for i in "${NODES[@]}"; do
		machine_resume "$i" || return
	done
}

sites_answer() {
	machine_up "$1" 120 && sites_started "$1"
}

# sites_together: two sites reach each other, from here on.
sites_together() {
	topology_ready 60 && SITES_TOGETHER=1
}

# sites_need: a part begins; an earlier one may have started the machines.
sites_need() {
	[[ ! ${SITES_TOGETHER:-} ]] || return 0
	check_need "five machines start, two sites come up" sites_up
	cat "$LAB_DIR/.check"
}

# sites_up: all of it, each machine from the qcow2 image.
sites_up() {
	local node disk
	disk=$(image_file qcow2) || return
	sites_network
	sites_keys
	for node in "${NODES[@]}"; do
		sites_machine "$node" "$disk" format=qcow2
	done
	sites_on sites_answer && sites_together
}
