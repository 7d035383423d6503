"""Accounts on My account: mine since when and how, and links that wait for a comment."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.app.linking import PROVIDER, Begun, Waiting
from counterfoil.errors import RequestError
from counterfoil.policy.directory import Link
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import Links, Mark, mark

_HOW: Final = {
    "directory": "by a directory file",
    "ceremony": "by its holder, signed in there",
    "administrator": "by an administrator's word",
    "trust": "by a trust rule",
}


@dataclass(frozen=True, slots=True)
class LinkedRow:
    """An account that is somebody's; `comment` marks the entry that proved it, if one did."""

    account: str
    detail: str
    comment: Mark | None


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An account that a comment is waited for, and until when."""

    account: str
    until: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the page shows of accounts.

    Args:
        rows: linked at this moment.
        waiting: waited for.
        line: what to write as a comment, "" but right after it was begun; `until` goes with it.
        typed: an account that was typed before, "" if none was.
        error: why that was refused, with its `code`; "" if it was not.
    """

    rows: tuple[LinkedRow, ...]
    waiting: tuple[WaitingRow, ...]
    line: str
    line_account: str
    until: str
    typed: str
    error: str
    code: str
    provider: str = PROVIDER


def build_accounts(
    linked: Sequence[tuple[str, Link]],
    waiting: Sequence[Waiting],
    begun: Begun | None,
    typed: str,
    error: RequestError | None,
    now: datetime.datetime,
) -> Accounts:
    """Build the part of the page about accounts.

    Args:
        linked: accounts with their links.
        waiting: what waits for a comment.
        begun: what was begun just now, shown this once.
        typed: what stands in the form.
        error: why it was refused.
        now: the present moment.
    """
    return Accounts(
        rows=tuple(_row(account, link, now) for account, link in linked),
        waiting=tuple(WaitingRow(one.account, words.when(one.until, now)) for one in waiting),
        line=begun.link if begun is not None else "",
        line_account=begun.account if begun is not None else "",
        until=words.when(begun.until, now) if begun is not None else "",
        typed=typed,
        error=error.message if error is not None else "",
        code=error.code if error is not None else "",
    )


def how_linked(link: Link) -> str:
    """Say how an account came to be somebody's."""
    if link.comment >= 0:
        return "by a comment of its holder"
    return _HOW.get(link.how, "in a way the log does not say")


def comment_mark(link: Link) -> Mark | None:
    """Return the mark of the comment that proved a link; None where none did."""
    return mark(link.comment, Links(link.project, None)) if link.comment >= 0 else None


def _row(account: str, link: Link, now: datetime.datetime) -> LinkedRow:
    until = f", until {_when(link.until, now)}" if link.until else ""
    signs = "; it signs me in" if link.signs_in else ""
    detail = (
        f"linked {how_linked(link)}, since {_when(link.since, now)}{until},"
        f" entry {words.number(link.entry)} of _access{signs}"
    )
    return LinkedRow(account, detail, comment_mark(link))


def _when(text: str, now: datetime.datetime) -> str:
    """Say a moment; of a date its first."""
    return words.when(text if "T" in text else f"{text}T00:00:00Z", now)
