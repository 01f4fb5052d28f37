# SPDX-License-Identifier: GPL-2.0-or-later
# The shell library of tests/lab. LAB_TREE is the checkout.
for library in progress host packages cache sources libyang frr strongswan guest project \
	upstream environment run check fresh; do
	. "$LAB_TREE/tests/setup/$library.sh"
done
unset library
