# SPDX-License-Identifier: GPL-2.0-or-later
# The test suites of FRR (lib, bgpd) and strongSwan with our patches applied. They take minutes and
# their result depends on the component alone, so it is kept beside it.

# frr_tests: builds and runs what FRR's own `make check` would for the daemons that matter here.
frr_tests() {
	use_ccache
	cd "$LAB_FRR/build"
	make -k check TESTS= # builds the test programs
	cd tests
	python3 -m pytest --tb=short -q -rfE -o cache_dir="$LAB_FRR/pytest" lib bgpd
}

strongswan_tests() {
	use_ccache
	cd "$LAB_STRONGSWAN/build"
	# Key generation of full length adds minutes and nothing about our patches.
	TESTS_REDUCED_KEYLENGTHS=yes TESTS_VERBOSITY=0 make -k check
}

# upstream_recorded FOLDER FUNCTION: a result is only recorded when it is good.
upstream_recorded() {
	locked "$1.tests.lock"
	[ ! -f "$1/tests-passed" ] || return 0
	"$2"
	touch "$1/tests-passed"
}
