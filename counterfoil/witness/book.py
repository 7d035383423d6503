"""What a witness keeps: its key, the logs it watches, and the last head it cosigned of each.

What must hold: a head is durable before its cosignature leaves, and the head of a log only ever
moves to one that extends it.  One process at a time owns the directory; one request at a time is
judged.  After a write that failed nobody knows what the disk holds, so nothing is cosigned until
a restart has looked.

The directory: `witness.key` (0600), `witness.vkey`, `logs` (a verifier key a line, behind one that
handed its log over the last size it vouches for alone), `lock`, and `seen/HEX/checkpoint`, the
cosigned note, HEX being SHA-256 of the log's origin.

A log's key is followed by another one when both have signed that it is, and never because a
checkpoint carries one signature more: anybody may add a line to a note.

Source: C2SP tlog-witness; docs/adr/0035 for keys that follow each other.
"""

import hashlib
import os
import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from counterfoil.app.place import check_file, check_mount, refuse_link
from counterfoil.client import system
from counterfoil.clock import Clock
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ids import Randomness
from counterfoil.stores.files import Staging, os_errors_translated
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.handover import parse_handover
from counterfoil.tlog.keys import (
    COSIGNATURE,
    ED25519,
    MLDSA44,
    SignerKey,
    VerifierKey,
    parse_signer_key,
    parse_vkey,
)
from counterfoil.tlog.note import verify_note
from counterfoil.tlog.note_text import signature_line_of, write_note
from counterfoil.tlog.policy import Log, Policy
from counterfoil.tlog.strict import is_key_name, read_decimal
from counterfoil.tlog.tree import TreeHead
from counterfoil.tlog.witness import Refused, judge

KEY, VKEY, LOGS, SEEN = "witness.key", "witness.vkey", "logs", "seen"
NAME_MAX_BYTES = 255
_FOLLOWED = b"followed\n"


def create_book(directory: Path, name: str, randomness: Randomness) -> VerifierKey:
    """Make the directory of a witness that watches no log yet.

    Args:
        directory: absent or empty.
        name: its key name, a schema-less URL such as `witness.example/audit`.
        randomness: where the key comes from.

    Raises:
        RequestError: `dir_exists`, `usage`.
        UnavailableError: `read_only`, `storage`.
    """
    if not is_key_name(name) or len(name.encode()) > NAME_MAX_BYTES:
        raise RequestError(
            "usage", f"{name[:80]!a} cannot name a key: no spaces, no plus, 1 to 255 bytes"
        )
    with os_errors_translated(directory):
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise RequestError(
                "dir_exists", f"{directory} is no empty directory; choose one that is"
            )
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    signer = SignerKey.from_seed(name, randomness.token(32), COSIGNATURE)
    files = Staging(directory, 0o600)
    files.write(
        [
            (directory / LOGS, b""),
            (directory / VKEY, f"{signer.vkey}\n".encode()),
            # Last: a directory without it is no witness yet.
            (directory / KEY, f"{signer.to_text()}\n".encode()),
        ]
    )
    return signer.vkey


def add_log(directory: Path, text: str) -> VerifierKey:
    """Watch one more log from the witness's next start on.

    Args:
        directory: of a witness.
        text: the log's verifier key; its name is the log's origin.

    Raises:
        RequestError: `not_a_ledger`, `usage`.
        UnavailableError: `storage`, `read_only`.
    """
    _require(directory)
    key = _log_key(text.strip())
    standing = _read_logs(directory)
    if key not in [one.key for one in standing]:
        _write_logs(Staging(directory, 0o600), directory, (*standing, Log(key)))
    return key


