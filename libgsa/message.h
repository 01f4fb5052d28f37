// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Framing of the local protocol between gcksd and its clients (proto/README.md):
 * one protobuf Gsa__Message per SOCK_SEQPACKET datagram.  Pure: the caller reads
 * and writes the socket.
 */
#ifndef LIBGSA_MESSAGE_H
#define LIBGSA_MESSAGE_H

#include "proto/gsa.pb-c.h"

#define GSA_PROTOCOL_VERSION 1
#define GSA_MESSAGE_MAX 65536 /* octets; longer datagrams are refused */

/*
 * Unpack one datagram.  NULL with *reason set (static string) if it is empty, too
 * long, truncated, not a message, or without a body.  Free with gsa_message_free(),
 * which wipes all of the message first (it takes unpacked messages only; what the
 * caller puts into one has to be from malloc()).
 */
Gsa__Message *gsa_message_unpack(const uint8_t *data, size_t length, const char **reason);
void gsa_message_free(Gsa__Message *message);

/* Of its body, for the log. */
const char *gsa_message_name(const Gsa__Message *message);

/* Pack into `out` (GSA_MESSAGE_MAX octets).  0: the message would be too long. */
size_t gsa_message_pack(const Gsa__Message *message, uint8_t *out);

#endif
