"""Access policies shown, put in force, rolled back.

What must hold: a set that cannot be read, or fails on a question that was asked, never comes into
force; what was in force before stays kept, and is put back without asking any policy by whoever
holds the ledger's files.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.explaining import Explained, explain
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.access import LOG
from counterfoil.policy.directory import PolicyVersion
from counterfoil.policy.verbs import VERBS

if TYPE_CHECKING:
    from counterfoil.policy.policy_set import PolicySet

BUILTIN: Final = "builtin"
ROLLED_BACK: Final = "rolled-back"
MEDIATYPE: Final = "text/plain"


class Previewing(Given, frozen=True, kw_only=True):
    """A policy set to try: its text, or the digest of one that was in force."""

    text: str = ""
    digest: str = ""


class Showing(Given, frozen=True, kw_only=True):
    """A policy set to read: the digest of one that was in force, "" for the one that is."""

    digest: str = ""


class Version(msgspec.Struct, frozen=True):
    """A policy set that was put in force: when, by whom (a handle), how and why."""

    entry: int
    time: str
    by: str
    how: str
    digest: str
    reason: str


class Shown(Done, frozen=True, kw_only=True):
    """A policy set's text, and every set that was put in force, the latest first."""

    digest: str
    text: str
    versions: tuple[Version, ...]


class Activating(Given, frozen=True, kw_only=True):
    """A policy set to put in force, and why."""

    reason: str
    text: str = ""
    digest: str = ""


class RollingBack(Given, frozen=True, kw_only=True):
    """Which set comes back, and why.

    Attributes:
        reason: why.
        to: the digest of a set that was in force, whole or as it begins, or "builtin"; "" for
            the one before the one in force.
    """

    reason: str = ""
    to: str = ""


class Explaining(Given, frozen=True, kw_only=True):
    """A question: may this actor do this, about that?"""

    actor: str
    verb: str
    ref: str = ""
    project: str = "default"


class Changed(msgspec.Struct, frozen=True):
    """A question that would be answered otherwise.

    Attributes:
        question: who may do what about what, in words.
        before, after: "yes" or "no".
        reasons: of the answer after.
    """

    question: str
    before: str
    after: str
    reasons: tuple[str, ...]


class Previewed(Done, frozen=True, kw_only=True):
    """What a policy set would change.

    Attributes:
        digest: of the set.
        diff: unified, against the set in force; "" for none.
        asked: how many questions were tried.
        changes: those that would be answered otherwise, 200 at most.
        unknown: names in it that nobody has here, such as a team to be made yet.
        idle: policies of it that decided none of the questions.
        locks_out: somebody may change policies now, and nobody could afterwards.
    """

    digest: str
    diff: str
    asked: int
    changes: tuple[Changed, ...]
    unknown: tuple[str, ...]
    idle: tuple[str, ...]
    locks_out: bool


class ExplainedAnswer(Done, frozen=True, kw_only=True):
    """An answer and its grounds."""

    explained: Explained


CHANGES_SHOWN: Final = 200


def show(acting: Acting) -> Shown:
    """Return the text of a policy set and the history.

    Raises:
        RequestError: `not_found`.
    """
    given: Showing = acting.given
    access = acting.home.access
    digest = given.digest or access.directory.policy
    return Shown(
        said=f"{digest} {'is' if digest == access.directory.policy else 'was'} in force",
        digest=digest,
        text=access.text_of(digest),
        versions=tuple(
            Version(
                one.entry, one.time, acting.home.reader.resolve(one.by).shown, one.how,
                one.digest, one.reason,
            )
            for one in reversed(access.directory.policies)
        ),
    )  # fmt: skip


def preview(acting: Acting) -> Previewed:
    """Say what a policy set would change, and change nothing.

    Raises:
        RequestError: `policy_refused`, with line and column or the request it fails on.
    """
    from counterfoil.policy import upload  # noqa: PLC0415  heavy

    given: Previewing | Activating = acting.given
    access = acting.home.access
    text = _text(acting, given.text, given.digest)
    requests = access.lately()
    candidate = upload.check_upload(text, requests)
    changes: tuple[Changed, ...] = ()
    shown, before = "", None
    try:
        before = access.policies()
    except CounterfoilError:
        pass  # what is in force cannot be read: there is nothing to compare with
    else:
        found = upload.replay(before, candidate, requests)
        changes = tuple(
            Changed(
                _question(acting, one.request.principal.ref, one.request.verb,
                          f"{one.request.object.kind} {one.request.object.id}"),
                "yes" if one.before.allowed else "no",
                "yes" if one.after.allowed else "no",
                one.after.reasons,
            )
            for one in found
        )  # fmt: skip
        shown = upload.diff(before.text, text)
    who = [ref for ref in access.directory.actors if before and _may_change(acting, before, ref)]
    locks_out = bool(who) and not any(_may_change(acting, candidate, ref) for ref in who)
    known = {
        "Team": [ref.removeprefix("team:") for ref in access.directory.teams],
        "Project": [log.project for log in acting.home.log.projects()],
    }
    unknown = upload.unknown_names(candidate, known)
    said = f"{len(changes)} of {len(requests)} questions would be answered otherwise"
    return Previewed(
        said=said + ("; nobody could change policies any more" if locks_out else ""),
        digest=f"sha256:{candidate.digest}",
        diff=shown,
        asked=len(requests),
        changes=changes[:CHANGES_SHOWN],
        unknown=tuple(
            f'line {one.line}: there is no {one.kind.lower()} "{one.name}"' for one in unknown
        ),
        idle=upload.idle(candidate, requests),
        locks_out=locks_out,
    )


