"""`hold`, `admin retention` and `confirm`, with the ledger's files and nobody serving."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Foil


def test_a_rule_a_hold_and_what_would_go(foil: Foil, ledger: Path) -> None:
    foil("record", "com.example.step.finished", "--subject", "release:shop@1", "--dir", ledger)

    presets = foil("admin", "retention", "presets", "--dir", ledger)
    set_ = foil("admin", "retention", "set", "--preset", "pci-dss-10.5.1", "--reason", "cards",
                "--dir", ledger)  # fmt: skip
    held = foil("hold", "place", "--ref", "release:shop@1", "--case", "M-1", "--reason", "claim",
                "--dir", ledger, "--json")  # fmt: skip
    shown = foil("admin", "retention", "show", "--dir", ledger)
    seen = foil("admin", "retention", "preview", "--dir", ledger)

    assert "PCI DSS 4.0.1" in presets.out
    assert set_.out == "default: * is kept for 366 days by rule pci-dss-10.5.1\n"
    number = json.loads(held.out)["hold"]
    assert "366" in shown.out
    assert seen.out.startswith("0 entries of default would go")
    assert "M-1" in foil("hold", "list", "--dir", ledger).out
    assert foil("hold", "release", number, "--reason", "settled", "--dir", ledger).code == 0
    assert foil("hold", "list", "--dir", ledger).out == "nothing is held in default\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("hold", "place", "--case", "x", "--reason", "y"), "usage", id="on nothing"),
        pytest.param(
            ("hold", "release", "3", "--reason", "y"), "not_found", id="releasing no hold"
        ),
        pytest.param(
            ("admin", "retention", "set", "a", "--types", "*", "--days", "7", "--reason", "x"),
            "two_people", id="too short for whoever has the files",
        ),
        pytest.param(("confirm", "3"), "not_found", id="agreeing to nothing"),
        pytest.param(("confirm", "--no"), "usage", id="refusing nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_and_changes_nothing(
    foil: Foil, ledger: Path, words: tuple[str, ...], code: str
) -> None:
    done = foil(*words, "--dir", ledger)

    assert done.code != 0
    assert done.err.endswith(f"[{code}]\n")
    assert done.err.count("\n") == 1


def test_nothing_waits_in_a_ledger_of_one(foil: Foil, ledger: Path) -> None:
    done = foil("confirm", "--dir", ledger)

    assert (done.code, done.out) == (0, "nothing waits for a second person\n")
