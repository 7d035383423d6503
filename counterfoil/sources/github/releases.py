"""`release` -> `release.published`, `release.edited`, `release.withdrawn`.

GitHub sends `created`, `published` and `released` or `prereleased` for one and the same release;
only `published` is the publication, the others are further words about it.
Source: docs.github.com, webhook event `release`.
"""

import re

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.events.refs import safe_id
from counterfoil.sources.github.delivery import (
    Delivery,
    dig,
    flag,
    members,
    moment,
    number,
    text,
)

PUBLISHED = "dev.cdeventsx.counterfoil-release.published.0.1.0"
EDITED = "dev.cdeventsx.counterfoil-release.edited.0.1.0"
WITHDRAWN = "dev.cdeventsx.counterfoil-release.withdrawn.0.1.0"

MAX_ASSETS = 100
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def read_release(delivery: Delivery) -> list[Event]:
    """Return the one event of what happened to a release."""
    body, repository = delivery.body, delivery.need_repository()
    tag = text(body, "release", "tag_name", size_bytes=300)
    if tag is None:
        raise delivery.lacking("release.tag_name")
    release: JSON = dig(body, "release")
    event_type = EDITED
    clocks: tuple[str, ...] = ("updated_at", "published_at", "created_at")
    if delivery.action == "published":
        event_type, clocks = PUBLISHED, ("published_at", "created_at", "updated_at")
    elif delivery.action in {"deleted", "unpublished"}:
        # The payload has no time of the deletion; only the receipt comes near it.
        event_type, clocks = WITHDRAWN, ()
    elif delivery.action == "created":
        clocks = ("created_at",)
    times = [moment(dig(release, clock)) for clock in clocks]
    return [
        delivery.make(
            event_type,
            subject=f"release:{repository}@{safe_id(tag).replace('@', '_')}",
            refs=[
                # A branch name says nothing about which commit; only an object id is a link.
                (delivery.commit_ref(text(release, "target_commitish")), "built-from"),
                *_artifacts(release),
                (f"repo:{repository}", "about"),
                (delivery.actor("release", "author"), "author"),
            ],
            time=next((time for time in times if time), None),
            facts={
                "release_id": number(release, "id"),
                "tag": tag,
                "target_commitish": text(release, "target_commitish", size_bytes=300),
                "title": text(release, "name"),
                "draft": flag(release, "draft"),
                "prerelease": flag(release, "prerelease"),
                "published_at": moment(dig(release, "published_at")),
                "assets": _assets(release),
                "url": text(release, "html_url"),
            },
        )
    ]


def _artifacts(release: JSON) -> list[tuple[str | None, str]]:
    digests = [text(asset, "digest") or "" for asset in members(release, "assets")[:MAX_ASSETS]]
    return [(f"artifact:{one}", "contains") for one in digests if _DIGEST.fullmatch(one)]


def _assets(release: JSON) -> JSON:
    names: list[JSON] = [
        text(asset, "name", size_bytes=200) for asset in members(release, "assets")[:MAX_ASSETS]
    ]
    return [name for name in names if name] or None
