"""Searching: a query's words become sets of entries, and everything shown is counted from those.

Each word (or each key whose words mean "any of them") is one set, from the index or from a range
of entry numbers; the answer is their intersection, cut off at the entry it is as of.  So total,
facets and histogram are exact at every past moment.

A person is searched for by account; the key store says which pseudonym that is.  After erasure
nothing does any more, and the entries are found by the pseudonym alone.
"""

import dataclasses
import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from counterfoil.app.answers import ActorView, LogLine
from counterfoil.app.search_answers import Facet, Found, Unknown, Value, Without
from counterfoil.app.search_times import histogram_of
from counterfoil.clock import Clock
from counterfoil.errors import RequestError
from counterfoil.ledger.store import KeyStore
from counterfoil.policy.directory import PROVIDER, Directory, Span
from counterfoil.projections.search import (
    NOBODY,
    NONE,
    SINGLE,
    TEXT,
    Query,
    Word,
    joined,
    quote,
    read_query,
    short_type,
    source_matches,
    type_matches,
)
from counterfoil.projections.search_set import below, newest
from counterfoil.stores.search import SearchIndex
from counterfoil.stores.tables import Tables

FACETS: Final = ("outcome", "actor", "type", "via", "source")
VALUES_SHOWN: Final = 10
# Values of a field that are counted; more are tried only while entries are unaccounted for.
VALUES_TRIED: Final = (64, 1_024)
VALUES_KNOWN_MAX: Final = 5_000
PEOPLE_MAX: Final = 100
SETTLED_MAX: Final = 20_000

_FAILURES: Final = ("failed", "error")
Lines = Callable[[str, Sequence[int]], Mapping[int, LogLine]]


@dataclasses.dataclass(frozen=True, slots=True)
class Clause:
    """One condition: the words it stands for, and the entries that meet it."""

    words: tuple[Word, ...]
    members: int


