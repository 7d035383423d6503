"""Who would hold what at the same time: an account of two people, deputies in a circle.

Pure.  Spans are as everywhere: `since` <= moment < `until`, "" for no end.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from counterfoil.app.directory_lines import Timed, refused
from counterfoil.app.lookalike import looks
from counterfoil.errors import RequestError

_NEVER: Final = "9999"
Edge = tuple[str, str, Timed]
"""For whom, who, when."""


class AccountSpan(NamedTuple):
    """An account is somebody's for a time; `line` is 0 where the directory says so."""

    account: str
    handle: str
    since: str
    until: str
    line: int


def refuse_shared(spans: Sequence[AccountSpan], over: Sequence[AccountSpan] = ()) -> None:
    """Refuse an account of two people at a time, and two accounts that look the same.

    Args:
        spans: of who is there.
        over: of who is gone: what they did stays theirs, whatever their accounts looked like.

    Raises:
        RequestError: `directory_refused`, with `line`.
    """
    by_account: dict[str, list[AccountSpan]] = {}
    for one in over:
        by_account.setdefault(one.account, []).append(one)
    alike: dict[str, AccountSpan] = {}
    for one in sorted(spans, key=lambda span: span.line):
        for like in (alike.setdefault(look, one) for look in looks(one.account)):
            if like.account != one.account and like.handle != one.handle:
                raise refused(
                    one.line,
                    f"{one.account[:80]!a} reads like {like.account[:80]!a}, "
                    f"which is {like.handle}'s{_said_on(like.line)}",
                )
        for other in by_account.setdefault(one.account, []):
            if one.line and overlap(one.since, one.until, other.since, other.until):
                whose = "the same actor's" if one.handle == other.handle else f"{other.handle}'s"
                raise refused(
                    one.line,
                    f"{one.account[:80]} is {whose} at that time{_said_on(other.line)}",
                )
        by_account[one.account].append(one)


def refuse_circles(deputies: Sequence[Edge]) -> None:
    """Refuse deputies who stand in for each other at the same time: nobody would be there.

    Args:
        deputies: (for whom, who, when).

    Raises:
        RequestError: `directory_refused`, with `line`.
    """
    edges = _tangled(deputies)
    for moment in sorted({when.since for _, _, when in edges}):
        then = [
            one
            for one in edges
            if one[2].since <= moment and (not one[2].until or moment < one[2].until)
        ]
        if circle := _tangled(then):
            line = max(when.line for _, _, when in circle)
            names = " -> ".join(sorted({who for who, _, _ in circle})[:10])
            raise _circle(line, names)


def _circle(line: int, names: str) -> RequestError:
    return refused(line, f"deputies in a circle at the same time: {names}")


def _tangled(edges: Sequence[Edge]) -> list[Edge]:
    """Return the edges that lie on a circle, or between two; ones that lead nowhere are cut off."""
    forth = _trimmed(edges, 0, 1)
    return _trimmed(forth, 1, 0)


def _trimmed(edges: Sequence[Edge], start: int, end: int) -> list[Edge]:
    """Return the edges without those that nothing leads to, one after the other."""
    leaving: dict[str, list[Edge]] = {}
    arriving: dict[str, int] = {}
    for edge in edges:
        leaving.setdefault(str(edge[start]), []).append(edge)
        arriving[str(edge[end])] = arriving.get(str(edge[end]), 0) + 1
    bare = [name for name in leaving if name not in arriving]
    while bare:
        for edge in leaving.pop(bare.pop()):
            name = str(edge[end])
            arriving[name] -= 1
            if not arriving[name] and name in leaving:
                bare.append(name)
    return [edge for left in leaving.values() for edge in left]


def overlap(since: str, until: str, other_since: str, other_until: str) -> bool:
    """Whether two spans have a moment in common."""
    return since < (other_until or _NEVER) and other_since < (until or _NEVER)


def _said_on(line: int) -> str:
    return f" (line {line})" if line else ""
