# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Checks of a scenario: TAP lines without numbers, which tests/netns/run numbers and names.

CHECK_FAILED=0

_check_diagnose() {
	sed 's/^/# /' "$LAB_DIR/.check"
}

# check DESCRIPTION COMMAND...: good if the command succeeds; its output explains a failure.
check() {
	local what=$1
	shift
	if "$@" >"$LAB_DIR/.check" 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		echo "# failed: ${*//$'\n'*/ ...}"
		_check_diagnose
		CHECK_FAILED=1
		[[ ! ${KEEP:-} || ! -t 0 ]] || _check_keep "$what"
		return 1
	fi
}

# check_skip DESCRIPTION REASON
check_skip() {
	echo "ok - $1 # SKIP $2"
}

# check_need DESCRIPTION COMMAND...: as check, but nothing after it makes sense without it.
check_need() {
	check "$@" || check_end
}

check_end() {
	exit "$CHECK_FAILED"
}

_check_keep() {
	echo "# '$1' failed; this is a shell in the topology, leave it to go on" >/dev/tty
	lab_shell </dev/tty >/dev/tty 2>&1
}

# -- predicates that say what they saw --

equal() {
	[[ $1 = "$2" ]] && return
	if [[ $1$2 = *$'\n'* ]]; then
		diff -U 1 --label wanted --label got <(echo "$2") <(echo "$1")
	else
		echo "'$1' instead of '$2'"
	fi
	return 1
}

different() {
	[[ $1 != "$2" ]] && return
	echo "both are '$1'"
	return 1
}

# within VALUE MINIMUM MAXIMUM, fractions allowed.
within() {
	awk -v v="$1" -v min="$2" -v max="$3" \
		'BEGIN { exit !(v ~ /^-?[0-9.]+$/ && v + 0 >= min && v + 0 <= max) }' && return
	echo "$1 is not within $2 .. $3"
	return 1
}

contains() {
	[[ $1 = *"$2"* ]] && return
	printf "no '%s' in:\n%s\n" "$2" "$1"
	return 1
}

# fails COMMAND...: the command must fail, and not because it does not exist or was killed.
fails() {
	local status=0
	"$@" || status=$?
	((status > 0 && status < 124)) && return
	echo "exit code $status of: $*"
	return 1
}

# -- counting what passes a node --

# watch NODE NAME HOOK MATCH...: count packets (in a table of our own, seen by nothing else).
watch() {
	local node=$1 name=$2 hook=$3
	shift 3
	lab_in "$node" nft -f - <<-END
		table inet watch
		delete table inet watch
	END
	watch_more "$node" "$name" "$hook" "$@"
}

# The same without forgetting what is watched already.
watch_more() {
	local node=$1 name=$2 hook=$3
	shift 3
	lab_in "$node" nft -f - <<-END
		table inet watch {
			counter $name { }
			chain $name {
				type filter hook $hook priority -400;
				$* counter name $name
			}
		}
	END
}

# watched NODE NAME: packets so far.
watched() {
	lab_in "$1" nft -j list counter inet watch "$2" |
		jq -r '[.nftables[].counter // empty][0].packets'
}

# rises NODE COUNTER COMMAND...: the counter of inet netpas is higher after the command.
rises() {
	local node=$1 name=$2 before after
	shift 2
	before=$(counter "$node" "$name") || return
	"$@"
	after=$(counter "$node" "$name") || return
	((after > before)) && return
	echo "counter $name of $node stays at $after"
	return 1
}
