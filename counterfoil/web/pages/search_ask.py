"""What both searches of the pages begin with: the box, its words as chips, where to look, what is saved.

A chip goes away by its link; a word that is off is underlined, with the nearest one that is not.
The same words can be looked for in each log the reader may read, and in all of them at once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from counterfoil.app.everywhere import readable
from counterfoil.app.saved import SavedSearch
from counterfoil.app.search_answers import Unknown
from counterfoil.clock import format_time
from counterfoil.policy.access import LOG
from counterfoil.projections.search import KEYS, LENGTH_MAX, TEXT, Word, joined
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import links_of, moment_of
from counterfoil.web.pages.parts import BEFORE_ALL, Empty, Links

PATH: Final = "/search"
EVERYWHERE: Final = "/search/everywhere"
PLACES_MAX: Final = 8
WORD_IS_OFF: Final = "one word is off; it is underlined"


@dataclass(frozen=True, slots=True)
class Chip:
    """One word: `href` is the search without it; a wrong one says what and what is near."""

    key: str
    value: str
    raw: str
    href: str
    wrong: str
    near: str
    near_href: str


@dataclass(frozen=True, slots=True)
class Saved:
    """One saved search of whoever looks."""

    name: str
    query: str
    href: str


@dataclass(frozen=True, slots=True)
class Place:
    """One place to look in; `here` is the one that is searched."""

    name: str
    href: str
    here: bool


@dataclass(frozen=True, slots=True)
class Places:
    """Where the same words can be looked for; `more` says how many logs are not named."""

    named: tuple[Place, ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """The box and what stands around it.

    `action` is where its form leads, `kept` what the form for saving sends along.
    """

    action: str
    text: str
    length_max: int
    chips: tuple[Chip, ...]
    can_follow: tuple[str, ...]
    said: str
    places: Places
    saved: tuple[Saved, ...]
    can_save: bool
    kept: tuple[tuple[str, str], ...]


def build_ask(
    path: str,
    text: str,
    read: Sequence[Word],
    unknown: Iterable[Unknown],
    saved: Sequence[SavedSearch],
    places: Places,
    *,
    links: Links,
    said: str,
    searched: bool,
) -> Ask:
    """Build the box.

    Args:
        path: of the page it stands on: `PATH` or `EVERYWHERE`.
        text: the search as written.
        read: its words.
        unknown: words that fit nothing.
        saved: the searches whoever looks has saved for this page.
        places: where else to look.
        links: project and moment.
        said: what came of it, in a line.
        searched: no word is off.
    """
    asked = {word.key for word in read}
    near = {one.position: one.suggestion for one in unknown}
    pairs = links.pairs(q=text)

    def to(query: str | None) -> str:
        return links.to(path, q=query or None)

    return Ask(
        action=path,
        text=text[:LENGTH_MAX],
        length_max=LENGTH_MAX,
        chips=tuple(_chip(word, read, near, to) for word in read),
        can_follow=(*(f"{key}:" for key in KEYS if key not in asked), '"free text"'),
        said=said,
        places=places,
        saved=tuple(Saved(one.name, one.query, to(one.query)) for one in saved),
        can_save=searched and bool(read) and links.as_of is None,
        kept=(*pairs, ("in", "everywhere")) if path == EVERYWHERE else pairs,
    )


def _chip(
    word: Word, read: Sequence[Word], unknown: dict[int, str], to: Callable[[str | None], str]
) -> Chip:
    wrong, near = "", ""
    if word.problem is not None:
        wrong, near = word.problem.message, word.problem.suggestion
    elif word.start in unknown:
        wrong, near = "fits no entry", unknown[word.start]
    return Chip(
        key="" if word.key == TEXT else word.key,
        value=word.raw if word.key == TEXT else word.raw.partition(":")[2],
        raw=word.raw,
        href=to(joined(one for one in read if one is not word)),
        wrong=wrong,
        near=near,
        near_href=to(" ".join(near if one is word else one.raw for one in read)) if near else "",
    )


def word_is_off(read: Sequence[Word]) -> Empty:
    """Say why nothing is searched: what is wrong with the first word that is off."""
    wrong = next(word.problem for word in read if word.problem is not None)
    return Empty(
        "Nothing is searched while a word is off.",
        f"{wrong.message} (character {wrong.position + 1}).",
    )


def text_of(request: Request) -> str:
    """Return the search as written, without needless blanks."""
    return " ".join(request.query_params.get("q", "").split())


def log_name(project: str) -> str:
    """Return what people call a log.

    >>> log_name("shop"), log_name("_access")
    ('shop', 'people and access')
    """
    return "people and access" if project == LOG else project


def time_of(context: Context) -> str:
    """Return the moment a page is about as every log understands it, "" for now.

    An entry number of one log says nothing in another.
    """
    if context.as_of is None:
        return ""
    return BEFORE_ALL if context.as_of < 0 else format_time(moment_of(context))


def in_log(project: str, text: str, links: Links, time: str) -> str:
    """Return the search of one log for the same words, at the same moment.

    Args:
        project: which log.
        text: the words.
        links: of the page that leads there.
        time: the moment, as `time_of` has it.
    """
    own = links if project == links.project else Links(project, None)
    return own.to(PATH, q=text or None, as_of=(time or None) if own.as_of is None else None)


def places_of(context: Context, path: str, text: str) -> Places:
    """Read which logs the reader may read, and lead to each and to all of them."""
    return build_places(
        readable(context.home, context.credential), path, text, links_of(context), time_of(context)
    )


def build_places(projects: Sequence[str], path: str, text: str, links: Links, time: str) -> Places:
    """Build the choices: all logs at once, the log of this page, and some of the others.

    Args:
        projects: the logs the reader may read.
        path: of the page: `PATH` or `EVERYWHERE`.
        text: the search as written.
        links: project and moment.
        time: the moment, as `time_of` has it.
    """
    if len(projects) < 2:
        return Places()
    ordered = sorted(projects, key=lambda one: one != links.project)
    named = [
        Place(log_name(one), in_log(one, text, links, time), path == PATH and one == links.project)
        for one in ordered[:PLACES_MAX]
    ]
    every = Place("everywhere", links.to(EVERYWHERE, q=text or None), path == EVERYWHERE)
    more = len(projects) - len(named)
    return Places(
        (*named, every),
        f"and {words.count(more, 'other log')}, which everywhere reaches" if more else "",
    )