class Book:
    """One opened witness directory; `close` gives it back.  Safe to call from several threads.

    Args:
        directory: made by `create_book`.
        clock: states the time in cosignatures.

    Raises:
        RequestError: `not_a_ledger`: no witness stands there; `usage`: its `logs` file is off;
            `unsafe_access`, `network_storage`: as of a ledger's directory.
        EvidenceError: `damaged`: the key, or what was cosigned, is not what this witness wrote.
        UnavailableError: `locked`: another process serves it; `storage`.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        _require(directory)
        directory = _real_place(directory)
        self._directory = directory
        self._clock = clock
        self._judging = threading.Lock()
        self._broken: CounterfoilError | None = None
        self._lock = _take_lock(directory)
        try:
            self._signer = _read_signer(directory)
            self._logs = _read_logs(directory)
            self._own = Staging(directory, 0o600)
            self._files = Staging(directory / SEEN, 0o600)
            self._held: dict[str, TreeHead] = {}
            for origin in {one.key.name for one in self._logs}:
                note = self.cosigned(_hex(origin))
                if note is not None:
                    self._held[origin] = self._own_head(origin, note)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def vkey(self) -> VerifierKey:
        """The key that others list as this witness's."""
        return self._signer.vkey

    @property
    def logs(self) -> tuple[VerifierKey, ...]:
        """The keys that are followed here, those that were handed over included."""
        return tuple(one.key for one in self._logs)

    def add_key(self, data: bytes) -> bytes:
        """Follow a log to the key it was handed over to, and return the line that says so.

        Args:
            data: from `tlog.handover.write_handover`.

        If we crash before the write, the log tells it again; after it, that changes nothing.

        Raises:
            Refused: 400: no hand-over; 403: a signature is wrong; 404: of no key in force here;
                422: the key handed over to another one before, or what it ends with is not what
                was cosigned at that size.
            UnavailableError: `storage`, `read_only`.
        """
        try:
            one = parse_handover(data)
        except EvidenceError as error:
            raise Refused(403 if error.code == "signature" else 400, error.message) from None
        with self._judging:
            if self._broken is not None:
                raise self._broken
            standing = {log.key: log for log in self._logs}
            known = standing.get(one.earlier)
            if known is None:
                raise Refused(404, "no log is watched here under the earlier key")
            if known.until is not None:
                if known.until == one.head.size and one.later in standing:
                    return _FOLLOWED
                raise Refused(422, "the earlier key handed over to another one before")
            held = self._held.get(one.earlier.name)
            if held is not None and held.size == one.head.size and held != one.head:
                raise Refused(422, f"another root was seen at size {held.size}: the log is forked")
            logs = [
                replace(log, until=one.head.size) if log is known else log for log in self._logs
            ]
            logs += [] if one.later in standing else [Log(one.later)]
            try:
                _write_logs(self._own, self._directory, logs)
            except CounterfoilError as error:
                self._broken = error
                raise
            self._logs = tuple(logs)
            return _FOLLOWED

    def add_checkpoint(self, data: bytes) -> bytes:
        """Judge one add-checkpoint body and return the cosignature line.

        If we crash before the write, nothing was cosigned; after it, the log asks again with
        the size it learns from our 409 and gets the same head cosigned.

        Raises:
            Refused: the protocol's answer.
            UnavailableError: `storage`, `read_only`: the head could not be made durable; nothing
                is cosigned until a restart.
        """
        with self._judging:
            if self._broken is not None:
                raise self._broken
            request, checkpoint = judge(data, self.logs, self._held)
            logs = tuple(one for one in self._logs if one.key.name == checkpoint.origin)
            try:
                Policy(logs).verify_checkpoint(request.note)
            except EvidenceError as error:
                raise Refused(403, error.message) from None
            note = verify_note(request.note, [one.key for one in logs])
            now_s = int(self._clock.now().timestamp())
            line = cosign(self._signer, note.text, now_s)
            signed = [signature_line_of(one) for one in note.signatures]
            path = self._directory / SEEN / _hex(checkpoint.origin) / "checkpoint"
            try:
                self._files.write([(path, write_note(note.text, [*signed, line]))])
            except CounterfoilError as error:
                self._broken = error
                raise
            # Only now may the cosignature leave: whoever asks next meets this head.
            self._held[checkpoint.origin] = checkpoint.head
            return line

    def cosigned(self, hex_origin: str) -> bytes | None:
        """Return the note last cosigned of the log whose origin has this SHA-256, in hex."""
        path = self._directory / SEEN / hex_origin / "checkpoint"
        with os_errors_translated(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def watches(self, hex_origin: str) -> bool:
        """Tell whether that log is watched here."""
        return any(_hex(one.key.name) == hex_origin for one in self._logs)

    def close(self) -> None:
        """Give the directory back."""
        os.close(self._lock)

    def _own_head(self, origin: str, note: bytes) -> TreeHead:
        try:
            checkpoint = parse_checkpoint(verify_note(note, [self.vkey]).text)
        except EvidenceError as error:
            raise EvidenceError(
                "damaged",
                f"what this witness cosigned of {origin} was changed ({error.message}); "
                "put nothing in its place: retire this key and set up another witness",
            ) from error
        if checkpoint.origin != origin:
            raise EvidenceError("damaged", f"the head kept for {origin} is of another log")
        return checkpoint.head


def _hex(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def _require(directory: Path) -> None:
    with os_errors_translated(directory):
        if not (directory / KEY).is_file():
            raise RequestError(
                "not_a_ledger",
                f"{directory} holds no witness; make one with: counterfoil witness init {directory}",
            )


def _real_place(directory: Path) -> Path:
    """Return the directory itself: another one with the same key or memory would cosign twice."""
    with os_errors_translated(directory):
        real = directory.resolve(strict=True)
        check_mount(real)
        for path, is_secret in ((real, False), (real / KEY, True), (real / SEEN, False)):
            check_file(path, is_secret=is_secret)
        for name in (KEY, SEEN, LOGS, "lock"):
            refuse_link(real / name)
    return real


def _read_signer(directory: Path) -> SignerKey:
    try:
        with os_errors_translated(directory / KEY):
            signer = parse_signer_key((directory / KEY).read_bytes().decode("ascii").strip())
    except (EvidenceError, UnicodeDecodeError):
        # The message may quote the file, and the file is a secret.
        signer = None
    if signer is None or signer.vkey.algorithm != COSIGNATURE:
        raise EvidenceError("damaged", f"{directory / KEY} is no key of a witness; restore it")
    return signer


def _write_logs(files: Staging, directory: Path, logs: Collection[Log]) -> None:
    ends = ("" if one.until is None else f" {one.until}" for one in logs)
    lines = "".join(f"{one.key}{end}\n" for one, end in zip(logs, ends, strict=True))
    files.write([(directory / LOGS, lines.encode())])


def _read_logs(directory: Path) -> tuple[Log, ...]:
    with os_errors_translated(directory / LOGS):
        text = (directory / LOGS).read_bytes().decode("utf-8", "replace")
    lines = [line.strip() for line in text.split("\n")]
    return tuple(_log(line) for line in lines if line and not line.startswith("#"))


def _log(line: str) -> Log:
    vkey, space, size = line.partition(" ")
    try:
        until = read_decimal(size, "note_invalid", "the final size") if space else None
    except EvidenceError as error:
        raise RequestError("usage", f"{LOGS}: {vkey[:64]!a}: {error.message}") from error
    return Log(_log_key(vkey), until=until)


def _log_key(text: str) -> VerifierKey:
    try:
        key = parse_vkey(text)
    except EvidenceError as error:
        raise RequestError("usage", f"no verifier key of a log: {error.message}") from error
    if key.algorithm not in {ED25519, MLDSA44}:
        raise RequestError("usage", f"{key.name[:64]!a} is the key of a witness, not of a log")
    return key


def _take_lock(directory: Path) -> int:
    with os_errors_translated(directory / "lock"):
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not system.try_lock(lock):
            os.close(lock)
            raise UnavailableError(
                "locked", f"another witness process serves {directory}; stop it first"
            )
    return lock
