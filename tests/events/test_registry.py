"""The registry knows every CDEvents type and ours, and reads what foreign documents state."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.events import registry
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event, parse_event
from counterfoil.events.refs import Named, is_ref

ROOT = Path(__file__).resolve().parents[2]
CDEVENTS = sorted((ROOT / "tests/vectors/cdevents/v0.5.1").glob("*.json"))
HEX = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
OWN = {
    *("commit.pushed", "repository.event", "run.planned", "run.lost", "ping"),
    *("release.published", "release.edited", "release.withdrawn"),
    *("approval.requested", "approval.signed", "approval.refused"),
    *("deployment.requested", "deployment.reported", "refusal.counted", "witness.alarmed"),
    *("backup.taken", "backup.failed", "backup.restored", "backup.drilled"),
    *("log.damaged", "log.recovered", "log.repaired"),
    *("actor.described", "actor.removed", "account.linked", "account.unlinked"),
    *("deputy.named", "deputy.ended", "member.joined", "member.left"),
    *("team.described", "team.removed", "role.granted", "role.revoked"),
    *("policy.activated", "gate.changed", "token.issued", "token.revoked"),
    *("invitation.made", "invitation.ended", "passkey.enrolled", "passkey.removed"),
    *("session.opened", "session.verified", "session.ended", "trust.added", "trust.removed"),
    *("trust.rekeyed", "key.rotated", "key.retired"),
    *("personal.read", "export.made", "erasure.performed"),
    *("personal.read", "export.made"),
    *("action.asked", "action.confirmed", "action.ended"),
    *("retention.set", "retention.expired", "hold.placed", "hold.released"),
}


def event_of(document: JSON, **changes: Any) -> Event:
    """Return an event as a tool that knows nothing of refs would send it."""
    assert isinstance(document, dict)
    context = document["context"]
    assert isinstance(context, dict)
    given_event: dict[str, Any] = {
        "type": context["type"],
        "source": "/event/source/123",
        "id": context["id"],
        "time": context["timestamp"],
        "authtype": "service_account",
        "authid": "token:ci",
        "data": document,
    }
    return make_event(**{**given_event, **changes})


def document(noun: str, content: JSON, ident: JSON = "42") -> dict[str, JSON]:
    return {
        "context": {
            "type": f"dev.cdevents.{noun}.0.3.0",
            "id": "1",
            "timestamp": "2026-11-20T12:00:00Z",
        },
        "subject": {"id": ident, "content": content},
    }


def test_every_type_of_cdevents_0_5_1_is_known() -> None:
    published = {json.loads(path.read_text("utf-8"))["context"]["type"] for path in CDEVENTS}

    assert len(published) == 45
    assert {name for name in registry.TYPES if name.startswith("dev.cdevents.")} == published


def test_every_type_of_ours_is_known() -> None:
    prefix = "dev.cdeventsx.counterfoil-"

    assert {name for name in registry.TYPES if name.startswith(prefix)} == {
        f"{prefix}{name}.0.1.0" for name in OWN
    }


@pytest.mark.parametrize("path", CDEVENTS, ids=lambda path: path.stem)
def test_every_published_document_is_recorded_as_it_is(path: Path) -> None:
    """Any CDEvents emitter may post to us unchanged."""
    published = json.loads(path.read_text("utf-8"))

    event = event_of(published)

    assert event.data == published
    assert parse_event(event.to_json()) == event
    assert all(is_ref(named.ref) for named in registry.derived_refs(event))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("dev.cdevents.testcaserun.finished.0.1.0", "dev.cdevents.testcaserun.finished.0.3.0"),
        ("dev.cdevents.change.created.0.9.0-draft", "dev.cdevents.change.created.0.4.0"),
        ("dev.cdevents.change.created", "dev.cdevents.change.created.0.4.0"),
        ("dev.cdevents.change.created.0.4.0", "dev.cdevents.change.created.0.4.0"),
    ],
)
def test_an_unknown_version_is_read_as_the_known_one(name: str, stem: str) -> None:
    known = registry.lookup(name)

    assert known is not None
    assert known.name == stem


@pytest.mark.parametrize(
    "name", ["", "0.3.0", "com.example.x", "dev.cdevents.change", "dev.cdevents.change.created.x"]
)
def test_an_unknown_type_is_no_error(name: str) -> None:
    assert registry.lookup(name) is None


@pytest.mark.parametrize("via", ["api", "cli", "webhook", "pytest", "web", "otlp", "reconcile"])
def test_only_the_server_itself_keeps_a_body_in_the_open(via: str) -> None:
    """Anybody may post any type; a plain body could not be erased."""
    alarmed = "dev.cdeventsx.counterfoil-witness.alarmed.0.1.0"

    assert registry.retention(alarmed, via) == "standard"
    assert registry.retention(alarmed, "server") == "technical"
    assert registry.retention("dev.cdevents.change.merged.0.3.0", "server") == "standard"
    assert registry.retention("com.example.x", "server") == "standard"


STATED: list[tuple[str, JSON, list[tuple[str, str]]]] = [
    (
        "change.merged",
        {"repository": {"id": "a/b"}},
        [("change:42", "about"), ("repo:a/b", "about")],
    ),
    (
        "branch.created",
        {"repository": {"id": "a/b"}},
        [("branch:42", "about"), ("repo:a/b", "about")],
    ),
    ("repository.created", {"name": "b"}, [("repo:42", "about")]),
    ("pipelinerun.finished", {"outcome": "success"}, [("run:42", "about")]),
    ("taskrun.started", {"pipelineRun": {"id": "7"}}, [("run:42", "about"), ("run:7", "part-of")]),
    (
        "build.finished",
        {"artifactId": f"pkg:oci/x@sha256%3A{HEX.upper()}"},
        [("run:42", "about"), (f"artifact:sha256:{HEX}", "output")],
    ),
    ("build.finished", {"artifactId": "pkg:golang/x@v1"}, [("run:42", "about")]),
    (
        "testcaserun.finished",
        {"testCase": {"id": "t"}, "testSuiteRun": {"id": "7"}, "environment": {"id": "dev"}},
        [("run:7", "part-of"), ("test:t", "about"), ("env:dev", "environment")],
    ),
    (
        "testsuiterun.finished",
        {"environment": {"id": "dev"}},
        [("run:42", "about"), ("env:dev", "environment")],
    ),
    (
        "service.deployed",
        {"environment": {"id": "prod"}, "artifactId": f"pkg:oci/x@sha256:{HEX}"},
        [("env:prod", "deployed-to"), (f"artifact:sha256:{HEX}", "deploys")],
    ),
    ("service.removed", {"environment": {"id": "prod"}}, [("env:prod", "environment")]),
    ("environment.created", {"name": "x"}, [("env:42", "about")]),
    (
        "incident.detected",
        {"environment": {"id": "prod"}, "artifactId": f"pkg:oci/x@sha256:{HEX}"},
        [("ticket:42", "about"), ("env:prod", "environment"), (f"artifact:sha256:{HEX}", "about")],
    ),
    ("ticket.closed", {"creator": "Ana"}, [("ticket:42", "about")]),
]


@pytest.mark.parametrize(("noun", "content", "named"), STATED, ids=lambda one: str(one)[:40])
def test_members_of_a_document_become_refs(
    noun: str, content: JSON, named: list[tuple[str, str]]
) -> None:
    found = registry.derived_refs(event_of(document(noun, content)))

    assert found == tuple(Named(*one) for one in named)


def test_an_artifact_is_named_by_its_digest_only() -> None:
    by_digest = event_of(document("artifact.packaged", {}, f"pkg:oci/x@sha256%3a{HEX}?tag=1"))
    too_long = event_of(document("artifact.packaged", {}, f"pkg:oci/x@sha256:{HEX}ff"))
    by_version = event_of(document("artifact.packaged", {"change": {"id": "c"}}, "pkg:oci/x@1"))

    assert registry.derived_refs(by_digest) == (Named(f"artifact:sha256:{HEX}", "about"),)
    assert registry.derived_refs(too_long) == ()
    assert registry.derived_refs(by_version) == (Named("change:c", "built-from"),)


def test_what_the_event_names_itself_is_left_to_it() -> None:
    """Sources that know better give roles; a second one would be a second truth."""
    event = event_of(
        document(
            "testcaserun.finished", {"environment": {"id": "dev"}, "testSuiteRun": {"id": "7"}}
        ),
        subject="run:7",
        refs=[("env:dev", "target")],
    )

    assert registry.derived_refs(event) == ()


def test_a_subject_of_its_own_replaces_the_documents() -> None:
    event = event_of(document("pipelinerun.started", {}), subject="run:acme/shop/42")

    assert registry.derived_refs(event) == ()


def test_other_types_state_nothing() -> None:
    """A foreign `subject.id` may mean anything."""
    own = event_of(document("change.merged", {"repository": {"id": "a/b"}}), type="com.example.x")

    assert registry.derived_refs(own) == ()


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.just("pkg:x@sha256:"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["id", "content", "environment", "artifactId", "testCase", "change", "subject"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.sampled_from(sorted(registry.TYPES)), _ODD, st.sampled_from([None, "run:1", "x"]))
def test_odd_documents_state_refs_that_are_refs_or_nothing(
    name: str, odd: JSON, subject: str | None
) -> None:
    event = make_event(
        type=name,
        source="/s",
        id="1",
        time="2026-11-20T12:00:00Z",
        authtype="unknown",
        authid="x",
        subject=subject,
        data={"subject": odd},
    )

    for named in registry.derived_refs(event):
        assert is_ref(named.ref)
        assert not named.ref.startswith("actor:")
