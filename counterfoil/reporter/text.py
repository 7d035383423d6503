"""Text from tests on its way into a record: without secrets, valid, and cut.

Whatever a test prints, raises or is named passes through `Cleaner` before anything is hashed or
written.  What is taken out is replaced by a keyed digest (`client.redact`): equal secrets stay
equal, and the key stays on this machine.
"""

import hashlib
import re
import reprlib
from collections.abc import Iterable, Mapping

from counterfoil.client.redact import Redactor, is_secret_name
from counterfoil.events.canonical import JSON

PARAMETER_BYTES = 1_000
PARAMETERS_MAX = 20

# Any of these in a text, and only then, the patterns are worth their time.
_HINTS = (
    "pass", "pwd", "secret", "token", "credential", "cookie", "authorization", "bearer", "key",
    "://", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "akia", "asia",
    "sk-", "npm_", "pypi-", "cf_", "eyj",
)  # fmt: skip
# Begins with the word itself, so that a long run of letters costs no more than its length.
_ASSIGNED = re.compile(
    r"(?i:pass(?:word|wd|phrase)|pwd|secret|token|credential|cookie|authorization"
    r"|(?:api|access|private|auth|signing|encryption)[-_]?key)s?[A-Za-z0-9_-]{0,30}"
    r"[\"']?[ \t]{0,3}[:=]{1,2}[ \t]{0,3}"
    r"(?P<value>\"[^\"\n]{1,4000}\"|'[^'\n]{1,4000}'|(?:(?i:bearer|basic)[ ])?[^\s\"',;&)\]}]{3,4000})"
)
_BEARER = re.compile(r"(?i:\bbearer|\bbasic)[ ](?P<value>[A-Za-z0-9._~+/=-]{8,4000})")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----"
    r"(?P<value>(?:(?!-----END).){0,20000})(?:-----END [A-Z ]{0,40}KEY-----)?",
    re.DOTALL,
)


class Cleaner:
    """Takes out what must not be recorded, and cuts what is left."""

    def __init__(self, redactor: Redactor, patterns: Iterable[str] = ()) -> None:
        """Take the keyed redactor and the user's own patterns.

        Raises:
            re.error: one of `patterns` is no regular expression.
        """
        self._redactor = redactor
        self._own = tuple(re.compile(pattern) for pattern in patterns)
        self._repr = reprlib.Repr()
        self._repr.maxstring = self._repr.maxother = PARAMETER_BYTES
        self._repr.maxlist = self._repr.maxtuple = self._repr.maxdict = 20
        self._repr.maxset = self._repr.maxfrozenset = self._repr.maxdeque = 20
        self._repr.maxlong = 200

    def clean(self, text: str) -> str:
        """Return `text` without secrets and without lone surrogates."""
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode("utf-8")
        for pattern in self._own:
            text = pattern.sub(self._mark_all, text)
        lower = text.lower()
        for hint in _HINTS:
            if hint in lower:
                break
        else:
            return text
        for pattern in (_PRIVATE_KEY, _ASSIGNED, _BEARER):
            text = pattern.sub(self._mark_value, text)
        # The space: a word that begins with NAME= is a setting as a whole, a text is not.
        return self._redactor.text(" " + text)[1:]

    def cut(self, text: str, size_bytes: int) -> str:
        """Return the beginning of `text` without secrets, at most `size_bytes` of UTF-8."""
        return cut(self.clean(text), size_bytes)

    def kept(self, text: str, size_bytes: int, *, tail: bool = False) -> dict[str, JSON]:
        """Return a text as an event holds it: a part of it, and what identifies the whole.

        Args:
            text: as it was seen; size and SHA-256 are of it without secrets.
            size_bytes: how much of it to keep; 0 keeps none.
            tail: keep its end: what was printed last says most.
        """
        text = self.clean(text)
        data = text.encode("utf-8")
        facts: dict[str, JSON] = {
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        if size_bytes:
            if len(data) > size_bytes:
                data = data[-size_bytes:] if tail else data[:size_bytes]
            facts["kept"] = data.decode("utf-8", "ignore")
        return facts

    def parameters(self, given: Mapping[str, object]) -> dict[str, JSON]:
        """Return parameters as text; those with a secret's name are replaced whole."""
        shown: dict[str, JSON] = {}
        for name, value in list(given.items())[:PARAMETERS_MAX]:
            text = self._show(value)
            if is_secret_name(name):
                shown[self.cut(name, 100)] = f"[redacted {self._redactor.digest(text)}]"
            else:
                shown[self.cut(name, 100)] = self.cut(text, PARAMETER_BYTES)
        return shown

    def _show(self, value: object) -> str:
        try:
            return self._repr.repr(value)
        except Exception as error:  # noqa: BLE001  other people's __repr__ may raise anything
            return f"<{type(value).__name__}: repr raised {type(error).__name__}>"

    def _mark_value(self, found: re.Match[str]) -> str:
        value = found["value"]
        start = found.start("value") - found.start()
        end = start + len(value)
        mark = f"[redacted {self._redactor.digest(value)}]"
        return found[0][:start] + mark + found[0][end:]

    def _mark_all(self, found: re.Match[str]) -> str:
        return f"[redacted {self._redactor.digest(found[0])}]" if found[0] else ""


def cut(text: str, size_bytes: int) -> str:
    """Return the beginning of `text`, at most `size_bytes` of UTF-8, cut at a character."""
    if len(text) * 4 <= size_bytes:
        return text
    data = text.encode("utf-8")
    return text if len(data) <= size_bytes else data[:size_bytes].decode("utf-8", "ignore")
