"""Every captured delivery becomes events; what they say, and what they keep to themselves."""

import hashlib
import json
from importlib.resources import files
from typing import Any

import pytest

from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.events.naming import BlobName
from counterfoil.sources.github import parse_delivery

CAPTURED = {
    item.name.removesuffix(".json"): item.read_bytes()
    for item in files("counterfoil.demo").joinpath("captured", "github").iterdir()
    if item.name.endswith(".json")
}
RECEIVED = "2026-11-20T12:00:00.000Z"
OWN = "dev.cdeventsx.counterfoil-"


def _parse(name: str, body: bytes) -> tuple[Event, ...]:
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    return parse_delivery(
        name.partition(".")[0],
        "d-1",
        body,
        source="urn:counterfoil:webhook:ci",
        received=RECEIVED,
        credential="webhook:ci",
        blob=BlobName(digest, "delivery.json", "application/json"),
    )


def _one(name: str, payload: Any = None) -> Event:
    body = CAPTURED[name] if payload is None else json.dumps(payload).encode()
    [event] = _parse(name, body)
    return event


def _payload(name: str) -> dict[str, Any]:
    value = json.loads(CAPTURED[name])
    assert isinstance(value, dict)
    return value


def _facts(event: Event) -> dict[str, Any]:
    assert isinstance(event.data, dict)
    custom = event.data.get("customData", event.data)
    assert isinstance(custom, dict)
    return custom


def _refs(event: Event) -> list[tuple[str, str]]:
    return [(one.ref, one.role) for one in event.refs]


def test_all_the_captured_deliveries_are_here() -> None:
    assert len(CAPTURED) == 76


@pytest.mark.parametrize("name", sorted(CAPTURED))
def test_a_captured_delivery_becomes_events_that_name_its_raw_bytes(name: str) -> None:
    events = _parse(name, CAPTURED[name])
    assert events
    digest = "sha256:" + hashlib.sha256(CAPTURED[name]).hexdigest()
    for event in events:
        assert [blob.digest for blob in event.blobs] == [digest]
        assert event.source.startswith("https://github.com/")
        assert event.size_bytes < 4096


@pytest.mark.parametrize("name", sorted(CAPTURED))
def test_no_name_or_mail_of_anybody_leaves_the_raw_bytes(name: str) -> None:
    """Accounts are `actor:` refs, which the log turns into pseudonyms; the rest is not copied."""
    for event in _parse(name, CAPTURED[name]):
        assert isinstance(event.data, dict)
        shown = {member: one for member, one in event.data.items() if member != "refs"}
        text = json.dumps(shown)
        assert "@users.noreply" not in text
        assert '"login"' not in text
        assert '"email"' not in text
        for ref, role in _refs(event):
            assert ref.startswith("actor:") or role not in {"author", "reviewer", "committer"}


TYPES = {
    "check_run.completed": "dev.cdevents.taskrun.finished.0.3.0",
    "check_run.created": "dev.cdevents.taskrun.started.0.3.0",
    "check_run.rerequested": f"{OWN}repository.event.0.1.0",
    "create.default": f"{OWN}repository.event.0.1.0",
    "deployment.default": f"{OWN}deployment.requested.0.1.0",
    "deployment_status.default": f"{OWN}deployment.reported.0.1.0",
    "deployment_review.requested": f"{OWN}repository.event.0.1.0",
    "issues.opened": "dev.cdevents.ticket.created.0.2.0",
    "issues.labeled": "dev.cdevents.ticket.updated.0.2.0",
    "issues.reopened": "dev.cdevents.ticket.updated.0.2.0",
    "ping.default": f"{OWN}ping.0.1.0",
    "pull_request.opened": "dev.cdevents.change.created.0.4.0",
    "pull_request.synchronize": "dev.cdevents.change.updated.0.3.0",
    "pull_request.reopened": "dev.cdevents.change.updated.0.3.0",
    "pull_request.closed": "dev.cdevents.change.abandoned.0.3.0",
    "pull_request_review.submitted": "dev.cdevents.change.reviewed.0.3.0",
    "pull_request_review.dismissed": "dev.cdevents.change.reviewed.0.3.0",
    "release.published": f"{OWN}release.published.0.1.0",
    "release.created": f"{OWN}release.edited.0.1.0",
    "release.released": f"{OWN}release.edited.0.1.0",
    "release.deleted": f"{OWN}release.withdrawn.0.1.0",
    "team.created": f"{OWN}repository.event.0.1.0",
    "workflow_run.requested": "dev.cdevents.pipelinerun.queued.0.3.0",
    "workflow_run.completed": "dev.cdevents.pipelinerun.finished.0.3.0",
}


