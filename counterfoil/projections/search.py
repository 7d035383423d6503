"""The words of a search: who, what, when, how, and text, read into a `Query`.

    actor:github.com:ana-dev type:deployment.* ref:env:production outcome:failed
    since:2026-11-16 until:yesterday via:webhook source:https://ci.example/* "heap grows"

An entry has one actor, type, outcome, via and source: repeating such a word means any of them.
It may name many refs and hold many words: repeating those means all of them.  `*` stands for
anything in a type or a source, and at the end of a ref or of text.

Pure: the present moment is an argument.  What must hold: whatever the text is, `read_words`
returns; every character of a word that is off can be pointed at.
"""

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from counterfoil.errors import RequestError
from counterfoil.events.entry import VIAS
from counterfoil.events.refs import KINDS
from counterfoil.projections.base import noun_of, outcome_of
from counterfoil.projections.search_time import EXAMPLES, WORDS, Span, read_span

TEXT: Final = "text"
KEYS: Final = ("actor", "type", "ref", "outcome", "since", "until", "via", "source")
# One value an entry: any of the words of such a key will do.
SINGLE: Final = ("actor", "type", "outcome", "via", "source")
OUTCOMES: Final = ("passed", "failed", "error", "skipped", "cancelled", "none")
NOBODY: Final = "nobody"
NONE: Final = "none"

LENGTH_MAX: Final = 1_000
WORDS_MAX: Final = 40

_KEY: Final = re.compile(r"([A-Za-z]{1,20}):")
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_BARE: Final = re.compile(r"\S+")
_SAYS_SOMETHING: Final = re.compile(r"[^\W_]")


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a word.

    Attributes:
        position: of the first character that is off, from 0.
        word: the whole word as written.
        message: one line: what is wrong and what to write.
        suggestion: the nearest valid word, "" if none is near.
    """

    position: int
    word: str
    message: str
    suggestion: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """One word of a search.

    Attributes:
        start, end: where it stands: characters from 0, `end` exclusive.
        raw: as written.
        key: one of `KEYS`, or `TEXT`.
        value: what is searched for; an outcome in our word for it.
        span: of a `since:` or `until:`, the time it names.
        problem: why it cannot be used, or None.
    """

    start: int
    end: int
    raw: str
    key: str
    value: str
    span: Span | None = None
    problem: Problem | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A search without a mistake.

    Attributes:
        words: its words in order; none searches everything.
        since: the first recorded time wanted, RFC 3339, or None.
        until: the first recorded time not wanted any more, or None.
    """

    words: tuple[Word, ...]
    since: str | None
    until: str | None

    def of(self, *keys: str) -> tuple[Word, ...]:
        """Return the words of these keys, in order."""
        return tuple(word for word in self.words if word.key in keys)


def read_query(text: str, now: datetime) -> Query:
    """Return the query of `text`.

    Args:
        text: as people write it.
        now: what `since:7d` counts back from.

    Raises:
        RequestError: `query_invalid` with `position` (characters from 0), `word` and, when one
            is near, `suggestion`.
    """
    words = read_words(text, now)
    for word in words:
        if word.problem is not None:
            raise refusal(word.problem)
    return query_of(words)


def refusal(problem: Problem) -> RequestError:
    """Return a problem as the error it is to programs."""
    near = {"suggestion": problem.suggestion} if problem.suggestion else {}
    return RequestError(
        "query_invalid",
        f"{problem.message} (character {problem.position + 1})",
        position=problem.position,
        word=problem.word[:200],
        **near,
    )


def query_of(words: Iterable[Word]) -> Query:
    """Return the query of the words that can be used."""
    usable = tuple(word for word in words if word.problem is None)
    starts = [word.span.start for word in usable if word.key == "since" and word.span]
    ends = [word.span.end for word in usable if word.key == "until" and word.span]
    return Query(usable, max(starts, default=None), min(ends, default=None))


