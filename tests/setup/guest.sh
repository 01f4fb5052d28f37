# SPDX-License-Identifier: GPL-2.0-or-later
# The guest kernel (see tests/guest/run): Debian's user-mode-linux, unpacked, not installed.

# guest_folder: Debian 12 and 13 have different kernels; a newer build of the package is taken
# when the cache entry has been pruned.
guest_folder() {
	echo "$LAB_CACHE/guest-$(component_key guest_recipe)"
}

guest_recipe() {
	mkdir prefix
	with_lists host_apt -o APT::Sandbox::User=root download user-mode-linux
	dpkg-deb -x user-mode-linux_*.deb prefix
	rm user-mode-linux_*.deb
	test -x prefix/usr/bin/linux.uml
	ls prefix/usr/lib/uml/modules
}

guest_step() {
	component_step "guest kernel (user-mode-linux)" "$LAB_GUEST_KERNEL" guest_recipe
}
