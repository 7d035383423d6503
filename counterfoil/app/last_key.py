"""The last passkey of the last administrator: said before it goes, and when it is gone.

My account, the pages about people, the actions and the command line say the same words.  It is no
refusal: whoever holds the ledger's files invites somebody again.
"""

from typing import Final

from counterfoil.policy.access import LOG
from counterfoil.policy.directory import Directory, Passkey

ROLE: Final = "administrator"
WARNING: Final = (
    "The last passkey of the last administrator who has one: without it nobody administers this "
    "ledger from a browser; whoever holds its files still can."
)


def last_key_warning(directory: Directory, passkey: Passkey, now: str) -> str:
    """Return `WARNING` if nobody administers the ledger once a passkey is gone, else "".

    Only passkeys of the same address count: one of another address lets nobody in here.

    Args:
        directory: who there is, and who may.
        passkey: one that is not removed.
        now: RFC 3339.
    """
    if not _administers(directory, passkey.actor, now):
        return ""
    for other in list(directory.passkeys.values()):
        if other.removed >= 0 or other.rp != passkey.rp or other.id == passkey.id:
            continue
        if _administers(directory, other.actor, now):
            return ""
    return WARNING


def _administers(directory: Directory, actor: str, now: str) -> bool:
    return ROLE in directory.roles_at(actor, now, project=LOG)
