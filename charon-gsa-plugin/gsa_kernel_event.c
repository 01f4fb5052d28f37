// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel tells of states that others end: their lifetime is over, or somebody has deleted
 * one, or all.  charon's own listener hears of lifetimes alone, so this has a socket of its own.
 *
 *   kernel --watcher's worker--> gsa_local_t.call() --messages' thread--> is it really gone? --> gcksd
 *
 * What is told is only a reason to look: by then it may have been made again, and what charon itself
 * removes is told as well.  Without gcksd nothing is looked at, since a gcksd that connects asks for
 * all of it anew.
 *
 * Messages about a deleted state have its keys in them: the buffer is wiped.
 */
#include "charon-gsa-plugin/gsa_kernel.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENT_MAX    8192
#define READ_BATCH   100
#define RECEIVE_SIZE (1024 * 1024) /* octets: all states of a large group deleted one by one */

struct gsa_events_t {
	int fd; /* -1: not open */
	gsa_ended_cb_t ended;
	void *data; /* of the callback */
};

static void tell(gsa_events_t *this, const struct xfrm_usersa_id *id, Gsa__EndedBy by)
{
	gsa_ended_t ended = { .by = by, .all = !id };

	if (id && id->proto != IPPROTO_ESP)
		return;
	if (id) {
		ended.spi = id->spi;
		ended.destination =
			host_create_from_chunk(id->family,
					       chunk_create((void *)&id->daddr,
							    id->family == AF_INET ? 4 : 16),
					       0);
		if (!ended.destination)
			return;
	}
	this->ended(this->data, &ended);
	DESTROY_IF(ended.destination);
}

static void take_expire(gsa_events_t *this, const struct xfrm_user_expire *expire)
{
	struct xfrm_usersa_id id = {
		.daddr = expire->state.id.daddr,
		.spi = expire->state.id.spi,
		.family = expire->state.family,
		.proto = expire->state.id.proto,
	};

	if (expire->hard)
		tell(this, &id, expire->state.curlft.packets >= expire->state.lft.hard_packet_limit
					? GSA__ENDED_BY__ENDED_BY_VOLUME
					: GSA__ENDED_BY__ENDED_BY_EXPIRY);
}

static void take_flush(gsa_events_t *this, const struct xfrm_usersa_flush *flush)
{
	/* 0, or IPSEC_PROTO_ANY: of every protocol */
	if (!flush->proto || flush->proto == 255 || flush->proto == IPPROTO_ESP)
		tell(this, NULL, GSA__ENDED_BY__ENDED_BY_FLUSH);
}

static void take(gsa_events_t *this, const struct nlmsghdr *header)
{
	switch (header->nlmsg_type) {
	case XFRM_MSG_EXPIRE:
		if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct xfrm_user_expire)))
			take_expire(this, NLMSG_DATA(header));
		break;
	case XFRM_MSG_DELSA:
		if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct xfrm_usersa_id)))
			tell(this, NLMSG_DATA(header), GSA__ENDED_BY__ENDED_BY_DELETION);
		break;
	case XFRM_MSG_FLUSHSA:
		if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct xfrm_usersa_flush)))
			take_flush(this, NLMSG_DATA(header));
		break;
	default:
		break;
	}
}

CALLBACK(readable, bool, gsa_events_t *this, int fd, watcher_event_t event)
{
	uint8_t buffer[EVENT_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (void *)buffer;
	ssize_t length;

	for (int i = 0; i < READ_BATCH; i++) {
		length = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (length < 0 && errno == ENOBUFS) {
			/* more came than there was room for */
			tell(this, NULL, GSA__ENDED_BY__ENDED_BY_UNSPECIFIED);
			continue;
		}
		if (length < 0)
			break;
		/* one message each; a longer one is cut off, what counts is at its front */
		if (length >= (ssize_t)sizeof(*header) && header->nlmsg_len <= (size_t)length)
			take(this, header);
		gsa_wipe(buffer, (size_t)length);
	}
	return TRUE;
}

/* Else the keys of every state that is made would come here as well. */
static bool filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(XFRM_MSG_EXPIRE), 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(XFRM_MSG_DELSA), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(XFRM_MSG_FLUSHSA), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = countof(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static bool join(int fd)
{
	static const int groups[] = { XFRMNLGRP_EXPIRE, XFRMNLGRP_SA };
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	int size = RECEIVE_SIZE;

	/* if it is refused, more is missed, which is noticed */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (!filter(fd) || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return FALSE;
	for (size_t i = 0; i < countof(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return FALSE;
	return TRUE;
}

gsa_events_t *gsa_events_create(gsa_ended_cb_t ended, void *data)
{
	gsa_events_t *this;

	INIT(this,
		.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM),
		.ended = ended,
		.data = data,
	);
	if (this->fd >= 0 && join(this->fd)) {
		lib->watcher->add(lib->watcher, this->fd, WATCHER_READ, readable, this);
		return this;
	}
	DBG1(DBG_KNL, "gsa: the kernel does not tell of states that others end (%s): what is deleted "
		      "or expires too early is made again only after a restart", strerror(errno));
	if (this->fd >= 0)
		close(this->fd);
	this->fd = -1;
	return this;
}

void gsa_events_destroy(gsa_events_t *this)
{
	if (this->fd >= 0) {
		lib->watcher->remove(lib->watcher, this->fd);
		close(this->fd);
	}
	free(this);
}
