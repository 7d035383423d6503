"""Randomness as an argument: ids, keys and pseudonyms come from one source that tests can seed.

And the name of whoever runs this program, for events that nobody else is named for.
"""

import getpass
import hashlib
import os
import secrets
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Randomness(Protocol):
    """Whatever yields unpredictable bytes."""

    def token(self, size_bytes: int) -> bytes:
        """Return `size_bytes` fresh bytes."""
        ...


class SystemRandomness:
    """The operating system's generator."""

    def token(self, size_bytes: int) -> bytes:
        """Return `size_bytes` fresh bytes."""
        return secrets.token_bytes(size_bytes)


class SeededRandomness:
    """Repeatable bytes for tests, golden vectors and the demo: never for a real ledger."""

    def __init__(self, seed: str) -> None:
        self.seed = seed.encode()
        self.count = 0

    def token(self, size_bytes: int) -> bytes:
        """Return the next `size_bytes` of the seeded stream."""
        self.count += 1
        block = hashlib.shake_256(self.seed + self.count.to_bytes(8, "big"))
        return block.digest(size_bytes)


def short_id(randomness: Randomness, length: int = 16) -> str:
    """Return a random name of `length` lower-case base32 letters (5 bits each), as in pseudonyms.

    >>> len(short_id(SeededRandomness("x")))
    16
    """
    return "".join(_ALPHABET[byte & 31] for byte in randomness.token(length))


def local_account() -> str:
    """Return the account that runs this program, as this machine knows it: `local:NAME`."""
    return f"local:{user_name()}"


def user_name() -> str:
    """Return the name of the user who runs this program.

    A number that no list of users has, as in many containers, is named `uid-NUMBER`.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return user_number()


def user_number() -> str:
    """Return what stands for a user without a name: `uid-NUMBER`, `unknown` without numbers."""
    return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
