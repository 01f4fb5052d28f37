// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parts of G-IKEv2 payloads that libgsa's payload codecs share: protocols, attributes,
 * traffic selectors, transforms, wrapped keys.  Not for use outside libgsa.
 *
 * Decoding functions return NULL, or a static string that names the field and what is
 * wrong with it.
 */
#ifndef LIBGSA_GIKEV2_PARTS_H
#define LIBGSA_GIKEV2_PARTS_H

#include "libgsa/gikev2.h"
#include "libgsa/wire.h"

#define GSA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* -- protocols (gikev2_protocol.c) -- */

/* Sets of protocols, as tables hold them. */
enum {
	GSA_IN_AH = 1 << 0,
	GSA_IN_ESP = 1 << 1,
	GSA_IN_GIKE_UPDATE = 1 << 2,
	GSA_IN_DATA = GSA_IN_AH | GSA_IN_ESP,
	GSA_IN_ALL = GSA_IN_DATA | GSA_IN_GIKE_UPDATE,
};

struct gsa_protocol {
	uint8_t id, spi_size;
	uint8_t set; /* its one bit */
	bool is_data;
};

/* NULL: not a protocol that a group SA has. */
const struct gsa_protocol *gsa_protocol_by_id(uint8_t id);

/* SPIs below are reserved (RFC 4303 §2.1). */
#define GSA_SPI_MIN 256

#define GSA_SUBSTRUCTURE_HEADER_SIZE 4

/* Header of a GSA or KD substructure (§4.4.2, §4.4.3, §4.5.2, §4.5.3). */
struct gsa_substructure {
	uint8_t protocol; /* 0: group-wide policy, member key bag */
	uint8_t spi_size; /* reserved with protocol 0 */
	struct gsa_reader body;
};

const char *gsa_substructure_decode(struct gsa_reader *reader, struct gsa_substructure *sub);

/* The SPI at the head of a body; *spi is set for data SAs only. */
const char *gsa_spi_decode(struct gsa_substructure *sub, const struct gsa_protocol *protocol,
			   uint32_t *spi);

/* Writes the header (and an SPI if there is a protocol); the handle is for the end. */
size_t gsa_substructure_open(struct gsa_writer *writer, uint8_t protocol, uint32_t spi);
void gsa_substructure_close(struct gsa_writer *writer, size_t handle);

/* -- attributes (gikev2_attribute.c) -- */

enum gsa_attribute_format { GSA_ATTRIBUTE_TLV, GSA_ATTRIBUTE_TV };

struct gsa_attribute_row {
	uint16_t type;
	enum gsa_attribute_format format;
	bool multi_valued;
	uint8_t protocols; /* set of protocols that it may be sent with */
	uint16_t min, max; /* octets of the value */
	/* what is said when one of these does not hold */
	struct {
		const char *format, *twice, *protocol, *length;
	} wrong;
	/*
	 * Takes the value, whose length has been checked, into `target`; NULL: the
	 * attribute is checked and otherwise ignored.
	 */
	const char *(*decode)(struct gsa_reader *value, void *target);
	/* Writes what `source` has of this attribute: none, one or many.  NULL: none. */
	void (*encode)(struct gsa_writer *writer, const struct gsa_attribute_row *row,
		       const void *source);
};

#define GSA_ATTRIBUTE_WRONG(name)                                                                  \
	{                                                                                          \
		name ": wrong attribute format", name ": present twice",                           \
			name ": not with this protocol", name ": wrong length"                     \
	}

struct gsa_attribute_table {
	const struct gsa_attribute_row *rows;
	size_t count;
	const char *truncated; /* said of a header or value that is longer than what is left */
	const char *unknown;   /* said of a type that has no row; NULL: ignore it */
};

/* Walks attributes to the end of `reader`; `protocol` is one bit of a protocol set. */
const char *gsa_attributes_decode(const struct gsa_attribute_table *table,
				  struct gsa_reader *reader, uint8_t protocol, void *target);
void gsa_attributes_encode(const struct gsa_attribute_table *table, struct gsa_writer *writer,
			   const void *source);

/* For `encode` of a row. */
void gsa_attribute_write_tv(struct gsa_writer *writer, const struct gsa_attribute_row *row,
			    uint16_t value);
size_t gsa_attribute_open_tlv(struct gsa_writer *writer, const struct gsa_attribute_row *row);
void gsa_attribute_close_tlv(struct gsa_writer *writer, size_t handle);

/* -- traffic selectors (gikev2_selector.c) -- */

const char *gsa_selector_decode(struct gsa_reader *reader, struct gsa_traffic_selector *ts);
void gsa_selector_encode(struct gsa_writer *writer, const struct gsa_traffic_selector *ts);

/* -- algorithms (gikev2_algorithm.c) -- */

/* NULL, or what is wrong with the Key Length; anything fits an algorithm not known. */
const char *gsa_encryption_check(uint16_t encryption, uint16_t key_bits);

enum gsa_aead { GSA_AEAD_NO, GSA_AEAD_YES, GSA_AEAD_UNKNOWN };
enum gsa_aead gsa_encryption_aead(uint16_t encryption);

/* -- transforms (gikev2_transform.c) -- */

/* Index of a transform type in struct gsa_transforms. */
enum gsa_transform_slot {
	GSA_SLOT_ENCR,
	GSA_SLOT_INTEG,
	GSA_SLOT_SN,
	GSA_SLOT_KWA,
	GSA_SLOT_GCAUTH,
	GSA_SLOTS,
};

struct gsa_transforms {
	bool present[GSA_SLOTS];
	uint16_t id[GSA_SLOTS];
	uint16_t encryption_key_bits; /* Key Length, 0: absent */
	bool has_signature_algorithm;
};

/* The list up to the transform that says it is the last. */
const char *gsa_transforms_decode(struct gsa_reader *reader, const struct gsa_protocol *protocol,
				  struct gsa_transforms *transforms);
/* Fails the writer when the transforms do not fit the protocol. */
void gsa_transforms_encode(struct gsa_writer *writer, const struct gsa_protocol *protocol,
			   const struct gsa_transforms *transforms);

#endif
