# SPDX-License-Identifier: GPL-2.0-or-later
# The test suites of FRR (lib, bgpd) and strongSwan with our patches applied. They take minutes and
# their result depends on the component alone, so it is kept beside it.

frr_tests() {
	use_ccache
	# Its list of what to leave out only works inside the source tree.
	make -C "$LAB_FRR/build" check \
		PYTEST_IGNORE="$(printf -- "--ignore=$LAB_FRR/src/tests/%s " isisd ospfd ospf6d)"
}

strongswan_tests() {
	use_ccache
	# Key generation of full length adds minutes and nothing about our patches.
	TESTS_REDUCED_KEYLENGTHS=yes make -C "$LAB_STRONGSWAN/build" check
}

# upstream_recorded FOLDER FUNCTION RESULTS: only a good result is recorded.
upstream_recorded() {
	locked "$1.tests.lock"
	if [ ! -f "$1/tests-passed" ]; then
		"$2"
		echo "ok - upstream: $2, as often as patches or version change" >"$1/tests-passed"
	fi
	cp "$1/tests-passed" "$3"
}
