"""Copies of a ledger taken, put in place, and tried: in the ledger's own log."""

from counterfoil.events.kinds import LISTED, own_type

_LOCAL = ("system", "local")
_LOGS = "how many entries of each log it holds, by project"
_STAMP = "names the backup: when it was taken, UTC"

TYPES = (
    own_type(
        "backup.taken",
        noun="backup",
        meaning="A copy of the ledger is being taken; it holds this entry itself, so that it can go on.",
        title="took a backup[ {data.stamp}]",
        row=LISTED,
        data={
            "stamp": "20261120T115958104Z",
            "to": "/mnt/backups/foil",
            "keys_to": "/mnt/backups/foil.keys",
            "signing_keys": False,
        },
        members={
            "stamp": _STAMP,
            "to": "the folder of backups it goes to",
            "keys_to": "the folder of what opens contents",
            "signing_keys": "whether the keys that sign are in it",
        },
        actor=_LOCAL,
    ),
    own_type(
        "backup.failed",
        noun="backup",
        meaning="A copy of the ledger that was being taken broke off: none of that name stands.",
        title="failed to take a backup[ {data.stamp}]",
        row=LISTED,
        data={"stamp": "20261120T115958104Z", "why": "storage  the disk is full"},
        members={"stamp": _STAMP, "why": "one line"},
        actor=_LOCAL,
    ),
    own_type(
        "backup.restored",
        noun="backup",
        meaning="This ledger goes on from a backup; what was recorded after it is not here.",
        title="goes on from backup {data.stamp}",
        row=LISTED,
        data={
            "stamp": "20261120T115958104Z",
            "logs": {"default": 4_711, "_access": 38},
            "compared": ["witness audit: agrees"],
            "absent": ["public/ of the ledger that was lost: there was none"],
            "findings": 0,
            "erasures": 0,
        },
        members={
            "stamp": _STAMP,
            "logs": _LOGS,
            "compared": "what outside of it was compared, and what that said; a line each",
            "absent": "what there was none of, a line each",
            "findings": "how many findings it was put in place with, by somebody's word",
            "erasures": "how many erasures that came after it were done again; absent where nobody named any",
        },
        actor=_LOCAL,
    ),
    own_type(
        "backup.drilled",
        noun="backup",
        meaning="Somebody tried whether a backup can be put in place, in a folder of its own.",
        title="tried backup {data.stamp}[: {data.result}]",
        row=LISTED,
        data={
            "stamp": "20261120T115958104Z",
            "result": "whole",
            "logs": {"default": 4_711, "_access": 38},
            "opened": 4_749,
            "findings": 0,
            "why": "",
            "time_s": 42,
        },
        members={
            "stamp": _STAMP,
            "result": "`whole`, `proofs` where its keys are gone, or `failed`",
            "logs": _LOGS,
            "opened": "how many entries were opened and folded",
            "findings": "how many things were wrong",
            "why": "the first of them, one line",
            "time_s": "how long it took, seconds",
        },
        actor=_LOCAL,
    ),
)
