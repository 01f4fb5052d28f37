// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * charon's gsa plugin: what its files share.
 *
 *   gsa_plugin.c      features, settings, the parts below: the table of contents
 *   gsa_local.c       the socket to gcksd; gsa_local_handle.c: queues, messages;
 *                     gsa_local_ask.c: questions
 *   gsa_payload.c     IDg, GSA, KD as payloads of IKE messages
 *   gsa_keys.c        GSK_w of an IKE_SA; wrapping and unwrapping of key bags
 *   gsa_group_sa.c    GroupSa of the local protocol <-> GSA and KD
 *   gsa_server.c      key server: registrations held by this charon; gsa_end.c: their end,
 *                     and that of IKE_SAs which nothing needs
 *   gsa_refused.c     key server: peers whose authentication charon refused
 *   gsa_log.c         refusals, each logged once in a while
 *   gsa_peer.c        who stands at the other end of an IKE_SA
 *   gsa_ike_sa.c      IKE_SAs by unique id
 *   gsa_credential.c  key server: certificates that are no longer good
 *   gsa_answer.c      key server: the answer to a request to register; gsa_respond.c: task that
 *                     answers GSA_REGISTRATION; gsa_auth_respond.c: task that answers GSA_AUTH
 *   gsa_auth.c        GSA_AUTH in place of IKE_AUTH
 *   gsa_rekey.c       key server: rekeys that gcksd wants sent, GSA_INBAND_REKEY
 *   gsa_member.c      member: groups to join, their state machine; gsa_group.c: one of them;
 *                     gsa_attempt.c: attempts; gsa_member_event.c: what happens to IKE_SAs
 *   gsa_held.c        SAs and Sender-IDs that a member holds of a group
 *   gsa_rekeyed.c     member: task that answers GSA_INBAND_REKEY
 *   gsa_register.c    task that initiates GSA_REGISTRATION, or opens with GSA_AUTH;
 *                     gsa_depart.c: Delete and departure
 *   gsa_kernel.c      what gcksd asks for of the kernel; gsa_kernel_state.c: states,
 *                     gsa_kernel_owner.c: whose they are, gsa_kernel_policy.c: policies,
 *                     gsa_kernel_event.c: states that others end
 *
 * Threads: tasks and listeners run in charon's workers, holding the IKE_SA.  Messages of
 * gcksd are handled one after the other in one thread of their own, in their order; only the
 * answer to a question is handed straight to the thread that asked.
 */
#ifndef GSA_H_
#define GSA_H_

#include <daemon.h>

#include "libgsa/gikev2.h"
#include "libgsa/message.h"
#include "libgsa/secret.h"

typedef struct gsa_local_t gsa_local_t;
typedef struct gsa_ike_sas_t gsa_ike_sas_t;
typedef struct gsa_server_t gsa_server_t;
typedef struct gsa_rekeys_t gsa_rekeys_t;
typedef struct gsa_member_t gsa_member_t;
typedef struct gsa_kernel_t gsa_kernel_t;

/** The plugin's parts; set while it is loaded. */
typedef struct {
	gsa_local_t *local;
	gsa_ike_sas_t *ike_sas;
	gsa_server_t *server;
	gsa_rekeys_t *rekeys;
	gsa_member_t *member;
	gsa_kernel_t *kernel;
	struct gsa_refused_t *refused;
	struct gsa_credential_t *credential;
	struct gsa_auth_t *auth;
} gsa_t;
extern gsa_t gsa;

/** How long a registration waits for gcksd's decision. */
#define GSA_REPLY_TIMEOUT_MS 1000

struct gsa_local_t {
	/**
	 * Send a message; may be called from any thread, never blocks for long.
	 * @return FALSE if gcksd is away (it gets everything when it is back)
	 */
	bool (*send)(gsa_local_t *this, Gsa__Message *message);
	/**
	 * Ask for a registration.  When there is an answer, or will be none, initiate() is called on
	 * the IKE_SA, i.e. build() of the task that returned INVALID_STATE.
	 * @param request	request->request is set here
	 * @return		number of the question, 0: gcksd is away
	 */
	uint32_t (*ask)(gsa_local_t *this, Gsa__RegistrationRequest *request, ike_sa_t *ike_sa);
	/**
	 * The answer to a question, which is over then.
	 * @param reply		message with a RegistrationReply, free with gsa_message_free();
	 *			NULL if gcksd is away or silent
	 * @return		FALSE: not yet
	 */
	bool (*answered)(gsa_local_t *this, uint32_t question, Gsa__Message **reply);
	/** Who asked takes no answer: what gcksd grants is told to it as not delivered. */
	void (*forget)(gsa_local_t *this, uint32_t question);
	/**
	 * Have the thread that handles messages call a function, behind those that have come; not
	 * if gcksd is away.  May be called from any thread.
	 * @param data		given to the function, then freed in any case
	 */
	void (*call)(gsa_local_t *this, void (*function)(void *data), void *data);
	void (*destroy)(gsa_local_t *this);
};
/** Starts connecting once gsa_local_start() is called, when all parts are there. */
gsa_local_t *gsa_local_create(void);
void gsa_local_start(gsa_local_t *local);
/** Stops the threads, before the other parts are destroyed; nothing is sent any more. */
void gsa_local_stop(gsa_local_t *local);

