"""The directory: who there is, which accounts are theirs, and what they were given.

A pure fold of the log `_access`.  What must hold: an event says what is so from there on, and
nothing else changes anything; a person counts once over all accounts; whoever is removed, and
whatever is over, gives nothing.  Actors are pseudonym refs (`actor:...`), so that nothing here
depends on names: a handle is what the pseudonym's account opens to, and is "" once erased.

Times are RFC 3339 in UTC or dates, and compare as text: `since` <= now < `until`.
"""

from collections.abc import Collection, Iterable

import msgspec

from counterfoil.policy.folding import FOLDED, PUBLIC, day_of, ended, is_date
from counterfoil.policy.known import (
    ALL,
    PROVIDER,
    Actor,
    Deputy,
    Grant,
    Happened,
    Invitation,
    Link,
    Membership,
    Passkey,
    PolicyVersion,
    Span,
    Team,
    Token,
    Trust,
    link_of,
    span_of,
)

__all__ = [
    "ALL",
    "FOLDED",
    "PROVIDER",
    "PUBLIC",
    "Actor",
    "Deputy",
    "Directory",
    "Grant",
    "Happened",
    "Invitation",
    "Link",
    "Membership",
    "Passkey",
    "PolicyVersion",
    "Span",
    "Team",
    "Token",
    "Trust",
    "fold",
]


