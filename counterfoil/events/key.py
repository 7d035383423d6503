"""The signing keys of a log: one hands over to the next, an earlier one is retired.

Everything that a stranger needs to follow the keys stands in the public half of the entry, as
refs: with the body sealed, the log itself says who signs it.  `succession` reads it.
"""

from counterfoil.events.kinds import LISTED, own_type

_EARLIER = "key:db1f4ab2+Aa8Go+MpFxTk81bBnJsVzRlR7G5mYqp3vgdUfyiTgzQd"
_LATER = "key:aecc1c65+AS3wQSXwAVr7R86FOu+HcglP+UmMFMsbnhKXPCkn2g+m"
_BY_EARLIER = (
    "signature:"
    "A8b+8PekRpilkcblfmF+4YHHD8r+qx1UEasFhXD6jA4QG8Cwwp8adbiF1tZyECwkYal9j/pG3NdRnJP5sFwJDw=="
)
_BY_LATER = (
    "signature:"
    "MKxN5p7JH7iIwIAb5Sx4vA/a2UWOgeC4EPXsC2+XUHYAawdu72qewZFDo3g9i3a9AgXeG3Jsxpp398N9fBfzCQ=="
)
_RETIRED_BY = (
    "signature:"
    "tApjL0MCs18vlJhmPq+rytl7MUgaUo4V7iP6WRYkeKOBE8NG7hfkNj3V8deNXJloTupI231zWmenklBt/zW+BA=="
)
_ROOT = "4b1f0f0a3d5f4c7e9a8b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f"

TYPES = (
    own_type(
        "key.rotated",
        noun="key",
        meaning="The log is signed by another key from here on; the earlier and the later one say so.",
        title="handed the log over to another key[: {data.reason}]",
        row=LISTED,
        subject=_LATER,
        named=[
            (_EARLIER, "earlier"),
            (f"checkpoint:4711/{_ROOT}", "final"),
            (_BY_EARLIER, "by-earlier"),
            (_BY_LATER, "by-later"),
        ],
        data={
            "key": "log.example/acme+aecc1c65+AS3wQSXwAVr7R86FOu+HcglP+UmMFMsbnhKXPCkn2g+m",
            "size": 4711,
            "reason": "the yearly change",
        },
        members={
            "key": "the later verifier key",
            "size": "how many entries the earlier key signs alone: those before this one",
            "reason": "why, as the person said; null where they said nothing",
        },
        refs={
            "earlier": "the `key:` that hands over",
            "final": "the `checkpoint:` it ends with: the size and the root before this entry",
            "by-earlier": "the `signature:` of the earlier key over the statement of ADR 0035",
            "by-later": "the `signature:` of the later key over the same statement",
        },
        actor=("user", "counterfoil:ana"),
    ),
    own_type(
        "key.retired",
        noun="key",
        meaning="An earlier key of the log signs nothing more, or was not to be believed for a while.",
        title="retired an earlier key of the log[: {data.reason}]",
        row=LISTED,
        subject=_EARLIER,
        named=[
            (_LATER, "by"),
            (f"checkpoint:4600/{_ROOT}", "final"),
            (_RETIRED_BY, "by-current"),
        ],
        data={
            "size": 4600,
            "compromised": True,
            "reason": "the backup tape with the key was lost",
        },
        members={
            "size": "up to how many entries the earlier key is believed alone",
            "compromised": "whether somebody else had it, or may have had it, after that size",
            "reason": "why, as the person said; null where they said nothing",
        },
        refs={
            "by": "the `key:` in force, which says so",
            "final": "the `checkpoint:` up to which the earlier key is believed alone",
            "by-current": "the `signature:` of the key in force over the statement of ADR 0035",
        },
        actor=("user", "counterfoil:ana"),
    ),
)
