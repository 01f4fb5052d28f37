// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans of random changes, applied request by request to a simulated kernel, in which only
 * the contents of a request count, as in charon: after each request every protected prefix is still
 * blocked, and at the end the kernel holds what is desired and nothing else.
 */
#include "tests/unit/gcks_unit.h"

#define MEMBERSHIPS 3
#define STEPS	    150

static struct gcks_member_table table;
static struct gcks_kernel_ids installed, known, kernel;
static struct gcks_membership *memberships[MEMBERSHIPS];
static enum gcks_mode settled_modes[MEMBERSHIPS]; /* as planned last */
static uint32_t state;

static uint32_t random_below(uint32_t limit)
{
	/* xorshift32 */
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % limit;
}

static struct gcks_prefix random_prefix(uint8_t first)
{
	static const uint8_t lengths[] = { 8, 15, 16, 23, 24, 25 };
	uint8_t octets[] = { first, (uint8_t)random_below(3), (uint8_t)random_below(2),
			     (uint8_t)(random_below(2) * 128) };
	struct gcks_prefix prefix;

	ck_assert(gcks_prefix_from(&prefix, octets, sizeof(octets),
				   lengths[random_below(COUNT(lengths))]));
	return prefix;
}

static void change_prefixes(struct gcks_membership *membership)
{
	/* 11.0.0.0/8: outside of all that is protected */
	struct gcks_prefix prefix = random_prefix((uint8_t)(10 + random_below(8) / 7));
	uint8_t octets[] = { 192, 0, 2, (uint8_t)(20 + random_below(3)) };
	struct gcks_address gateway;

	ck_assert(gcks_address_from(&gateway, octets, sizeof(octets)));
	switch (random_below(8)) {
	case 0:
		ck_assert(gcks_membership_set_export(membership, &prefix));
		break;
	case 1:
		if (membership->export_count) {
			prefix =
				membership
					->exports[random_below((uint32_t)membership->export_count)];
			gcks_membership_remove_export(membership, &prefix);
		}
		break;
	case 2:
		ck_assert(gcks_member_add_connected(&table, &prefix));
		break;
	case 3:
		if (table.connected_count) {
			prefix = table.connected[random_below((uint32_t)table.connected_count)];
			gcks_member_remove_connected(&table, &prefix);
		}
		break;
	case 4:
	case 5:
		if (membership->route_count) {
			prefix = membership->routes[random_below((uint32_t)membership->route_count)]
					 .prefix;
			gcks_membership_remove_route(membership, &prefix);
		}
		break;
	default:
		ck_assert(gcks_membership_set_route(membership, &prefix, &gateway, NULL));
		break;
	}
}

static void change(void)
{
	static const Gsa__MembershipState states[] = {
		GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING,
		GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED,
		GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED,
		GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED,
		GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST,
	};
	uint32_t which = random_below(MEMBERSHIPS);
	struct gcks_membership *membership = memberships[which];

	switch (random_below(13)) {
	case 0:
		membership->state = states[random_below(COUNT(states))];
		break;
	case 1:
		give_sa(membership, 0x1000 * (which + 1) + random_below(4));
		break;
	case 2:
		gcks_membership_drop_sas(membership);
		break;
	case 4:
		membership->mode = (enum gcks_mode)random_below(3);
		break;
	case 3: /* charon was restarted */
		gcks_kernel_ids_clear(&installed);
		break;
	default:
		change_prefixes(membership);
		break;
	}
}

/* What is not told to charon is not told apart by the kernel. */
static struct gcks_kernel_id as_sent(const struct gcks_kernel_id *id)
{
	struct gcks_kernel_id sent = *id;

	memset(sent.group, 0, sizeof(sent.group));
	return sent;
}

/* Of a selector the one with the best priority is in force. */
static bool closed(uint8_t direction, const struct gcks_prefix *source,
		   const struct gcks_prefix *destination)
{
	for (size_t i = 0; i < kernel.count; i++) {
		const struct gcks_kernel_id *id = &kernel.ids[i];

		if (id->kind == GCKS_KERNEL_POLICY && id->direction == direction &&
		    gcks_prefix_equal(&id->selector_source, source) &&
		    gcks_prefix_equal(&id->selector_destination, destination))
			return true;
	}
	return false;
}

static void check_blocks(void)
{
	static const struct gcks_prefix everything = { .address = { .length = 4 } };

	for (size_t m = 0; m < MEMBERSHIPS; m++)
		for (size_t i = 0; i < memberships[m]->protect_count; i++) {
			const struct gcks_prefix *prefix = &memberships[m]->protect[i];

			if (settled_modes[m] != GCKS_MODE_FAIL_CLOSED ||
			    memberships[m]->mode != GCKS_MODE_FAIL_CLOSED)
				continue;
			ck_assert(closed(GSA__DIRECTION__DIRECTION_OUT, &everything, prefix));
			ck_assert(closed(GSA__DIRECTION__DIRECTION_FORWARD, prefix, prefix));
			ck_assert(closed(GSA__DIRECTION__DIRECTION_IN, prefix, prefix));
		}
}

