"""The output of `git log` -> one `commit.pushed` event a commit.

For histories that no webhook told us about.  Git knows a commit's author and committer only by
what they typed; their mails become `actor:git:` refs and nothing else of them is kept.
Source: git-log(1), "PRETTY FORMATS" and `-z`; git's own object format.
"""

import re
from collections.abc import Iterator

from counterfoil.clock import format_time, parse_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import safe_id

PUSHED = "dev.cdeventsx.counterfoil-commit.pushed.0.1.0"

# git log --reverse -z --format=FORMAT: fields end with U+001F, commits with NUL.
# Commit, tree, parents, author time, commit time, author mail, committer mail, subject line.
FORMAT = "%H%x1f%T%x1f%P%x1f%aI%x1f%cI%x1f%aE%x1f%cE%x1f%s"

MAX_COMMITS = 100_000
MAX_PARENTS = 16
_FIELDS = 8
_HEX = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")


def parse_log(
    data: bytes,
    repository: str,
    *,
    source: str,
    authtype: str,
    authid: str,
    branch: str | None = None,
    blob: BlobName | None = None,
) -> tuple[Event, ...]:
    """Return the events of a log, in its order; `--reverse` gives the order of time.

    Args:
        data: bytes of `git log -z` in `FORMAT`.
        repository: [HOST/]OWNER/REPO, for the refs.
        source: CloudEvents source of the events; ids are the commits', so that the same history
            told twice is the same events.
        authtype: kind of the account that hands the log in.
        authid: that account; a log does not say who pushed.
        branch: the branch it was read from, if known.
        blob: the raw log as kept, if it is.

    Raises:
        RequestError: webhook_payload, with the 0-based `position` of the commit to blame.
    """
    events: list[Event] = []
    for position, fields in enumerate(_records(data)):
        commit, tree, parents, authored, committed, author, committer, subject = fields
        if position >= MAX_COMMITS:
            raise RequestError(
                "webhook_payload", f"the log holds over {MAX_COMMITS} commits; send it in parts"
            )
        facts: dict[str, JSON] = {
            "event": "git log",
            "branch": branch,
            "message": _shown(subject, 300),
            "authored": _time(authored, position),
            "committed": _time(committed, position),
            "tree": _hex(tree, position),
            "parents": [_hex(one, position) for one in parents.split()[:MAX_PARENTS]],
        }
        refs = [
            (f"repo:{repository}", "about"),
            *([(f"branch:{repository}@{safe_id(branch)}", "about")] if branch else []),
            *(
                (f"commit:{repository}@{_hex(one, position)}", "parent")
                for one in parents.split()[:MAX_PARENTS]
            ),
            *_people(author, committer),
        ]
        sha = _hex(commit, position)
        events.append(
            make_event(
                type=PUSHED,
                source=source,
                id=f"git/{sha}",
                time=_time(committed, position),
                authtype=authtype,
                authid=authid,
                subject=f"commit:{repository}@{sha}",
                refs=refs,
                blobs=[blob] if blob else [],
                data={name: value for name, value in facts.items() if value is not None},
            )
        )
    return tuple(events)


def _records(data: bytes) -> Iterator[list[bytes]]:
    for position, record in enumerate(data.split(b"\0")):
        stripped = record.strip(b"\r\n")
        if not stripped:
            continue
        fields = stripped.split(b"\x1f")
        if len(fields) != _FIELDS:
            raise _refused(position, f"it has {len(fields)} fields, not {_FIELDS}")
        yield fields


def _people(author: bytes, committer: bytes) -> Iterator[tuple[str, str]]:
    for role, mail in (("author", author), ("committer", committer)):
        if mail.strip():
            yield f"actor:git:{safe_id(_shown(mail, 300).lower())}", role


def _shown(text: bytes, size_bytes: int) -> str:
    return text[:size_bytes].decode(errors="replace")


def _hex(text: bytes, position: int) -> str:
    if not _HEX.fullmatch(text):
        raise _refused(position, "an object id is not 40 or 64 hexadecimal digits")
    return text.decode()


def _time(text: bytes, position: int) -> str:
    try:
        return format_time(parse_time(text.decode()))
    except ValueError:
        raise _refused(position, "a time is not in strict ISO form") from None


def _refused(position: int, why: str) -> RequestError:
    return RequestError(
        "webhook_payload",
        f"commit {position} of the log: {why}; write it with "
        "git log --reverse -z --format= and counterfoil.sources.git.FORMAT",
        position=position,
    )
