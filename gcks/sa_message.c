// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/sa_message.h"

static void fill_data_sa(Gsa__DataSa *data, const struct gcks_sa *sa, int64_t now)
{
	gsa__data_sa__init(data);
	data->spi = sa->spi;
	data->encryption = sa->encryption;
	data->encryption_key_bits = sa->encryption_key_bits;
	data->integrity = sa->integrity;
	data->sequence_numbers = sa->sequence_numbers;
	data->key.data = sa->key.data; /* borrowed */
	data->key.len = sa->key.length;
	data->lifetime_s = gcks_sa_lifetime_left_s(sa, now);
}

bool gcks_sa_message_fill(struct gcks_sa_message *message, const struct gcks_sa_group *group,
			  const struct gcks_group *policy, uint32_t first_generation, int64_t now)
{
	const struct gcks_sa *sas[GSA_DATA_SA_MAX];
	size_t count = 0;

	gsa__group_sa__init(&message->group_sa);
	message->group_sa.group = group->numbers.group;
	for (const struct gcks_sa *sa = group->newest; sa && count < GSA_DATA_SA_MAX;
	     sa = gcks_sa_older(sa))
		if (sa->generation >= first_generation && now < gcks_sa_expires_at(sa))
			sas[count++] = sa;
	if (!count)
		return false;
	for (size_t i = 0; i < count; i++) {
		fill_data_sa(&message->data_sa[i], sas[count - 1 - i], now);
		message->list[i] = &message->data_sa[i];
	}
	message->group_sa.data_sa = message->list;
	message->group_sa.n_data_sa = count;
	message->group_sa.activation_delay_s = gcks_sa_activation_left_s(group->newest, now);
	message->group_sa.deactivation_delay_s = policy->deactivation_delay_s;
	return true;
}
