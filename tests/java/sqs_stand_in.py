"""A server that takes messages as SQS does and shows what came, over HTTP or TLS; STS in the same place lends credentials."""

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

ROLE_ASSUMED = """\
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>lent</AccessKeyId><SecretAccessKey>lent</SecretAccessKey><SessionToken>lent</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
"""


@contextmanager
def stand_in_of_sqs(tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """The server's address, and the list of message bodies that fills as they come."""
    bodies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if "X-Amz-Target" not in self.headers:
                self._answer("text/xml", ROLE_ASSUMED)
                return
            body = json.loads(request)["MessageBody"]
            bodies.append(body)
            digest = hashlib.md5(body.encode()).hexdigest()
            self._answer(
                "application/x-amz-json-1.0",
                json.dumps({"MessageId": f"message-{len(bodies)}", "MD5OfMessageBody": digest}),
            )

        def _answer(self, kind: str, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            """A client that does not trust the certificate hangs up; that is its business."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # Not in `accept`, where one client's handshake would hold up all others.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(server: ssl.SSLContext, folder: Path, trusted: Path) -> None:
    """Give the server an ECDSA certificate for 127.0.0.1, and write the list of trusted ones that Java needs (password `test`)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = folder / "server.pem"
    chain.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    server.load_cert_chain(chain)
    entry = pkcs12.PKCS12Certificate(certificate, b"server")
    trusted.write_bytes(pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(b"test")))
    trusted.chmod(0o644)