static void apply(const struct gcks_plan *plan, bool check)
{
	for (size_t i = 0; i < plan->install_count; i++) {
		struct gcks_kernel_id sent = as_sent(&plan->install[i].id);

		ck_assert(gcks_kernel_ids_add(&known, &plan->install[i].id));
		ck_assert(gcks_kernel_ids_add(&kernel, &sent));
		ck_assert(gcks_kernel_ids_add(&installed, &plan->install[i].id));
		if (check)
			check_blocks();
	}
	for (size_t i = 0; i < plan->remove_count; i++) {
		struct gcks_kernel_id sent = as_sent(&plan->remove[i]);

		ck_assert(gcks_kernel_ids_has(&kernel, &sent));
		gcks_kernel_ids_remove(&kernel, &sent);
		gcks_kernel_ids_remove(&installed, &plan->remove[i]);
		gcks_kernel_ids_remove(&known, &plan->remove[i]);
		if (check)
			check_blocks();
	}
}

/* Everything desired is there; what is there and not desired is being kept. */
static void check_kernel(void)
{
	struct gcks_kernel_ids none = { 0 };
	struct gcks_plan desired;
	size_t wanted = 0;

	ck_assert(gcks_plan_make(&table, &none, &none, GCKS_REMOVE_ALL, &desired));
	for (size_t i = 0; i < desired.install_count; i++) {
		struct gcks_kernel_id sent = as_sent(&desired.install[i].id);

		ck_assert(gcks_kernel_ids_has(&kernel, &sent));
		wanted++;
		/* one place, one policy */
		for (size_t j = 0; j < i && sent.kind == GCKS_KERNEL_POLICY; j++) {
			const struct gcks_kernel_id *other = &desired.install[j].id;

			ck_assert(other->kind != sent.kind || other->direction != sent.direction ||
				  !gcks_prefix_equal(&other->selector_source,
						     &sent.selector_source) ||
				  !gcks_prefix_equal(&other->selector_destination,
						     &sent.selector_destination));
		}
	}
	for (size_t m = 0; m < MEMBERSHIPS; m++)
		for (size_t i = 0; i < known.count && !memberships[m]->sas; i++)
			wanted += strcmp(known.ids[i].group, memberships[m]->name) == 0;
	ck_assert_uint_eq(kernel.count, wanted);
	ck_assert_uint_eq(known.count, wanted);
	gcks_plan_clear(&desired);
}

static void setup(void)
{
	static const struct {
		const char *name, *protect;
	} rows[MEMBERSHIPS] = { { "blue", "10.0.0.0/8" },
				{ "green", "10.1.0.0/16" },
				{ "red", "10.0.0.0/8" } };

	for (uint32_t i = 0; i < MEMBERSHIPS; i++) {
		struct gcks_prefix prefix = prefix_of(rows[i].protect);

		memberships[i] = join(&table, rows[i].name, 100 * (i + 1), "192.0.2.13", 0);
		ck_assert(gcks_membership_add_protect(memberships[i], &prefix));
	}
}

static void teardown(void)
{
	gcks_member_table_clear(&table);
	gcks_kernel_ids_clear(&installed);
	gcks_kernel_ids_clear(&known);
	gcks_kernel_ids_clear(&kernel);
}

START_TEST(random_changes)
{
	struct gcks_plan plan;

	state = 2463534242u + (uint32_t)_i;
	for (int step = 0; step < STEPS; step++) {
		bool allow_remove = random_below(4) != 0;

		for (uint32_t changes = random_below(4); changes; changes--)
			change();
		ck_assert(gcks_plan_make(&table, &installed, &known, allow_remove ? GCKS_REMOVE_ALL : GCKS_REMOVE_NOTHING, &plan));
		if (!allow_remove)
			ck_assert_uint_eq(plan.remove_count, 0);
		apply(&plan, step > 0);
		for (size_t m = 0; m < MEMBERSHIPS; m++)
			settled_modes[m] = memberships[m]->mode;
		gcks_plan_clear(&plan);
		if (allow_remove)
			check_kernel();
		gcks_member_update_ready(&table, &installed);
	}
}
END_TEST

Suite *planner_random_suite(void)
{
	Suite *suite = suite_create("planner_random");
	TCase *tcase = tcase_create("planner_random");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, random_changes, 0, 6);
	suite_add_tcase(suite, tcase);
	return suite;
}