/* gsa_ike_sa.c */

struct gsa_ike_sas_t {
	/** The IKE_SA that has the place of this one: another if it was rekeyed lately. */
	uint32_t (*present)(gsa_ike_sas_t *this, uint32_t unique_id);
	/**
	 * Waits until no other thread has that IKE_SA (the present one), and for no others.
	 * What was granted over it before is in gsa.server.
	 * @return	to be checked in with charon->ike_sa_manager; NULL: it is gone
	 */
	ike_sa_t *(*checkout)(gsa_ike_sas_t *this, uint32_t unique_id);
	/** We bring it up, so we close it when nothing needs it; so with what comes in its place. */
	void (*claim)(gsa_ike_sas_t *this, ike_sa_t *ike_sa);
	bool (*is_own)(gsa_ike_sas_t *this, uint32_t unique_id);
	void (*destroy)(gsa_ike_sas_t *this);
};
gsa_ike_sas_t *gsa_ike_sas_create(void);
/** Are both sides known, and is it not about to end? */
bool gsa_ike_sa_is_authenticated(ike_sa_t *ike_sa);
/** Is there a request of the peer whose response is not complete? */
bool gsa_ike_sa_answers(ike_sa_t *ike_sa);

/* gsa_payload.c */

/** A payload to send; the body is cloned (and wiped when destroyed). */
payload_t *gsa_payload_create(uint8_t type, chunk_t body);
/** Body of the first payload of a G-IKEv2 type in a received message; chunk_empty, borrowed. */
chunk_t gsa_payload_find(message_t *message, uint8_t type);
/** Is there one, even an empty one? */
bool gsa_payload_has(message_t *message, uint8_t type);
/** Did all of a received message come encrypted?  If not, nobody knows who sent it. */
bool gsa_message_was_encrypted(message_t *message);
/** Notifies that libcharon has no name for: add one, find the first (NULL: none). */
void gsa_notify_add(message_t *message, uint16_t type, chunk_t data);
struct notify_payload_t *gsa_notify_find(message_t *message, uint16_t type);

/** SAg, what we support: in a request of the member. */
void gsa_sag_add(message_t *message);
/** Body of the SAg of a request, encoded anew (allocated); chunk_empty: there is none. */
chunk_t gsa_sag_find(message_t *message);

/** First error notify of a message, 0: none. */
uint16_t gsa_error_find(message_t *message);

/** The notify of a group's identifier (0: not sent, was not there). */
void gsa_group_identifier_add(message_t *message, uint32_t group);
uint32_t gsa_group_identifier(message_t *message);

/** IDg of a group's name; FALSE: it is not one. */
bool gsa_group_id_add(message_t *message, chunk_t name);

/** A group's name as a peer sent it, for the log: what is not printable becomes '?'. */
#define GSA_GROUP_TEXT (GSA_GROUP_NAME_MAX + 1)
const char *gsa_group_text(chunk_t name, char buffer[GSA_GROUP_TEXT]);

/* gsa_log.c */

/** Logs what a peer was refused, or was not listened to for, unless the same was logged lately. */
void gsa_log_refused(const char *format, ...);

/* gsa_keys.c */

/**
 * The key wrap algorithm that IKE_SA_INIT negotiated; if there is none, what
 * charon.plugins.gsa.key_wrap_default says.  GSA_KW_NONE: none.
 */
uint16_t gsa_keys_algorithm(ike_sa_t *ike_sa);
/** What is said of an IKE_SA without key wrap algorithm. */
#define GSA_KEYS_NO_ALGORITHM                                                                      \
	"IKE_SA_INIT negotiated no key wrap algorithm, add kw5649_256 to the connection's proposals"