def activate(acting: Acting) -> Previewed:
    """Put a policy set in force.

    Raises:
        RequestError: `policy_refused`; `usage`: no reason.
    """
    given: Activating = acting.given
    home = acting.home
    if not given.reason.strip():
        raise RequestError("usage", "say why: the reason stands in the log beside the policies")
    with home.access.changing():
        made = preview(acting)
        text = _text(acting, given.text, given.digest)
        entries = _enact(acting, made.digest, text, "uploaded", given.reason)
    return msgspec.structs.replace(made, said=f"in force: {made.said}", entries=entries)


def roll_back(acting: Acting) -> Done:
    """Put a policy set back: the one that was in force before, or one that is named.

    Raises:
        RequestError: `not_found`: there was none before, or none of that digest; `usage`: it is
            in force, or several begin so.
    """
    given: RollingBack = acting.given
    access = acting.home.access
    with access.changing() as directory:
        *before, now = standing(directory.policies)
        if given.to:
            digest = _one_of(given.to, {BUILTIN, *(one.digest for one in directory.policies)})
        elif before:
            digest = before[-1]
        else:
            raise RequestError("not_found", "the built-in policies are in force, none was before")
        if digest == now:
            raise RequestError("usage", f"{digest} is in force already")
        text = _text(acting, "", digest)
        entries = _enact(acting, digest, text, ROLLED_BACK, given.reason)
    return Done(said=f"{digest} is in force again, {now} no more", entries=entries)


def standing(versions: Sequence[PolicyVersion]) -> list[str]:
    """Return the digests that going back leads through: the one in force last, "builtin" first.

    A set that was gone back from is behind nobody any more: whoever goes back again and again
    comes to the built-in set, however many bad ones there were.

    Args:
        versions: every set that was put in force, the latest last.
    """
    digests = [BUILTIN]
    for one in versions:
        if one.digest == digests[-1]:
            continue
        if one.how == ROLLED_BACK and one.digest in digests:
            while digests[-1] != one.digest:
                digests.pop()
        else:
            digests.append(one.digest)
    return digests


def _one_of(stated: str, known: Collection[str]) -> str:
    found = [one for one in known if one.startswith((stated, f"sha256:{stated}"))]
    if len(found) > 1:
        raise RequestError(
            "usage", f"{len(found)} sets begin with {stated[:80]!a}; give more of it"
        )
    if not found:
        raise RequestError("not_found", f"no policy set {stated[:80]!a} was ever in force")
    return found[0]


def answer(acting: Acting) -> ExplainedAnswer:
    """Explain what somebody may do.

    Raises:
        RequestError: `actor_unknown`, `usage`, `ref_invalid`, `project_unknown`.
    """
    given: Explaining = acting.given
    home = acting.home
    if given.verb in VERBS and VERBS[given.verb].asked != "ledger":
        home.require_project(given.project)
    found = explain(home.access, home.clock, given.actor, given.verb, given.project, given.ref)
    said = f"{found.question} {'yes' if found.allowed else 'no'}"
    return ExplainedAnswer(said=said, explained=found)


def _text(acting: Acting, text: str, digest: str) -> str:
    if bool(text) == bool(digest):
        raise RequestError("usage", "give the policies' text, or the digest of a set that was")
    return text or acting.home.access.text_of(digest)


def _enact(acting: Acting, digest: str, text: str, how: str, reason: str) -> tuple[int, ...]:
    access = acting.home.access
    blobs = []
    if digest != BUILTIN:
        blob = acting.home.recorder.put_blob(text.encode(), "access.cedar", MEDIATYPE, LOG)
        blobs = [{"digest": blob.digest, "name": blob.name, "mediatype": blob.mediatype}]
    event = access.event(
        "policy.activated",
        acting.credential,
        subject="policy:access",
        data={
            "digest": digest, "before": access.directory.policy, "how": how,
            "reason": reason or None,
        },
        blobs=blobs,
    )  # fmt: skip
    return tuple(one.index for one in access.enact([event], acting.credential, acting.via))


def _question(acting: Acting, ref: str, verb: str, what: str) -> str:
    actor = acting.home.access.directory.actors.get(ref)
    return f"{actor.handle if actor is not None else ref}: {verb} {what}"


def _may_change(acting: Acting, candidate: "PolicySet", ref: str) -> bool:
    """Whether an actor could change policies under a set."""
    from counterfoil.policy.engine import decide  # noqa: PLC0415  heavy

    request = acting.home.access.changing_policies(ref)
    return request is not None and decide(candidate, request).allowed


ACTIONS: Final = (
    Action(
        name="policy-show", verb="read", also="policies", takes=Showing, gives=Shown, run=show,
        doc="Read the policy set in force, or one that was, and the history.",
    ),
    Action(
        name="policy-preview", verb="policies", takes=Previewing, gives=Previewed, run=preview,
        doc="Say what a policy set would change, and change nothing.",
    ),
    Action(
        name="policy-activate", verb="policies", takes=Activating, gives=Previewed, run=activate,
        doc="Put a policy set in force.",
    ),
    Action(
        name="policy-rollback", verb="policies", takes=RollingBack, gives=Done, run=roll_back,
        doc="Put the policy set before the one in force back, or one that is named.",
    ),
    Action(
        name="access-explain", verb="read", also="admin", reads="actors", takes=Explaining, gives=ExplainedAnswer, run=answer,
        doc="Say whether an actor may do something, why, and what would change the answer.",
    ),
)  # fmt: skip
