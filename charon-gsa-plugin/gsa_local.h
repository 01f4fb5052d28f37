// SPDX-License-Identifier: GPL-2.0-or-later
/* What gsa_local.c (threads, questions) and gsa_socket.c (datagrams) share. */
#ifndef GSA_LOCAL_H_
#define GSA_LOCAL_H_

#include "charon-gsa-plugin/gsa.h"

/** Room for a reason that comes with an error's text or gcksd's own words. */
#define GSA_REASON_MAX 256

/** A packed message, wiped by gsa_packet_destroy(). */
typedef struct {
	size_t length;
	uint8_t data[];
} gsa_packet_t;

/** NULL: the message is longer than the protocol allows. */
gsa_packet_t *gsa_packet_create(const Gsa__Message *message);
void gsa_packet_destroy(gsa_packet_t *packet);

/** Name of a message's body, for the log. */
const char *gsa_message_name(const Gsa__Message *message);

/** Connected, not blocking; -1: not, and `reason` (GSA_REASON_MAX) says why. */
int gsa_socket_connect(const char *path, char *reason);
/** NULL: sent, or (`full`) later. Else why the connection is lost. */
const char *gsa_socket_send(int fd, const gsa_packet_t *packet, bool *full);
/**
 * One datagram into `data` (GSA_MESSAGE_MAX).
 * @param length	the datagram's own, which may be more; -1: there is none now
 * @return		NULL, or why the connection is lost
 */
const char *gsa_socket_receive(int fd, uint8_t *data, ssize_t *length);

#endif
