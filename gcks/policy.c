// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/names.h"
#include "gcks/policy.h"
#include "libgsa/gikev2.h"

#define REGISTRATION_HOLD_TIME_S 300

/* ---- table ---- */

struct gcks_group *gcks_policy_find(const struct gcks_policy *policy, const char *name)
{
	struct gcks_group *group;

	for (group = policy->groups; group; group = group->next)
		if (strcmp(group->name, name) == 0)
			break;
	return group;
}

struct gcks_group *gcks_policy_find_identifier(const struct gcks_policy *policy,
					       uint32_t identifier)
{
	struct gcks_group *group;

	if (!identifier)
		return NULL;
	for (group = policy->groups; group; group = group->next)
		if (group->identifier == identifier)
			break;
	return group;
}

struct gcks_group *gcks_policy_add(struct gcks_policy *policy, const char *name)
{
	struct gcks_group **link = &policy->groups, *group;

	while (*link && strcmp((*link)->name, name) < 0)
		link = &(*link)->next;
	if (*link && strcmp((*link)->name, name) == 0)
		return *link;
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->name = strdup(name);
	if (!group->name) {
		free(group);
		return NULL;
	}
	group->registration_hold_time_s = REGISTRATION_HOLD_TIME_S;
	group->lifetime_data_s = GCKS_LIFETIME_DATA_S;
	group->activation_delay_s = GCKS_ACTIVATION_DELAY_S;
	group->deactivation_delay_s = GCKS_DEACTIVATION_DELAY_S;
	group->sender_id_bits = GCKS_SENDER_ID_BITS;
	group->rekey_in_flight = GCKS_REKEY_IN_FLIGHT;
	group->rekey_missed_maximum = GCKS_REKEY_MISSED_MAXIMUM;
	group->next = *link;
	*link = group;
	return group;
}

void gcks_pattern_free(struct gcks_pattern *pattern)
{
	if (!pattern)
		return;
	free(pattern->text);
	free(pattern);
}

static void free_patterns(struct gcks_pattern **list)
{
	struct gcks_pattern *pattern;

	while ((pattern = *list)) {
		*list = pattern->next;
		gcks_pattern_free(pattern);
	}
}

void gcks_policy_remove(struct gcks_policy *policy, struct gcks_group *group)
{
	struct gcks_group **link = &policy->groups;

	while (*link && *link != group)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = group->next;
	free_patterns(&group->permit);
	free_patterns(&group->deny);
	free(group->ca);
	free(group->name);
	free(group);
}

void gcks_policy_clear(struct gcks_policy *policy)
{
	while (policy->groups)
		gcks_policy_remove(policy, policy->groups);
}

struct gcks_pattern *gcks_pattern_new(const char *text)
{
	struct gcks_pattern *pattern = calloc(1, sizeof(*pattern));

	if (pattern)
		pattern->text = strdup(text);
	if (pattern && pattern->text)
		return pattern;
	free(pattern);
	return NULL;
}

void gcks_pattern_insert(struct gcks_pattern **list, struct gcks_pattern *pattern)
{
	for (; *list; list = &(*list)->next) {
		if (strcmp((*list)->text, pattern->text) == 0) {
			gcks_pattern_free(pattern);
			return;
		}
	}
	*list = pattern;
}

void gcks_pattern_remove(struct gcks_pattern **list, const char *text)
{
	struct gcks_pattern *pattern;

	for (; (pattern = *list); list = &pattern->next) {
		if (strcmp(pattern->text, text) != 0)
			continue;
		*list = pattern->next;
		gcks_pattern_free(pattern);
		return;
	}
}

/* ---- data keys ---- */

bool gcks_cipher_fits(enum gcks_sharing sharing, enum gcks_cipher cipher)
{
	return sharing == GCKS_SHARING_PAIRWISE || cipher == GCKS_CIPHER_AES256CBC_SHA256 ||
	       cipher == GCKS_CIPHER_AES128CBC_SHA256;
}

enum gcks_cipher gcks_cipher_default(enum gcks_sharing sharing)
{
	return sharing == GCKS_SHARING_PAIRWISE ? GCKS_CIPHER_AES256GCM16
						: GCKS_CIPHER_AES256CBC_SHA256;
}

uint32_t gcks_lifetime_data_minimum(uint32_t activation_delay_s, uint32_t deactivation_delay_s)
{
	return 2 * (activation_delay_s + deactivation_delay_s) + 1;
}

/* ---- reasons ---- */

/*
 * They go to the log, to the peer's and into strings of protobuf and YANG, which have to be UTF-8:
 * one line of ASCII, whatever a peer calls itself and wherever a name was cut.
 */
static void clean(char *reason)
{
	for (; *reason; reason++)
		if (*reason < ' ' || *reason > '~')
			*reason = '?';
}

