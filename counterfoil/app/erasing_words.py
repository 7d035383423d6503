"""The words of a person: what is looked for in what others wrote, when a person is erased.

Pure.  A word counts where it stands by itself: `ana` is not found in `banana`.  What is too short
to mean anybody by itself counts only as a whole text.  Bytes are searched in the forms that JSON
and reports have: UTF-8, JSON with and without escapes, UTF-16.  What is packed or encoded (ZIP,
base64) is not looked into.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from counterfoil.events.canonical import JSON

WORD_MIN: Final = 3


class Words:
    """Says whether bytes hold one of some texts.

    Args:
        texts: the texts; case does not matter where it is ASCII.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text for text in texts if text.strip()}))
        forms: set[bytes] = set()
        for text in self.texts:
            forms |= _forms(text)
        # The longest first: then what is found is the whole of it.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._found = re.compile(b"|".join(ordered), re.IGNORECASE) if ordered else None
        self.reach_bytes = max((4 * len(text.encode()) for text in self.texts), default=0) + 8

    def within(self, data: bytes) -> bool:
        """Say whether one of them stands in some bytes."""
        return self._found is not None and self._found.search(data) is not None

    def within_pieces(self, pieces: Iterable[bytes]) -> bool:
        """Say the same of bytes that come in pieces; memory holds one of them."""
        before = b""
        for piece in pieces:
            together = before + piece
            if self.within(together):
                return True
            before = together[-self.reach_bytes :]
        return False


def texts_in(value: JSON) -> list[str]:
    """Return every text of a JSON value; of refs to actors, the account."""
    if isinstance(value, str):
        return [value.removeprefix("actor:")]
    if isinstance(value, list):
        return [text for one in value for text in texts_in(one)]
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_in(one)]
    return []


def names_of(account: str) -> list[str]:
    """Return what an account is called: whole, and what its provider calls it.

    >>> names_of("github.com:ana-dev")
    ['github.com:ana-dev', 'ana-dev']
    """
    return [account, account.rpartition(":")[2]]


def _forms(text: str) -> set[bytes]:
    plain = text.encode("utf-8", "surrogatepass")
    loose = json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
    tight = json.dumps(text).encode()
    if len(text) < WORD_MIN:
        return {re.escape(loose), re.escape(tight)}
    whole = {plain, loose[1:-1], tight[1:-1]}
    forms = {b"(?<![0-9A-Za-z])" + re.escape(form) + b"(?![0-9A-Za-z])" for form in whole}
    return forms | {
        re.escape(text.encode(form, "surrogatepass")) for form in ("utf-16-le", "utf-16-be")
    }