def read_words(text: str, now: datetime) -> tuple[Word, ...]:
    """Return every word of `text`, each with its problem if it has one; any text will do."""
    if len(text) > LENGTH_MAX:
        problem = Problem(
            LENGTH_MAX, text[:40], f"a search has at most {LENGTH_MAX} characters; say less"
        )
        return (Word(0, len(text), text[:40], TEXT, "", problem=problem),)
    words: list[Word] = []
    place = 0
    while (place := _next(text, place)) < len(text):
        word = _read_word(text, place, now)
        if len(words) >= WORDS_MAX:
            problem = Problem(place, word.raw, f"a search has at most {WORDS_MAX} words; say less")
            words.append(dataclasses.replace(word, problem=problem))
            break
        words.append(word)
        place = word.end
    return _in_order(words)


def _next(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _read_word(text: str, start: int, now: datetime) -> Word:
    keyed = _KEY.match(text, start)
    value_at = keyed.end() if keyed else start
    value, end, unclosed = _read_value(text, value_at)
    raw = text[start:end]
    if unclosed:
        return Word(start, end, raw, TEXT, "", problem=Problem(
            value_at, raw, 'the quotation that begins here has no end; close it with "', raw + '"',
        ))  # fmt: skip
    if keyed is None:
        return _text_word(start, end, raw, value)
    key = keyed[1].lower()
    if key not in KEYS:
        return Word(start, end, raw, TEXT, "", problem=_unknown_key(start, raw, key, value))
    if not value:
        return Word(start, end, raw, key, "", problem=Problem(
            value_at, raw, f"{key}: names nothing; write {_EXAMPLES[key]}",
        ))  # fmt: skip
    return (
        _CHECKS.get(key, Word)(start, end, raw, key, value)
        if key not in _MOMENTS
        else (_moment_word(Word(start, end, raw, key, value), value_at, now))
    )


def _read_value(text: str, place: int) -> tuple[str, int, bool]:
    """Return (value, where it ends, whether a quotation is left open)."""
    if text[place : place + 1] == '"':
        quoted = _QUOTED.match(text, place)
        if quoted is None:
            return "", len(text), True
        return quoted[1].replace('""', '"'), quoted.end(), False
    bare = _BARE.match(text, place)
    return (bare[0], bare.end(), False) if bare else ("", place, False)


def _text_word(start: int, end: int, raw: str, value: str) -> Word:
    word = Word(start, end, raw, TEXT, value)
    if not _SAYS_SOMETHING.search(value):
        problem = Problem(start, raw, f"{raw[:40]} has no letter or digit to search for")
        return dataclasses.replace(word, problem=problem)
    return word


def _unknown_key(start: int, raw: str, key: str, value: str) -> Problem:
    if key in KINDS:
        return Problem(start, raw, f"{key}: is a kind of ref; write ref:{raw}", f"ref:{raw}")
    if key in {"http", "https", "urn"}:
        return Problem(start, raw, f"{key}: is no word here; for a source write source:{raw}",
                       f"source:{raw}")  # fmt: skip
    [near] = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.6) or [""]
    suggestion = f"{near}:{quote(value)}" if near else quote(raw, always=True)
    return Problem(
        start, raw, f"{key}: is no word of a search; write {suggestion}, or one of "
        f"{', '.join(f'{known}:' for known in KEYS)}", suggestion,
    )  # fmt: skip


def _outcome_word(start: int, end: int, raw: str, key: str, value: str) -> Word:
    said = value.lower()
    known = said if said in OUTCOMES else outcome_of(said)
    if known is not None:
        return Word(start, end, raw, key, known)
    return _off_list(Word(start, end, raw, key, value), OUTCOMES)


def _via_word(start: int, end: int, raw: str, key: str, value: str) -> Word:
    word = Word(start, end, raw, key, value.lower())
    return word if word.value in VIAS else _off_list(word, tuple(sorted(VIAS)))


def _ref_word(start: int, end: int, raw: str, key: str, value: str) -> Word:
    word = Word(start, end, raw, key, value)
    kind, colon, ident = value.partition(":")
    if colon and ident:
        return word
    guess = f"ref:release:{value}" if "@" in kind else f"ref:{kind}:*" if kind in KINDS else ""
    return dataclasses.replace(word, problem=Problem(
        start + len("ref:"), raw, f"{raw[:80]} names no kind and id; write {_EXAMPLES['ref']}",
        guess,
    ))  # fmt: skip


