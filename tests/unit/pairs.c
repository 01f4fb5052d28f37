// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/pairs.h"

uint32_t activation_delay_s, deactivation_delay_s;

void report(size_t tek_count, const uint32_t *teks, size_t count, uint32_t *sender_ids)
{
	struct group_sa parts[GSA_DATA_SA_MAX];
	Gsa__DataSa *list[GSA_DATA_SA_MAX];
	const char *reason;

	for (size_t i = 0; i < tek_count; i++) {
		pairwise_sa_fill(&parts[i], 100, teks[i], teks[i]);
		parts[i].data_sa.activation_delay_s = activation_delay_s;
		parts[i].data_sa.deactivation_delay_s = deactivation_delay_s;
		list[i] = &parts[i].data_sa;
	}
	parts[0].group_sa.data_sa = list;
	parts[0].group_sa.n_data_sa = tek_count;
	parts[0].group_sa.sender_id = sender_ids;
	parts[0].group_sa.n_sender_id = count;
	ck_assert_msg(gcks_membership_set_sas(blue, &parts[0].group_sa, 0, &reason), "%s", reason);
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED;
	gcks_member_advance(&table, 0);
}

void pairs_start(void)
{
	activation_delay_s = deactivation_delay_s = 0;
	blue = join(&table, "blue", 100, "192.0.2.13", 0);
	export(blue, "10.3.0.0/24");
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	set_sender(blue, "10.2.0.0/24", "192.0.2.12", 2);
	REPORT(TEKS(TEK), 3);
}

enum gcks_sender_choice choose(void)
{
	return gcks_membership_choose_sender_id(blue, &known);
}

void pairs_settle(void)
{
	for (int i = 0; i < 4; i++) {
		gateway_plan(GCKS_REMOVE_ALL);
		gateway_carry_out();
	}
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
}

/* The states among them, one a line. */
static const char *states_of(const struct gcks_kernel_id *(*at)(size_t), size_t count)
{
	static char text[2048];
	size_t length = 0;
	char line[256];

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (at(i)->kind == GCKS_KERNEL_SA)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
						   length ? "\n" : "",
						   id_text(at(i), line, sizeof(line)));
	return text;
}

static const struct gcks_kernel_id *install_at(size_t i)
{
	return &plan.install[i].id;
}

static const struct gcks_kernel_id *remove_at(size_t i)
{
	return &plan.remove[i];
}

static const struct gcks_kernel_id *installed_at(size_t i)
{
	return &installed.ids[i];
}

const char *states_to_install(void)
{
	return states_of(install_at, plan.install_count);
}

const char *states_to_remove(void)
{
	return states_of(remove_at, plan.remove_count);
}

const char *states_installed(void)
{
	return states_of(installed_at, installed.count);
}

static struct gcks_kernel_id find_id(const char *text)
{
	char line[256];

	for (size_t i = 0; i < known.count; i++)
		if (strcmp(id_text(&known.ids[i], line, sizeof(line)), text) == 0)
			return known.ids[i];
	ck_abort_msg("no id %s", text);
	return (struct gcks_kernel_id){ 0 };
}

void is_gone(const char *text)
{
	struct gcks_kernel_id id = find_id(text);

	gcks_kernel_ids_remove(&installed, &id);
	gcks_kernel_ids_set_used(&known, &id);
}
