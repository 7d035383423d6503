"""An authenticator in software: it signs what it is told to, rightly or not.

Source: WebAuthn level 3, sections 6.1 (authenticator data) and 6.5 (attestation); RFC 9053.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, BACKED_UP, HAS_KEY = 0x01, 0x04, 0x18, 0x40


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One key, made for one host.  Its members are what a test bends."""

    origin: str
    rp_id: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = b"a credential's own id"
    counter: int = 0
    flags: int = PRESENT | VERIFIED
    user: bytes = b""

    @property
    def id(self) -> str:
        """The credential's id, as it is written."""
        return base64url(self.credential_id)

    def create(self, options: str, **client: Any) -> bytes:
        """Answer `navigator.credentials.create`."""
        asked = json.loads(options)
        self.user = from_base64url(asked["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        made = (
            bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cbor2.dumps(cose)
        )
        data = self._data(self.flags | HAS_KEY) + made
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._client_data("webauthn.create", asked["challenge"], client)
        return self._credential(
            {"clientDataJSON": base64url(said), "attestationObject": base64url(attestation)}
        )

    def get(self, options: str, **client: Any) -> bytes:
        """Answer `navigator.credentials.get`."""
        asked = json.loads(options)
        data = self._data(self.flags)
        said = self._client_data("webauthn.get", asked["challenge"], client)
        signed = data + hashlib.sha256(said).digest()
        return self._credential(
            {
                "clientDataJSON": base64url(said),
                "authenticatorData": base64url(data),
                "signature": base64url(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
                "userHandle": base64url(self.user) if self.user else None,
            }
        )

    def _data(self, flags: int) -> bytes:
        return (
            hashlib.sha256(self.rp_id.encode()).digest()
            + flags.to_bytes(1)
            + self.counter.to_bytes(4)
        )

    def _client_data(self, kind: str, challenge: str, client: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **client}).encode()

    def _credential(self, response: dict[str, Any]) -> bytes:
        whole = {"id": self.id, "rawId": self.id, "type": "public-key", "response": response}
        return json.dumps({**whole, "clientExtensionResults": {}}).encode()
