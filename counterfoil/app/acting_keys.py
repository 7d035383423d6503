"""Signing keys listed, handed over and retired."""

from typing import Final

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.rotation import Rotation, Who
from counterfoil.errors import RequestError
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import LOG as ACCESS_LOG
from counterfoil.tlog.keys import SignerKey

REASON_LENGTH_MAX: Final = 500


class Listing(Given, frozen=True, kw_only=True):
    """Keys of one log, or of all of them."""

    project: str = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One key.

    Attributes:
        project: whose log.
        vkey: the verifier key, for everybody who checks.
        fingerprint: 64 hex digits; people compare the first 16.
        state: "in force", "overlap" or "retired".
        until: the last size it vouches for alone; None while it is in force.
        entry: the entry in which it handed over; None while it is in force.
        compromised: whether it was said to be, or to have been, in other hands; no policy names it.
        source: where the key in force comes from: "file", "variable" or "command".
    """

    project: str
    vkey: str
    fingerprint: str
    state: str
    until: int | None
    entry: int | None
    compromised: bool
    source: str


class Keys(Done, frozen=True, kw_only=True):
    """The keys, and the lines of a trust policy that name them."""

    keys: tuple[Listed, ...]
    policy: str


class Rotating(Given, frozen=True, kw_only=True):
    """A log to be handed over to another key."""

    project: str = "default"
    reason: str = ""


class Rotated(Done, frozen=True, kw_only=True):
    """The later key; `entry` is the number of the entry in the log concerned."""

    entry: int
    vkey: str


class Retiring(Given, frozen=True, kw_only=True):
    """An earlier key that is to sign no more, or that was in other hands.

    Attributes:
        project: whose log.
        key: first digits of its fingerprint; the key before where left out.
        compromised: whether somebody else has it, or may have it.
        since: up to where it is believed: a size, or a time.
        reason: why; it is recorded.
    """

    project: str = "default"
    key: str = ""
    compromised: bool = False
    since: str = ""
    reason: str = ""


class Retired(Done, frozen=True, kw_only=True):
    """Up to how many entries the key is believed alone; `entry` says so in its log."""

    entry: int
    size: int


class Making(Given, frozen=True, kw_only=True):
    """A key to be made for a log whose key comes from a variable or a command."""

    project: str = "default"


class Made(Done, frozen=True, kw_only=True):
    """A key, shown once and kept nowhere."""

    key: str
    vkey: str


def listing(acting: Acting) -> Keys:
    """List the keys of one log, or of all."""
    given: Listing = acting.given
    home = acting.home
    projects = [given.project] if given.project else [one.project for one in home.log.projects()]
    found: list[Listed] = []
    policy: list[str] = []
    for project in projects:
        source = home.config.keys.source.get(project)
        kind = "file" if source is None else "variable" if source.env else "command"
        for line in Rotation(home, project).lines():
            log = line.log
            found.append(
                Listed(
                    project=project, vkey=str(log.key), fingerprint=log.key.fingerprint(),
                    state=line.state, until=log.until, entry=line.entry,
                    compromised=line.compromised, source=kind,
                )
            )  # fmt: skip
            if log.until is None:
                policy.append(f"log {log.key}")
            elif not line.compromised:
                # A key in other hands signs small sizes as well as large ones: none is vouched for.
                policy.append(f"retired {log.key} {log.until}")
    text = "".join(f"{line}\n" for line in (*policy, "quorum none"))
    return Keys(said=f"{len(found)} keys", keys=tuple(found), policy=text)


def rotate(acting: Acting) -> Rotated:
    """Hand a log over to another key.

    Raises:
        RequestError: `key_refused`, `project_unknown`, `usage`.
    """
    given: Rotating = acting.given
    with acting.home.access.changing():
        rotation = Rotation(acting.home, given.project)
        entry, vkey = rotation.rotate(_who(acting), _reason(given.reason))
    return Rotated(
        said=f"log {given.project} is signed by key {vkey.fingerprint()[:16]} from entry {entry}"
        " on, and by the earlier one as well until that is retired",
        entries=(entry,) if given.project == ACCESS_LOG else (),
        entry=entry,
        vkey=str(vkey),
    )


def retire(acting: Acting) -> Retired:
    """Retire an earlier key of a log.

    Raises:
        RequestError: `key_refused`, `project_unknown`, `usage`.
    """
    given: Retiring = acting.given
    with acting.home.access.changing():
        rotation = Rotation(acting.home, given.project)
        entry, size = rotation.retire(
            _who(acting), compromised=given.compromised, since=given.since, key=given.key,
            reason=_reason(given.reason),
        )  # fmt: skip
    return Retired(
        said=f"the earlier key of log {given.project} is believed alone up to {size} entries;"
        f" entry {entry} says so",
        entries=(entry,) if given.project == ACCESS_LOG else (),
        entry=entry,
        size=size,
    )


def make(acting: Acting) -> Made:
    """Make a key for a source outside of the ledger; nothing is kept or recorded."""
    given: Making = acting.given
    home = acting.home
    home.require_project(given.project)
    origin = next(one.origin for one in home.log.projects() if one.project == given.project)
    signer = SignerKey.from_seed(origin, SystemRandomness().token(32))
    return Made(
        said="shown once; it signs nothing until the log is handed over to it",
        key=signer.to_text(),
        vkey=str(signer.vkey),
    )


def _who(acting: Acting) -> Who:
    return Who(acting.credential, acting.via)


def _reason(text: str) -> str:
    if len(text) > REASON_LENGTH_MAX or not (text.isprintable() or not text):
        raise RequestError("usage", f"a reason is one line of {REASON_LENGTH_MAX} letters at most")
    return text


ACTIONS: Final = (
    Action(
        name="keys-list", verb="keys", takes=Listing, gives=Keys, run=listing,
        doc="List the signing keys of logs, in force and earlier, with the lines of a policy.",
    ),
    Action(
        name="keys-rotate", verb="keys", takes=Rotating, gives=Rotated, run=rotate,
        doc="Hand a log over to another signing key; both say so in the log.",
    ),
    Action(
        name="keys-retire", verb="keys", takes=Retiring, gives=Retired, run=retire,
        doc="End the overlap of an earlier key, or say since when it was in other hands.",
    ),
    Action(
        name="keys-make", verb="keys", takes=Making, gives=Made, run=make,
        doc="Make a key for a log whose key comes from a variable or a command.",
    ),
)  # fmt: skip
