"""A request for access: who wants to do what, to which object, under which circumstances.

Everything a decision rests on stands in the request: no clock, no database, no names of people.
So a stored request can be decided again, years later and under other policies, and the answer
rests on the same facts.  Actors are their pseudonym refs, never handles or accounts.

The stored form is JSON with members in a fixed order and lists sorted; its SHA-256 names the
request.  Members that are not known are refused: a fact nobody looks at would be lost silently.
"""

import hashlib
from typing import Final, Literal

import msgspec

from counterfoil.errors import RequestError
from counterfoil.policy.places import TIERS
from counterfoil.policy.roles import ROLES
from counterfoil.policy.verbs import TYPES, VERBS

# What an actor is; "nobody" is a credential without an actor: the administrator's token,
# somebody on the machine with the ledger's files.
ACTOR_KINDS: Final = ("person", "service", "agent", "nobody")
CREDENTIALS: Final = ("token", "session", "ci", "webhook", "local", "server", "anonymous")
TEAM: Final = "team:"
NAME_BYTES_MAX: Final = 1_024
NAMES_MAX: Final = 10_000


class Principal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks.

    Args:
        ref: pseudonym ref of the actor, or the id of a credential that has none.
        kind: one of `ACTOR_KINDS`.
        roles: those effective at the object, from grants to the actor and to its teams.
        teams: refs of those the actor is in at this moment, `team:NAME`.
    """

    ref: str
    kind: str
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


class Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it is about.

    Args:
        kind: one of `verbs.KINDS`.
        id: name within its kind.  Whatever has the kind `project` stands for its project, and
            whatever has the kind `ledger` for the ledger as a whole, by any id.
        project: the project it belongs to; for the ledger "" or one of its own logs.
        tier: the tier of its environment, one of `places.TIERS`; "" if it has none.
        component: "" if it belongs to none.
    """

    kind: str
    id: str
    project: str = ""
    tier: str = ""
    component: str = ""


LEDGER: Final = Object("ledger", "ledger")


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Under which circumstances.

    Args:
        credential: what was come with, one of `CREDENTIALS`.
        verified: the person proved to be there a moment ago (step-up).
        first: nobody is enrolled in this ledger yet.
        gate_changers: refs of the actors who changed a gate of the object in the last 24 hours.
        authors: refs of those who wrote, committed or asked for what is to be approved.
        confirmed: another person agreed to exactly this.  Absent from the stored form unless it
            is so: requests stored before anybody asked for it keep their bytes.
    """

    credential: str
    verified: bool = False
    first: bool = False
    gate_changers: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    confirmed: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question to the engine; `verb` is a key of `verbs.VERBS`."""

    principal: Principal
    verb: str
    object: Object
    context: Context

    def stored(self) -> bytes:
        """Return the stored form, JSON in UTF-8.  Two requests that say the same are equal in it.

        Raises:
            RequestError: `attribute_invalid`, when a name is no Unicode text (a lone surrogate).
        """
        principal, context = self.principal, self.context
        ordered = msgspec.structs.replace(
            self,
            principal=msgspec.structs.replace(
                principal, roles=_as_set(principal.roles), teams=_as_set(principal.teams)
            ),
            context=msgspec.structs.replace(
                context,
                gate_changers=_as_set(context.gate_changers),
                authors=_as_set(context.authors),
            ),
        )
        try:
            return msgspec.json.encode(ordered)
        except UnicodeEncodeError as error:
            raise RequestError(
                "attribute_invalid", "a name in the access request is no Unicode text"
            ) from error

    @property
    def digest(self) -> str:
        """SHA-256 of the stored form, 64 hexadecimal digits: what decisions are kept under."""
        return hashlib.sha256(self.stored()).hexdigest()


def restore(stored: bytes) -> Request:
    """Return the request that `Request.stored` wrote.

    Raises:
        RequestError: `attribute_invalid`, when the bytes are no such request.
    """
    try:
        return msgspec.json.decode(stored, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(
            "attribute_invalid", f"a stored access request cannot be read: {error}"
        ) from error


def flaw(request: Request) -> str:
    """Return why a request cannot be asked at all, or "" if it can.

    >>> flaw(Request(Principal("actor:a", "person"), "fly", LEDGER, Context("session")))
    'there is no such verb'
    """
    return _wrong_word(request) or _wrong_place(request.object) or _wrong_name(request)


def _wrong_word(request: Request) -> str:
    principal, verb, kind = request.principal, request.verb, request.object.kind
    if verb not in VERBS:
        return "there is no such verb"
    if kind not in TYPES:
        return "there is no such kind of object"
    if kind not in VERBS[verb].kinds:
        return f"{verb} is about {' or '.join(VERBS[verb].kinds)}, never about {_a(kind)}"
    if principal.kind not in ACTOR_KINDS:
        return "there is no such kind of actor"
    if request.context.credential not in CREDENTIALS:
        return "there is no such kind of credential"
    if not set(principal.roles) <= ROLES.keys():
        return "there is a role among the actor's that is none"
    return ""


def _wrong_place(thing: Object) -> str:
    if thing.kind == "ledger":
        # The ledger's own logs, such as `_access`, belong to the ledger as a whole.
        own = not thing.project or thing.project.startswith("_")
        inside = thing.tier or thing.component or not own
        return "the ledger as a whole is in no project, tier or component" if inside else ""
    if thing.tier not in {"", *TIERS}:
        return "there is no such tier"
    if not thing.project:
        return f"{_a(thing.kind)} belongs to a project, and none is named"
    if thing.kind == "component" and thing.component not in {"", thing.id}:
        return "a component belongs to itself"
    return ""


def _wrong_name(request: Request) -> str:
    principal, thing, context = request.principal, request.object, request.context
    if not (principal.ref and thing.id):
        return "the actor or the object has no name"
    names = (
        principal.ref, thing.id, thing.project, thing.tier, thing.component,
        *principal.teams, *context.gate_changers, *context.authors,
    )  # fmt: skip
    if not all(team.startswith(TEAM) for team in principal.teams):
        return f"a team of the actor is no ref: {TEAM}NAME"
    if len(names) > NAMES_MAX:
        return f"the request has more than {NAMES_MAX:,} names"
    if not all(_is_name(name) for name in names):
        return f"a name in the request is no text of at most {NAME_BYTES_MAX:,} bytes"
    return ""


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _is_name(name: str) -> bool:
    try:
        return len(name.encode("utf-8")) <= NAME_BYTES_MAX
    except UnicodeEncodeError:
        return False


def _as_set(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
