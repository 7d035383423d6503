"""Time stamps for the aggregate log: proof that its checkpoints existed before a moment.

An authority for time stamps (RFC 3161) signs the digest of a checkpoint's text and its own time.
Its key and its clock are not ours, so the time holds even if both of ours are in other hands.
The tokens stand in `DIR/timestamps/`, each beside the checkpoint it is of: `SIZE.checkpoint` and
`SIZE.tsr`, the whole answer of the authority.

Who checks a token with a root they trust is `client.evidence_timestamps`; here a token is only
kept when it is of the digest that was sent and repeats the number that was sent with it.

Source: RFC 3161 sections 2.4 and 3.4.
"""

import hashlib
from pathlib import Path
from typing import Final

from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder
from rfc3161_client import decode_timestamp_response as decode

from counterfoil.app.outbound import post
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.stores.files import Staging
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note_text import parse_note

FOLDER: Final = "timestamps"
TIMEOUT_S: Final = 10.0
_QUERY: Final = "application/timestamp-query"


class Timestamps:
    """Asks one authority and keeps its tokens.

    Args:
        directory: the ledger.
        url: of the authority.
    """

    def __init__(self, directory: Path, url: str) -> None:
        self._folder = directory / FOLDER
        self._url = url
        self._files = Staging(self._folder, 0o444)

    def stamp(self, note: bytes) -> int:
        """Have a checkpoint stamped; return its size.  What is empty or stamped is not sent.

        Raises:
            UnavailableError: `unreachable`, `storage`, `read_only`: try again later.
            EvidenceError: `signature`: the answer is no token of what was sent.
        """
        text = parse_note(note).text
        size = parse_checkpoint(text).size
        token = self._folder / f"{size}.tsr"
        if not size or token.exists():
            return size
        request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
        answer = post(self._url, request.as_bytes(), _QUERY, TIMEOUT_S)
        if answer.status != 200:
            raise UnavailableError("unreachable", f"{self._url} answered {answer.status}")
        try:
            response = decode(answer.body)
            granted = PKIStatus(response.status) == PKIStatus.GRANTED
            said = response.tst_info if granted else None
        except ValueError as error:
            raise EvidenceError("signature", f"{self._url}: no time-stamp token") from error
        if said is None:
            raise UnavailableError("unreachable", f"{self._url} grants no time stamp")
        digest = hashlib.sha256(text).digest()
        if said.message_imprint.message != digest or said.nonce != request.nonce:
            raise EvidenceError("signature", f"{self._url}: a token of something else")
        # The checkpoint first: a token without it could not be checked.
        self._files.write([(self._folder / f"{size}.checkpoint", note), (token, answer.body)])
        return size