/**
 * GSK_w of an established IKE_SA (locked by the caller). Its size is that of the key wrap
 * algorithm, which it tells to those who wrap and unwrap.
 */
bool gsa_keys_wrap_key(ike_sa_t *ike_sa, struct gsa_secret *gsk_w);

/* gsa_group_sa.c */

/** What a member was given. */
typedef struct {
	uint32_t spi[GSA_DATA_SA_MAX];
	size_t spi_count;
	uint32_t sender_id[GSA_SENDER_ID_MAX];
	size_t sender_id_count;
} gsa_given_t;

/** A GroupSa for one IKE_SA: bodies of GSA and KD, keys wrapped. */
typedef struct {
	uint32_t group; /* identifier */
	chunk_t policy, key_download;
	gsa_given_t given;
} gsa_group_sa_t;

/** With the IKE_SA held. FALSE: reason is set, and `encoded` is empty. */
bool gsa_group_sa_encode(ike_sa_t *ike_sa, const Gsa__GroupSa *group_sa, gsa_group_sa_t *encoded,
			 const char **reason);
/** GSA, KD and their notifies, as a registration's answer and a rekey have them. */
void gsa_group_sa_add(const gsa_group_sa_t *encoded, message_t *message);
void gsa_group_sa_clear(gsa_group_sa_t *encoded);
/**
 * The reverse, of a message that came over the IKE_SA; free it with gsa_group_sa_free().
 * Returns 0, or the notify that tells the key server (NO_PROPOSAL_CHOSEN,
 * REGISTRATION_FAILED), with the reason.
 */
uint16_t gsa_group_sa_take(ike_sa_t *ike_sa, message_t *message, Gsa__GroupSa **group_sa,
			   const char **reason);
/** Wipes the keys first; NULL is fine. */
void gsa_group_sa_free(Gsa__GroupSa *group_sa);

/* gsa_peer.c */

/** Free with gsa__peer__free_unpacked(). */
Gsa__Peer *gsa_peer_create(ike_sa_t *ike_sa);

/* Key server */

struct gsa_server_t {
	/** Send a Registration for each one held (resynchronisation). */
	void (*repeat)(gsa_server_t *this);
	/** EndRegistration; FALSE if the message is not for the key server's side. */
	bool (*handle)(gsa_server_t *this, const Gsa__Message *message);
	/** A registration was granted over this IKE_SA; the peer is cloned. */
	void (*add)(gsa_server_t *this, const Gsa__Peer *peer, uint32_t group, chunk_t group_name,
		    const gsa_given_t *given);
	/** SAs of a rekey go to the member. */
	void (*rekeyed)(gsa_server_t *this, uint32_t ike_sa, uint32_t group,
			const gsa_given_t *given);
	/** The member left the group (group_name empty: the only one); told to gcksd. */
	void (*left)(gsa_server_t *this, uint32_t ike_sa, chunk_t group_name,
		     Gsa__EndReason reason, const char *text);
	/**
	 * gcksd ended a registration, and its IKE_SA is held: takes it out of the table.
	 * @param found		gcksd's message found it: one that was granted since stays
	 * @param name		as below
	 * @return		FALSE: there is nothing to end (any more)
	 */
	bool (*end)(gsa_server_t *this, uint32_t ike_sa, uint32_t group, bool found,
		    const char *text, chunk_t *name);
	/**
	 * The name under which the registration is told on the wire (allocated): empty when
	 * it is the only one of its IKE_SA.
	 * @return	FALSE if there is no such registration
	 */
	bool (*name)(gsa_server_t *this, uint32_t ike_sa, uint32_t group, chunk_t *name);
	/** Unique ids of the IKE_SAs whose members have a certificate (allocated, NULL: none). */
	size_t (*with_certificate)(gsa_server_t *this, uint32_t **ids);
	/** How many registrations are held over the IKE_SA. */
	size_t (*count)(gsa_server_t *this, uint32_t ike_sa);
	void (*destroy)(gsa_server_t *this);
};
gsa_server_t *gsa_server_create(void);
/** Ends a registration over an IKE_SA in a job, see end(). */
void gsa_end_queue(uint32_t ike_sa, uint32_t group, bool found, bool close, const char *reason);
/** Closes an IKE_SA in a job, after a while, if neither a group nor a CHILD_SA needs it then. */
void gsa_close_queue(ike_sa_t *ike_sa, uint32_t delay_s);
/** Constructor for message_register_exchange(GSA_REGISTRATION): requests of members. */
task_t *gsa_respond_create(ike_sa_t *ike_sa, message_t *request);