__attribute__((format(printf, 3, 4))) static struct gcks_verdict
refuse(uint16_t notify, const struct gcks_pattern *allowed, const char *format, ...)
{
	struct gcks_verdict verdict = { .notify = notify };
	size_t used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(verdict.reason, sizeof(verdict.reason), format, arguments);
	va_end(arguments);
	used = length < 0 ? 0 : (size_t)length;
	for (const char *before = " "; allowed; allowed = allowed->next, before = ", ") {
		/* room for the dots behind the last that fits */
		if (used + strlen(before) + strlen(allowed->text) + sizeof(", ...") >
		    sizeof(verdict.reason)) {
			if (used + sizeof(", ...") <= sizeof(verdict.reason))
				strcpy(verdict.reason + used, ", ...");
			break;
		}
		used += (size_t)sprintf(verdict.reason + used, "%s%s", before, allowed->text);
	}
	clean(verdict.reason);
	return verdict;
}

/* ---- decisions ---- */

static const struct gcks_pattern *match(const struct gcks_pattern *list, const char *identity)
{
	for (; list; list = list->next)
		if (gcks_identity_matches(list->text, identity))
			break;
	return list;
}

static struct gcks_verdict decide_identity(const struct gcks_group *group, const char *identity)
{
	const struct gcks_pattern *denied = match(group->deny, identity);

	if (denied)
		return refuse(GSA_NOTIFY_AUTHORIZATION_FAILED, NULL,
			      "identity %.100s is denied in group %.64s by deny identity %.64s",
			      identity, group->name, denied->text);
	if (match(group->permit, identity))
		return (struct gcks_verdict){ 0 };
	if (!group->permit)
		return refuse(GSA_NOTIFY_AUTHORIZATION_FAILED, NULL,
			      "identity %.100s is not permitted in group %.64s: it has no permit "
			      "identity",
			      identity, group->name);
	return refuse(GSA_NOTIFY_AUTHORIZATION_FAILED, group->permit,
		      "identity %.100s is not permitted in group %.64s: permitted are", identity,
		      group->name);
}

static bool issued_by(const Gsa__Peer *peer, const char *ca)
{
	for (size_t i = 0; i < peer->n_ca; i++)
		if (gcks_dn_equal(peer->ca[i], ca))
			return true;
	return false;
}

static struct gcks_verdict decide_credential(const struct gcks_group *group, const Gsa__Peer *peer)
{
	Gsa__Credential needed =
		group->ca ? GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE : group->credential;
	char of_ca[112] = "";

	if (group->ca)
		snprintf(of_ca, sizeof(of_ca), " of CA \"%.96s\"", group->ca);
	/* any credential will do, but there has to be one */
	if (peer->credential == GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED ||
	    (needed != GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED && peer->credential != needed))
		return refuse(
			GSA_NOTIFY_AUTHORIZATION_FAILED, NULL,
			"group %.64s needs a %s%s, the member authenticated by %s", group->name,
			needed == GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED
				? "credential"
				: gcks_credential_name(needed),
			of_ca,
			gcks_credential_name(peer->credential) ?: "a method that is not known");
	if (group->ca && !issued_by(peer, group->ca))
		return refuse(GSA_NOTIFY_AUTHORIZATION_FAILED, NULL,
			      "group %.64s needs a certificate%s, the member's is of %s%.64s%s",
			      group->name, of_ca, peer->n_ca ? "\"" : "an unknown CA",
			      peer->n_ca ? peer->ca[0] : "", peer->n_ca ? "\"" : "");
	return (struct gcks_verdict){ 0 };
}

static struct gcks_verdict decide_peer(const struct gcks_group *group, const Gsa__Peer *peer)
{
	struct gcks_verdict verdict = decide_identity(group, peer->identity);

	return verdict.notify ? verdict : decide_credential(group, peer);
}

struct gcks_verdict gcks_policy_decide(const struct gcks_policy *policy, const char *group_name,
				       size_t group_name_length, uint32_t group_id_type,
				       const Gsa__Peer *peer, struct gcks_group **group)
{
	char name[GSA_GROUP_NAME_MAX + 1];

	*group = NULL;
	if (group_id_type != GSA_ID_KEY_ID)
		return refuse(GSA_NOTIFY_INVALID_GROUP_ID, NULL,
			      "the group is named by an ID of type %u, only ID_KEY_ID (%u) is a "
			      "group's name",
			      group_id_type, GSA_ID_KEY_ID);
	if (!group_name_length || group_name_length > GSA_GROUP_NAME_MAX)
		return refuse(GSA_NOTIFY_INVALID_GROUP_ID, NULL,
			      "the group's name has %zu octets, 1 to %u are allowed",
			      group_name_length, GSA_GROUP_NAME_MAX);
	memcpy(name, group_name, group_name_length);
	name[group_name_length] = '\0';
	/* an octet 0 inside would make another name of it */
	if (strlen(name) == group_name_length)
		*group = gcks_policy_find(policy, name);
	if (!*group)
		return refuse(GSA_NOTIFY_INVALID_GROUP_ID, NULL,
			      "group %s is not configured on this key server", name);
	if (!(*group)->identifier) {
		*group = NULL;
		return refuse(GSA_NOTIFY_INVALID_GROUP_ID, NULL,
			      "group %s is not served: it has no identifier", name);
	}
	return decide_peer(*group, peer);
}

bool gcks_policy_allows(const struct gcks_group *group, const Gsa__Peer *peer, const char **reason)
{
	static struct gcks_verdict verdict;

	verdict = decide_peer(group, peer);
	*reason = verdict.reason;
	return !verdict.notify;
}
