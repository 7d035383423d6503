"""Actions: the named things people and programs do to a ledger, besides recording.

One table, read by the API (`POST /v1/actions/NAME`), the forms of the pages and the command line,
near (with the ledger's lock) or far (over HTTP): the same words, the same checks, the same events.

What must hold: an action asks whether its caller may before it looks at anything else; what it
changes is an event of `_access` before it is in force; what is refused changes nothing.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from counterfoil.app.asks import digest_of
from counterfoil.app.named_actor import pseudonym_of
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import LOG, Credential
from counterfoil.policy.asked import Ask
from counterfoil.policy.verbs import VERBS

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
        asked: the entry of `_access` that asked for it, where another person did; else -1.
    """

    home: "Home"
    credential: Credential
    given: Any
    via: str
    asked: int = -1

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
        people: fields that name a person; what is asked of two people keeps them by pseudonym.
        two_people: says why one person is not enough for this, "" if one is.
    """

    name: str
    verb: str
    takes: type[Given]
    gives: type[Done]
    run: Callable[[Acting], Done]
    doc: str
    also: str = ""
    reads: str = ""
    people: tuple[str, ...] = ()
    two_people: Callable[[Acting], str] | None = None

    def project_of(self, given: Mapping[str, Any]) -> str:
        """Return the log this is asked of: the ledger's own, or the project it is about."""
        if VERBS[self.verb].asked == "ledger" or self.verb not in AT_PROJECT:
            return LOG
        return str(given.get("project") or "default")

    def kept(self, acting: Acting) -> dict[str, JSON]:
        """Return what it was given, as it is kept until another person agrees.

        Raises:
            RequestError: `actor_unknown`.
        """
        home = acting.home
        given: dict[str, JSON] = msgspec.to_builtins(acting.given)
        for name in self.people:
            named = given[name]
            if isinstance(named, list):
                given[name] = [pseudonym_of(home.access, home.keys, str(one)) for one in named]
            elif named:
                given[name] = pseudonym_of(home.access, home.keys, str(named))
        return given


class AskedFor(Done, frozen=True, kw_only=True):
    """Nothing was done: another person has to agree first.

    Attributes:
        asked: the entry of `_access` that asks.
        until: how long it waits, RFC 3339.
        digest: of what was asked.
    """

    asked: int
    until: str
    digest: str


AT_PROJECT: Final = frozenset({"erase", "hold"})
"""Verbs of actions that are about one project, and asked there."""


@functools.cache
def actions() -> dict[str, Action]:
    """Return every action by name."""
    # Each of these modules imports this one.
    from counterfoil.app import (  # noqa: PLC0415
        acting_backup,
        acting_directory,
        acting_erasing,
        acting_holds,
        acting_keys,
        acting_listing,
        acting_people,
        acting_policies,
        acting_retention,
        acting_roles,
        acting_sign_in,
        acting_teams,
        acting_tokens,
        acting_trust,
        acting_two_people,
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
        acting_two_people,
        acting_holds,
        acting_retention,
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
    project = action.project_of(given)
    why = _why_two(home, credential, action, project)
    taken = _taken(action, dict(given), words=words)
    acting = Acting(home=home, credential=credential, given=taken, via=via)
    if not why and action.two_people is not None:
        why = action.two_people(acting)
    if why:
        return _ask(acting, action, project, why)
    done = action.run(acting)
    if action.reads:
        home.recorder.readings.note(LOG, credential, action.reads)
    return done


def do_asked(acting: Acting, ask: Ask) -> Done:
    """Do what another person asked for, as `acting` is given it: the second person agreed.

    Raises:
        RequestError: what the action refuses; `confirm_refused`: what was asked is erased, or is
            not what its digest says.
    """
    action = actions().get(ask.action)
    if action is None or ask.given is None or digest_of(ask.action, ask.given) != ask.digest:
        raise RequestError(
            "confirm_refused", f"what entry {ask.entry} asked for can be read no more; ask again"
        )
    given = _taken(action, dict(ask.given), words=False)
    agreed = dataclasses.replace(acting.credential, confirmed=True)
    return action.run(dataclasses.replace(acting, credential=agreed, given=given, asked=ask.entry))


def _why_two(home: "Home", credential: Credential, action: Action, project: str) -> str:
    """Return why one person is not enough under the policies in force, "" if one is.

    Raises:
        RequestError: `not_allowed`, `token_missing`: two would not be enough either.
    """
    access = home.access
    if action.also and access.decide(credential, action.also, LOG).allowed:
        return ""
    alone = access.decide(credential, action.verb, project)
    if not alone.allowed:
        confirmed = dataclasses.replace(credential, confirmed=True)
        if access.decide(confirmed, action.verb, project).allowed:
            return "; ".join(alone.reasons)
    access.require(credential, action.verb, project)
    return ""


def _ask(acting: Acting, action: Action, project: str, why: str) -> AskedFor:
    ask = acting.home.asks.ask(acting, action, project, why)
    return AskedFor(
        said=f"nothing is done yet: {why}. Entry {ask.entry} of {LOG} asks for it; another person "
        f"agrees by counterfoil confirm {ask.entry}, or on the page Two people, by {ask.until[:10]}",
        entries=(ask.entry,),
        asked=ask.entry,
        until=ask.until,
        digest=ask.digest,
    )


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
