# SPDX-License-Identifier: GPL-2.0-or-later
# Proof on a fresh Debian 13: a minimal root made by debootstrap, this checkout in it, and there
# set-up, build and unit tests, with nothing but what the set-up installs.

debian13_packages() {
	command -v debootstrap >/dev/null ||
		with_lists host_apt install -y --no-install-recommends debootstrap
}

debian13_root() {
	debian13_packages
	rm -rf "$1"
	debootstrap --variant=minbase --keyring="$(archive_keyring)" trixie "$1" "$(mirror_of trixie)"
	# The way to the mirror is that of this machine.
	cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
	apt-config dump | grep -i '^Acquire::.*::Proxy' >"$1/etc/apt/apt.conf.d/00proxy" || :
	mkdir "$1/checkout"
	tar -C "$LAB_TREE" --exclude-vcs --exclude=./configure --exclude=./autom4te.cache -c . |
		tar -C "$1/checkout" -x
}

# debian13_inside ROOT ARG...: tests/lab ARG... there. Its mounts and processes end with it.
debian13_inside() {
	local root=$1

	shift
	FRR_GSA_CACHE=/var/cache/frr-gsa unshare --mount --pid --fork --kill-child \
		"$BASH" -euc '
			mount -t proc proc "$0/proc"
			mount -t sysfs -o ro sysfs "$0/sys"
			mount --rbind /dev "$0/dev"
			exec chroot "$0" /checkout/tests/lab "$@"' "$root" "$@" </dev/null
}

debian13() {
	local root=$LAB_CACHE/debian13

	host_check
	disk_check
	plan 3
	step "Debian 13: debootstrap" "$LAB_LOGS/debian13.log" debian13_root "$root" ||
		die "no root of Debian 13, see $LAB_LOGS/debian13.log"
	ready "Debian 13: set-up and build in $root"
	debian13_inside "$root" setup
	ready "Debian 13: unit tests"
	debian13_inside "$root" check unit
}