class Directory:
    """What the log `_access` says, up to an entry.  One thread changes it at a time."""

    def __init__(self) -> None:
        self.size = 0
        self.actors: dict[str, Actor] = {}
        self.links: dict[str, list[Link]] = {}
        self.teams: dict[str, Team] = {}
        self.members: dict[tuple[str, str], Membership] = {}
        self.deputies: dict[tuple[str, str], Deputy] = {}
        self.grants: dict[str, Grant] = {}
        self.tokens: dict[str, Token] = {}
        self.passkeys: dict[str, Passkey] = {}
        self.invitations: dict[str, Invitation] = {}
        self.trusts: dict[str, Trust] = {}
        self.policies: list[PolicyVersion] = []
        self.sessions: dict[str, str] = {}
        self._by_handle: dict[str, str] = {}
        self._behalves: dict[str, list[tuple[str, str]]] = {}
        self._granted: dict[str, dict[str, None]] = {}
        self._teams_of: dict[str, dict[str, None]] = {}
        self._deputy_of: dict[str, dict[str, None]] = {}
        self._accounts_of: dict[str, dict[str, None]] = {}
        self._enrolled = False

    def apply(self, one: Happened) -> None:
        """Take one more entry in.  Total: what does not fit changes nothing."""
        self.size = one.index + 1
        noun, _, predicate = one.what.partition(".")
        fold = getattr(self, f"_{noun}_{predicate}", None) if one.what in FOLDED else None
        if fold is not None:
            fold(one)

    def forget(self, ref: str) -> None:
        """Drop what somebody is called, as folding does once their key is gone."""
        if (found := self.actors.get(ref)) is not None:
            self.actors[ref] = msgspec.structs.replace(found, handle="", name="")
            self._by_handle.pop(found.handle, None)

    # Who there is.

    def actor(self, ref: str) -> Actor | None:
        """Return an actor who is not removed, by pseudonym."""
        found = self.actors.get(ref)
        return found if found is not None and found.removed < 0 else None

    def let_in(self, ref: str) -> Actor | None:
        """Return an actor who may be let in: not removed, nor the person an agent acts for."""
        found = self.actor(ref)
        if found is not None and found.kind == "agent" and self.actor(found.behalf) is None:
            return None
        return found

    def behalf_of(self, actor: str, at: str) -> str:
        """Return who answered for a service or an agent at a moment, a pseudonym or ""."""
        told = reversed(self._behalves.get(actor, ()))
        return next((person for since, person in told if since <= at), "")

    def by_handle(self, handle: str) -> Actor | None:
        """Return an actor who is not removed, by handle."""
        return self.actor(self._by_handle.get(handle, ""))

    def known_as(self, handle: str) -> Actor | None:
        """Return who has a handle, or had it last: what they did stays theirs."""
        return self.actors.get(self._by_handle.get(handle, ""))

    def anybody_enrolled(self) -> bool:
        """Whether somebody ever had a passkey or an account to sign in by.

        From then on `admin.token` is less, for good: who removes the last person who can sign
        in does not come by the rights of the first start again.
        """
        return self._enrolled

    def owner_of(self, account: str, at: str) -> Actor | None:
        """Return whose account (a pseudonym) it was at a moment, removed since or not."""
        for link in reversed(self.links.get(account, ())):
            if link.holds(at):
                return self.actors.get(link.actor)
        return self.actors.get(account)

    def holder_of(self, credential: str) -> Actor | None:
        """Return who holds or held a credential, by its id; removed since or not."""
        token = self.tokens.get(credential)
        ref = token.holder if token is not None else self.sessions.get(credential, "")
        return self.actors.get(ref)

    def accounts_of(self, actor: str) -> list[Link]:
        """Return every link of an actor, over or not, in the order they were made."""
        made = [
            link
            for account in self._accounts_of.get(actor, {})
            for link in self.links.get(account, ())
            if link.actor == actor
        ]
        return sorted(made, key=lambda link: link.entry)

    def open_invitations(self, actor: str, now: str) -> list[Invitation]:
        """Return the invitations of an actor that can be used at `now`."""
        every = list(self.invitations.values())
        return [one for one in every if one.actor == actor and one.used < 0 and one.holds(now)]

    def pseudonyms_of(self, actor: str) -> tuple[str, ...]:
        """Return every pseudonym one actor has acted under: its own first."""
        return (actor, *self._accounts_of.get(actor, {}))

    def person_of(self, pseudonym: str) -> str:
        """Return the actor an account belonged to last, the pseudonym itself where it is nobody's."""
        links = self.links.get(pseudonym)
        return links[-1].actor if links else pseudonym

    # What they may.

    def teams_of(self, actor: str, now: str) -> tuple[str, ...]:
        """Return the teams an actor belongs to at `now`."""
        return tuple(
            team
            for team in list(self._teams_of.get(actor, {}))
            if team in self.teams and self.members[team, actor].holds(now)
        )

    def stands_in_for(self, actor: str, now: str) -> tuple[str, ...]:
        """Return for whom an actor stands in at `now`; deputies of deputies do not count."""
        return tuple(
            other
            for other in list(self._deputy_of.get(actor, {}))
            if self.deputies[other, actor].holds(now) and self.actor(other) is not None
        )

    def on_turn(self, team: str, now: str) -> str:
        """Return whose turn it is in a team, "" if nobody takes turns or the first is to come."""
        found = self.teams.get(team)
        if found is None or not found.turns or found.turn_days < 1 or now < found.turns_from:
            return ""
        days = day_of(now) - day_of(found.turns_from)
        return found.turns[days // found.turn_days % len(found.turns)]

    def grants_of(
        self, actor: str, now: str, not_for: Collection[str] = frozenset()
    ) -> list[Grant]:
        """Return the grants that give an actor something at `now`: own, of teams, as a deputy.

        What they have only because they stand in for one of `not_for` is left out.
        """
        if self.let_in(actor) is None:
            return []
        stands_in = [one for one in self.stands_in_for(actor, now) if one not in not_for]
        holders: dict[str, None] = {}
        for one in (actor, *stands_in):
            holders[one] = None
            holders.update(dict.fromkeys(self.teams_of(one, now)))
        return [
            self.grants[grant]
            for holder in holders
            for grant in list(self._granted.get(holder, {}))
            if self.grants[grant].holds(now)
        ]

    def roles_at(
        self,
        actor: str,
        now: str,
        *,
        project: str,
        tier: str = "",
        component: str = "",
        not_for: Collection[str] = frozenset(),
    ) -> frozenset[str]:
        """Return the roles an actor has at a place; `not_for` as for `grants_of`."""
        return frozenset(
            grant.role
            for grant in self.grants_of(actor, now, not_for)
            if grant.covers(project, tier, component)
        )

    @property
    def policy(self) -> str:
        """The digest of the policy set in force, "builtin" at first."""
        return self.policies[-1].digest if self.policies else "builtin"

    def moments(self) -> set[str]:
        """Return every moment at which something begins or ends: until the next, all stands."""
        spans: list[Span] = [
            *list(self.grants.values()),
            *list(self.members.values()),
            *list(self.deputies.values()),
        ]
        return {moment for span in spans for moment in (span.since, span.until) if moment}

    # The folds.

    def _actor_described(self, one: Happened) -> None:
        account = one.accounts.get(one.subject, "")
        handle = account.removeprefix(f"{PROVIDER}:") if account else ""
        kind = one.text("kind")
        behalf = next(iter(one.named("on-behalf-of")), "")
        self.actors[one.subject] = Actor(
            ref=one.subject,
            handle=handle,
            kind=kind if kind in {"person", "service", "agent"} else "service",
            name=one.name,
            behalf=behalf,
            entry=one.index,
        )
        self._behalves.setdefault(one.subject, []).append((one.time, behalf))
        if handle:
            self._by_handle[handle] = one.subject

    def _actor_removed(self, one: Happened) -> None:
        if (found := self.actors.get(one.subject)) is not None:
            self.actors[one.subject] = msgspec.structs.replace(found, removed=one.index)
            self._end_all(found.ref, one)

    def _end_all(self, actor: str, one: Happened) -> None:
        """End what a removed actor had: whoever is described anew later begins with nothing.

        Whatever acted on their behalf acts on nobody's until it is described anew.
        """
        for other in [other for other in self.actors.values() if other.behalf == actor]:
            self.actors[other.ref] = msgspec.structs.replace(other, behalf="")
            self._behalves[other.ref].append((one.time, ""))
        for grant in list(self._granted.get(actor, {})):
            self._end_grant(grant)
        for team in list(self._teams_of.get(actor, {})):
            self._leave(team, actor)
        for taken in [one for one in self.teams.values() if actor in one.turns]:
            turns = tuple(ref for ref in taken.turns if ref != actor)
            self.teams[taken.ref] = msgspec.structs.replace(taken, turns=turns)
        for pair in [pair for pair in self.deputies if actor in pair]:
            self._end_deputy(*pair)
        for account in self._accounts_of.get(actor, {}):
            self._unlink(account, actor, one.time)
        self._end_credentials(actor, one)

    def _end_credentials(self, actor: str, one: Happened) -> None:
        for token in [one for one in self.tokens.values() if one.holder == actor]:
            self.tokens[token.id] = ended(token, revoked=one.index)
        for passkey in [one for one in self.passkeys.values() if one.actor == actor]:
            self.passkeys[passkey.id] = ended(passkey, removed=one.index)
        for invitation in [one for one in self.invitations.values() if one.actor == actor]:
            del self.invitations[invitation.id]
        for trust in [one for one in self.trusts.values() if one.holder == actor]:
            del self.trusts[trust.ref]

    def _account_linked(self, one: Happened) -> None:
        for account in one.named("account"):
            link = link_of(one, account)
            # Said again from the same moment on, it is said anew: that is how an end is moved.
            before = self.links.get(account, [])
            kept = [each for each in before if (each.actor, each.since) != (link.actor, link.since)]
            self.links[account] = [*kept, link]
            self._accounts_of.setdefault(one.subject, {})[account] = None
            self._enrolled |= link.signs_in
        self._use_invitation(one)

    def _account_unlinked(self, one: Happened) -> None:
        for account in one.named("account"):
            self._unlink(account, one.subject, one.time)

    def _unlink(self, account: str, actor: str, now: str) -> None:
        """End an actor's links to an account; one that was still to begin never was."""
        self.links[account] = [
            msgspec.structs.replace(link, until=now)
            if link.actor == actor and (not link.until or now < link.until)
            else link
            for link in self.links.get(account, ())
            if link.actor != actor or link.since <= now
        ]

    def _deputy_named(self, one: Happened) -> None:
        for deputy in one.named("deputy"):
            self.deputies[one.subject, deputy] = Deputy(
                actor=one.subject, deputy=deputy, **span_of(one)
            )
            self._deputy_of.setdefault(deputy, {})[one.subject] = None

    def _deputy_ended(self, one: Happened) -> None:
        for deputy in one.named("deputy"):
            self._end_deputy(one.subject, deputy)

    def _end_deputy(self, actor: str, deputy: str) -> None:
        if self.deputies.pop((actor, deputy), None) is not None:
            del self._deputy_of[deputy][actor]

    def _team_described(self, one: Happened) -> None:
        days = one.data.get("turn_days")
        self.teams[one.subject] = Team(
            ref=one.subject,
            title=one.text("title"),
            entry=one.index,
            turns=one.named("turn"),
            turns_from=one.text("turns_from"),
            turn_days=days if isinstance(days, int) and is_date(one.text("turns_from")) else 0,
        )

    def _team_removed(self, one: Happened) -> None:
        self.teams.pop(one.subject, None)
        for grant in list(self._granted.get(one.subject, {})):
            self._end_grant(grant)
        for team, actor in [key for key in self.members if key[0] == one.subject]:
            self._leave(team, actor)

    def _member_joined(self, one: Happened) -> None:
        for actor in one.named("member"):
            self.members[one.subject, actor] = Membership(
                team=one.subject, actor=actor, **span_of(one)
            )
            self._teams_of.setdefault(actor, {})[one.subject] = None

    def _member_left(self, one: Happened) -> None:
        for actor in one.named("member"):
            self._leave(one.subject, actor)

    def _leave(self, team: str, actor: str) -> None:
        if self.members.pop((team, actor), None) is not None:
            del self._teams_of[actor][team]

    def _role_granted(self, one: Happened) -> None:
        grant, role = one.text("grant"), one.text("role")
        if not grant or not role:
            return
        self.grants[grant] = Grant(
            id=grant,
            holder=one.subject,
            role=role,
            project=one.text("project") or ALL,
            tier=one.text("tier") or ALL,
            component=one.text("component") or ALL,
            by=one.by,
            **span_of(one),
        )
        self._granted.setdefault(one.subject, {})[grant] = None

    def _role_revoked(self, one: Happened) -> None:
        self._end_grant(one.text("grant"))

    def _end_grant(self, grant: str) -> None:
        if (found := self.grants.pop(grant, None)) is not None:
            del self._granted[found.holder][grant]

    def _policy_activated(self, one: Happened) -> None:
        self.policies.append(
            PolicyVersion(
                digest=one.text("digest"),
                entry=one.index,
                time=one.time,
                by=one.by,
                how=one.text("how"),
                reason=one.text("reason"),
            )
        )

    def _token_issued(self, one: Happened) -> None:
        holder = one.named("holder")
        if not holder:
            return
        self.tokens[one.subject] = Token(
            id=one.subject,
            name=one.text("name"),
            holder=holder[0],
            projects=one.texts("projects"),
            verbs=one.texts("verbs"),
            sources=one.texts("sources"),
            by=one.by,
            **span_of(one),
        )

    def _token_revoked(self, one: Happened) -> None:
        if (found := self.tokens.get(one.subject)) is not None:
            self.tokens[one.subject] = msgspec.structs.replace(found, revoked=one.index)

    def _invitation_made(self, one: Happened) -> None:
        if invitation := one.text("invitation"):
            self.invitations[invitation] = Invitation(
                id=invitation,
                actor=one.subject,
                by=one.by,
                through=one.credential,
                **span_of(one),
            )

    def _invitation_ended(self, one: Happened) -> None:
        found = self.invitations.get(one.text("invitation"))
        if found is not None and found.used < 0:
            del self.invitations[found.id]

    def _passkey_enrolled(self, one: Happened) -> None:
        passkey, counter = one.text("passkey"), one.data.get("counter")
        if not passkey:
            return
        vouched_by = one.named("vouched-by")
        self.passkeys[passkey] = Passkey(
            id=passkey,
            actor=one.subject,
            name=one.text("name"),
            public_key=one.text("public_key"),
            counter=counter if isinstance(counter, int) else 0,
            rp=one.text("rp"),
            vouched=one.text("vouched"),
            vouched_by=vouched_by[0] if vouched_by else "",
            entry=one.index,
            since=one.time,
        )
        self._enrolled = True
        self._use_invitation(one)

    def _use_invitation(self, one: Happened) -> None:
        invitation = self.invitations.get(one.text("invitation"))
        if invitation is not None:
            used = msgspec.structs.replace(invitation, used=one.index)
            self.invitations[invitation.id] = used

    def _passkey_removed(self, one: Happened) -> None:
        if (found := self.passkeys.get(one.text("passkey"))) is not None:
            self.passkeys[found.id] = msgspec.structs.replace(found, removed=one.index)

    def _session_opened(self, one: Happened) -> None:
        if holder := one.named("holder"):
            self.sessions[one.subject] = holder[0]

    def _trust_added(self, one: Happened) -> None:
        if holder := one.named("holder"):
            self.trusts[one.subject] = Trust(
                ref=one.subject, holder=holder[0], rule=one.data, entry=one.index, by=one.by
            )

    def _trust_removed(self, one: Happened) -> None:
        self.trusts.pop(one.subject, None)


def fold(entries: Iterable[Happened]) -> Directory:
    """Return the directory after some entries, from the first on."""
    made = Directory()
    for one in entries:
        made.apply(one)
    return made
