# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What makes a machine believe that it is in a cloud: DMI, DHCP, metadata service. After sites.sh.

# What QEMU's DMI tables say of an instance of EC2 (Nitro).
CLOUD_EC2=(
	"type=0,vendor=Amazon EC2,version=1.0"
	"type=1,manufacturer=Amazon EC2,product=c6i.xlarge,serial=ec2a4b8c-3f1e-4c55-9d2a-0123456789ab,uuid=ec2a4b8c-3f1e-4c55-9d2a-0123456789ab"
	"type=2,manufacturer=Amazon EC2,asset=i-0123456789abcdef0"
	"type=3,manufacturer=Amazon EC2,asset=Amazon EC2"
)

# cloud_ec2 NODE BRIDGE: DHCP on its WAN's segment, and the metadata service behind the segment's router,
# which has the user data of this node.
cloud_ec2() {
	local node=$1 bridge=$2 s=${SITE_OF[$1]} own
	own=203.0.113.$((16 * s + 9))
	sites_user_data "$node" | sed '/^network:/,/^node:/ { /^node:/!d }' >"$LAB_DIR/$node.user-data"
	lab_ip switch <<-END
		addr add $own/28 dev $bridge
		addr add 169.254.169.254/32 dev $bridge
	END
	lab_ip x1 <<<"route add 169.254.169.254/32 via $own"
	cat >"$LAB_DIR/udhcpd.conf" <<-END
		interface $bridge
		start $(wan_address "$node")
		end $(wan_address "$node")
		max_leases 1
		static_lease $(machine_mac "$node" 1) $(wan_address "$node")
		lease_file $LAB_DIR/udhcpd.leases
		pidfile $LAB_DIR/udhcpd.pid
		option subnet 255.255.255.240
		option router 203.0.113.$((16 * s + 1))
		option lease 3600
	END
	: >"$LAB_DIR/udhcpd.leases"
	lab_daemon switch udhcpd busybox udhcpd -f "$LAB_DIR/udhcpd.conf"
	lab_daemon switch ec2 "$MACHINE_HOME/ec2" "$LAB_DIR/$node.user-data" "$LAB_DIR/id.pub" \
		i-0123456789abcdef0 "$LAB_DIR/ec2.asked"
}

# cloud_asked LINE: the metadata service was asked that, and answered so.
cloud_asked() {
	grep -qxF -- "$1" "$LAB_DIR/ec2.asked" && return
	cat "$LAB_DIR/ec2.asked"
	return 1
}
