"""Blobs beside the entries: there, named by their bytes, and what the entries committed to.

Source: docs/adr/0003-entry-format-1.md, docs/adr/0015-blobs-in-chunks.md.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from counterfoil.errors import EvidenceError
from counterfoil.events import commitments, sealing
from counterfoil.events.canonical import JSON
from counterfoil.verifier import rules
from counterfoil.verifier.kept import (
    STORED_NAME,
    BlobKeyRow,
    BlobRow,
    KeptRows,
    RowNames,
    blob_path,
)
from counterfoil.verifier.opened import Opened
from counterfoil.verifier.report import Findings
from counterfoil.verifier.suspects import Observation


class BlobsCheck:
    """Checks the blobs of one log, entry by entry.

    Args:
        rows: where rows and files come from.
        findings: where findings go.
        names: how rows are called.

    Cost: every blob is read; memory holds a piece of one.
    """

    def __init__(self, rows: KeptRows, findings: Findings, names: RowNames) -> None:
        self.count = 0
        self.erased = 0
        self._rows = rows
        self._findings = findings
        self._names = names
        self._hashed = ""

    def check(self, one: Opened, event: Mapping[str, JSON] | None, *, readable: bool) -> None:
        """Check the blobs of one entry.

        Args:
            one: the entry.
            event: as far as it opened; None without its body.
            readable: whether there are keys to open anything with.
        """
        committed = rules.blob_names(one.entry)
        digests = rules.blob_digests(event) if event is not None else None
        count = len(digests) if digests is not None else None
        seen = set()
        for row in one.blobs:
            if row.position in seen or row.position < 0 or (
                count is not None and row.position >= count
            ):  # fmt: skip
                name = self._names.blob(one.index, row.position)
                self._findings.add("damaged", name, "the event names no blob there", one.index)
                continue
            seen.add(row.position)
            committed.discard(f"blob/{row.position}")
            digest = digests[row.position] if digests is not None else None
            self._check_blob(one, row, digest, readable=readable)
        for position in sorted(set(range(count or 0)) - seen):
            committed.discard(f"blob/{position}")
            name = self._names.blob(one.index, position)
            self._findings.add("missing", name, "the event names a blob there", one.index)
        for left in sorted(committed):
            name = self._names.blob(one.index, left.removeprefix("blob/"))
            self._findings.add("missing", name, "the entry commits to a blob there", one.index)

    def _check_blob(self, one: Opened, row: BlobRow, digest: str | None, *, readable: bool) -> None:
        name = f"blob/{row.position}"
        cell = self._names.blob(one.index, row.position, "stored")
        if (name in one.entry.commit) != bool(row.stored):
            message = "a blob is named that the entry does not commit to, or the other way round"
            self._findings.add("damaged", cell, message, one.index)
            return
        if not row.stored:
            return
        if not STORED_NAME.fullmatch(row.stored):
            self._findings.add("damaged", cell, "no blob name (sha256:HEX)", one.index)
            return
        making = None
        if name in one.own and len(one.own[name].opening) == commitments.KEY_BYTES:
            making = commitments.Committing(one.own[name].opening)
        elif one.event_key is not None and commitments.is_salt(one.salt):
            opening = commitments.derive_opening(one.event_key, one.salt, name)
            making = commitments.Committing(opening)
        elif readable and self._is_erased(one, row):
            self.erased += 1
            one.complete = False
            return
        sound = readable and self._read_blob(one, row, digest, cell, making)
        if not sound or making is None:
            one.complete = one.complete and sound
            return
        self.count += 1

        def cells() -> frozenset[str]:
            salt = self._names.row("entries", one.index, "salt")
            keys = frozenset({salt, self._names.event_key(one.index)})
            # Unless the body opened that names the digest, the blob's own cells are not cleared.
            return keys | {cell} if digest is None else keys

        made = base64.b64encode(making.commitment()).decode()
        ok = hmac.compare_digest(made, one.entry.commit[name])
        message = f"{name} is not what the entry committed to"
        one.tried.append(Observation(ok=ok, cells=cells, message=message))

    def _read_blob(
        self,
        one: Opened,
        row: BlobRow,
        digest: str | None,
        cell: str,
        making: commitments.Committing | None,
    ) -> bool:
        """Add the plain bytes of a blob to `making`; False, reported, when they cannot be had."""
        path = blob_path(row.stored)
        try:
            if self._is_gone(row) and self._is_erased(one, row):
                self.erased += 1
                return False
            present = self._rows.has_blob(row.stored)
            key = self._blob_key(one, row, digest, cell, present=present)
            if key is None:
                return False
            if not present:
                message = "the blob is gone and the log holds no erasure"
                self._findings.add("unlogged_absence", path, message, one.index)
                return False
            if not self._is_named_by_hash(row.stored):
                message = "the bytes do not hash to their name"
                self._findings.add("damaged", path, message, one.index)
                return False
        except EvidenceError as error:
            self._findings.add("damaged", path, error.message, one.index)
            return False
        plain = hashlib.sha256()
        try:
            for piece in sealing.unseal(key.key, self._rows.blob_file(row.stored)):
                plain.update(piece)
                if making is not None:
                    making.add(piece)
        except EvidenceError as error:
            name = f"erasable.db blob_keys row {key.digest} column key"
            self._findings.add("damaged", name, error.message, one.index)
            return False
        if digest is not None and f"sha256:{plain.hexdigest()}" != digest:
            self._findings.add("damaged", path, f"opens to other bytes than {digest}", one.index)
            return False
        return True

    def _is_gone(self, row: BlobRow) -> bool:
        has_key = self._rows.blob_key_by_stored(row.stored) is not None
        return not (has_key and self._rows.has_blob(row.stored))

    def _is_erased(self, one: Opened, row: BlobRow) -> bool:
        erasures = self._rows.erasures()
        return erasures.find(one.index, f"blob/{row.position}", one.entry) is not None

    def _is_named_by_hash(self, stored: str) -> bool:
        if stored != self._hashed:
            found = hashlib.sha256()
            for piece in self._rows.blob_file(stored):
                found.update(piece)
            if f"sha256:{found.hexdigest()}" != stored:
                return False
            # The next event often names the same blob: its file need not be read for this again.
            self._hashed = stored
        return True

    def _blob_key(
        self, one: Opened, row: BlobRow, digest: str | None, cell: str, *, present: bool
    ) -> BlobKeyRow | None:
        """Return the key of a blob; None, reported, when rows disagree about it."""
        by_stored = self._rows.blob_key_by_stored(row.stored)
        by_digest = self._rows.blob_key(digest) if digest is not None else by_stored
        if by_digest is not None and by_digest.stored == row.stored:
            return by_digest
        if by_stored is not None:
            name = f"erasable.db blob_keys row {by_stored.digest} column digest"
            self._findings.add("damaged", name, f"the event names {digest}", one.index)
        elif by_digest is None:
            name = f"erasable.db blob_keys row {digest or row.stored}"
            message = "the key is gone and the log holds no erasure"
            self._findings.add("unlogged_absence", name, message, one.index)
        else:
            name = f"erasable.db blob_keys row {digest} column stored" if present else cell
            self._findings.add("damaged", name, "names another blob than its key does", one.index)
        return None
