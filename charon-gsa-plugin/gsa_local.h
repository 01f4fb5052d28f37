// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What gsa_local.c (the socket and its thread), gsa_local_handle.c (the queues, and the thread that
 * handles messages) and gsa_local_ask.c (questions) share.
 */
#ifndef GSA_LOCAL_H_
#define GSA_LOCAL_H_

#include "charon-gsa-plugin/gsa.h"

#include <collections/hashtable.h>
#include <collections/linked_list.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>

#define GSA_LOCAL_REASON 256
/* Messages; then reading waits for the handlers. */
#define GSA_LOCAL_IN_MAX 100000

typedef enum { DOWN, HELLO, UP } link_state_t;

/* What a task has asked (gsa_local_ask.c). */
typedef struct gsa_question_t gsa_question_t;

/* For the handling thread. */
typedef struct {
	Gsa__Message *message; /* NULL: a call, or gcksd has said Hello */
	void (*function)(void *data); /* NULL: no call */
	void *data;		      /* owned */
	uint32_t generation;
} gsa_received_t;

typedef struct private_gsa_local_t private_gsa_local_t;
struct private_gsa_local_t {
	gsa_local_t public;
	char *path;
	int wake; /* eventfd: look at `out` and `stopped` */
	thread_t *socket_thread, *handler_thread;

	mutex_t *mutex; /* for all below */
	condvar_t *handler_wake, *drained;
	bool stopped;
	link_state_t state;
	bool open;	     /* the handling thread is at this connection: others may send */
	uint32_t generation; /* of the connection */
	linked_list_t *out;  /* chunk_t *, what could not be sent at once */
	size_t out_size;
	bool overflow;
	linked_list_t *in;	  /* gsa_received_t * */
	hashtable_t *questions;	  /* request -> gsa_question_t * */
	uint32_t last_request;
	bool looking; /* for questions that are not answered in time */
	u_int dropped; /* messages, since it was last logged */
	time_t dropped_logged;

	int fd; /* changed by the socket's thread */

	/* the socket's thread only */
	uint8_t *buffer;
	u_int retry_s;
	char logged[GSA_LOCAL_REASON];
};

/** The socket's thread looks at its queues; with or without the mutex. */
void gsa_local_wake(private_gsa_local_t *this);

/* gsa_local_handle.c; with the mutex locked */

/** Send a message to gcksd, or queue it; FALSE: too long, or gcksd does not read. */
bool gsa_local_enqueue(private_gsa_local_t *this, const Gsa__Message *message);
/** Adopts a message for the handling thread; NULL: gcksd has said Hello. */
void gsa_local_hand_over(private_gsa_local_t *this, Gsa__Message *message);
/** Empties all queues; questions stay without an answer. */
void gsa_local_clear(private_gsa_local_t *this);
void gsa_local_free_packed(chunk_t *packed);

/* gsa_local_handle.c; without it */

/** The methods of gsa_local_t. */
bool gsa_local_send(private_gsa_local_t *this, Gsa__Message *message);
void gsa_local_call(private_gsa_local_t *this, void (*function)(void *data), void *data);
/** Count and log a message that is dropped, not more often than it is of use. */
void gsa_local_dropped(private_gsa_local_t *this, const char *reason);
/** The thread that handles messages. */
void *gsa_local_handler_main(private_gsa_local_t *this);

/* gsa_local_ask.c */

/** The methods of gsa_local_t. */
uint32_t gsa_local_ask(private_gsa_local_t *this, Gsa__RegistrationRequest *request,
		       ike_sa_t *ike_sa);
bool gsa_local_answered(private_gsa_local_t *this, uint32_t question, Gsa__Message **reply);
void gsa_local_forget(private_gsa_local_t *this, uint32_t question);
/** Adopts the answer to a question. */
void gsa_local_take_reply(private_gsa_local_t *this, Gsa__Message *message);
/** No question gets an answer any more; with the mutex locked. */
void gsa_local_end_questions(private_gsa_local_t *this);

#endif
