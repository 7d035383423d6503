"""The refs a CDEvents document states in members of its own.

CDEvents tools know nothing of `data.refs`; what they say with `environment.id`, `artifactId` or
`pipelineRun.id` becomes refs here, so that their events meet the others.  A ref the event names
itself, in whatever role, is left to it; a subject of its own is too.  Total: odd members state
nothing.

Source: CDEvents 0.5.1, the subjects' `content`; docs/events.md.
"""

import re
from collections.abc import Iterator, Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.events.kinds import CDEVENTS
from counterfoil.events.refs import ID_BYTES_MAX, Named, safe_id

# What an id of the document's subject names, where it is one of our kinds.
SUBJECT_KINDS = {
    "branch": "branch",
    "build": "run",
    "change": "change",
    "environment": "env",
    "incident": "ticket",
    "pipelinerun": "run",
    "repository": "repo",
    "taskrun": "run",
    "testsuiterun": "run",
    "ticket": "ticket",
}

# (member with an `id`, kind, role); the role of an environment depends on the noun.
_MEMBERS = (
    ("repository", "repo", "about"),
    ("change", "change", "built-from"),
    ("pipelineRun", "run", "part-of"),
    ("testSuiteRun", "run", "part-of"),
    ("testCase", "test", "about"),
)
_ARTIFACT_ROLES = {"build": "output", "service": "deploys"}
_SHA256 = re.compile(r"sha256(?::|%3[aA])([0-9a-fA-F]{64})(?![0-9a-fA-F])")


def derived_refs(event: Event) -> tuple[Named, ...]:
    """Return the refs the document in `event.data` states, with roles, each once."""
    if not event.type.startswith(CDEVENTS) or not isinstance(event.data, dict):
        return ()
    noun, _, predicate = event.type.removeprefix(CDEVENTS).partition(".")
    taken = {event.subject, *(named.ref for named in event.refs)}
    subject = event.data.get("subject")
    stated: dict[str, Named] = {}
    for named in _stated(noun, predicate, subject, whole=event.subject is None):
        if named.ref not in taken:
            stated.setdefault(named.ref, named)
    return tuple(stated.values())


def artifact_of(purl: JSON) -> str | None:
    """Return the `artifact:` ref of a package URL that carries a SHA-256, else None.

    >>> artifact_of("pkg:golang/acme/shop@v1.4.2") is None
    True
    """
    found = _SHA256.search(purl) if isinstance(purl, str) and purl.startswith("pkg:") else None
    return f"artifact:sha256:{found[1].lower()}" if found else None


def _stated(noun: str, predicate: str, subject: JSON, *, whole: bool) -> Iterator[Named]:
    if not isinstance(subject, dict):
        return
    if whole:
        if noun in SUBJECT_KINDS and (ident := _ident(subject)):
            yield Named(f"{SUBJECT_KINDS[noun]}:{ident}", "about")
        if noun == "artifact" and (artifact := artifact_of(subject.get("id"))):
            yield Named(artifact, "about")
    content = subject.get("content")
    if not isinstance(content, dict):
        return
    for member, kind, role in _MEMBERS:
        if ident := _ident(content.get(member)):
            yield Named(f"{kind}:{ident}", role)
    if ident := _ident(content.get("environment")):
        arrives = noun == "service" and not predicate.startswith("removed")
        yield Named(f"env:{ident}", "deployed-to" if arrives else "environment")
    if artifact := artifact_of(content.get("artifactId")):
        yield Named(artifact, _ARTIFACT_ROLES.get(noun, "about"))


def _ident(thing: JSON | Mapping[str, JSON]) -> str | None:
    ident = thing.get("id") if isinstance(thing, Mapping) else None
    return safe_id(ident, ID_BYTES_MAX) if isinstance(ident, str) and ident.strip() else None