class Searcher:
    """Answers searches of one ledger.  Any thread may call.

    Args:
        tables, index: where the rows and the index are read.
        keys: who is behind a pseudonym.
        clock: what `since:7d` counts back from.
        directory: whose accounts count as one.
        resolve: pseudonym -> actor as shown.
        lines: (project, entry numbers) -> entries as sentences, by number.
    """

    def __init__(
        self, tables: Tables, index: SearchIndex, keys: KeyStore, clock: Clock,
        directory: Directory, resolve: Callable[[str], ActorView], lines: Lines,
    ) -> None:  # fmt: skip
        self._tables = tables
        self._index = index
        self._keys = keys
        self._clock = clock
        self._directory = directory
        self._resolve = resolve
        self._lines = lines
        self._settled: dict[tuple[str, str], int] = {}

    def search(
        self, project: str, text: str, as_of: int | None, cursor: str | None, limit: int
    ) -> Found:
        """Return the answer to a search.

        Args:
            project: of which log.
            text: the query as written.
            as_of: entry number to answer as of; None for as far as the rows have come.
            cursor: from the part before, or None.
            limit: entries wanted.

        Raises:
            RequestError: `query_invalid`: the query (with `position`, `word`, `suggestion`), or
                the cursor.
        """
        query = read_query(text, self._clock.now())
        before = _read_cursor(cursor)
        with self._tables.read() as connection:
            size = self._tables.position_in(connection, project).size
            end = size if as_of is None else max(0, min(size, as_of + 1))
            at = _Moment(connection, project, size, end, self._span(connection, project, end))
            found, entries = self._answer(at, query, before, limit)
        lines = self._lines(project, entries)
        return dataclasses.replace(found, items=tuple(lines[one] for one in entries))

    def _answer(
        self, at: "_Moment", query: Query, before: int | None, limit: int
    ) -> tuple[Found, list[int]]:
        unknown: list[Unknown] = []
        clauses = self._clauses(at, query, unknown)
        times = self._times(at, query)
        matched = _all(at.everything, (*clauses, *times))
        shown = matched if before is None else matched & below(before)
        entries = newest(shown, limit + 1)
        total = matched.bit_count()
        cursor = str(entries[limit - 1]) if len(entries) > limit else None
        found = Found(
            project=at.project,
            query=joined(query.words),
            as_of=at.end - 1,
            total=total,
            items=(),
            next=cursor,
            facets=tuple(self._facet(at, query, key, clauses, times) for key in FACETS),
            histogram=histogram_of(
                query, at.span, lambda time: self._before(at, time) + 1, at.end,
                _all(at.everything, clauses), self._any(at, "outcome", _FAILURES),
            ),
            without=None if total else _without(query, at.everything, (*clauses, *times)),
            unknown=tuple(unknown),
        )  # fmt: skip
        return found, entries[:limit]

    # --- from words to sets

    def _clauses(self, at: "_Moment", query: Query, unknown: list[Unknown]) -> list[Clause]:
        clauses = []
        for key in SINGLE:
            if words := query.of(key):
                members = [self._single(at, word, unknown) for word in words]
                clauses.append(Clause(words, functools.reduce(operator.or_, members)))
        clauses += [Clause((word,), self._ref(at, word.value)) for word in query.of("ref")]
        clauses += [Clause((word,), self._text(at, word.value)) for word in query.of(TEXT)]
        return clauses

    def _times(self, at: "_Moment", query: Query) -> list[Clause]:
        clauses = []
        if query.since is not None:
            first = self._before(at, query.since) + 1
            clauses.append(Clause(query.of("since"), at.everything & ~below(first)))
        if query.until is not None:
            end = self._before(at, query.until) + 1
            clauses.append(Clause(query.of("until"), at.everything & below(end)))
        return clauses

    def _span(self, connection: sa.Connection, project: str, end: int) -> tuple[str, str] | None:
        first = self._index.recordedtime(connection, project, 0)
        last = self._index.recordedtime(connection, project, end - 1)
        return (first, last) if first is not None and last is not None else None

    def _before(self, at: "_Moment", time: str) -> int:
        """Return the last entry recorded before a moment, or -1.

        Recorded times never decrease, so what an entry at or after that moment has settled stays
        so; the edges of a histogram are asked for again and again.
        """
        key = (at.project, time)
        known = self._settled.get(key)
        if known is not None:
            return known
        found = self._index.before(at.connection, at.project, time)
        if at.span is not None and at.span[1] >= time:
            if len(self._settled) >= SETTLED_MAX:
                self._settled.clear()
            self._settled[key] = found
        return found

    def _single(self, at: "_Moment", word: Word, unknown: list[Unknown]) -> int:
        values, known = self._values_of(at, word)
        if not values:
            near = difflib.get_close_matches(word.value, known, n=1, cutoff=0.5)
            suggestion = f"{word.key}:{quote(near[0])}" if near else ""
            unknown.append(Unknown(word.start, word.raw, suggestion))
        if word.key == "actor":
            return self._acted(at, word.value, values)
        return self._any(at, word.key, values)

    def _acted(self, at: "_Moment", name: str, pseudonyms: Sequence[str]) -> int:
        """Return what somebody did: under a linked account only while it was theirs.

        An account named whole, or a pseudonym, is meant for itself, whoever had it.
        """
        known = self._directory.known_as(name.removeprefix(f"{PROVIDER}:"))
        if known is None:
            return self._any(at, "actor", pseudonyms)
        linked = [one for one in pseudonyms if self._directory.links.get(one)]
        found = self._any(at, "actor", [one for one in pseudonyms if one not in linked])
        for one in linked:
            spans = [link for link in self._directory.links[one] if link.actor == known.ref]
            held = functools.reduce(operator.or_, (self._while(at, span) for span in spans), 0)
            found |= self._any(at, "actor", (one,)) & held
        return found

    def _while(self, at: "_Moment", span: Span) -> int:
        """Return the entries recorded while something held."""
        end = self._before(at, span.until) + 1 if span.until else at.end
        return below(end) & ~below(self._before(at, span.since) + 1)

    def _values_of(self, at: "_Moment", word: Word) -> tuple[Sequence[str], Sequence[str]]:
        """Return the values a word means, and what could have been meant instead."""
        value = word.value
        match word.key:
            case "outcome":
                return ("" if value == NONE else value,), ()
            case "via":
                return (value,), ()
            case "actor":
                return self._pseudonyms(value), ()
            case "type":
                known = self._known(at, "type")
                matching = [one for one in known if type_matches(value, one)]
                return matching, [short_type(one) for one in known]
            case _:
                known = self._known(at, "source")
                return [one for one in known if source_matches(value, one)], known

    def _known(self, at: "_Moment", field: str) -> list[str]:
        return self._index.values(at.connection, at.project, field, VALUES_KNOWN_MAX)

    def _pseudonyms(self, name: str) -> tuple[str, ...]:
        if name == NOBODY:
            return ("",)
        if name.startswith("actor:"):
            return (name,)
        found = {one.pseudonym: None for one in self._keys.people_named(name, PEOPLE_MAX)}
        known = self._directory.known_as(name.removeprefix(f"{PROVIDER}:"))
        if known is not None:
            # One person over all accounts.
            found.update(dict.fromkeys(self._directory.pseudonyms_of(known.ref)))
        return tuple(found)

    def _any(self, at: "_Moment", field: str, values: Iterable[str]) -> int:
        found = self._index.marked(at.connection, at.project, field, tuple(values), at.size)
        return at.everything & functools.reduce(operator.or_, found, 0)

    def _ref(self, at: "_Moment", ref: str) -> int:
        kind, _, ident = ref.partition(":")
        if kind == "actor" and "*" not in ref:
            return self._any(at, "ref", {ref, *self._pseudonyms(ident)})
        # A commit is often known by its first digits only.
        short = kind == "commit" and "@" in ident and len(ident.rpartition("@")[2]) < 40
        if ref.endswith("*") or short:
            start = ref.removesuffix("*")
            return at.everything & self._index.marked_from(
                at.connection, at.project, "ref", start, at.size
            )
        return self._any(at, "ref", (ref,))

    def _text(self, at: "_Moment", phrase: str) -> int:
        prefix = phrase.endswith("*")
        return at.everything & self._index.worded(
            at.connection, at.project, phrase.removesuffix("*"), at.size, prefix=prefix
        )

    # --- counts

    def _facet(
        self, at: "_Moment", query: Query, key: str, clauses: Sequence[Clause],
        times: Sequence[Clause],
    ) -> Facet:  # fmt: skip
        """Count a field's values among what the rest of the query matches."""
        others = [clause for clause in clauses if clause.words[0].key != key]
        base = _all(at.everything, (*others, *times))
        counted = self._count(at, key, base)
        if key == "actor":
            counted = self._by_person(counted)
        shown = sorted(counted, key=lambda pair: (-pair[1], pair[0]))[:VALUES_SHOWN]
        chosen = self._chosen(at, query, key)
        values = tuple(
            self._value(query, key, value, count, chosen=value in chosen) for value, count in shown
        )
        return Facet(key, values, base.bit_count() - sum(count for _, count in shown))

    def _by_person(self, counted: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return counts with every person once: accounts of one are counted under the first."""
        merged: dict[str, tuple[str, int]] = {}
        for pseudonym, count in counted:
            person = self._directory.person_of(pseudonym)
            first, before = merged.get(person, (pseudonym, 0))
            merged[person] = first, before + count
        return list(merged.values())

    def _count(self, at: "_Moment", key: str, base: int) -> list[tuple[str, int]]:
        counted: dict[str, int] = {}
        missing = base.bit_count()
        for limit in VALUES_TRIED:
            if not missing:
                break
            known = self._index.values(at.connection, at.project, key, limit)
            values = [value for value in known if value not in counted]
            found = self._index.marked(at.connection, at.project, key, values, at.size)
            for value, members in zip(values, found, strict=True):
                counted[value] = (members & base).bit_count()
                missing -= counted[value]
                if not missing:
                    # Every entry has one value: nothing is left for the rest.
                    break
        return [(value, count) for value, count in counted.items() if count]

    def _chosen(self, at: "_Moment", query: Query, key: str) -> set[str]:
        return {value for word in query.of(key) for value in self._values_of(at, word)[0]}

    def _value(self, query: Query, key: str, value: str, count: int, *, chosen: bool) -> Value:
        label, written = value, value
        match key:
            case "outcome":
                label, written = (value or "not stated"), (value or NONE)
            case "actor":
                label, written = self._handle(value)
            case "type":
                label = written = short_type(value)
        word = f"{key}:{quote(written)}"
        kept = [one for one in query.words if one.key != key or not _means(one, value, written)]
        return Value(
            written, label, count, chosen,
            joined(kept) if chosen else f"{joined(query.words)} {word}".strip(),
        )  # fmt: skip

    def _handle(self, pseudonym: str) -> tuple[str, str]:
        """Return an actor as shown, and as written in a search."""
        if not pseudonym:
            return "nobody named", NOBODY
        actor = self._resolve(pseudonym)
        known = self._keys.person_by_pseudonym(pseudonym) is not None
        return actor.shown, actor.shown if known else pseudonym


@dataclasses.dataclass(frozen=True, slots=True)
class _Moment:
    """One read transaction, and the entries an answer may speak of.

    Attributes:
        connection: the transaction.
        project: of which log.
        size: entries the rows hold in it.
        end: the first entry that is not part of the answer.
        span: when the first and the last entry of the answer were recorded; None without any.
    """

    connection: sa.Connection
    project: str
    size: int
    end: int
    span: tuple[str, str] | None

    @property
    def everything(self) -> int:
        """Every entry that may be part of the answer."""
        return below(self.end)


def _all(everything: int, clauses: Iterable[Clause]) -> int:
    return functools.reduce(lambda found, clause: found & clause.members, clauses, everything)


def _without(query: Query, everything: int, clauses: Sequence[Clause]) -> Without | None:
    """Return the part whose absence leaves most; None if nothing is left to leave out.

    Where no one part is to blame alone, the parts that match least are left out together.
    """
    best: tuple[int, list[Clause]] = (0, [])
    for clause in clauses:
        others = [other for other in clauses if other is not clause]
        best = max(best, (_all(everything, others).bit_count(), [clause]), key=_first)
    if not best[0]:
        kept = sorted(clauses, key=lambda clause: -clause.members.bit_count())
        left_out: list[Clause] = []
        while kept and not best[0]:
            left_out.append(kept.pop())
            best = (_all(everything, kept).bit_count(), left_out)
    count, blamed = best
    if not count or not blamed:
        return None
    words = [word for word in query.words if any(word in clause.words for clause in blamed)]
    rest = [word for word in query.words if word not in words]
    return Without(joined(words), joined(rest), count)


def _first(pair: tuple[int, list[Clause]]) -> int:
    return pair[0]


def _means(word: Word, value: str, written: str) -> bool:
    if word.key == "type":
        return type_matches(word.value, value)
    if word.key == "source":
        return source_matches(word.value, value)
    return word.value in {value, written} or written.endswith(f":{word.value}")


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise RequestError("query_invalid", "that is no cursor from here; begin without one")
    return int(cursor)
