"""Teams: who belongs to one, and whose turn it is."""

from counterfoil.events.kinds import DIRECTORY, own_type

_ADMIN = ("user", "counterfoil:ana-dev")
_TEAM = "team:checkout"

TYPES = (
    own_type(
        "team.described",
        noun="team",
        meaning="A team came to be, or is described anew; whoever takes turns is named in order.",
        title="described {thing}[: {data.title}]",
        row=DIRECTORY,
        subject=_TEAM,
        data={"title": "Checkout", "turns_from": "2026-11-02", "turn_days": 7},
        named=[("actor:counterfoil:ana-dev", "turn"), ("actor:counterfoil:bo-dev", "turn")],
        members={
            "title": "what people call it",
            "turns_from": "the date the first turn begins, UTC; absent where nobody takes turns",
            "turn_days": "how many days a turn lasts",
        },
        refs={"turn": "an `actor:` who takes turns, in their order"},
        actor=_ADMIN,
    ),
    own_type(
        "team.removed",
        noun="team",
        meaning="A team is no more, and neither is what it was granted.",
        title="removed {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_TEAM,
        data={"reason": "merged into payments"},
        members={"reason": "why, free text"},
        actor=_ADMIN,
    ),
    own_type(
        "member.joined",
        noun="team",
        meaning="An actor belongs to a team, for a time.",
        title="added a member to {thing}",
        row=DIRECTORY,
        subject=_TEAM,
        data={"since": "2026-01-01"},
        named=[("actor:counterfoil:bo-dev", "member")],
        members={
            "since": "from when on, RFC 3339 or a date; at once if absent",
            "until": "up to when, exclusive; without an end if absent",
        },
        refs={"member": "the `actor:`"},
        actor=_ADMIN,
    ),
    own_type(
        "member.left",
        noun="team",
        meaning="An actor belongs to a team no more.",
        title="took a member from {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_TEAM,
        data={"reason": "moved to payments"},
        named=[("actor:counterfoil:bo-dev", "member")],
        members={"reason": "why, free text"},
        refs={"member": "the `actor:`"},
        actor=_ADMIN,
    ),
)
