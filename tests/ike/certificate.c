// SPDX-License-Identifier: GPL-2.0-or-later
/* Members with certificates: each has one of its own, all have the same key. */
#include "tests/ike/ike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define LIFETIME_S 86400

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ike: %s failed\n", what);
	exit(2);
}

/* The key that certificates are issued for, and who issues them. */
static struct {
	EVP_PKEY *key, *ca_key;
	X509 *ca;
} pki;

void ike_certificates_open(const char *ca, const char *ca_key)
{
	FILE *file = fopen(ca, "r");

	need(file && (pki.ca = PEM_read_X509(file, NULL, NULL, NULL)), ca);
	fclose(file);
	file = fopen(ca_key, "r");
	need(file && (pki.ca_key = PEM_read_PrivateKey(file, NULL, NULL, NULL)), ca_key);
	fclose(file);
	pki.key = EVP_EC_gen("P-256");
	need(pki.key, "a key of P-256");
}

static bool add_name(X509 *certificate, const char *identity)
{
	char text[160];
	X509_EXTENSION *extension;
	bool ok;

	snprintf(text, sizeof(text), "DNS:%s", identity);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	ok = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

uint8_t *ike_certificate(const char *identity, size_t *length)
{
	static long serial;
	X509 *certificate = X509_new();
	uint8_t *encoded = NULL;
	int size;

	need(certificate && X509_set_version(certificate, X509_VERSION_3) &&
		     ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) &&
		     X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
						MBSTRING_UTF8, (const uint8_t *)identity, -1, -1,
						0) &&
		     X509_set_issuer_name(certificate, X509_get_subject_name(pki.ca)) &&
		     X509_gmtime_adj(X509_getm_notBefore(certificate), -LIFETIME_S) &&
		     X509_gmtime_adj(X509_getm_notAfter(certificate), LIFETIME_S) &&
		     X509_set_pubkey(certificate, pki.key) && add_name(certificate, identity) &&
		     X509_sign(certificate, pki.ca_key, EVP_sha256()) &&
		     (size = i2d_X509(certificate, &encoded)) > 0,
	     "a certificate");
	X509_free(certificate);
	*length = (size_t)size;
	return encoded;
}

/* Both numbers at their full length (RFC 4754 §7). */
void ike_sign(const struct ike_part *parts, size_t count, uint8_t out[IKE_SIGNATURE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t encoded[128];
	const uint8_t *at = encoded;
	size_t length = sizeof(encoded);
	ECDSA_SIG *signature;
	bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pki.key) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestSignUpdate(context, parts[i].data, parts[i].length) == 1;
	need(ok && EVP_DigestSignFinal(context, encoded, &length) == 1, "a signature");
	signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
	need(signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) == 32 &&
		     BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) == 32,
	     "a signature");
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
}
