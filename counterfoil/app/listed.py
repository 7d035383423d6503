"""The directory as rows for people: handles and accounts in place of pseudonyms, as of now."""

from typing import TYPE_CHECKING, Any

import msgspec

from counterfoil.clock import format_time
from counterfoil.policy.directory import Actor, Directory, Grant, Link, Span, Token

if TYPE_CHECKING:
    from counterfoil.app.home import Home


class SpanRow(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when; `holds` is whether now is within."""

    since: str
    until: str
    holds: bool


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """An actor; accounts, teams and roles are those of now.

    Attributes:
        handle, kind, name, ref: as described; the ref is the pseudonym.
        behalf: handle of the person who answers, "" for persons.
        accounts: linked now.
        teams: refs.
        roles: names, wherever they hold.
        passkeys: how many are enrolled.
        removed: nothing of theirs lets anybody in.
    """

    handle: str
    kind: str
    name: str
    ref: str
    behalf: str
    accounts: tuple[str, ...]
    teams: tuple[str, ...]
    roles: tuple[str, ...]
    passkeys: int
    removed: bool


class AccountRow(SpanRow, frozen=True, kw_only=True):
    """A link: whose an account is ("" once erased), and how that came to be."""

    account: str
    ref: str
    handle: str
    how: str
    entry: int


class MemberRow(SpanRow, frozen=True, kw_only=True):
    """A member of a team."""

    handle: str


class TeamRow(msgspec.Struct, frozen=True, kw_only=True):
    """A team; `on_turn` is whose turn it is now, "" for nobody's."""

    team: str
    title: str
    members: tuple[MemberRow, ...]
    turns: tuple[str, ...]
    turns_from: str
    turn_days: int
    on_turn: str


class GrantRow(SpanRow, frozen=True, kw_only=True):
    """A role of `to`, a handle or a `team:` ref, given by `by`."""

    grant: str
    to: str
    role: str
    project: str
    tier: str
    component: str
    by: str


class TokenRow(SpanRow, frozen=True, kw_only=True):
    """A token's scope; `state` is "live", "over", "revoked" or "holder removed".

    Attributes:
        token: its id, which entries carry as `recordedby`.
        name, holder, by: what it is called, for whom it acts, who made it.
        projects, verbs, sources: what it is good for.
        used: when it was last used, "" if never; `uses`: how often.
    """

    token: str
    name: str
    holder: str
    by: str
    projects: tuple[str, ...]
    verbs: tuple[str, ...]
    sources: tuple[str, ...]
    state: str
    used: str
    uses: int


class Listing:
    """Rows of one moment.

    Args:
        directory: who there is.
        account_of: pseudonym -> account, of every link.
        uses: token -> (when last, how often).
        now: RFC 3339.
    """

    def __init__(
        self, directory: Directory, account_of: dict[str, str], uses: dict[str, tuple[str, int]],
        now: str,
    ) -> None:  # fmt: skip
        self.directory = directory
        self.now = now
        self._account_of = account_of
        self._uses = uses
        self._passkeys: dict[str, int] = {}
        for key in directory.passkeys.values():
            if key.removed < 0:
                self._passkeys[key.actor] = self._passkeys.get(key.actor, 0) + 1
        self._members: dict[str, list[MemberRow]] = {}
        for (team, actor), span in directory.members.items():
            row = MemberRow(handle=self.handle(actor), **self._span(span))
            self._members.setdefault(team, []).append(row)

    def handle(self, ref: str) -> str:
        """Return the handle behind a pseudonym, or the pseudonym where there is none."""
        found = self.directory.actors.get(ref)
        return found.handle if found is not None and found.handle else ref

    def people(self, *, removed: bool) -> list[PersonRow]:
        """Return actors by handle; with `removed`, those who are gone too."""
        rows = [
            self.person(one) for one in self.directory.actors.values() if removed or one.removed < 0
        ]
        return sorted(rows, key=lambda row: (row.handle, row.ref))

    def person(self, one: Actor) -> PersonRow:
        """Return one actor."""
        links = self.directory.accounts_of(one.ref)
        linked = [self._account_of.get(link.account, "") for link in links if link.holds(self.now)]
        grants = self.directory.grants_of(one.ref, self.now)
        return PersonRow(
            handle=one.handle,
            kind=one.kind,
            name=one.name,
            ref=one.ref,
            behalf=self.handle(one.behalf) if one.behalf else "",
            accounts=tuple(account for account in linked if account),
            teams=tuple(sorted(self.directory.teams_of(one.ref, self.now))),
            roles=tuple(sorted({grant.role for grant in grants})),
            passkeys=self._passkeys.get(one.ref, 0),
            removed=one.removed >= 0,
        )

    def accounts(self) -> list[AccountRow]:
        """Return every link, by handle and account."""
        rows = [self.account(link) for links in self.directory.links.values() for link in links]
        return sorted(rows, key=lambda row: (row.handle, row.account, row.since))

    def account(self, link: Link) -> AccountRow:
        """Return one link."""
        return AccountRow(
            account=self._account_of.get(link.account, ""),
            ref=link.account,
            handle=self.handle(link.actor),
            how=link.how,
            entry=link.entry,
            **self._span(link),
        )

    def teams(self) -> list[TeamRow]:
        """Return every team, by ref."""
        rows = []
        for ref, team in sorted(self.directory.teams.items()):
            on_turn = self.directory.on_turn(ref, self.now)
            rows.append(
                TeamRow(
                    team=ref,
                    title=team.title,
                    members=tuple(sorted(self._members.get(ref, ()), key=lambda row: row.handle)),
                    turns=tuple(self.handle(one) for one in team.turns),
                    turns_from=team.turns_from,
                    turn_days=team.turn_days,
                    on_turn=self.handle(on_turn) if on_turn else "",
                )
            )
        return rows

    def grants(self) -> list[GrantRow]:
        """Return every grant, by holder and role."""
        rows = [self.grant(one) for one in self.directory.grants.values()]
        return sorted(rows, key=lambda row: (row.to, row.role, row.grant))

    def grant(self, one: Grant) -> GrantRow:
        """Return one grant."""
        return GrantRow(
            grant=one.id,
            to=one.holder if one.holder.startswith("team:") else self.handle(one.holder),
            role=one.role,
            project=one.project,
            tier=one.tier,
            component=one.component,
            by=self.handle(one.by),
            **self._span(one),
        )

    def tokens(self) -> list[TokenRow]:
        """Return every token, the last made first."""
        found = sorted(self.directory.tokens.values(), key=lambda one: -one.entry)
        return [self._token(one) for one in found]

    def _token(self, one: Token) -> TokenRow:
        used, uses = self._uses.get(one.id, ("", 0))
        state = "live" if one.holds(self.now) else "over"
        if self.directory.actor(one.holder) is None:
            state = "holder removed"
        elif one.revoked >= 0:
            state = "revoked"
        return TokenRow(
            token=one.id,
            name=one.name,
            holder=self.handle(one.holder),
            by=self.handle(one.by),
            projects=one.projects,
            verbs=one.verbs,
            sources=one.sources,
            state=state,
            used=used,
            uses=uses,
            **self._span(one),
        )

    def _span(self, span: Span) -> dict[str, Any]:
        return {"since": span.since, "until": span.until, "holds": span.holds(self.now)}


def listing_of(home: "Home") -> Listing:
    """Return the rows of this moment.  Cost: about 20 us an actor and link."""
    directory = home.access.directory
    return Listing(
        directory,
        home.keys.accounts_of(directory.links),
        home.tokens.uses(),
        format_time(home.clock.now()),
    )
