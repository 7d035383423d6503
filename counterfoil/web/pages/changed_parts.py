"""Parts of "what changed": the commits between two runs or releases, and one release by another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from counterfoil.app.answers import ActorView
from counterfoil.app.between import Between
from counterfoil.projections.base import kind_of
from counterfoil.projections.release_changed import KINDS, ReleaseChange
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import Links, Mark, Pill, RefChip, Who, mark, pill, ref_chip, who

SHOWN_MAX: Final = 40

Resolve = Callable[[str], ActorView]


@dataclass(frozen=True, slots=True)
class CommitLine:
    """One commit between."""

    ref: RefChip
    message: str
    who: Who
    mark: Mark


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change between."""

    ref: RefChip
    title: str
    state: Pill
    mark: Mark


@dataclass(frozen=True, slots=True)
class BetweenView:
    """The commits and changes between."""

    commits: tuple[CommitLine, ...]
    commit_words: str
    commits_more: str
    how: str
    changes: tuple[ChangeLine, ...]
    change_words: str
    changes_more: str


@dataclass(frozen=True, slots=True)
class Refs:
    """Things only one of two releases has."""

    title: str
    count: str
    refs: tuple[RefChip, ...]
    more: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """How often a rule finds a gap, before and now."""

    rule: str
    before: str
    after: str
    tone: str


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """One release against the one before."""

    before: RefChip
    lists: tuple[Refs, ...]
    rules: tuple[RuleLine, ...]
    rule_words: str


def more_words(count: int) -> str:
    """Say how many of `count` things are not shown; "" if all are."""
    return f"{words.number(count - SHOWN_MAX)} more are in the JSON." if count > SHOWN_MAX else ""


def between_view(found: Between, resolve: Resolve, links: Links) -> BetweenView:
    """Build the commits and changes between two."""
    count = len(found.commits)
    said = words.count(count, "commit")
    return BetweenView(
        commits=tuple(
            CommitLine(
                ref_chip(one.ref, links), one.message or "", who(_actor(one.author, resolve)),
                mark(one.entry, links),
            )
            for one in found.commits[:SHOWN_MAX]
        ),
        commit_words=f"{said}, at least" if found.cut else said,
        how="By the parents they name."
        if found.by == "parents"
        else "No recorded way of parents leads from one to the other: these were recorded between "
        "them in the same repository.",
        commits_more=more_words(count),
        changes=tuple(
            ChangeLine(ref_chip(one.ref, links), one.title or "", pill(one.state),
                       mark(one.entry, links))
            for one in found.changes[:SHOWN_MAX]
        ),
        change_words=words.count(len(found.changes), "change"),
        changes_more=more_words(len(found.changes)),
    )  # fmt: skip


def _actor(pseudonym: str | None, resolve: Resolve) -> ActorView | None:
    return resolve(pseudonym) if pseudonym else None


def release_view(found: ReleaseChange, links: Links) -> ReleaseView:
    """Build the comparison of two releases."""
    return ReleaseView(
        before=ref_chip(found.before, links),
        lists=tuple(
            _refs(title, refs, links)
            for title, refs in (("Only in this release", found.added),
                                ("Only in the one before", found.gone))
            if refs
        ),
        rules=tuple(
            RuleLine(
                one.rule.replace("_", " "), words.number(one.before), words.number(one.after),
                "fail" if one.after > one.before else "pass" if one.after < one.before else "second",
            )
            for one in found.gaps
        ),
        rule_words=f"{words.number(sum(one.before for one in found.gaps))} before, "
        f"{words.number(sum(one.after for one in found.gaps))} now",
    )  # fmt: skip


def _refs(title: str, refs: tuple[str, ...], links: Links) -> Refs:
    return Refs(
        title,
        words.count(len(refs), "thing"),
        tuple(ref_chip(ref, links) for ref in refs[:SHOWN_MAX]),
        more_words(len(refs)),
    )


def release_sentence(found: ReleaseChange) -> str:
    """Say in one sentence what one release has that the other has not, and what is missing."""
    before, now = sum(one.before for one in found.gaps), sum(one.after for one in found.gaps)
    kinds = {kind: sum(kind_of(ref) == kind for ref in found.added) for kind in KINDS}
    added = [words.count(count, kind) for kind, count in kinds.items() if count]
    said = (
        f"Against {found.before.partition(':')[2]}: "
        + (f"{words.listing(added)} came" if added else "nothing came")
        + f", {words.number(len(found.gone))} went, {words.number(found.same)} in both. "
        f"{words.count(now, 'gap')} now, {words.number(before)} before."
    )
    return f"{said} A chain was longer than what was followed." if found.cut else said
