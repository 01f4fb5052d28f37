# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's kernel (see tests/guest/run), unpacked from Debian's packages, not installed:
# user-mode-linux, or for QEMU Debian's own kernel with an initramfs that finds the root.

guest_kind() {
	case ${LAB_GUEST:-uml} in
	uml) echo uml ;;
	*) echo qemu ;;
	esac
}

guest_folder() {
	echo "$LAB_CACHE/guest-$(guest_kind)-$(component_key "guest_$(guest_kind)_recipe" \
		"$(declare -f guest_initramfs)" "$(cat "$LAB_TREE/tests/guest/init-qemu")")"
}

guest_uml_recipe() {
	mkdir prefix
	with_lists host_apt -o APT::Sandbox::User=root download user-mode-linux
	dpkg-deb -x user-mode-linux_*.deb prefix
	rm user-mode-linux_*.deb
	test -x prefix/usr/bin/linux.uml
	ls prefix/usr/lib/uml/modules
}

guest_qemu_recipe() {
	local package release modules

	mkdir prefix
	command -v qemu-system-x86_64 >/dev/null ||
		with_lists host_apt install -y --no-install-recommends qemu-system-x86
	package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p' |
		head -n 1)
	with_lists host_apt -o APT::Sandbox::User=root download "${package:-linux-image-amd64}"
	dpkg-deb -x "$package"_*.deb prefix
	rm "$package"_*.deb
	release=${package#linux-image-}
	modules=$(find prefix -type d -path "*/modules/$release")
	mkdir -p prefix/lib/modules
	[ -e "prefix/lib/modules/$release" ] || ln -s "$PWD/$modules" "prefix/lib/modules/$release"
	depmod -b prefix "$release"
	"$LAB_TREE/tests/guest/extract-vmlinux" "prefix/boot/vmlinuz-$release" vmlinux
	ln -s "prefix/boot/vmlinuz-$release" vmlinuz
	guest_initramfs "prefix/lib/modules/$release" initramfs
	gzip -1 <initramfs.cpio >initramfs.gz
}

# guest_initramfs MODULES FOLDER: busybox, init, and what mounts a 9p root.
guest_initramfs() {
	local module file

	mkdir -p "$2"/{bin,modules,proc,dev,lower,upper,root}
	cp /bin/busybox "$2/bin/"
	ln -s busybox "$2/bin/sh"
	cp "$LAB_TREE/tests/guest/init-qemu" "$2/init"
	for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
		# modprobe knows what a module needs and in which order
		modprobe -d "${1%/lib/modules/*}" -S "${1##*/}" --show-depends "$module"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r module; do
		file=$(basename "${module%.xz}")
		case $module in
		*.xz) xz -dc "$module" >"$2/modules/$file" ;;
		*) cp "$module" "$2/modules/$file" ;;
		esac
		echo "$file" >>"$2/modules/order"
	done
	(cd "$2" && find . | busybox cpio -o -H newc) >"$2.cpio"
}

guest_step() {
	component_step "guest kernel ($(guest_kind))" "$LAB_GUEST_KERNEL" "guest_$(guest_kind)_recipe"
}
