# SPDX-License-Identifier: GPL-2.0-or-later
"""What a CA says of its certificates, over HTTP from a node of the lab: a CRL (RFC 5280) and OCSP
(RFC 6960). What is said holds for a few seconds only, so that it is asked for again."""

import datetime
import http.server
import socketserver
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from topology import namespaces

PORT = 8080


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def crl(authority, number, serials, life_s):
    """In DER."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=authority.certificate.subject,
        last_update=now() - datetime.timedelta(hours=1),
        next_update=now() + datetime.timedelta(seconds=life_s))
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority.key.public_key()), critical=False)
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial, now() - datetime.timedelta(minutes=1)).build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = 2      # IPv4
    daemon_threads = True


class RevocationServer:
    """On a node's address; `crls` and `queries` count what was asked for."""

    def __init__(self, node, address, authority, life_s):
        self.authority, self.life_s, self.address = authority, life_s, str(address)
        self.certificates, self.revoked = {}, set()
        self.number = self.crls = self.queries = 0
        with namespaces.inside(node):
            self.server = Server((self.address, PORT), handler(self))
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def uri(self, what):
        return f"http://{self.address}:{PORT}/{what}"

    def knows(self, credential):
        certificate = x509.load_der_x509_certificate(credential.certificate)
        self.certificates[certificate.serial_number] = certificate
        return certificate.serial_number

    def crl(self):
        self.crls += 1
        self.number += 1
        return crl(self.authority, self.number, self.revoked, self.life_s)

    def answer(self, request):
        self.queries += 1
        request = ocsp.load_der_ocsp_request(request)
        serial = request.serial_number
        revoked = serial in self.revoked
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=self.certificates[serial], issuer=self.authority.certificate,
            algorithm=request.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=now(), next_update=now() + datetime.timedelta(seconds=self.life_s),
            revocation_time=now() - datetime.timedelta(minutes=1) if revoked else None,
            revocation_reason=None).responder_id(ocsp.OCSPResponderEncoding.HASH,
                                                 self.authority.certificate)
        for extension in request.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        return builder.sign(self.authority.key, hashes.SHA256()).public_bytes(
            serialization.Encoding.DER)


def handler(of):
    class Handler(http.server.BaseHTTPRequestHandler):
        def say(self, kind, data):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):       # pylint: disable=invalid-name
            self.say("application/pkix-crl", of.crl())

        def do_POST(self):      # pylint: disable=invalid-name
            length = int(self.headers["Content-Length"])
            self.say("application/ocsp-response", of.answer(self.rfile.read(length)))

        def log_message(self, *_):      # pylint: disable=arguments-differ
            pass
    return Handler
