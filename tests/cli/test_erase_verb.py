"""`erase`, and what the other verbs say of what it took."""

from pathlib import Path

from tests.cli.conftest import Foil


def test_what_was_erased_is_said_by_every_verb_that_reads_it(foil: Foil, ledger: Path) -> None:
    for number, text in enumerate(("said by zebulonqx", "said by nobody")):
        data = f'{{"text": "{text}"}}'
        done = foil(
            "record", "com.example.note", "--id", f"n{number}", "--data", data, "--dir", ledger
        )
        assert done.code == 0, done.err
    why = ("--reason", "a mistake", "--request-id", "OPS-12", "--dir", ledger)

    # That somebody looked what would go is an entry too.
    would = foil("erase", "--entry", 0, "--field", "body", "--dry-run", *why)
    did = foil("erase", "--entry", 0, "--field", "body", *why)
    again = foil("erase", "--entry", 0, "--field", "body", *why)

    assert (would.code, did.code, again.code) == (0, 0, 5)
    assert would.out.startswith("nothing was erased; parts of 1 entry would go")
    assert did.out.splitlines()[1:] == ["  default: 1 entry, as entry 3 says", "    entry 0 body"]
    assert "OPS-12, says entry 3; nothing was changed [erased]" in again.err
    found = foil("search", "type:com.example.note", "--dir", ledger, "--json").json()
    assert [one["erased"] for one in found["items"]] == [False, True]
    assert found["items"][1]["sentence"].endswith(" under OPS-12, says entry 3")
    assert foil("search", "zebulonqx", "--dir", ledger, "--json").json()["items"] == []
    verified = foil("verify", ledger)
    assert verified.code == 0
    assert "under OPS-12, says entry 3" in verified.out


def test_it_wants_to_know_what_goes(foil: Foil, ledger: Path) -> None:
    why = ("--reason", "a mistake", "--request-id", "OPS-12", "--dir", ledger)

    for words in ((), ("--entry", 0, "--subject", "ana-dev"), ("--entry", 0)):
        assert foil("erase", *words, *why).code == 2
    assert "nobody is known as 'ana-dev'" in foil("erase", "--subject", "ana-dev", *why).err
