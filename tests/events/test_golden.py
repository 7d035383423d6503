"""Golden entries: the exact bytes of one event of every type, made again."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from counterfoil.events import canonical, codec, registry
from counterfoil.events.entry import read_entry
from tools.golden import FOLDER, golden, text

NAMES = sorted(registry.TYPES)


def committed(name: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return vector


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_of_every_type_is_the_bytes_that_were_committed(name: str) -> None:
    """Entries are permanent: a red test here is a change of the evidence format.

    An ADR and a line under "Evidence format" in CHANGELOG.md come before `python -m tools.golden`.
    """
    assert text(golden(registry.TYPES[name])) == (FOLDER / f"{name}.json").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_opens_every_golden_entry_with_nothing_but_hmac(name: str) -> None:
    """The vectors are for other people's tools: they must hold without our code as well."""
    vector = committed(name)
    entry = json.loads(vector["entry"])
    opening = {key: base64.b64decode(value) for key, value in vector["opening"].items()}

    contents: dict[str, bytes] = {"body": vector["body"].encode()}
    for key, value in vector["blobs"].items():
        contents[key] = value.encode()
    for key in entry["commit"].keys() - contents.keys():
        value = vector["event"]
        for step in key.strip("/").split("/"):
            value = value[int(step)] if isinstance(value, list) else value[step]
        contents[key] = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    assert opening.keys() == contents.keys() == entry["commit"].keys()
    for key, content in contents.items():
        made = hmac.digest(opening[key], b"counterfoil.commit.v1\0" + content, "sha256")
        assert base64.b64encode(made).decode() == entry["commit"][key]
    assert hashlib.sha256(vector["entry"].encode()).hexdigest() == vector["entry_sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_the_event_of_every_golden_entry_compares_and_joins(name: str) -> None:
    vector = committed(name)
    entry = read_entry(vector["entry"].encode())
    event = canonical.read(json.dumps(vector["event"]).encode())
    opening = {key: base64.b64decode(value) for key, value in vector["opening"].items()}

    found = codec.check_event(entry, event, opening)
    shown = codec.join(entry, vector["body"].encode(), {})

    assert set(found.unopened) == set(vector["blobs"])
    assert codec.check_event(entry, shown, opening).compared == ("body",)


@pytest.mark.parametrize("name", NAMES)
def test_no_golden_entry_names_a_person(name: str) -> None:
    """People stand in the log by pseudonym; every name of the example must be sealed."""
    vector = committed(name)

    for secret in ("ana", "bo-dev", "Ana", "Bo Dev", *vector["people"]):
        if secret != "counterfoil":
            assert secret not in vector["entry"].replace("ci.example/acme/shop", "")
    for person in vector["people"].values():
        assert person["pseudonym"] in vector["entry"] or "subject" in vector["opening"]


def test_there_is_no_vector_of_a_type_that_is_gone() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES
