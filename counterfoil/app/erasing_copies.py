"""Copies of what is erased: sealed rows, blob files, rows of pages, waiting spools, what signs in.

Two kinds.  What a person's words lead to (spools, `state.db`) goes before their keys do, for the
keys are needed to know the words.  What the event names by itself (rows, blobs, pages) goes after.
Each of these is done again after a crash, and finds nothing left to do.

Source: docs/adr/0032-erasing.md.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from counterfoil.app.erasing_keys import blob_of, named_entries
from counterfoil.app.erasing_words import Words, names_of, texts_in
from counterfoil.app.opening import BLOB, open_all
from counterfoil.client import system
from counterfoil.errors import UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.events.erasing import Erasure
from counterfoil.stores.blobs import BlobFiles
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import os_errors_translated
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import State

STEP = 1_000


class Copies:
    """Takes copies out of one ledger directory.

    Args:
        directory: of the ledger.
        log, keys, state: its stores.
    """

    def __init__(
        self, directory: Path, log: SqliteLogStore, keys: ErasableStore, state: State
    ) -> None:
        self._log = log
        self._keys = keys
        self._state = state
        self._files = BlobFiles(directory / "blobs")
        self._spool = directory / "spool"

    def words_of(self, pseudonyms: Iterable[str]) -> Words:
        """Return what people are known by: accounts, handles, and every value under their keys.

        Cost: one pass over all logs, about 10 us an entry.
        """
        theirs = [one for one in map(self._keys.person_by_pseudonym, pseudonyms) if one]
        texts = {name for person in theirs for name in names_of(person.account)}
        owners = {person.pseudonym for person in theirs}
        for info in self._log.projects() if owners else ():
            size = self._log.head(info.project).size
            for start in range(0, size, STEP):
                for kept in self._log.kept(info.project, start, min(start + STEP, size)):
                    names = {one.name for one in kept.sealed if one.owner in owners}
                    if names:
                        entry = read_entry(kept.entry)
                        opened = open_all(entry, kept, self._keys, info.project, names)
                        for value in opened.personal.values():
                            texts.update(texts_in(value))
        return Words(texts)

    def spooled(self, words: Words) -> list[Path]:
        """Return the files of DIR/spool that hold words."""
        if not words.texts:
            return []
        return [path for path in _files_in(self._spool) if words.within_pieces(_read(path))]

    def refuse_written(self, paths: Iterable[Path]) -> None:
        """Refuse while a file that is to go is still being written.

        Raises:
            UnavailableError: `busy`.
        """
        for path in paths:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if not system.try_lock(file.fileno(), shared=True):
                    raise UnavailableError(
                        "busy",
                        f"{path.name} is being written at this moment and holds words of theirs; "
                        "try again when that run is over",
                    )

    def forget_words(self, words: Words, pseudonyms: Collection[str]) -> int:
        """Remove the files of DIR/spool and the rows of state.db that hold words; say how many.

        Rows that say who is signed in, or may, go by the pseudonym as well.
        """
        if not pseudonyms:
            return 0
        both = Words([*words.texts, *pseudonyms])
        paths = self.spooled(words)
        with os_errors_translated(self._spool):
            for path in paths:
                path.unlink(missing_ok=True)
        return len(paths) + self._state.forget_words(both.within)

    def take_out(self, project: str, erasure: Erasure) -> None:
        """Take out the sealed rows and the blob files that an event names."""
        parts: list[tuple[int, str]] = []
        stored: set[str] = set()
        for kept, _, names in named_entries(self._log, project, erasure.parts):
            parts += [(kept.index, name) for name in sorted(names)]
            stored |= {blob_of(kept, name) for name in names if name.startswith(BLOB)} - {""}
        self._log.erasing.take_out(project, parts)
        if erasure.subject:
            owned = list(self._log.erasing.owned(project, erasure.subject, 0, erasure.index))
            self._log.erasing.take_out(project, owned)
        for name in sorted(stored):
            # Its key went with the last entry that named it; while one needs it, it stays.
            if self._keys.blob_by_stored(name) is None:
                self._files.remove(name)
                self._state.forget_arrivals(name)
        if stored:
            self._state.shrink()

    def truncate(self) -> bool:
        """Empty the write-ahead logs; False while somebody reads what stood there before."""
        return all([self._log.erasing.truncate(), self._keys.erasing.truncate()])


def _files_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            yield path


def _read(path: Path) -> Iterator[bytes]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece
