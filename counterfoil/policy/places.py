"""Where a thing is: the project, tier and component a request is about.

Pure.  What must hold: an environment nobody has said the tier of counts as production, so that a
name nobody thought of opens nothing.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from counterfoil.errors import RequestError
from counterfoil.projections.base import noun_of

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

_VERBS: Final[Mapping[tuple[str, str], str]] = {
    ("approval", "requested"): "request",
    ("approval", "signed"): "approve",
    ("approval", "refused"): "approve",
    ("gate", "changed"): "gate",
}
# Without an environment they hold everywhere, so production is among it.
_EVERYWHERE: Final = frozenset({"approval", "gate"})
PLACES_MAX: Final = 32


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

    By the same noun and predicate that the rows are made by: whatever makes a row of an approval
    has to be allowed as one.

    >>> verb_of("dev.cdeventsx.counterfoil-approval.signed.0.1.0")
    'approve'
    """
    return _VERBS.get(noun_of(type), "record")


def place_of(project: str) -> Place:
    """Return the place of a project as a whole; a name with a leading `_` is the ledger's own."""
    return Place("ledger" if project.startswith("_") else "project", project, project)


def places_of(
    project: str, refs: Iterable[str] = (), tiers: Mapping[str, str] | None = None
) -> tuple[Place, ...]:
    """Return every place that some refs are at: what is asked there has to be allowed at each.

    Args:
        project: of the request; a name with a leading `_` is the ledger's own.
        refs: what the request is about, the thing itself first; each `env:` gives a tier, each
            `release:` and `component:` a component.
        tiers: environment -> tier, as the settings say.

    Raises:
        RequestError: `usage`: over `PLACES_MAX` places.
    """
    named = list(refs)
    if project.startswith("_") or not named:
        return (place_of(project),)
    kind, _, ident = named[0].partition(":")
    at: set[str] = set()
    components: set[str] = set()
    for ref in named:
        of, _, name = ref.partition(":")
        if of == "env":
            at.add(tier_of(name, tiers or {}))
        elif of == "release":
            components.add(name.rpartition("@")[0])
        elif of == "component":
            components.add(name)
    if not at and kind in _EVERYWHERE:
        at.add(PRODUCTION)
    if len(at or " ") * len(components or " ") > PLACES_MAX:
        raise RequestError("usage", f"this is about more than {PLACES_MAX} places; say it in parts")
    return tuple(
        Place(kind, ident, project, tier, component)
        for tier in sorted(at) or ("",)
        for component in sorted(components) or ("",)
    )


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
