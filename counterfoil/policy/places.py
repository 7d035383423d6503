"""Where a thing is: the project, tier and component a request is about.

Pure.  What must hold: an environment nobody has said the tier of counts as production, so that a
name nobody thought of opens nothing.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

PRODUCTION: Final = "production"
TIERS: Final = (PRODUCTION, "staging", "testing", "development", "other")

# The words GitLab tells tiers by (docs, "Deployment tier of environments"), whole words only:
# `nonprod` is not production, and not known either.
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "production": frozenset({"production", "prod", "prd", "live"}),
    "staging": frozenset({"staging", "stage", "stg", "preprod", "model", "demo"}),
    "testing": frozenset({"testing", "test", "tst", "qa", "qc", "int", "ci"}),
    "development": frozenset({"development", "dev", "review", "trunk", "local", "sandbox"}),
}
_WORD: Final = re.compile(r"[a-z]+")

_VERBS: Final[Mapping[str, str]] = {
    "approval.requested": "request",
    "approval.signed": "approve",
    "approval.refused": "approve",
    "gate.changed": "gate",
}
_OWN: Final = "dev.cdeventsx.counterfoil-"


class Place(msgspec.Struct, frozen=True):
    """What a request is about.

    Attributes:
        kind: of the ref, "project" where none is named, "ledger" for the ledger itself.
        id: the ref's id, or the project's name.
        project, tier, component: where that is; "" for nowhere.
    """

    kind: str
    id: str
    project: str
    tier: str = ""
    component: str = ""


def verb_of(type: str) -> str:  # noqa: A002  the name CloudEvents gives it
    """Return what recording an event of `type` is: mostly "record", else what it would decide.

    >>> verb_of("dev.cdeventsx.counterfoil-approval.signed.0.1.0")
    'approve'
    """
    if not type.startswith(_OWN):
        return "record"
    return _VERBS.get(".".join(type.removeprefix(_OWN).split(".")[:2]), "record")


def place_of(
    project: str, refs: Iterable[str] = (), tiers: Mapping[str, str] | None = None
) -> Place:
    """Return the place that some refs are at.

    Args:
        project: of the request; a name with a leading `_` is the ledger's own.
        refs: what the request is about; an `env:` gives the tier, a `release:` the component,
            and the first of them is the thing itself.
        tiers: environment -> tier, as the settings say.
    """
    if project.startswith("_"):
        return Place("ledger", project, project)
    thing, tier, component = ("project", project), "", ""
    for position, ref in enumerate(refs):
        kind, _, ident = ref.partition(":")
        if position == 0:
            thing = (kind, ident)
        if kind == "env" and not tier:
            tier = tier_of(ident, tiers or {})
        elif kind == "release" and not component:
            component = ident.rpartition("@")[0]
        elif kind == "component" and not component:
            component = ident
    return Place(*thing, project, tier, component)


def tier_of(environment: str, tiers: Mapping[str, str]) -> str:
    """Return the tier of an environment: as stated, by the words of its name, or production.

    >>> tier_of("qa-eu", {}), tier_of("blue", {})
    ('testing', 'production')
    """
    if (stated := tiers.get(environment)) is not None:
        return stated
    words = set(_WORD.findall(environment.lower()))
    # Production first: what is both is production.
    return next((tier for tier, known in _WORDS.items() if words & known), PRODUCTION)
