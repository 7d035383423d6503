"""Actions: the named things people and programs do to a ledger, besides recording.

One table, read by the API (`POST /v1/actions/NAME`), the forms of the pages and the command line,
near (with the ledger's lock) or far (over HTTP): the same words, the same checks, the same events.

What must hold: an action asks whether its caller may before it looks at anything else; what it
changes is an event of `_access` before it is in force; what is refused changes nothing.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import LOG, Credential

if TYPE_CHECKING:
    from counterfoil.app.home import Home


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an action is given; a field is a word of the command line and of the form."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an action.

    Attributes:
        said: one line for a person.
        entries: numbers of the entries in `_access` that say so.
    """

    said: str
    entries: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """One action under way.

    Args:
        home: the open ledger.
        credential: who does it; allowed by the time the action sees it.
        given: what it was given, checked.
        via: how it came: "api", "web" or "cli".
    """

    home: "Home"
    credential: Credential
    given: Any
    via: str

    def enact(
        self,
        what: str,
        subject: str,
        data: Mapping[str, JSON],
        named: tuple[tuple[str, str], ...] = (),
    ) -> tuple[int, ...]:
        """Record one event of `_access` and put it in force; return its entry number."""
        access = self.home.access
        event = access.event(what, self.credential, subject=subject, data=data, named=named)
        return tuple(one.index for one in access.enact([event], self.credential, self.via))


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action.

    Args:
        name: as in the address: lower-case words and hyphens.
        verb: what the caller must be allowed, at the ledger.
        takes: type of what it is given.
        gives: type of what it answers.
        run: does it.
        doc: one line.
        also: another verb that will do as well, "" for none.
        reads: which personal data the answer shows, as `Readings.note` has it; "" for none.
    """

    name: str
    verb: str
    takes: type[Given]
    gives: type[Done]
    run: Callable[[Acting], Done]
    doc: str
    also: str = ""
    reads: str = ""


@functools.cache
def actions() -> dict[str, Action]:
    """Return every action by name."""
    # Each of these modules imports this one.
    from counterfoil.app import (  # noqa: PLC0415
        acting_backup,
        acting_directory,
        acting_erasing,
        acting_keys,
        acting_listing,
        acting_people,
        acting_policies,
        acting_roles,
        acting_sign_in,
        acting_teams,
        acting_tokens,
        acting_trust,
    )

    modules = (
        acting_people,
        acting_directory,
        acting_teams,
        acting_listing,
        acting_roles,
        acting_tokens,
        acting_trust,
        acting_sign_in,
        acting_policies,
        acting_backup,
        acting_erasing,
        acting_keys,
    )
    return {one.name: one for module in modules for one in module.ACTIONS}


def act(
    home: "Home", credential: Credential, name: str, given: Mapping[str, Any], via: str,
    *, words: bool = False,
) -> Done:  # fmt: skip
    """Do one action, or refuse it.

    Args:
        home: the open ledger.
        credential: who does it.
        name: of the action.
        given: its fields.
        via: "api", "web" or "cli".
        words: the fields are text, as forms and command lines give them: lists are separated
            by commas or white space, what is empty is absent.

    Raises:
        RequestError: `not_found`: no such action; `usage`: a field is wrong; `not_allowed`; what
            the action refuses.
    """
    action = actions().get(name)
    if action is None:
        raise RequestError("not_found", f"there is no action {name[:64]!a}; see /docs")
    if not action.also or not home.access.decide(credential, action.also, LOG).allowed:
        home.access.require(credential, action.verb, LOG)
    taken = _taken(action, dict(given), words=words)
    done = action.run(Acting(home=home, credential=credential, given=taken, via=via))
    if action.reads:
        home.recorder.readings.note(LOG, credential, action.reads)
    return done


def _taken(action: Action, given: dict[str, Any], *, words: bool) -> Given:
    if words:
        given = {
            name: text.replace(",", " ").split() if _is_list(action.takes, name) else text
            for name, text in given.items()
            if text != ""
        }
    try:
        return msgspec.convert(given, action.takes, strict=not words)
    except msgspec.ValidationError as error:
        raise RequestError("usage", f"{action.name}: {error}") from error


def _is_list(takes: type[Given], name: str) -> bool:
    for field in msgspec.structs.fields(takes):
        if field.name == name:
            return "tuple" in str(field.type)
    return False
