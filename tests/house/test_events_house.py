"""House rules for event types: docs, an example, golden bytes, and a row or a reason for none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from counterfoil.events import registry, sentence
from counterfoil.events.entry import read_entry
from counterfoil.events.event import parse_event
from counterfoil.events.refs import parse_role
from counterfoil.projections.base import Recorded
from counterfoil.projections.catalogue import PROJECTIONS
from tools.events_doc import document

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/events.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### (dev\.\S+)\n(.*?)(?=^##|\Z)", DOCS, re.MULTILINE | re.DOTALL))
NAMES = sorted(registry.TYPES)
FOLDS = {projection.noun: projection for projection in PROJECTIONS}


def test_events_md_is_what_the_registry_says() -> None:
    """The catalogue is written from the code; edited by hand, it would soon be wrong."""
    assert document() == DOCS, "docs/events.md is stale: run python -m tools.events_doc"


def test_every_type_has_a_section_and_every_section_a_type() -> None:
    missing = sorted(registry.TYPES.keys() - SECTIONS.keys())
    without_type = sorted(SECTIONS.keys() - registry.TYPES.keys())

    assert missing == [], f"{missing} cannot be looked up: no section in docs/events.md"
    assert without_type == [], f"{without_type} are described, but no type of the registry"


@pytest.mark.parametrize("name", NAMES)
def test_the_example_in_the_docs_is_an_event_of_its_type(name: str) -> None:
    """Readers paste it: it must be accepted as it stands there."""
    [example] = re.findall(r"```json\n(.*?)\n```", SECTIONS[name], re.DOTALL)

    event = parse_event(json.loads(example))

    assert event.type == name, f"the example under {name} is of another type"
    assert event.to_json() == registry.TYPES[name].example


@pytest.mark.parametrize("name", NAMES)
def test_the_docs_say_what_the_members_and_refs_of_the_example_mean(name: str) -> None:
    """A field nobody explains is a field nobody can rely on."""
    known = registry.TYPES[name]
    data = known.example["data"]
    assert isinstance(data, dict)
    told = {part for member in known.members for part in re.split(r", | ", member)}
    roles = {named.role for named in parse_event(known.example).refs}

    unexplained = [member for member in _members(data) if not _is_told(member, told)]

    assert known.meaning.endswith("."), f"{name} has no meaning in one sentence"
    assert roles <= set(known.refs), f"{name}: say what {sorted(roles - set(known.refs))} names"
    assert all(parse_role(role) for role in known.refs)
    assert unexplained == [], f"{name}: say what {unexplained} means in its `members`"


def _members(data: dict[str, Any]) -> list[str]:
    """Return the members of flat data, or those of a CDEvents document's subject and customData."""
    if "context" in data:
        content = [f"subject.content.{member}" for member in data["subject"]["content"]]
        return content + [f"customData.{member}" for member in data.get("customData", {})]
    return [member for member in data if member not in {"refs", "blobs", "personal"}]


def _is_told(member: str, told: set[str]) -> bool:
    return member in told or any(one.startswith(member + ".") for one in told)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_has_a_golden_vector(name: str) -> None:
    path = ROOT / "tests/vectors/golden" / f"{name}.json"

    assert path.exists(), f"{name} has no golden bytes: run python -m tools.golden"


@pytest.mark.parametrize("name", NAMES)
def test_every_type_has_a_row_or_says_why_not(name: str) -> None:
    """A type without either is recorded and then forgotten: nobody meets it on a page."""
    row = registry.TYPES[name].row
    if row.startswith("no row: "):
        assert len(row) > len("no row: ") + 10, f"{name}: say why there is no row"
        return
    assert row in FOLDS, f"{name} names the projection {row!r}, which does not exist"
    assert FOLDS[row].touches(_recorded(name)), (
        f"{name} says it has a row among {row}, but that projection does not touch its example"
    )


def _recorded(name: str) -> Recorded:
    vector = json.loads((ROOT / "tests/vectors/golden" / f"{name}.json").read_text("utf-8"))
    entry = read_entry(vector["entry"].encode())
    actor = next(named.ref for named in entry.refs if named.role == "actor")
    return Recorded(0, entry, json.loads(vector["body"])["data"], actor)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_is_said_in_the_docs_as_in_the_program(name: str) -> None:
    known = registry.TYPES[name]
    subject = known.example.get("subject")
    assert subject is None or isinstance(subject, str)

    said = sentence.say(name, subject, known.example["data"])

    assert f'Said as "{said}".' in SECTIONS[name]


def test_only_the_server_s_own_facts_are_kept_in_the_open() -> None:
    """A technical body cannot be erased: a type may be so only if no person can be in it."""
    technical = {name for name in NAMES if registry.TYPES[name].retention == "technical"}

    assert technical == {
        "dev.cdeventsx.counterfoil-erasure.performed.0.1.0",
        "dev.cdeventsx.counterfoil-log.damaged.0.1.0",
        "dev.cdeventsx.counterfoil-log.recovered.0.1.0",
        "dev.cdeventsx.counterfoil-retention.expired.0.1.0",
        "dev.cdeventsx.counterfoil-witness.alarmed.0.1.0",
    }
    assert {registry.TYPES[name].retention for name in NAMES} == set(registry.RETENTION)
