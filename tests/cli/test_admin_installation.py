"""`admin doctor` and `admin deploy-files`: what they print, and how they end."""

import json
from pathlib import Path

from tests.cli.conftest import Foil


def test_doctor_says_it_in_words_and_in_json_and_ends_with_the_verdict(
    foil: Foil, ledger: Path
) -> None:
    told = foil("admin", "doctor", "--dir", ledger)
    (ledger / "admin.token").chmod(0o644)
    asked = foil("admin", "doctor", "--dir", ledger, "--json")

    assert told.code == 0
    assert "ok    keys" in told.out
    assert "nothing is wrong" in told.out
    assert (asked.code, asked.json()["ok"]) == (1, False)
    [modes] = [one for one in asked.json()["checks"] if one["check"] == "modes"]
    assert (modes["grade"], "chmod 600" in modes["what"]) == ("fail", True)


def test_doctor_without_a_ledger_is_a_mistake_in_its_words(foil: Foil, tmp_path: Path) -> None:
    assert foil("admin", "doctor").code == 2
    assert foil("admin", "doctor", "--dir", tmp_path / "nothing").code == 2
    assert foil("admin", "doctor", "--dir", tmp_path).code == 2


def test_deploy_files_names_what_it_wrote_and_refuses_what_it_cannot_write(
    foil: Foil, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    told = foil("admin", "deploy-files", files, "--name", "foil.example")
    again = foil("admin", "deploy-files", files, "--name", "foil.example", "--json")
    unfit = foil("admin", "deploy-files", tmp_path / "more", "--name", "foil.example;")

    assert told.code == 0
    assert sorted(told.out.split()) == sorted(str(path) for path in files.iterdir())
    assert again.code == 2
    assert json.loads(again.out)["error"]["code"] == "dir_exists"
    assert unfit.code == 2
    assert not (tmp_path / "more").exists()
