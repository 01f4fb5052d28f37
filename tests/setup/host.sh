# SPDX-License-Identifier: GPL-2.0-or-later
# What the machine must be: Debian 12 or 13, x86-64, root, some disk.

need_mib=3000 # all components with their build trees take 1 GiB, a second version as much

# become_root ARG...: continues as root, through sudo if need be.
become_root() {
	((EUID != 0)) || return 0
	command -v sudo >/dev/null ||
		die "root is needed (packages, a guest kernel): run it as root, or install sudo"
	exec sudo --preserve-env=FRR_GSA_CACHE,LAB_GUEST,LAB_MEMORY,LAB_TIMEOUT \
		"$LAB_TREE/tests/lab" "$@"
}

host_check() {
	local id version

	[ "$(uname -m)" = x86_64 ] ||
		die "this machine is $(uname -m): only x86-64 is supported"
	id=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown}") || id=unknown
	version=$(. /etc/os-release 2>/dev/null && echo "${VERSION_ID:-}") || version=
	case $id:$version in
	debian:12) LAB_RELEASE=bookworm ;;
	debian:13) LAB_RELEASE=trixie ;;
	*) die "this machine runs $id ${version:-(no version)}: Debian 12 or 13 is needed" ;;
	esac
	export LAB_RELEASE
	mkdir -p "$LAB_CACHE" 2>/dev/null && [ -w "$LAB_CACHE" ] ||
		die "cannot write to $LAB_CACHE: set FRR_GSA_CACHE to a folder on a local disk"
}

# disk_check: only asked before something is built.
disk_check() {
	local free

	free=$(df -Pm "$LAB_CACHE" | awk 'NR == 2 { print $4 }')
	((free >= need_mib)) ||
		die "$LAB_CACHE has $free MiB free, $need_mib MiB are needed: make room or set FRR_GSA_CACHE"
}
