"""What the directory knows: values, each with the entry that says so.

Actors are pseudonym refs (`actor:...`), so that nothing here depends on names.  Times are RFC 3339
in UTC or dates, and compare as text: `since` <= now < `until`.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from counterfoil.events.refs import Named

PROVIDER: Final = "counterfoil"
"""Actors are the accounts `counterfoil:HANDLE`."""
ALL: Final = "*"


class Happened(msgspec.Struct, frozen=True):
    """One entry of the log, opened.

    Attributes:
        index: of the entry.
        what: noun and predicate, such as "role.granted".
        subject: a ref; actors are pseudonyms.
        refs: as in the entry.
        data: as in the body; {} once that is erased.
        time: when it was recorded.
        by: the actor who did it, a pseudonym; "" if unknown.
        accounts: pseudonym -> account, of an actor that is described and not erased.
        name: the subject's name, "" where there is none.
        credential: id of what the entry came under.
    """

    index: int
    what: str
    subject: str
    refs: tuple[Named, ...]
    data: Mapping[str, Any]
    time: str
    by: str = ""
    accounts: Mapping[str, str] = {}
    name: str = ""
    credential: str = ""

    def named(self, role: str) -> tuple[str, ...]:
        """Return the refs in a role, in order."""
        return tuple(one.ref for one in self.refs if one.role == role)

    def text(self, member: str) -> str:
        """Return a text of the data, "" where it is absent or another kind of value."""
        value = self.data.get(member)
        return value if isinstance(value, str) else ""

    def texts(self, member: str) -> tuple[str, ...]:
        """Return a list of texts of the data."""
        value = self.data.get(member)
        items = value if isinstance(value, list | tuple) else ()
        return tuple(one for one in items if isinstance(one, str))


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when something holds; `entry` says so."""

    entry: int
    since: str
    until: str = ""

    def holds(self, now: str) -> bool:
        """Whether it holds at `now`."""
        return self.since <= now and (not self.until or now < self.until)


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """A person, a service or an agent.

    Attributes:
        ref: the pseudonym.
        handle: unique among those who are not removed; "" once erased.
        kind: "person", "service" or "agent".
        name: what people call them, "" where nobody said.
        behalf: who answers for a service or an agent, a pseudonym; "" for nobody, and once that
            person is removed.
        entry: what described it last; `removed` is the entry that removed it, or -1.
    """

    ref: str
    handle: str
    kind: str
    name: str
    behalf: str
    entry: int
    removed: int = -1

    @property
    def account(self) -> str:
        """What entries call the actor as the one who did something."""
        return f"{PROVIDER}:{self.handle}"


class Link(Span, frozen=True, kw_only=True):
    """An account is an actor's for a time; both are pseudonyms.

    Attributes:
        how: how it was linked: "directory", "ceremony", "administrator", "trust".
        signs_in: whether whoever shows this account at its provider is let in as the actor.
        project, comment: the entry of the comment that proved it; "" and -1 where none did.
    """

    account: str
    actor: str
    how: str
    signs_in: bool = False
    project: str = ""
    comment: int = -1


def span_of(one: Happened) -> dict[str, Any]:
    """Return the members of what holds from an entry on, for the dates it states."""
    return {
        "entry": one.index,
        "since": one.text("since") or one.time,
        "until": one.text("until"),
    }


def link_of(one: Happened, account: str) -> Link:
    """Return the link of an account that an entry states."""
    project, comment = one.text("project"), one.data.get("comment")
    if not project or type(comment) is not int or comment < 0:
        project, comment = "", -1
    return Link(
        account=account,
        actor=one.subject,
        how=one.text("how"),
        signs_in=one.data.get("signs_in") is True,
        project=project,
        comment=comment,
        **span_of(one),
    )


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team and its turns: `turns` in order, each for `turn_days`, the first from `turns_from`."""

    ref: str
    title: str
    entry: int
    turns: tuple[str, ...] = ()
    turns_from: str = ""
    turn_days: int = 0


class Membership(Span, frozen=True, kw_only=True):
    """An actor belongs to a team for a time."""

    team: str
    actor: str


class Deputy(Span, frozen=True, kw_only=True):
    """`deputy` may for a time do what `actor` may."""

    actor: str
    deputy: str


class Grant(Span, frozen=True, kw_only=True):
    """A role for an actor or a team, somewhere, for a time.  `*` is everywhere."""

    id: str
    holder: str
    role: str
    project: str = ALL
    tier: str = ALL
    component: str = ALL
    by: str = ""

    def covers(self, project: str, tier: str, component: str) -> bool:
        """Whether it reaches a place; a place without tier or component is in none of them."""
        return (
            self.project in {ALL, project}
            and self.tier in {ALL, tier}
            and self.component in {ALL, component}
        )


class Token(Span, frozen=True, kw_only=True):
    """A token's scope, without the token."""

    id: str
    name: str
    holder: str
    projects: tuple[str, ...]
    verbs: tuple[str, ...]
    sources: tuple[str, ...]
    by: str = ""
    revoked: int = -1


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey's public half; `id` is base64url."""

    id: str
    actor: str
    name: str
    public_key: str
    counter: int
    rp: str
    vouched: str
    vouched_by: str
    entry: int
    since: str
    removed: int = -1


class Invitation(Span, frozen=True, kw_only=True):
    """Somebody may enrol.

    Attributes:
        by: who invited, a pseudonym that is no actor's where nobody stood behind the credential.
        through: id of the credential that invited.
        used: the entry of what was enrolled by it, or -1.
    """

    id: str
    actor: str
    by: str
    through: str = ""
    used: int = -1


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """A rule by which jobs of a CI are let in; `rule` is the event's data."""

    ref: str
    holder: str
    rule: Mapping[str, Any]
    entry: int
    by: str = ""


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A policy set that was put in force; `digest` is "builtin" or "sha256:..."."""

    digest: str
    entry: int
    time: str
    by: str
    how: str
    reason: str
