"""Signing keys that do not lie in a file: an environment variable, or what a command prints.

A source gives one signer key a line: the key in force, and beside it the one before or after it
while they change.  What must hold: whatever a source gives, a message says nothing of it but how
much it was; what a command prints on its standard error is not read at all, since it may quote
the key.

Source: docs/adr/0035.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import IO, Final

from counterfoil.app.config import KeySourceConfig
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.tlog.keys import ED25519, SignerKey, parse_signer_key

ANSWER_MAX_BYTES: Final = 4_096
KEYS_MAX: Final = 4


def read_source(project: str, source: KeySourceConfig) -> list[SignerKey]:
    """Return the keys that a source gives, at least one.

    Args:
        project: whose log, for messages.
        source: checked by `read_config`.

    Raises:
        UnavailableError: `key_source`: it gives nothing, too much, or what is no key; its command
            cannot be run, fails, or takes too long.
    """
    where = f"the key source of log {project}"
    if source.env:
        where += f" (variable {source.env})"
        answer = os.environb.get(source.env.encode(), b"")
        if len(answer) > ANSWER_MAX_BYTES:
            raise _refuse(where, f"holds over {ANSWER_MAX_BYTES} bytes; put the key alone there")
    else:
        where += f" (command {source.command[0]})"
        answer = _run(where, source)
    return _keys(where, answer)


def _keys(where: str, answer: bytes) -> list[SignerKey]:
    lines = [line.strip() for line in answer.split(b"\n") if line.strip()]
    if not lines:
        raise _refuse(where, "gives nothing; it has to give a signer key, one a line")
    if len(lines) > KEYS_MAX:
        raise _refuse(where, f"gives {len(lines)} lines, {KEYS_MAX} keys at most are asked for")
    found: list[SignerKey] = []
    for number, line in enumerate(lines, start=1):
        try:
            key = parse_signer_key(line.decode("ascii"))
        except (EvidenceError, UnicodeDecodeError):
            key = None
        if key is None or key.vkey.algorithm != ED25519:
            # Without a cause: what failed to be read may be a key with one letter wrong.
            raise _refuse(where, f"gives no signer key in line {number}")
        found.append(key)
    return found


def _run(where: str, source: KeySourceConfig) -> bytes:
    """Return what the command prints; the processes it began end with it."""
    try:
        child = subprocess.Popen(  # noqa: S603  the operator's own words, and no shell
            list(source.command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise _refuse(where, f"cannot be run: {error.strerror}") from None
    assert child.stdout is not None, "asked for"
    try:
        answer = _read(where, child.stdout, source.timeout_s)
        try:
            code = child.wait(timeout=source.timeout_s)
        except subprocess.TimeoutExpired:
            raise _late(where, source.timeout_s) from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.stdout.close()
        child.wait()
    if code != 0:
        raise _refuse(where, f"ended with exit code {code}; run it yourself to see why")
    return answer


def _read(where: str, pipe: IO[bytes], timeout_s: int) -> bytes:
    until_s = time.monotonic() + timeout_s
    answer = b""
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, until_s - time.monotonic())):
                raise _late(where, timeout_s)
            part = os.read(pipe.fileno(), ANSWER_MAX_BYTES)
            if not part:
                return answer
            answer += part
            if len(answer) > ANSWER_MAX_BYTES:
                raise _refuse(where, f"gives over {ANSWER_MAX_BYTES} bytes, and a key is a line")


def _late(where: str, timeout_s: int) -> UnavailableError:
    return _refuse(where, f"did not answer within {timeout_s} seconds")


def _refuse(where: str, why: str) -> UnavailableError:
    return UnavailableError("key_source", f"{where} {why}; nothing was signed or changed")
