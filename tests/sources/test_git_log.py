"""A git log becomes one event a commit, the same ones whenever it is read."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.sources.git import FORMAT, parse_log

A, B = b"a" * 40, b"b" * 40


def _record(**changes: bytes) -> bytes:
    fields = {
        "commit": A,
        "tree": b"c" * 40,
        "parents": B,
        "authored": b"2026-11-20T13:00:00+01:00",
        "committed": b"2026-11-20T12:30:00+00:00",
        "author": b"Ana@shop.example",
        "committer": b"bo@shop.example",
        "subject": "Round the total once ☃".encode(),
    }
    return b"\x1f".join({**fields, **changes}.values())


def _parse(data: bytes, branch: str | None = "main") -> tuple[Event, ...]:
    return parse_log(
        data,
        "acme/shop",
        source="urn:counterfoil:git",
        authtype="user",
        authid="local:ana",
        branch=branch,
    )


def test_a_commit_names_its_parents_its_branch_and_its_people_as_actors() -> None:
    [event] = _parse(_record() + b"\0")
    assert event.subject == f"commit:acme/shop@{'a' * 40}"
    assert event.time == "2026-11-20T12:30:00.000Z"
    assert [(one.ref, one.role) for one in event.refs] == [
        ("repo:acme/shop", "about"),
        ("branch:acme/shop@main", "about"),
        (f"commit:acme/shop@{'b' * 40}", "parent"),
        ("actor:git:ana@shop.example", "author"),
        ("actor:git:bo@shop.example", "committer"),
    ]
    assert isinstance(event.data, dict)
    assert event.data["message"] == "Round the total once ☃"
    assert event.data["authored"] == "2026-11-20T12:00:00.000Z"
    assert "shop.example" not in str(
        {name: one for name, one in event.data.items() if name != "refs"}
    )


def test_the_account_that_hands_the_log_in_is_the_actor() -> None:
    """A log does not say who pushed."""
    [event] = _parse(_record())
    assert (event.authtype, event.authid) == ("user", "local:ana")


def test_a_merge_has_two_parents_and_a_root_none() -> None:
    merge, root = _parse(_record(parents=A + b" " + B) + b"\0" + _record(commit=B, parents=b""))
    assert [one.ref[-1] for one in merge.refs if one.role == "parent"] == ["a", "b"]
    assert [one for one in root.refs if one.role == "parent"] == []


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"\x1f".join([A, b"t"]), "2 fields"),
        (_record(commit=b"HEAD"), "object id"),
        (_record(parents=b"../etc"), "object id"),
        (_record(committed=b"yesterday"), "strict ISO"),
        (_record(authored=b"2026-11-20 13:00:00 +0100"), "strict ISO"),
    ],
)
def test_what_is_no_log_in_our_format_is_refused_with_its_position(record: bytes, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        _parse(_record() + b"\0" + record)
    assert refused.value.code == "webhook_payload"
    assert refused.value.facts["position"] == 1


def test_git_itself_writes_what_is_read(tmp_path: Path) -> None:
    people = {
        "GIT_AUTHOR_NAME": "Ana",
        "GIT_AUTHOR_EMAIL": "ana@shop.example",
        "GIT_COMMITTER_NAME": "Ana",
        "GIT_COMMITTER_EMAIL": "ana@shop.example",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PATH": os.environ["PATH"],
    }

    def run(*words: str) -> bytes:
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *words], env=people, check=True, capture_output=True
        )
        return done.stdout

    run("init", "-q", "-b", "main")
    run("commit", "-q", "--allow-empty", "-m", "First step\n\nwith a body")
    run("commit", "-q", "--allow-empty", "-m", "Second step")

    first, second = _parse(run("log", "--reverse", "-z", f"--format={FORMAT}"))

    assert isinstance(first.data, dict)
    assert first.data["message"] == "First step"
    assert (first.subject, "parent") in [(one.ref, one.role) for one in second.refs]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    for log in (data, _record(subject=data), _record(author=data)):
        try:
            events = _parse(log)
        except RequestError as refused:
            code = refused.code
        else:
            code = "" if events or not log.strip(b"\0\r\n") else "lost"
        assert code in {"", "webhook_payload"}
