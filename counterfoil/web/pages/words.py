"""How pages say numbers, moments, digests and other people's text.

Pure: every function takes text and gives text.  What must hold: no control or direction-changing
character from outside reaches a page as itself, and nothing on a page is left blank.

Source: design rules of docs/adr/0011; the character classes are Unicode's Cc, Cf, Zl, Zp, Cs, Co.
"""

import datetime
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup, escape

from counterfoil.clock import parse_time
from counterfoil.web.pages.hits import fold

TEXT_LIMIT: Final = 300
_HIDDEN: Final = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}
# A joiner inside a word is how some scripts spell and how emoji are built: still shown as a box,
# because "is this the same name?" matters more here than typography.


def hidden(character: str) -> bool:
    """Whether a character would act on the text around it instead of showing itself."""
    return unicodedata.category(character) in _HIDDEN


def pieces(text: str, limit: int = TEXT_LIMIT) -> Iterator[tuple[str, bool]]:
    """Yield runs of `text` and whether each is a box: ("U+202E", True) for a hidden character.

    Text over `limit` characters is cut with "…"; the whole is behind the proof mark.
    """
    cut = text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"
    plain: list[str] = []
    for character in cut:
        if hidden(character):
            if plain:
                yield "".join(plain), False
                plain = []
            yield f"U+{ord(character):04X}", True
        else:
            plain.append(character)
    if plain:
        yield "".join(plain), False


def plain_visible(text: str, limit: int = TEXT_LIMIT) -> str:
    r"""Return `text` for places that take no markup, such as titles and labels.

    >>> plain_visible("pay\u202eroll")
    'pay[U+202E]roll'
    """
    return "".join(f"[{run}]" if box else run for run, box in pieces(text, limit))


def visible(
    text: str, limit: int = TEXT_LIMIT, *, lines: bool = False, paths: bool = False,
    hits: re.Pattern[str] | None = None,
) -> Markup:  # fmt: skip
    r"""Return outside text as markup: escaped, bounded, hidden characters as visible boxes.

    With `lines`, line ends stay line ends: for `pre`, where they act on nothing else.  With
    `paths`, a narrow column may break the text after a slash.  What `hits` (see `pages.hits`) finds
    in folded text is marked.

    >>> str(visible("a<b\x00"))
    '<bdi class="outside">a&lt;b<span class="box">U+0000</span></bdi>'
    """
    inner = Markup("").join(
        Markup("\n")
        if box and lines and run == "U+000A"
        else Markup('<span class="box">{}</span>').format(run)
        if box
        else escape(run).replace("/", Markup("/<wbr>"))
        if paths
        else _marked(run, hits)
        for run, box in pieces(text, limit)
    )
    return Markup('<bdi class="outside">{}</bdi>').format(inner)


def _marked(run: str, hits: re.Pattern[str] | None) -> Markup:
    if hits is None:
        return escape(run)
    made, end = Markup(""), 0
    for hit in hits.finditer(fold(run)):
        made += escape(run[end : hit.start()])
        made += Markup("<mark>{}</mark>").format(run[hit.start() : hit.end()])
        end = hit.end()
    return made + escape(run[end:])


def number(value: int) -> str:
    """Write a number with comma groups.

    >>> number(4711)
    '4,711'
    """
    return f"{value:,}"


def count(value: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    >>> count(1, "gap"), count(1200, "entry", "entries")
    ('1 gap', '1,200 entries')
    """
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def short_digest(text: str) -> str:
    """Shorten every sha256 digest of 64 hex digits in a ref or id to first 4 and last 4.

    >>> short_digest("artifact:sha256:" + "10dc" + "0" * 56 + "b7a4")
    'artifact:sha256:10dc…b7a4'
    """
    head, mark, digest = text.rpartition("sha256:")
    if mark and len(digest) == 64 and all(c in "0123456789abcdef" for c in digest):
        return f"{head}{mark}{digest[:4]}…{digest[-4:]}"
    return text


def moment(text: str) -> datetime.datetime | None:
    """Read a stored time; None when it is none (a claim of somebody else may be anything)."""
    try:
        return parse_time(text)
    except ValueError:
        return None


def clock_time(text: str) -> str:
    """Return the UTC wall clock of a moment with seconds, "14:03:22"."""
    at = moment(text)
    return at.strftime("%H:%M:%S") if at else "unknown"


def when(text: str, now: datetime.datetime, *, seconds: bool = False) -> str:
    """Say a moment as people do: today 13:26, Tue 09:14, 2 Sep, 3 Mar 2025; UTC, said elsewhere.

    >>> now = parse_time("2026-11-20T14:03:00Z")
    >>> [when(t, now) for t in ("2026-11-20T13:26:40Z", "2026-11-17T09:14:00Z")]
    ['13:26', 'Tue 09:14']
    >>> [when(t, now) for t in ("2026-09-02T01:00:00Z", "2025-03-03T01:00:00Z", "soon")]
    ['2 Sep', '3 Mar 2025', 'unknown']
    """
    at = moment(text)
    if at is None:
        return "unknown"
    wall = at.strftime("%H:%M:%S" if seconds else "%H:%M")
    if at.date() == now.date():
        return wall
    if 0 <= (now.date() - at.date()).days < 7:
        return f"{at.strftime('%a')} {wall}"
    return day(at) if at.year == now.year else f"{day(at)} {at.year}"


def day(at: datetime.datetime) -> str:
    """Return "2 Sep"."""
    return f"{at.day} {at.strftime('%b')}"


def full_time(text: str) -> str:
    """Return "Fri 20 Nov 2026, 12:31:07.188"; milliseconds only where the sender gave them."""
    at = moment(text)
    if at is None:
        return "unknown"
    fraction = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at.strftime('%a')} {day(at)} {at.year}, {at.strftime('%H:%M:%S')}{fraction}"


def long_day(at: datetime.datetime) -> str:
    """Return "Friday 20 November, 14:03 UTC"."""
    return f"{at.strftime('%A')} {at.day} {at.strftime('%B')}, {at.strftime('%H:%M')} UTC"


def duration(seconds: float) -> str:
    """Say a length of time in its two largest units.

    >>> [duration(s) for s in (0.4, 41, 372, 4320, 71040, 272040)]
    ['under 1 s', '41 s', '6 min 12 s', '1 h 12 min', '19 h 44 min', '3 d 3 h']
    """
    whole = int(seconds)
    if whole < 1:
        return "under 1 s"
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    for place, (size, name) in enumerate(units):
        if whole >= size:
            first = f"{whole // size} {name}"
            if place + 1 < len(units):
                lower, lower_name = units[place + 1]
                rest = whole % size // lower
                return f"{first} {rest} {lower_name}" if rest else first
            return first
    raise AssertionError(seconds)


def between(start: str, end: str) -> str:
    """Say how long from one stored moment to another; "unknown" when one cannot be read."""
    first, last = moment(start), moment(end)
    if first is None or last is None or last < first:
        return "unknown"
    return duration((last - first).total_seconds())


def ago(text: str, now: datetime.datetime) -> str:
    """Say how long ago within the last hour, the moment otherwise."""
    at = moment(text)
    if at is None:
        return "unknown"
    seconds = (now - at).total_seconds()
    if 0 <= seconds < 3600:
        return (
            f"{duration(seconds).split(' min')[0]} min ago"
            if seconds >= 60
            else f"{int(seconds)} s ago"
        )
    return when(text, now)


def listing(words: list[str]) -> str:
    """Join words as a sentence does.

    >>> listing(["qa", "staging", "production"])
    'qa, staging and production'
    """
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)
