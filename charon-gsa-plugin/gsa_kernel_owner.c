// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose state is it?  An SPI that a group's key server assigns may be in use at this member: by
 * another group, or by a CHILD_SA of charon.  The kernel tells states apart by SPI and destination
 * alone, and charon's kernel interface has no question for the reqid: asked for here.
 *
 * The answer has the state's keys in it: the buffer is wiped.  Runs in the thread that handles
 * gcksd's messages.
 */
#include "charon-gsa-plugin/gsa_kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sa/child_sa_manager.h>

#define ANSWER_MAX 8192

struct gsa_owners_t {
	int fd; /* -1: not open */
	uint32_t sequence;
};

static bool open_socket(gsa_owners_t *this)
{
	struct timeval timeout = { .tv_sec = 5 };

	if (this->fd >= 0)
		return TRUE;
	this->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
	if (this->fd >= 0 &&
	    setsockopt(this->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0)
		return TRUE;
	DBG1(DBG_KNL, "gsa: no netlink socket to ask the kernel for states: %s", strerror(errno));
	return FALSE;
}

static bool send_question(gsa_owners_t *this, host_t *destination, uint32_t spi)
{
	struct {
		struct nlmsghdr header;
		struct xfrm_usersa_id id;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = XFRM_MSG_GETSA,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = ++this->sequence,
		},
		.id = {
			.spi = spi,
			.family = destination->get_family(destination),
			.proto = IPPROTO_ESP,
		},
	};
	chunk_t address = destination->get_address(destination);

	memcpy(&request.id.daddr, address.ptr, min(address.len, sizeof(request.id.daddr)));
	return send(this->fd, &request, sizeof(request), 0) == sizeof(request);
}

/* One message of the answer; NEED_MORE: it is to an earlier question. */
static status_t take(gsa_owners_t *this, const struct nlmsghdr *header, uint32_t *reqid)
{
	if (header->nlmsg_seq != this->sequence)
		return NEED_MORE;
	if (header->nlmsg_type == XFRM_MSG_NEWSA &&
	    header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct xfrm_usersa_info))) {
		const struct xfrm_usersa_info *info = NLMSG_DATA(header);

		*reqid = info->reqid;
		return SUCCESS;
	}
	if (header->nlmsg_type == NLMSG_ERROR &&
	    header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
		const struct nlmsgerr *error = NLMSG_DATA(header);

		return error->error == -ESRCH ? NOT_FOUND : FAILED;
	}
	return FAILED;
}

static status_t receive_answer(gsa_owners_t *this, uint32_t *reqid)
{
	uint8_t buffer[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (void *)buffer;
	status_t status = NEED_MORE;
	ssize_t length;

	while (status == NEED_MORE) {
		length = recv(this->fd, buffer, sizeof(buffer), 0);
		if (length < 0 && errno == EINTR)
			continue;
		/* a longer one is cut off; what counts is at its front */
		if (length < (ssize_t)sizeof(*header))
			status = FAILED;
		else if (header->nlmsg_len > (size_t)length)
			status = FAILED;
		else
			status = take(this, header, reqid);
	}
	gsa_wipe(buffer, sizeof(buffer));
	return status;
}

status_t gsa_owners_reqid(gsa_owners_t *this, host_t *destination, uint32_t spi, uint32_t *reqid)
{
	status_t status = FAILED;

	if (open_socket(this) && send_question(this, destination, spi))
		status = receive_answer(this, reqid);
	if (status == FAILED && this->fd >= 0) {
		DBG1(DBG_KNL, "gsa: the kernel does not say who has the state with SPI %.8x to %H",
		     ntohl(spi), destination);
		close(this->fd);
		this->fd = -1;
	}
	return status;
}

static bool print_child(host_t *destination, uint32_t spi, char *text, size_t size)
{
	child_sa_manager_t *manager = charon->child_sa_manager;
	child_sa_t *child_sa;
	ike_sa_t *ike_sa;

	ike_sa = manager->checkout(manager, PROTO_ESP, spi, destination, &child_sa);
	if (!ike_sa)
		return FALSE;
	snprintf(text, size, "CHILD_SA %s{%u} of IKE_SA %s[%u]", child_sa->get_name(child_sa),
		 child_sa->get_unique_id(child_sa), ike_sa->get_name(ike_sa),
		 ike_sa->get_unique_id(ike_sa));
	charon->ike_sa_manager->checkin(charon->ike_sa_manager, ike_sa);
	return TRUE;
}

void gsa_owners_print(host_t *destination, uint32_t spi, uint32_t reqid, char *text, size_t size)
{
	char owner[GSA_OWNER_TEXT];

	if (gsa_kernel_is_ours(reqid)) {
		if (!gsa.member->holders(gsa.member, ntohl(spi), owner, sizeof(owner)))
			snprintf(owner, sizeof(owner), "a group");
	} else if (!print_child(destination, spi, owner, sizeof(owner))) {
		snprintf(owner, sizeof(owner), "somebody else");
	}
	snprintf(text, size, "SPI %.8x at %H is in use by reqid %u (%s)", ntohl(spi), destination,
		 reqid, owner);
}

gsa_owners_t *gsa_owners_create(void)
{
	gsa_owners_t *this;

	INIT(this,
		.fd = -1,
	);
	return this;
}

void gsa_owners_destroy(gsa_owners_t *this)
{
	if (this->fd >= 0)
		close(this->fd);
	free(this);
}