@pytest.mark.parametrize(("name", "event_type"), sorted(TYPES.items()))
def test_a_kind_of_delivery_has_its_type(name: str, event_type: str) -> None:
    assert _one(name).type == event_type


def test_a_review_names_the_commit_that_was_looked_at_and_who_looked() -> None:
    event = _one("pull_request_review.submitted")
    commit = "commit:Codertocat/Hello-World@ec26c3e57ca3a959ca5aad62de7213c562f8c821"
    assert event.subject == "change:Codertocat/Hello-World#2"
    assert event.time == "2019-05-15T15:20:38.000Z"
    assert _refs(event) == [
        ("review:Codertocat/Hello-World#2/237895671", "about"),
        (commit, "reviewed"),
        ("actor:github.com:Codertocat", "reviewer"),
        ("actor:github.com:Codertocat", "author"),
    ]
    assert _facts(event)["review_state"] == "commented"
    assert _facts(event)["commit_id"] == commit.rpartition("@")[2]


def test_a_merge_names_the_commit_it_became() -> None:
    payload = _payload("pull_request.closed")
    payload["pull_request"]["merged"] = True
    payload["pull_request"]["merged_at"] = "2019-05-15T15:21:19Z"
    event = _one("pull_request.closed", payload)
    assert event.type == "dev.cdevents.change.merged.0.3.0"
    assert event.time == "2019-05-15T15:21:19.000Z"
    merged = "commit:Codertocat/Hello-World@c4295bd74fb0f4fda03689c3df3f2803b658fd85"
    assert (merged, "merged-as") in _refs(event)


def test_an_unmerged_close_names_no_merge_commit() -> None:
    """GitHub fills merge_commit_sha with a trial merge before there is one."""
    assert all(role != "merged-as" for _, role in _refs(_one("pull_request.closed")))


def test_a_run_started_again_by_somebody_else_keeps_both_accounts() -> None:
    payload = _payload("workflow_run.completed")
    payload["workflow_run"]["run_attempt"] = 2
    payload["workflow_run"]["triggering_actor"]["login"] = "octocat"
    event = _one("workflow_run.completed", payload)
    assert event.subject == "run:octo-org/octo-repo/289782451"
    assert ("actor:github.com:Codertocat", "started-by") in _refs(event)
    assert ("actor:github.com:octocat", "triggered-by") in _refs(event)
    assert _facts(event)["rerun_by_other"] is True
    assert _facts(event)["run_attempt"] == 2
    assert isinstance(event.data, dict)
    assert event.data["subject"]["content"]["outcome"] == "success"  # type: ignore[call-overload, index]


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [
        ("success", "success"),
        ("failure", "failure"),
        ("cancelled", "cancel"),
        ("timed_out", "error"),
        ("neutral", None),
        ("skipped", None),
        (None, None),
    ],
)
def test_only_a_clear_conclusion_gives_an_outcome(
    conclusion: str | None, outcome: str | None
) -> None:
    payload = _payload("check_run.completed")
    payload["check_run"]["conclusion"] = conclusion
    event = _one("check_run.completed", payload)
    assert isinstance(event.data, dict)
    content: Any = event.data["subject"]
    assert content["content"].get("outcome") == outcome
    assert _facts(event).get("conclusion") == conclusion