struct gsa_rekeys_t {
	/** Rekey; FALSE if the message is another one. */
	bool (*handle)(gsa_rekeys_t *this, const Gsa__Message *message);
	/** gcksd connected: what it asked for before is not answered. */
	void (*forget)(gsa_rekeys_t *this);
	void (*destroy)(gsa_rekeys_t *this);
};
gsa_rekeys_t *gsa_rekeys_create(void);

typedef struct gsa_refused_t gsa_refused_t;
/** Tells gcksd of peers that failed to authenticate. */
gsa_refused_t *gsa_refused_create(void);
void gsa_refused_destroy(gsa_refused_t *this);

typedef struct gsa_credential_t gsa_credential_t;
/** Ends the registrations of members whose certificates are no longer good. */
gsa_credential_t *gsa_credential_create(void);
void gsa_credential_start(gsa_credential_t *this);
void gsa_credential_destroy(gsa_credential_t *this);
/** What an alert says of a certificate (static); NULL: it is about something else. */
const char *gsa_credential_reason(alert_t alert);

typedef struct gsa_auth_t gsa_auth_t;

/* Member */

/** How a GSA_REGISTRATION that the member initiated ended. */
typedef struct {
	const char *group;	/**< name */
	uint32_t attempt;	/**< as given to gsa_register_create() */
	Gsa__GroupSa *group_sa; /**< granted; the receiver frees it */
	uint16_t notify;	/**< else: why not; 0: there was no answer */
	const char *text;
} gsa_outcome_t;

struct gsa_member_t {
	/** Send a Membership for each group, with its GroupSa if it holds one. */
	void (*repeat)(gsa_member_t *this);
	/** Join, Leave; FALSE if the message is not for the member's side. */
	bool (*handle)(gsa_member_t *this, const Gsa__Message *message);
	/** gcksd connected / sent SyncDone: memberships that were not repeated are left. */
	void (*mark)(gsa_member_t *this);
	void (*sweep)(gsa_member_t *this);
	/** The register task tells how it ended; ike_sa is NULL if there was no answer. */
	void (*conclude)(gsa_member_t *this, ike_sa_t *ike_sa, const gsa_outcome_t *outcome);
	/**
	 * A rekey of the key server, with the IKE_SA held.
	 * @return	0, or the error notify for the key server, with the reason
	 */
	uint16_t (*rekey)(gsa_member_t *this, ike_sa_t *ike_sa, message_t *message,
			  const char **reason);
	/** The groups that hold an SA of this SPI, as text; FALSE: none. */
	bool (*holders)(gsa_member_t *this, uint32_t spi, char *text, size_t size);
	/** Does a group of ours open this IKE_SA with GSA_AUTH? */
	bool (*opens)(gsa_member_t *this, uint32_t ike_sa);
	/** Does a group of ours need this IKE_SA? */
	bool (*uses)(gsa_member_t *this, uint32_t ike_sa);
	void (*destroy)(gsa_member_t *this);
};
gsa_member_t *gsa_member_create(void);

/** Task that registers with a group; `attempt` comes back in the outcome. */
task_t *gsa_register_create(ike_sa_t *ike_sa, const char *group, bool sender, uint32_t attempt);
/** The same while the IKE_SA is established: to be queued before it is initiated. */
task_t *gsa_open_create(ike_sa_t *ike_sa, const char *group, bool sender, uint32_t attempt);

/** Constructor for message_register_exchange(GSA_INBAND_REKEY): requests of key servers. */
task_t *gsa_rekeyed_create(ike_sa_t *ike_sa, message_t *request);

/*
 * Tasks that end a registration, gsa_depart.c.  With `close` the IKE_SA is deleted once
 * the peer has acknowledged, unless a registration needs it by then.
 */

/** Member: leaves the group, or did not accept its policy (notify says which). */
task_t *gsa_depart_create(ike_sa_t *ike_sa, const char *group, uint16_t notify, bool close);
/** Key server: Deletes for the member; group_name empty: its only group. */
task_t *gsa_exclude_create(ike_sa_t *ike_sa, uint32_t group, chunk_t group_name, bool close);

/* Kernel */

struct gsa_kernel_t {
	/** InstallSa, RemoveSa, InstallPolicy, RemovePolicy; answers with Installed. */
	bool (*handle)(gsa_kernel_t *this, const Gsa__Message *message);
	void (*destroy)(gsa_kernel_t *this);
};
gsa_kernel_t *gsa_kernel_create(void);

#endif
