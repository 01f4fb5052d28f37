# SPDX-License-Identifier: GPL-2.0-or-later
# Proof on a fresh Debian: a minimal root made by debootstrap, this checkout in it, and there
# set-up, build, unit tests and a guest, with nothing but what the set-up installs.

# fresh SUITE
fresh() {
	local root=$LAB_CACHE/fresh-$1

	host_check
	disk_check
	plan 4
	step "$1: debootstrap" "$LAB_LOGS/fresh-$1.log" fresh_root "$1" "$root" ||
		die "no root of $1: $(last_error "$LAB_LOGS/fresh-$1.log")"
	ready "$1: set-up and build in $root"
	fresh_inside "$root" /checkout/tests/lab setup
	ready "$1: a guest"
	fresh_inside "$root" "$BASH" -euc '
		LAB_TREE=/checkout
		. /checkout/tests/setup/all.sh
		environment_early
		host_check
		environment
		tests/guest/run -- uname -sr'
	ready "$1: unit tests"
	fresh_inside "$root" /checkout/tests/lab check unit
}

fresh_root() {
	command -v debootstrap >/dev/null ||
		with_lists host_apt install -y --no-install-recommends debootstrap
	rm -rf "$2"
	debootstrap --variant=minbase --keyring="$(archive_keyring)" "$1" "$2" "$(mirror_of "$1")"
	# The way to the mirror is that of this machine.
	cp -L /etc/resolv.conf /etc/hosts "$2/etc/"
	apt-config dump | grep -i '^Acquire::.*::Proxy' >"$2/etc/apt/apt.conf.d/00proxy" || :
	mkdir "$2/checkout"
	tar -C "$LAB_TREE" --exclude-vcs --exclude=./configure --exclude=./autom4te.cache -c . |
		tar -C "$2/checkout" -x
}

# fresh_inside ROOT COMMAND...: mounts and processes end with the command.
fresh_inside() {
	FRR_GSA_CACHE=/var/cache/frr-gsa unshare --mount --pid --fork --kill-child \
		"$BASH" -euc '
			mount -t proc proc "$0/proc"
			mount -t sysfs -o ro sysfs "$0/sys"
			mount --rbind /dev "$0/dev"
			exec chroot "$0" /bin/bash -c "cd /checkout && exec \"\$@\"" fresh "$@"' "$@" </dev/null
}
