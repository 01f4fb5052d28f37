# SPDX-License-Identifier: GPL-2.0-or-later
# strongSwan, with our patches (LAB_STRONGSWAN) and without (LAB_STRONGSWAN_STOCK, for benches).

# strongswan_folder [stock]
strongswan_folder() {
	local version

	version=$(source_version strongswan)
	if [ "${1:-}" = stock ]; then
		echo "$LAB_CACHE/strongswan-stock-$(component_key strongswan_recipe "$version")"
	else
		echo "$LAB_CACHE/strongswan-$(component_key strongswan_recipe "$version" \
			"$(patches_text "$LAB_TREE/patches/strongswan")")"
	fi
}

# strongswan_recipe PATCHES: mediation as in Debian's package, because it changes the layout of
# structures that plugins use.
strongswan_recipe() {
	local on part

	use_ccache
	source_unpack strongswan src
	# Debian's patches and ours touch what the shipped build files were generated from, by other
	# versions of the tools than are here.
	(cd src && patches_apply "$1" && autoreconf -fi)
	for part in charon ikev2 vici swanctl pki cmd mediation kernel-netlink socket-default updown \
		resolve attr error-notify addrblock files curl \
		openssl gmp kdf nonce random drbg aes des md4 md5 sha1 sha2 sha3 hmac gcm ctr ccm \
		chapoly curve25519 ml mgf1 \
		pem x509 pubkey pkcs1 pkcs7 pkcs8 pkcs12 sshkey dnskey revocation constraints \
		eap-identity eap-md5 eap-mschapv2; do
		on="${on:-} --enable-$part"
	done
	recipe_holds strongswan_folder
	mkdir build
	cd build
	# shellcheck disable=SC2086 # a list of options
	CFLAGS="-O2 -g1" ../src/configure --prefix="${PWD%/build}/prefix" \
		--libexecdir="${PWD%/build}/prefix/libexec" --sysconfdir=/etc --with-piddir=/run \
		--with-capabilities=libcap --disable-defaults $on
	make
	make install
}

strongswan_step() {
	component_step "strongSwan $(source_upstream_version strongswan) with patches/strongswan" \
		"$LAB_STRONGSWAN" strongswan_recipe "$LAB_TREE/patches/strongswan"
}

strongswan_stock_step() {
	component_step "strongSwan $(source_upstream_version strongswan) as it is" \
		"$LAB_STRONGSWAN_STOCK" strongswan_recipe "$LAB_TREE/patches/none"
}