def test_a_deployment_says_what_goes_where_for_whom() -> None:
    payload = _payload("deployment_status.default")
    payload["deployment"]["production_environment"] = True
    event = _one("deployment_status.default", payload)
    assert event.subject == "deployment:Codertocat/Hello-World/145988746"
    assert ("env:production", "deployed-to") in _refs(event)
    sha = payload["deployment"]["sha"]
    assert (f"commit:Codertocat/Hello-World@{sha}", "deploys") in _refs(event)
    assert _facts(event)["state"] == "success"
    assert _facts(event)["production"] is True


def test_a_release_links_to_a_commit_only_if_it_names_one() -> None:
    payload = _payload("release.published")
    assert all(role != "built-from" for _, role in _refs(_one("release.published")))
    payload["release"]["target_commitish"] = "a" * 40
    digest = "sha256:" + "b" * 64
    payload["release"]["assets"] = [{"name": "app.tar.gz", "digest": digest}]
    event = _one("release.published", payload)
    assert (f"commit:Codertocat/Hello-World@{'a' * 40}", "built-from") in _refs(event)
    assert (f"artifact:{digest}", "contains") in _refs(event)
    assert event.subject == "release:Codertocat/Hello-World@0.0.1"


def test_a_bots_delivery_says_so() -> None:
    event = _one("check_suite.rerequested")
    assert (event.authtype, event.authid) == (
        "service_account",
        "github.com:octocoders-linter[bot]",
    )


@pytest.mark.parametrize("sender", [None, {}, {"login": None}, {"login": ""}, "Codertocat"])
def test_without_a_sender_the_credential_stands_in_and_the_event_says_so(sender: object) -> None:
    payload = {**_payload("issues.opened"), "sender": sender}
    event = _one("issues.opened", payload)
    assert event.authid == "webhook:ci"
    assert _facts(event)["actor_claim"] == "none: the payload names no sender"


def test_a_sender_is_the_actor_and_no_statement_is_needed() -> None:
    event = _one("issues.opened")
    assert (event.authtype, event.authid) == ("user", "github.com:Codertocat")
    assert "actor_claim" not in _facts(event)


def test_a_payload_without_a_time_takes_the_time_of_receipt() -> None:
    event = _one("member.added")
    assert event.time == RECEIVED
    assert event.extra["timeclaim"] == "none", "a time nobody claimed must not pass for a claim"


def test_a_payload_with_a_time_says_nothing_of_it() -> None:
    assert "timeclaim" not in _one("issues.opened").extra


def _empty(value: Any, keep: tuple[str, ...]) -> Any:
    """Return `value` with every optional member null, on every level."""
    if isinstance(value, dict):
        return {
            name: _empty(one, keep) if name in keep or isinstance(one, dict) else None
            for name, one in value.items()
        }
    return value


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_optional_field_may_be_null(name: str) -> None:
    keep = ("id", "number", "full_name", "tag_name", "action", "ref")
    event = _one(name, _empty(_payload(name), keep))
    assert event.type.startswith(("dev.cdevents.", OWN))


LACKING = {
    "pull_request.opened": ("pull_request", "number"),
    "workflow_run.completed": ("workflow_run", "id"),
    "check_run.completed": ("check_run", "id"),
    "deployment.default": ("deployment", "id"),
    "release.published": ("release", "tag_name"),
    "issues.opened": ("issue", "number"),
}


