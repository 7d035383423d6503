"""The door: may this credential do this, here?  A fixed table, and nothing else decides.

Pure: a credential and a question in, a decision with its reasons out.  Whoever holds the
credential was found out before (`web.identity`, the CLI); what is not in the table is refused.
No row exempts anybody: an administrator's token is a row like the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

VERBS: Final = ("read", "record", "report", "webhook", "admin")

_TABLE: Final[Mapping[str, frozenset[str]]] = {
    # A bearer token: the first administrator's is the only one.  `webhook` is for senders that
    # sign nothing themselves and bring a token instead (CDEvents emitters).
    "token": frozenset({"read", "record", "report", "webhook", "admin"}),
    # A person in a browser, signed in by a one-time link.
    "session": frozenset({"read", "record", "report"}),
    # A vendor whose signature was checked: its delivery is recorded, it reads nothing back.
    "webhook": frozenset({"webhook", "record"}),
    # Somebody on this machine who may open the ledger's files: more than any token gives.
    "local": frozenset({"read", "record", "report", "admin"}),
    # The server's own facts: starts, counted refusals.
    "server": frozenset({"record"}),
    "anonymous": frozenset(),
}
KINDS: Final = tuple(_TABLE)


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody came with, after it was checked.

    Args:
        id: what entries carry as `recordedby`: public and permanent, so never a name or a mail.
        kind: a key of the table above.
        handle: what people call it, shown to those who may read.
        sources: prefixes of the event `source` it may use; `("",)` allows every source.
    """

    id: str
    kind: str
    handle: str
    sources: tuple[str, ...] = ("",)


ANONYMOUS: Final = Credential("anonymous", "anonymous", "nobody", ())


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, with the reasons in words; a refusal names what would have been needed."""

    allowed: bool
    reasons: tuple[str, ...]


def decide(credential: Credential, verb: str, project: str, source: str = "") -> Decision:
    """Say whether `credential` may do `verb` in `project`.

    Args:
        credential: who asks; an unknown kind may do nothing.
        verb: one of `VERBS`; an unknown verb is refused.
        project: a valid project name; names with a leading `_` are the server's own logs.
        source: the event's `source` for `record`; "" when the question is not about an event.

    Returns:
        A decision; `reasons` is never empty.

    >>> decide(ANONYMOUS, "read", "default").reasons
    ('reading needs a token or a session',)
    """
    if verb not in _TABLE.get(credential.kind, frozenset()):
        return Decision(False, (_lacking(credential, verb),))
    if project.startswith("_") and verb != "read" and credential.kind != "server":
        return Decision(False, (f"only the server itself writes to {project}",))
    if source and not any(source.startswith(prefix) for prefix in credential.sources):
        return Decision(False, (f"{credential.id} may not speak as the source it names",))
    return Decision(True, (f"a {credential.kind} credential may {verb}",))


def _lacking(credential: Credential, verb: str) -> str:
    if verb not in VERBS:
        return "there is no such verb"
    if credential.kind == "anonymous":
        doing = "reading" if verb == "read" else "writing"
        return f"{doing} needs a token or a session"
    return f"a {credential.kind} credential may not {verb}"
