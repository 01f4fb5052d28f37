# SPDX-License-Identifier: GPL-2.0-or-later
# The kinds of guest. check_kind ends the run unless this machine can boot the chosen one.
# boot CONTROL starts it in the background and sets `monitor` to its process; its standard output
# and error go to CONTROL/out and CONTROL/err, its console to CONTROL/log.

kind=${LAB_GUEST:-uml}

fail() {
	echo "guest: $*" >&2
	exit 125
}

check_kind() {
	case $kind in
	uml)
		[ -x "$LAB_GUEST_KERNEL/prefix/usr/bin/linux.uml" ] ||
			fail "no user-mode-linux in $LAB_GUEST_KERNEL"
		return
		;;
	kvm)
		# Opening /dev/kvm says little where the machine is itself a guest without nesting.
		grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo && [ -w /dev/kvm ] ||
			fail "LAB_GUEST=kvm: this machine offers no hardware virtualisation"
		;;
	tcg) ;;
	*) fail "LAB_GUEST=$kind: known are uml, kvm, tcg" ;;
	esac
	[ -f "$LAB_GUEST_KERNEL/initramfs.gz" ] || fail "no kernel for QEMU in $LAB_GUEST_KERNEL"
	[ -z "$terminal" ] || fail "LAB_GUEST=$kind has no terminal: use LAB_GUEST=uml"
}

boot() {
	case $kind in
	uml) boot_uml "$1" ;;
	kvm) boot_qemu "$1" vmlinuz -accel kvm -cpu host ;;
	tcg) boot_qemu "$1" vmlinux -accel tcg,thread=multi,tb-size=512 -cpu max ;;
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
		rootfstype=hostfs rootflags=/ ro init="$here/init-uml" panic=-1 quiet con=null "${lines[@]}" \
		lab_inside="$here/inside" lab_control="$1" lab_modules="$prefix/usr/lib/uml/modules" \
		3<&0 4>&1 5>"$1/out" 6>"$1/err" </dev/null >"$1/log" 2>&1 &
	monitor=$!
}

# boot_qemu CONTROL KERNEL ACCELERATOR...: the host's files through 9p, input and output through virtio
# ports. An emulated machine is about ten times slower than user-mode-linux but has everything.
boot_qemu() {
	local control=$1 kernel=$2 devices=() number=0 folder

	shift 2
	for folder in "${shared[@]}"; do
		devices+=(-fsdev "local,id=shared$number,path=$folder,security_model=none,multidevs=remap"
			-device "virtio-9p-pci,fsdev=shared$number,mount_tag=shared$number")
		number=$((number + 1))
	done
	setsid timeout -k 5 "$seconds" qemu-system-x86_64 "$@" -M q35 -smp "$(nproc)" -m "$memory" \
		-nodefaults -no-user-config -display none -no-reboot -serial "file:$control/log" \
		-kernel "$LAB_GUEST_KERNEL/$kernel" -initrd "$LAB_GUEST_KERNEL/initramfs.gz" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check tsc=reliable nokaslr \
			nowatchdog random.trust_cpu=on lab_inside=$here/inside \
			lab_modules=$LAB_GUEST_KERNEL/prefix/lib/modules" \
		-fsdev "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap" \
		-device virtio-9p-pci,fsdev=root,mount_tag=root \
		-fsdev "local,id=control,path=$control,security_model=none,multidevs=remap" \
		-device virtio-9p-pci,fsdev=control,mount_tag=control "${devices[@]}" \
		-device virtio-serial-pci \
		-chardev "file,id=out,path=$control/out" -device virtserialport,chardev=out,name=out \
		-chardev "file,id=err,path=$control/err" -device virtserialport,chardev=err,name=err \
		-object rng-random,id=random,filename=/dev/urandom -device virtio-rng-pci,rng=random \
		</dev/null >"$control/monitor" 2>&1 &
	monitor=$!
}
