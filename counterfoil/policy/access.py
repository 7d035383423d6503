"""What somebody comes with, and what that can at most be good for.

Two questions decide every request.  Here: can a credential of this kind, with this scope, be good
for the verb at all?  A fixed table answers, and no policy widens it.  The other one, whether the
actor behind the credential may do it, is the policy's (`policy.engine`).  Both must say yes.

Pure, and without the policy engine: the processes that only take in events load this alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LOG: Final = "_access"
"""The log of who there is and who may: the ledger's own."""
ALL: Final = "*"

_READING: Final = frozenset({"read", "review", "export", "personal"})
_RECORDING: Final = frozenset({"record", "report"})
_WORK: Final = frozenset({"request", "gate", "assign", "quarantine", "audit", "waive"})
_SIGNED: Final = frozenset({"approve"})
_RUNNING: Final = frozenset(
    {"people", "roles", "tokens", "trust", "policies", "sessions", "sources", "keys", "admin"}
)
_ENDING: Final = frozenset({"erase", "hold"})
_EVERY: Final = _READING | _RECORDING | _WORK | _SIGNED | _RUNNING | _ENDING | {"webhook"}

_TABLE: Final[Mapping[str, frozenset[str]]] = {
    # A bearer token.  It signs no approval: that takes a person's passkey.  `webhook` is for
    # senders that sign nothing themselves and bring a token instead (CDEvents emitters).
    "token": _EVERY - _SIGNED,
    # A person in a browser.
    "session": _EVERY - {"webhook"},
    # A job of a CI, for some minutes.
    "ci": _RECORDING | {"read", "request", "audit"},
    # A vendor whose signature was checked: its delivery is recorded, it reads nothing back.
    "webhook": frozenset({"webhook", "record"}),
    # Somebody on this machine who may open the ledger's files: more than any token gives.
    "local": _EVERY - {"webhook"},
    # The server's own facts: starts, counted refusals.
    "server": frozenset({"record"}),
    "anonymous": frozenset(),
}
KINDS: Final = tuple(_TABLE)
VERBS: Final = tuple(sorted(_EVERY))
TOKEN_VERBS: Final = tuple(sorted(_TABLE["token"]))
"""What a token may be for."""

RUNNING: Final = _RUNNING
"""What the first administrator's token is good for once a person is enrolled."""
RELAYING: Final = frozenset({"webhook", "local", "server"})
"""Kinds that tell what others did, or hold the files: no policy is asked about them."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody came with, after it was checked.

    Args:
        id: what entries carry as `recordedby`: public and permanent, so never a name or a mail.
        kind: a key of the table above.
        handle: what people call it, shown to those who may read.
        sources: prefixes of the event `source` it may use; `("",)` allows every source.
        actor: pseudonym of the actor behind it, "" where there is none.
        projects: where it is good; `("*",)` is everywhere.
        verbs: what it is good for at most; `("*",)` is whatever its kind can be.
        verified: when its holder last showed a passkey, RFC 3339; "" if never.
        confirmed: what is done under it was asked for by another person before.
    """

    id: str
    kind: str
    handle: str
    sources: tuple[str, ...] = ("",)
    actor: str = ""
    projects: tuple[str, ...] = (ALL,)
    verbs: tuple[str, ...] = (ALL,)
    verified: str = ""
    confirmed: bool = False


ANONYMOUS: Final = Credential("anonymous", "anonymous", "nobody", ())
ADMIN: Final = Credential("token:admin", "token", "administrator")
"""The first administrator's token, DIR/admin.token: nobody stands behind it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, with the reasons in words; a refusal names what would have been needed.

    Args:
        allowed: yes or no.
        reasons: never empty.
        policies: ids of the policies that decided, none where the table did.
    """

    allowed: bool
    reasons: tuple[str, ...]
    policies: tuple[str, ...] = ()


def ceiling(credential: Credential, verb: str, project: str, source: str = "") -> Decision:
    """Say whether a credential can be good for `verb` in `project` at all.

    Args:
        credential: who asks; an unknown kind can be good for nothing.
        verb: one of `VERBS`; an unknown verb is refused.
        project: a project name; names with a leading `_` are the ledger's own logs.
        source: the event's `source` for `record`; "" when the question is not about an event.

    Returns:
        A decision; `reasons` is never empty.

    >>> ceiling(ANONYMOUS, "read", "default").reasons
    ('reading needs a token or a session',)
    """
    if verb not in _TABLE.get(credential.kind, frozenset()):
        return Decision(False, (_lacking(credential, verb),))
    if verb not in credential.verbs and ALL not in credential.verbs:
        return Decision(False, (f"{credential.id} is not for {verb}",))
    if project not in credential.projects and ALL not in credential.projects:
        return Decision(False, (f"{credential.id} is not for project {project}",))
    if project.startswith("_") and verb in _RECORDING and credential.kind != "server":
        return Decision(False, (f"only the server itself writes to {project}",))
    if source and not any(source.startswith(prefix) for prefix in credential.sources):
        return Decision(False, (f"{credential.id} may not speak as the source it names",))
    return Decision(True, (f"a {credential.kind} credential may {verb}",))


def _lacking(credential: Credential, verb: str) -> str:
    if verb not in _EVERY:
        return "there is no such verb"
    if credential.kind == "anonymous":
        doing = "reading" if verb == "read" else "writing"
        return f"{doing} needs a token or a session"
    return f"a {credential.kind} credential may not {verb}"
