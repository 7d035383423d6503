"""Verbs: what one may want to do, to which kinds of objects, and what needs a fresh verification.

One row a verb.  The Cedar schema (`access.cedarschema`) says the same to the policy engine, and
docs/access.md says it to people; tests/policy hold the three together.  Imports nothing heavy:
whoever only names a verb does not wait for the engine.

An object kind is the least that a policy has to tell apart.  Many kinds of refs share one
(`kind_of`): a commit is read by whoever reads the change it belongs to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Every kind of object, from the widest to the narrowest, with its entity type in Cedar.
TYPES: Final[Mapping[str, str]] = {
    "ledger": "Ledger",
    "project": "Project",
    "environment": "Environment",
    "component": "Component",
    "run": "Run",
    "test": "Test",
    "change": "Change",
    "release": "Release",
    "finding": "Finding",
    "approval": "Approval",
    "gate": "Gate",
}
KINDS: Final = tuple(TYPES)

_OF_REFS: Final[Mapping[str, str]] = {
    **{kind: kind for kind in KINDS},
    "artifact": "release",
    "branch": "change",
    "commit": "change",
    "deployment": "release",
    "env": "environment",
    "repo": "change",
    "review": "change",
    "ticket": "finding",
}


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing somebody may want to do.

    Args:
        meaning: one line, as docs/access.md has it.
        kinds: the object kinds it can be about; a request about another one is refused.
        sensitive: needs a fresh user verification (step-up) of the person who does it.
        asked: of what it is asked here: "thing", one that may have a tier and a component;
            "project", a project as a whole; "ledger", the ledger as a whole.  Policies may tell
            apart more (`kinds`) than is asked.
    """

    meaning: str
    kinds: tuple[str, ...]
    sensitive: bool = False
    asked: str = "thing"


_ADMINISTERED: Final = ("ledger", "project")

VERBS: Final[Mapping[str, Verb]] = {
    "read": Verb(
        "see events, rows and pages, and by which account each was done; "
        "personal values in the data stay closed",
        KINDS,
        asked="project",
    ),
    "record": Verb("record events", ("project",), asked="project"),
    "report": Verb("send test reports and evidence files", ("project",), asked="project"),
    "webhook": Verb("deliver a vendor's webhook with a token", ("project",), asked="project"),
    "request": Verb("ask for an approval", ("approval",)),
    "approve": Verb("answer a request for approval, yes or no", ("approval",), sensitive=True),
    "gate": Verb("make or change a gate", ("gate",)),
    "assign": Verb("say who owns a finding", ("finding",)),
    "quarantine": Verb("take a test out of gates for a while, or back", ("test",)),
    "audit": Verb("audit an environment and state its differences", ("environment",)),
    "waive": Verb(
        "let a requirement or a finding pass until a date", ("finding", "gate"), sensitive=True
    ),
    "review": Verb("write down that something was looked at, and what was found", KINDS),
    "export": Verb("take many events out at once, as files", KINDS, asked="project"),
    "personal": Verb(
        "open personal values in the data of an entry: names, mails; list people and their accounts",
        KINDS,
        asked="project",
    ),
    "erase": Verb("erase personal values for good", _ADMINISTERED, sensitive=True, asked="project"),
    "hold": Verb(
        "keep evidence beyond its time, or end that",
        (*_ADMINISTERED, "release"),
        sensitive=True,
        asked="project",
    ),
    "people": Verb(
        "people, accounts, teams, invitations", ("ledger",), sensitive=True, asked="ledger"
    ),
    "roles": Verb(
        "give and take roles in a scope",
        (*_ADMINISTERED, "environment", "component"),
        sensitive=True,
        asked="ledger",
    ),
    "tokens": Verb(
        "make and end tokens of machines", _ADMINISTERED, sensitive=True, asked="ledger"
    ),
    "trust": Verb(
        "say which CI jobs may come without a secret", _ADMINISTERED, sensitive=True, asked="ledger"
    ),
    "policies": Verb("change the access policies", ("ledger",), sensitive=True, asked="ledger"),
    "sessions": Verb("see and end sessions of others", ("ledger",), asked="ledger"),
    "sources": Verb(
        "set up webhook sources and their secrets", _ADMINISTERED, sensitive=True, asked="ledger"
    ),
    "keys": Verb(
        "make and end keys and witnesses of a log", _ADMINISTERED, sensitive=True, asked="ledger"
    ),
    "admin": Verb("run the ledger: rebuild, back up, settings", _ADMINISTERED, asked="ledger"),
}
SENSITIVE: Final = frozenset(name for name, verb in VERBS.items() if verb.sensitive)


def kind_of(ref_kind: str) -> str:
    """Return the object kind that stands for a kind of ref, or of object; "project" for others.

    An event may name refs of any kind; what nobody told apart stands for its project.

    >>> kind_of("commit"), kind_of("com-example-thing")
    ('change', 'project')
    """
    return _OF_REFS.get(ref_kind, "project")
