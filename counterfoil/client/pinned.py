"""TLS with the one certificate a server on this machine says it shows, whoever vouches for it.

The commands of a ledger directory read in DIR/server.json (0600) where its server answers and the
SHA-256 of its certificate.  That names the server better than any authority could: a certificate
that vouches for itself is as good, and no name has to lead back to this machine.

What must hold: nothing is sent before the handshake, which proves that who answers has the key of
that very certificate.
"""

import hashlib
import ssl
from typing import Self


class PinnedContext(ssl.SSLContext):
    """A client's context that goes on with one certificate and no other.

    Attributes:
        certificate: SHA-256 of its DER form, in hexadecimal.
    """

    certificate: str

    def __new__(cls, certificate: str) -> Self:
        """Take the SHA-256 of the certificate's DER form, in hexadecimal."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.certificate = certificate
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # by the socket below, more narrowly
        context.sslsocket_class = _PinnedSocket
        return context


class _PinnedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as ssl has it
        super().do_handshake(block)
        shown = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
        if not isinstance(self.context, PinnedContext) or shown != self.context.certificate:
            raise ssl.SSLCertVerificationError(
                1, "another certificate is shown than the server of this directory has"
            )
