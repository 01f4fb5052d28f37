# SPDX-License-Identifier: GPL-2.0-or-later
# The kinds of guest. boot CONTROL starts one in the background and sets `monitor` to its process;
# its standard output and error go to CONTROL/out and CONTROL/err, its console to CONTROL/log.

fail() {
	echo "guest: $*" >&2
	exit 125
}

boot() {
	case ${LAB_GUEST:-uml} in
	uml) boot_uml "$1" ;;
	kvm)
		# Opening /dev/kvm says little where the machine is itself a guest without nesting.
		grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo && [ -w /dev/kvm ] ||
			fail "LAB_GUEST=kvm: this machine offers no hardware virtualisation"
		boot_qemu "$1" -accel kvm -cpu host
		;;
	tcg) boot_qemu "$1" -accel tcg,thread=multi,tb-size=512 -cpu max ;;
	*) fail "LAB_GUEST=$LAB_GUEST: known are uml, kvm, tcg" ;;
	esac
}

# A CPU for this guest alone, if there is one: user-mode-linux is several times slower when its
# processes are spread over CPUs. The lock lasts as long as the guest.
choose_cpu() {
	local cpus number

	mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' |
		awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }' | shuf)
	for number in "${cpus[@]}"; do
		exec 7>"${LAB_CACHE:-/tmp}/guest-cpu-$number.lock"
		! flock -n 7 || break
	done
	cpu=$number
}

# user-mode-linux keeps its memory in a file that should never reach a disk.
memory_folder() {
	local free

	free=$(df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
	if ((${free:-0} > memory)); then
		echo /dev/shm
	else
		echo "$control"
	fi
}

boot_uml() {
	local prefix=$LAB_GUEST_KERNEL/prefix lines start

	[ -x "$prefix/usr/bin/linux.uml" ] || fail "no user-mode-linux in $prefix"
	[ -n "$cpu" ] || choose_cpu
	if [ -n "$terminal" ]; then
		# It stays in the terminal's process group, or it could not read from it.
		start=(timeout --foreground)
		lines=(con0=fd:3,fd:4 ssl=null loglevel=1)
	else
		start=(setsid timeout)
		lines=(con0=null,fd:1 ssl=null ssl0=null,fd:5 ssl1=null,fd:6)
	fi
	TMPDIR=$(memory_folder) "${start[@]}" -k 5 "$seconds" taskset -c "$cpu" \
		"$prefix/usr/bin/linux.uml" mem="${memory}M" umid="${1##*/}" uml_dir="$1" \
		rootfstype=hostfs rootflags=/ ro init="$here/init" panic=-1 quiet con=null "${lines[@]}" \
		lab_inside="$here/inside" lab_control="$1" lab_modules="$prefix/usr/lib/uml/modules" \
		3<&0 4>&1 5>"$1/out" 6>"$1/err" </dev/null >"$1/log" 2>&1 &
	monitor=$!
}

boot_qemu() {
	fail "LAB_GUEST=$LAB_GUEST: not there yet"
}
