// SPDX-License-Identifier: GPL-2.0-or-later
/* The socket to gcksd: who listens there, and one message as one datagram. */
#include "charon-gsa-plugin/gsa_local.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

gsa_packet_t *gsa_packet_create(const Gsa__Message *message)
{
	size_t length = gsa__message__get_packed_size(message);
	gsa_packet_t *packet;

	if (length > GSA_MESSAGE_MAX)
		return NULL;
	packet = malloc(sizeof(*packet) + length);
	packet->length = gsa_message_pack(message, packet->data);
	return packet;
}

void gsa_packet_destroy(gsa_packet_t *packet)
{
	gsa_wipe(packet->data, packet->length);
	free(packet);
}

const char *gsa_message_name(const Gsa__Message *message)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&gsa__message__descriptor, message->body_case);

	return field ? field->name : "unknown";
}

/* Keys go to whoever listens, and what it says is done: root, our user, or the file's owner. */
static bool is_trusted(int fd, const char *path, char *reason)
{
	struct ucred peer = {};
	socklen_t length = sizeof(peer);
	struct stat file;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		snprintf(reason, GSA_REASON_MAX, "who listens is not known: %s", strerror(errno));
		return FALSE;
	}
	if (peer.uid == 0 || peer.uid == geteuid() ||
	    (stat(path, &file) == 0 && peer.uid == file.st_uid))
		return TRUE;
	snprintf(reason, GSA_REASON_MAX,
		 "user %u listens there; root, charon's user or the socket's owner may", peer.uid);
	return FALSE;
}

int gsa_socket_connect(const char *path, char *reason)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(reason, GSA_REASON_MAX, "a socket's path has at most %zu characters",
			 sizeof(address.sun_path) - 1);
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		snprintf(reason, GSA_REASON_MAX, "%s", strerror(errno));
	} else if (is_trusted(fd, path, reason)) {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool is_temporary(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

const char *gsa_socket_send(int fd, const gsa_packet_t *packet, bool *full)
{
	*full = FALSE;
	if (send(fd, packet->data, packet->length, MSG_NOSIGNAL) >= 0)
		return NULL;
	if (!is_temporary(errno))
		return strerror(errno);
	*full = TRUE;
	return NULL;
}

const char *gsa_socket_receive(int fd, uint8_t *data, ssize_t *length)
{
	struct pollfd closed = { .fd = fd, .events = POLLRDHUP };

	*length = recv(fd, data, GSA_MESSAGE_MAX, MSG_TRUNC);
	if (*length < 0 && !is_temporary(errno))
		return strerror(errno);
	/* 0 is an empty datagram too */
	if (*length == 0 && poll(&closed, 1, 0))
		return "it was closed";
	return NULL;
}
