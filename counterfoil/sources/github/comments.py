"""A comment that links an account: the line, how it is written and how it is found.

    counterfoil link HANDLE CODE

What must hold: a line counts only as the whole text of a comment that the person themselves
created, by hand.  Edited comments never count, since maintainers of a repository can edit other
people's words.  A line in any other setting is found too and says why it does not count, so that
whoever keeps the code can call it spent.

Source: docs.github.com, webhook event `issue_comment`.
"""

import re
from dataclasses import dataclass
from typing import Final

from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.sources.github.delivery import account_of, dig, number

EVENT: Final = "issue_comment"
CODE_LETTERS: Final = 20
LINES_MAX: Final = 16
"""Lines that are looked at in one comment: strangers write comments too."""
_BEGINS: Final = "counterfoil link "
_MARK: Final = _BEGINS.encode()
_LINE: Final = re.compile(
    rf"{_BEGINS}([a-z0-9._-]{{1,64}}) ([0-9a-z]{{{CODE_LETTERS}}})(?![0-9A-Za-z])"
)
_AROUND: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class LinkComment:
    """A comment with at least one such line.

    Args:
        account: who sent it, as entries name them; "" where the payload does not say.
        lines: (handle, code) of each line, the first `LINES_MAX`.
        odd: why it links nothing, one word; "" if it may.
    """

    account: str
    lines: tuple[tuple[str, str], ...]
    odd: str


def link_line(handle: str, code: str) -> str:
    """Return the line that somebody writes to link an account.

    The handle stands in it, so that whoever is tricked into writing it sees to whom it goes.
    """
    return f"{_BEGINS}{handle} {code}"


def find_link(event: str, body: bytes) -> LinkComment | None:
    """Return what a delivery says about linking an account; None for nearly every delivery.

    Args:
        event: the value of `X-GitHub-Event`.
        body: the raw bytes: signed, and read before as the JSON they are.

    Cost: a comparison, and for comments a search for some bytes; only where they are found is
    the body read again.
    """
    if event != EVENT or _MARK not in body:
        return None
    payload = canonical.read(body, "the delivery")
    text = dig(payload, "comment", "body")
    if not isinstance(text, str):
        return None
    lines = [(found[1], found[2]) for found in _LINE.finditer(text)]
    if not lines:
        return None
    account = account_of(payload, "sender") or ""
    return LinkComment(account, tuple(lines[:LINES_MAX]), _odd(payload, text))


def _odd(payload: JSON, text: str) -> str:
    """Return why a comment speaks for nobody, "" if it speaks for its sender.

    The event's name stands in a header that no signature covers, so the body has to be one of a
    comment on an issue or pull request.
    """
    action, comment = dig(payload, "action"), dig(payload, "comment")
    if number(payload, "issue", "number") is None or not isinstance(comment, dict):
        return "no-issue"
    if action != "created":
        return "edited" if action == "edited" else "not-created"
    # What is delivered may be what the comment says by then.
    if not comment.get("created_at") or comment["created_at"] != comment.get("updated_at"):
        return "edited"
    if _LINE.fullmatch(text.strip(_AROUND)) is None:
        return "more-text"
    if account_of(payload, "sender") != account_of(payload, "comment", "user"):
        return "other-author"
    if (dig(payload, "sender", "type"), dig(comment, "user", "type")) != ("User", "User"):
        return "no-person"
    # Absent is not null: a program may write in a person's name.
    if comment.get("performed_via_github_app", "absent") is not None:
        return "by-app"
    return ""