def _off_list(word: Word, known: tuple[str, ...]) -> Word:
    near = difflib.get_close_matches(word.value.lower(), known, n=1, cutoff=0.5)
    return dataclasses.replace(word, problem=Problem(
        word.start + len(word.key) + 1, word.raw,
        f"{word.raw[:80]} is not one of {', '.join(known)}",
        f"{word.key}:{near[0]}" if near else "",
    ))  # fmt: skip


def _moment_word(word: Word, value_at: int, now: datetime) -> Word:
    span = read_span(word.value, now)
    if span is not None:
        return dataclasses.replace(word, span=span)
    near = difflib.get_close_matches(word.value.lower(), WORDS, n=1, cutoff=0.5)
    return dataclasses.replace(word, problem=Problem(
        value_at, word.raw, f"{word.raw[:80]} is no moment; write {word.key}:{EXAMPLES}",
        f"{word.key}:{near[0]}" if near else "",
    ))  # fmt: skip


_MOMENTS: Final = frozenset({"since", "until"})
_CHECKS: Final[dict[str, Callable[[int, int, str, str, str], Word]]] = {
    "outcome": _outcome_word, "via": _via_word, "ref": _ref_word,
}  # fmt: skip
_EXAMPLES: Final = {
    "actor": "actor:github.com:ana-dev", "type": "type:deployment.*",
    "ref": "ref:release:shop@1.4.2", "outcome": "outcome:failed", "since": f"since:{EXAMPLES}",
    "until": f"until:{EXAMPLES}", "via": "via:webhook", "source": "source:https://ci.example/*",
}  # fmt: skip


def _in_order(words: list[Word]) -> tuple[Word, ...]:
    """Mark the later word of a `since:` and `until:` that leave no time between them."""
    query = query_of(words)
    if query.since is None or query.until is None or query.since < query.until:
        return tuple(words)
    last = [word for word in words if word.key in _MOMENTS and word.problem is None][-1]
    problem = Problem(last.start, last.raw, "until: lies before since:, nothing is between them")
    return tuple(
        dataclasses.replace(word, problem=problem) if word is last else word for word in words
    )


def quote(value: str, *, always: bool = False) -> str:
    """Return a value as it is written in a search: in quotation marks where it needs them.

    >>> print(quote("heap grows"), quote("failed"), quote('5" disk'))
    "heap grows" failed "5"" disk"
    """
    if always or not value or '"' in value or any(character.isspace() for character in value):
        return '"' + value.replace('"', '""') + '"'
    return value


def joined(words: Iterable[Word]) -> str:
    """Return words as the text of a search."""
    return " ".join(word.raw for word in words)


def short_type(event_type: str) -> str:
    """Return a type as people write it: without project and version where it is one of ours.

    >>> short_type("dev.cdevents.deployment.finished.0.3.0"), short_type("com.example.step")
    ('deployment.finished', 'com.example.step')
    """
    noun, predicate = noun_of(event_type)
    return f"{noun}.{predicate}" if noun else event_type


def type_matches(pattern: str, event_type: str) -> bool:
    """Say whether `type:PATTERN` means a type: in full, in short, as a noun, or with `*`.

    >>> merged = "dev.cdevents.change.merged.0.3.0"
    >>> [type_matches(p, merged) for p in ("change.merged", "change", "change.*", merged, "chan")]
    [True, True, True, True, False]
    """
    wanted, whole, short = pattern.lower(), event_type.lower(), short_type(event_type).lower()
    if "*" in wanted:
        literal = wanted.replace("[", "[[]").replace("?", "[?]")
        return fnmatchcase(whole, literal) or fnmatchcase(short, literal)
    return (
        wanted in {whole, short}
        or short.startswith(f"{wanted}.")
        or (whole.startswith(f"{wanted}.") and wanted.count(".") >= 2)
    )


def source_matches(pattern: str, source: str) -> bool:
    """Say whether `source:PATTERN` means a source: as it is, without `https://`, or with `*`.

    >>> [source_matches(p, "https://ci.example/acme") for p in ("ci.example/*", "ci.example")]
    [True, False]
    """
    bare = source.removeprefix("https://")
    if "*" in pattern:
        literal = pattern.replace("[", "[[]").replace("?", "[?]")
        return fnmatchcase(source, literal) or fnmatchcase(bare, literal)
    return pattern in {source, bare}
