"""`admin keys`: the words of the command line, on a ledger of this machine."""

import json
from pathlib import Path

import pytest

from counterfoil.tlog.keys import parse_signer_key
from counterfoil.tlog.policy import parse_policy
from tests.cli.conftest import Foil, Result


@pytest.fixture
def keys(foil: Foil, ledger: Path) -> Foil:
    """Run `counterfoil admin keys WORDS` on a ledger of its own."""

    def run(*words: object) -> Result:
        return foil("admin", "keys", *words, "--dir", ledger)

    return run


def test_a_key_is_changed_listed_and_retired_in_three_commands(
    keys: Foil, foil: Foil, ledger: Path
) -> None:
    changed = keys("rotate", "--reason", "the yearly change")
    assert changed.code == 0, changed.out
    later = (ledger / "keys" / "default.vkey").read_text("ascii").strip()
    assert changed.out.splitlines()[-1].endswith(later)

    refused = keys("rotate")
    assert refused.code == 5
    assert "admin keys retire --project default" in refused.err

    assert "overlap" in keys("list", "--project", "default").out
    ended = keys("retire", "--reason", "all have the later one", "--json")
    assert json.loads(ended.out)["size"] == 0
    listed = keys("list", "--project", "default").out
    assert "in force  (file)" in listed
    assert "retired, alone up to 0 entries, handed over in entry 0" in listed
    policy = parse_policy(keys("list", "--project", "default", "--policy").out)
    assert [log.until for log in policy.logs] == [None, 0]

    verified = foil("verify", ledger)
    assert verified.code == 0, verified.out
    assert "hands over to key" in verified.out


def test_what_cannot_be_done_to_a_key_is_refused_in_words(keys: Foil) -> None:
    assert "key of the aggregate log stays" in keys("rotate", "--project", "_aggregate").err
    assert "no log 'shop'" in keys("rotate", "--project", "shop").err
    assert "no such earlier key" in keys("retire").err
    assert keys("retire", "--key", "ffffffffffffffff", "--compromised").code == 5
    assert "a reason is one line" in keys("rotate", "--reason", "x" * 501).err


def test_a_key_that_is_made_goes_to_standard_output_alone(keys: Foil, ledger: Path) -> None:
    made = keys("make", "--json")

    answer = json.loads(made.out)
    assert str(parse_signer_key(answer["key"]).vkey) == answer["vkey"]
    held = {
        path.read_text("ascii").strip() for path in (ledger / "keys").iterdir() if path.is_file()
    }
    assert answer["key"] not in held, "it is kept nowhere"
