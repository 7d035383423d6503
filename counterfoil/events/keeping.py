"""How long things are kept: rules, what went by them, and what is held beyond its time."""

from counterfoil.events.kinds import LISTED, own_type

_ADMIN = ("user", "counterfoil:ana-dev")

TYPES = (
    own_type(
        "retention.set",
        noun="keeping",
        meaning="A rule says from here on how long entries of some types are kept, or ended.",
        title="set how long things are kept[: rule {data.rule}][, {data.types}][, {data.days} days][: {data.reason}]",
        row=LISTED,
        data={
            "rule": "pci-dss-10.5.1",
            "types": "*",
            "days": 366,
            "at_hand_days": 92,
            "preset": "pci-dss-10.5.1",
            "reason": "card data environment",
        },
        members={
            "rule": "its name; a later event of that name takes its place",
            "types": "which types of events, as in `type:` of a search",
            "days": "how many days after they were recorded; absent: the rule ends here",
            "at_hand_days": "how many of them the control asks to have at hand; in this ledger all are",
            "preset": "the preset it was made from",
            "asked": "the entry of `_access` that asked, where two people decided",
            "reason": "why, free text",
        },
        actor=_ADMIN,
    ),
    own_type(
        "retention.expired",
        noun="keeping",
        meaning="Contents of entries were destroyed because their time by a rule was over.",
        title="let {data.count} entries expire[ by rule {data.rule}]",
        row=LISTED,
        data={
            "rule": "builds",
            "parts": [{"ranges": [[0, 41], [44, 57]], "names": ["*"]}],
            "count": 56,
            "types": {"dev.cdevents.build.finished.0.3.0": 56},
            "at": "2026-11-20T03:00:00.000Z",
            "reason": "older than 30 days",
        },
        members={
            "rule": "the rule that kept them longest",
            "parts": "what is destroyed: ranges of entries, inclusive, and which parts of each; `*` is every part",
            "count": "how many entries",
            "types": "how many of each type",
            "at": "the moment their age was reckoned at, RFC 3339",
            "reason": "in words",
        },
        retention="technical",
        actor=("system", "counterfoil"),
    ),
    own_type(
        "hold.placed",
        noun="keeping",
        meaning="Evidence is held: nothing of it is erased or expires until that ends.",
        title="placed a hold[ for {data.case}][: {data.reason}]",
        row=LISTED,
        data={
            "case": "legal-2026-7",
            "reason": "claim of a customer",
            "since": "2026-06-01",
            "until": "2026-09-01",
        },
        named=[("release:shop@1.4.2", "held"), ("actor:github.com:bo-dev", "held")],
        members={
            "case": "what it is for",
            "reason": "why, free text",
            "asked": "the entry of `_access` that asked, where two people decided",
            "since, until": "recorded from when on, and up to when (exclusive), RFC 3339 or a date",
        },
        refs={"held": "entries that name it, or that somebody did or is named in, are held"},
        actor=_ADMIN,
    ),
    own_type(
        "hold.released",
        noun="keeping",
        meaning="A hold ended.",
        title="released the hold[ of entry {data.hold}][: {data.reason}]",
        row=LISTED,
        data={"hold": 4_711, "case": "legal-2026-7", "reason": "settled"},
        members={
            "hold": "the entry that placed it",
            "case": "what it was for",
            "reason": "why, free text",
            "asked": "the entry of `_access` that asked, where two people decided",
        },
        actor=_ADMIN,
    ),
)
