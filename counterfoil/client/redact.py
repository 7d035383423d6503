"""Secrets are taken out where they are seen, before anything is written or sent.

What is taken out leaves `[redacted HMAC]`: a digest under a random key that stays on this machine,
so that two records show whether the value was the same, and nobody who reads them can guess it.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable

from counterfoil.client import system

KEY_FILE = "redaction.key"
KEY_BYTES = 32
_DIGEST_LENGTH = 32

_NAME = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|cookie|authorization|bearer"
    r"|(?:api|access|private|auth|signing|encryption)[-_]?key)s?"
)
# A whole name is one if a part of it is: DB_PASSWORD, --github-token, x-api-key.
_SECRET_NAME = re.compile(rf"(?:^|[^a-z])(?:[a-z0-9]*[-_.])?{_NAME}(?:$|[^a-z])", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?P<name>-{0,2}[A-Za-z_][A-Za-z0-9_.-]{0,99})=(?P<value>.+)", re.DOTALL)
_HEADER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9-]{0,99}):\s*(?P<value>.+)", re.DOTALL)
_IN_URL = re.compile(r"(?<=://)(?P<value>[^/@\s]{1,400})(?=@)")
# Secrets that are known by their shape.
_SHAPES = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,255}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}|(?:AKIA|ASIA)[A-Z0-9]{16}|sk-[A-Za-z0-9_-]{20,255}"
    r"|npm_[A-Za-z0-9]{30,64}|pypi-[A-Za-z0-9_-]{40,255}|cf_[0-9a-f]{48}"
    r"|eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{0,4000}"
)


class Redactor:
    """Takes secrets out, under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def digest(self, value: str) -> str:
        """Return what stands for a value: "hmac-sha256:" and 32 hexadecimal digits."""
        found = hmac.digest(self._key, value.encode("utf-8", "surrogateescape"), "sha256")
        return f"hmac-sha256:{found.hex()[:_DIGEST_LENGTH]}"

    def words(self, words: Iterable[str]) -> list[str]:
        """Return a command line without its secrets.

        The value of `--token VALUE`, `--token=VALUE`, `TOKEN=VALUE` and `Authorization: VALUE` is
        taken out, user and password of an URL, and what has the shape of a well-known token.
        """
        shown: list[str] = []
        is_secret = False
        for word in words:
            if is_secret and not word.startswith("-"):
                shown.append(self._mark(word))
                is_secret = False
                continue
            is_secret = word.startswith("-") and "=" not in word and is_secret_name(word)
            shown.append(self.text(word))
        return shown

    def text(self, text: str) -> str:
        """Return a text without the secrets it can be seen to hold."""
        for form in (_ASSIGNED, _HEADER):
            found = form.fullmatch(text)
            if found and is_secret_name(found["name"]):
                start = found.start("value")
                return text[:start] + self._mark(found["value"])
        text = _IN_URL.sub(lambda found: self._mark(found[0]), text)
        return _SHAPES.sub(lambda found: self._mark(found[0]), text)

    def _mark(self, value: str) -> str:
        return f"[redacted {self.digest(value)}]"


def is_secret_name(name: str) -> bool:
    """Say whether what is called so is likely a secret.

    >>> is_secret_name("DB_PASSWORD"), is_secret_name("--github-token"), is_secret_name("PATH")
    (True, True, False)
    """
    return _SECRET_NAME.search(name[:200]) is not None


def read_key(folder: str) -> bytes:
    """Return the key kept beside the spools of `folder`, made (mode 0600) at first sight.

    Where none can be kept, the key is good for this time only: digests then match nothing else.
    """
    path = os.path.join(folder, KEY_FILE)  # noqa: PTH118  pathlib costs 5 ms before every command
    fresh = os.urandom(KEY_BYTES)
    try:
        if (kept := _read(path)) is not None:
            return kept
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103  the same
        part = f"{path}.{fresh[:8].hex()}"
        # Raw bytes: where line ends are translated, one key in eight would be written longer.
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.OPEN_FLAGS, 0o600)
        try:
            os.write(file, fresh)
            os.fsync(file)
            # A link never replaces: of two who make it at once, both go on with the same key.
            os.link(part, path)
        finally:
            os.close(file)
            os.unlink(part)  # noqa: PTH108  the same
    except FileExistsError:
        return _read(path) or fresh
    except OSError:
        return fresh
    return fresh


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  the same
            key = file.read(KEY_BYTES + 1)
    except FileNotFoundError:
        return None
    return key if len(key) == KEY_BYTES else hashlib.sha256(key).digest()