@pytest.mark.parametrize(("name", "path"), sorted(LACKING.items()))
def test_a_payload_without_the_name_of_its_own_thing_is_refused(
    name: str, path: tuple[str, str]
) -> None:
    payload = _payload(name)
    payload.pop("number", None)
    del payload[path[0]][path[1]]
    with pytest.raises(RequestError) as refused:
        _one(name, payload)
    assert refused.value.code == "webhook_payload"
    assert refused.value.facts["field"] == ".".join(path)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"payload=%7B%7D", "json_broken"),
        (b"[]", "webhook_payload"),
        (b'{"a":1,"a":2}', "json_duplicate_member"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        _parse("push.default", body)
    assert refused.value.code == code


def test_the_same_delivery_is_the_same_events() -> None:
    """A redelivery has the id of the first one."""
    assert _parse("push.default", _push(3)) == _parse("push.default", _push(3))


def test_text_in_any_script_is_kept_and_cut_at_a_character() -> None:
    payload = _payload("issues.opened")
    payload["issue"]["title"] = "déjà vu \N{SNOWMAN}" * 200
    event = _one("issues.opened", payload)
    title = _facts(event)["title"]
    assert payload["issue"]["title"].startswith(title)
    assert 990 < len(title.encode()) <= 1000


def test_an_enterprise_server_is_its_own_world() -> None:
    payload = _payload("pull_request.opened")
    payload["repository"]["html_url"] = "https://git.shop.example/Codertocat/Hello-World"
    event = _one("pull_request.opened", payload)
    assert event.source == "https://git.shop.example/Codertocat/Hello-World"
    assert event.subject == "change:git.shop.example/Codertocat/Hello-World#2"
    assert event.authid == "git.shop.example:Codertocat"


def _push(size: int, **changes: Any) -> bytes:
    commits = [
        {
            "id": f"{number:040x}",
            "tree_id": "b" * 40,
            "message": f"Step {number} ☃\n\nCo-authored-by: Ana <ana@shop.example>",
            "timestamp": "2019-05-15T17:20:00+02:00",
            "author": {"name": "Ana", "email": "ana@shop.example", "username": "ana-dev"},
            "committer": {"name": "Web", "email": "noreply@shop.example"},
            "added": ["a.py"],
            "distinct": True,
        }
        for number in range(1, size + 1)
    ]
    payload = {
        **_payload("push.default"),
        "ref": "refs/heads/main",
        "before": "c" * 40,
        "after": f"{size:040x}",
        "deleted": False,
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        **changes,
    }
    return json.dumps(payload).encode()


def test_a_push_is_one_event_a_commit_at_the_time_of_the_push() -> None:
    """A commit's own time is its author's clock; when it arrived is what a review is held to."""
    events = _parse("push.default", _push(3, forced=True))
    assert [event.id for event in events] == ["d-1", "d-1/1", "d-1/2"]
    assert {event.time for event in events} == {"2019-05-15T15:20:57.000Z"}
    event = events[1]
    assert event.type == f"{OWN}commit.pushed.0.1.0"
    assert event.subject == f"commit:Codertocat/Hello-World@{2:040x}"
    assert _refs(event) == [
        ("branch:Codertocat/Hello-World@main", "about"),
        ("repo:Codertocat/Hello-World", "about"),
        ("actor:github.com:ana-dev", "author"),
    ]
    facts = _facts(event)
    assert facts["message"] == "Step 2 ☃"
    assert facts["forced"] is True
    assert facts["committed"] == "2019-05-15T15:20:00.000Z"
    assert (facts["commits"], facts["branch"]) == (3, "main")


def test_a_huge_push_is_bounded_and_says_how_many_there_were() -> None:
    events = _parse("push.default", _push(2048))
    assert len(events) == 500
    assert events[-1].subject == f"commit:Codertocat/Hello-World@{2048:040x}"
    assert _facts(events[0])["commits"] == 2048
    assert len({event.id for event in events}) == 500


def test_a_new_branch_and_a_deleted_one_are_events_of_the_branch() -> None:
    created = _parse("push.default", _push(1, created=True))
    assert [event.type for event in created] == [
        "dev.cdevents.branch.created.0.3.0",
        f"{OWN}commit.pushed.0.1.0",
    ]
    [deleted] = _parse("push.default", _push(0, deleted=True, after="0" * 40))
    assert deleted.type == "dev.cdevents.branch.deleted.0.3.0"
    assert deleted.subject == "branch:Codertocat/Hello-World@main"


def test_a_branch_moved_back_names_the_commit_it_moved_to() -> None:
    [event] = _parse("push.default", _push(0, forced=True, after="e" * 40))
    assert event.subject == f"commit:Codertocat/Hello-World@{'e' * 40}"
    assert _facts(event)["forced"] is True
