# SPDX-License-Identifier: GPL-2.0-or-later
# Debian packages that building and testing need; only missing ones are installed.

packages_wanted() {
	# build tools
	echo autoconf automake bison bzip2 ca-certificates ccache check chrpath cmake dpkg-dev \
		flex g++ gawk gcc gettext gperf libc6-dev libtool make patch pkg-config protobuf-c-compiler \
		texinfo xz-utils
	# libraries of FRR, strongSwan and this project
	echo libc-ares-dev libcap-dev libcurl4-openssl-dev libelf-dev libgmp-dev libjson-c-dev libpam0g-dev \
		libpcre2-dev libprotobuf-c-dev libpython3-dev libreadline-dev libsqlite3-dev \
		libssl-dev libunwind-dev libxxhash-dev
	# tests and the guest
	echo busybox-static iproute2 iputils-ping kmod procps python3 python3-cryptography \
		python3-pytest tcpdump util-linux
	[ "$LAB_RELEASE" = bookworm ] || echo libyang-dev
}

packages_missing() {
	local package

	for package in $(packages_wanted); do
		[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] ||
			echo "$package"
	done
}

host_apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
		-o Acquire::Retries=3 "$@"
}

# with_lists COMMAND...: a command of apt that needs package lists; lists that are missing or
# too old are fetched once.
with_lists() {
	"$@" || {
		host_apt update
		"$@"
	}
}

packages_install() {
	local missing

	missing=$(packages_missing)
	# shellcheck disable=SC2086 # a list
	with_lists host_apt install -y --no-install-recommends $missing
}

packages_step() {
	local missing

	missing=$(packages_missing)
	if [ -z "$missing" ]; then
		ready "Debian packages: installed"
		return
	fi
	step "Debian packages: installing $(wc -w <<<"$missing")" "$LAB_LOGS/packages.log" \
		packages_install ||
		die "apt-get could not install packages: $(last_error "$LAB_LOGS/packages.log")"
}
