"""Rules for gaps in approvals and deployments; see `projections.gaps`."""

from collections.abc import Iterator

from counterfoil.projections.chain import Gap, Known
from counterfoil.projections.gap_shared import (
    approvals_of,
    first_in_production,
    gap,
    places_of,
    thing_name,
    when,
)
from counterfoil.projections.steps import in_production
from counterfoil.projections.words import (
    env_name,
    is_before,
    name_of,
    span,
)


def no_approval(known: Known) -> Iterator[Gap]:
    """Find releases nobody was asked to approve."""
    for ref, release in known.releases.items():
        if not approvals_of(known, ref, release):
            yield gap(
                "no_approval", "Approval", ref,
                f"Release {name_of(ref)} has no request for approval on record.",
                "Nobody was asked whether it may go out.", release.entries[0],
            )  # fmt: skip


def approval_unsigned(known: Known) -> Iterator[Gap]:
    """Find releases that were put up for approval and have no signature."""
    for ref, release in known.releases.items():
        steps = approvals_of(known, ref, release)
        if not steps or any(one.state == "signed" for one in steps):
            continue
        refused = [one for one in steps if one.state == "refused"]
        if refused:
            what = f"Release {name_of(ref)} was refused approval, and nobody signed after that."
        else:
            what = f"Release {name_of(ref)} was asked to be approved and has no signature."
        yield gap(
            "approval_unsigned", "Approval", ref, what, "Nobody stands behind it.",
            *(one.at.entry for one in steps),
        )  # fmt: skip


def approved_by_author(known: Known) -> Iterator[Gap]:
    """Find releases that only their author signed."""
    for ref, release in known.releases.items():
        signed = [one for one in approvals_of(known, ref, release) if one.state == "signed"]
        if signed and release.author and all(one.actor == release.author for one in signed):
            yield gap(
                "approved_by_author", "Approval", ref,
                f"Release {name_of(ref)} was approved only by its own author.",
                "Nobody else stands behind it.", *(one.at.entry for one in signed),
            )  # fmt: skip


def straight_to_production(known: Known) -> Iterator[Gap]:
    """Find what was nowhere else before it went to production."""
    places = places_of(known)
    for ref, environment, at in first_in_production(known, places):
        before = [
            one
            for _, other, one in places
            if not in_production(known, other) and is_before(when(one), when(at))
        ]
        if not before:
            yield gap(
                "straight_to_production", "Deployment", ref,
                f"{thing_name(known, ref)} went to {env_name(environment)} and has no deployment "
                "to any other environment before that.",
                "It was first run where it counts.", at.entry,
            )  # fmt: skip


def deployed_before_approval(known: Known) -> Iterator[Gap]:
    """Find releases that were in production before the first signature."""
    for ref, release in known.releases.items():
        signed = [one for one in approvals_of(known, ref, release) if one.state == "signed"]
        if not signed:
            continue
        earliest = min(signed, key=lambda one: one.at.entry)
        for _, environment, at in first_in_production(known, places_of(known)):
            if any(is_before(when(one.at), when(at)) for one in signed):
                continue
            after = span(at.time, earliest.at.time)
            lead = f"{after} before" if after else "before"
            yield gap(
                "deployed_before_approval", "Approval", ref,
                f"Release {name_of(ref)} was in {env_name(environment)} {lead} its first approval.",
                "Nobody had signed by then.", at.entry, earliest.at.entry,
            )  # fmt: skip


def not_in_production(known: Known) -> Iterator[Gap]:
    """Find releases that are not in production as far as the log knows."""
    places = places_of(known)
    if any(in_production(known, environment) for _, environment, _ in places):
        return
    for ref, release in known.releases.items():
        if release.state == "withdrawn":
            continue
        yield gap(
            "not_in_production", "Deployment", ref,
            f"Release {name_of(ref)} has no deployment to production on record.",
            "Whether it runs there is unknown.", release.entries[0],
        )  # fmt: skip
