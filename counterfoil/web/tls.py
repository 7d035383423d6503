"""The certificate a server shows, read again while it serves (SIGHUP).

Certificates end after weeks and are renewed by programs: nobody should have to stop a server for
that, and a renewal that went wrong must not leave one that answers nobody.  So files are tried on
a context of their own first.  Connections that stand go on under what they began with.

Source: OpenSSL, SSL_CTX_use_certificate_chain_file(3): what a context is given later holds for
connections made later.
"""

import contextlib
import hashlib
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.errors import RequestError

_LOG: Final = logging.getLogger("counterfoil.web")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where certificate and key stand, and the context that shows them.

    Attributes:
        chain: PEM, the server's own certificate first.
        key: PEM, not encrypted.
        context: of the server.
    """

    chain: Path
    key: Path
    context: ssl.SSLContext

    def read_again(self) -> bool:
        """Show what stands in the files now; where that is no pair, go on as before and say so."""
        try:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.chain, self.key)
            load_pair(self.context, self.chain, self.key)
        except RequestError as error:
            _LOG.error("%s; the certificate that was read before is still shown", error.message)
            return False
        _LOG.warning("certificate and key were read again from %s", self.chain)
        return True

    def fingerprint(self) -> str:
        """Return the SHA-256 of the certificate that is shown (its DER form), in hexadecimal.

        Asked of the context, by a handshake in memory: files may have changed since.
        """
        asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        asking.check_hostname = False
        asking.verify_mode = ssl.CERT_NONE  # it is looked at; nothing is sent
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = asking.wrap_bio(to_client, to_server)
        server = self.context.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client):  # RFC 8446, 2: the second flight shows it
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        return hashlib.sha256(client.getpeercert(binary_form=True) or b"").hexdigest()


def load_pair(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    """Give a context a certificate and its key.

    Raises:
        RequestError: `file_unreadable`: a file is absent, is no PEM, is encrypted, or the key is
            another certificate's.
    """
    try:
        # A password would be asked for on a terminal, which a service has not.
        context.load_cert_chain(chain, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise RequestError(
            "file_unreadable", f"certificate {chain} and key {key} cannot be used: {error}"
        ) from error
