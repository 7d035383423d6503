"""What a directory file would change: the difference between what it says and what is in force.

Two steps make an import: this one shows the difference and its digest; the other applies it only
while the same file makes the same difference.

What must hold: a file takes back only what it speaks of, and of accounts only those a file gave;
an account is one person's at a time; nobody is named whom nobody describes.  Pure.

Cost: about 20 us a fact of the file or the directory.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from counterfoil.app import directory_groups as groups
from counterfoil.app import directory_people as people
from counterfoil.app.directory_change import Change, Differing, Standing
from counterfoil.app.directory_lines import ActorLine, DirectoryFile, refused
from counterfoil.app.directory_spans import refuse_circles, refuse_shared
from counterfoil.policy.directory import Span
from counterfoil.policy.separation import Ways, auditing_words, newly_beside

DIGEST_LETTERS: Final = 32
_GIVING: Final = frozenset({"join", "stand-in"})


def difference(file: DirectoryFile, standing: Standing, *, remove_missing: bool) -> list[Change]:
    """Return what a file would change, in the order in which it will be recorded.

    With `remove_missing`, persons, agents and teams that the file does not describe are removed;
    services are not: tokens and trust rules make them.

    Raises:
        RequestError: `directory_refused`, with `line`.
    """
    at = Differing(file=file, standing=standing, remove_missing=remove_missing)
    people.check_handles(at)
    refuse_shared(people.account_spans(at), people.spans_over(at))
    edges = groups.deputy_spans(at)
    refuse_circles(edges)
    before = groups.ways_before(at)
    after = groups.ways_after(at, before, edges)
    _refuse_auditing(at, before, after)
    actors, teams = file.actors.values(), file.teams.values()
    members = groups.by_holder(at, standing.directory.members)
    deputies = groups.by_holder(at, standing.directory.deputies)

    def standing_in(one: ActorLine) -> Mapping[str, Span]:
        known = standing.directory.by_handle(one.handle)
        return deputies.get(known.ref, {}) if known is not None else {}

    # Whoever answers for others is known before them.
    described = sorted(actors, key=lambda one: one.kind != "person")
    changes = [
        *people.removals(at),
        *(found for one in actors for found in people.unlinks(at, one)),
        *(found for one in described for found in people.actor(at, one)),
        *(found for one in actors for found in people.links(at, one)),
        *(found for one in teams for found in groups.team(at, one)),
        *(one for team in teams for one in groups.members(at, team, members.get(team.ref, {}))),
        *(one for actor in actors for one in groups.deputies(at, actor, standing_in(actor))),
        *groups.roles(at),
    ]
    return [
        msgspec.structs.replace(one, gives=True)
        if one.does in _GIVING and after.gives(one.who, at.now)
        else one
        for one in changes
    ]


def _refuse_auditing(at: Differing, before: Ways, after: Ways) -> None:
    """Refuse what makes somebody an auditor and something else, with the line that says so.

    Raises:
        RequestError: `directory_refused`, with `line`.
    """
    if not any(way.to == "auditor" for found in after.roles.values() for way in found):
        return
    actors = {*after.roles, *after.teams, *after.others}
    found = newly_beside(before, after, actors, at.now)
    if found is not None:
        who, roles = found
        raise refused(max(roles.values()), auditing_words(who, roles))


def digest_of(file: DirectoryFile, changes: list[Change]) -> str:
    """Return the name of a difference: the same for the same file and the same changes only."""
    content = msgspec.json.encode([file.digest, changes])
    return hashlib.sha256(content).hexdigest()[:DIGEST_LETTERS]
