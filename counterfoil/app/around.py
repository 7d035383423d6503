"""What an approval rests on besides roles, and why one may not be answered at all."""

from typing import Final, NamedTuple


class Circumstances(NamedTuple):
    """What an approval rests on besides roles: actors, as pseudonyms.

    Attributes:
        gate_changers: changed a gate of this place in the last 24 hours.
        authors: wrote, committed or asked for what is to be approved.
        about: what the approval is for, as it was asked for: its `env:`, releases, changes.
        asked: whether somebody asked for it at all.
    """

    gate_changers: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    asked: bool = True


IN_OWN_NAME: Final = (
    "this is done in one's own name: authid has to be an account of yours, such as "
    "counterfoil:HANDLE"
)
NOBODY_ASKED: Final = (
    "nobody asked for this approval; first approval.requested is recorded, with its approval: and "
    "env: and with what it approves"
)
