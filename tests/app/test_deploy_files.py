"""Files for running a server for real: what stands in them is this installation's, and harmless."""

import re
import subprocess
from pathlib import Path

import pytest

from counterfoil.app.deploy_files import Installation, write_deploy_files
from counterfoil.errors import RequestError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.name for path in (ROOT / "counterfoil" / "deploy").iterdir())
DOCS = "".join(
    (ROOT / "docs" / "how-to" / f"{name}.md").read_text("utf-8")
    for name in ("install", "monitoring")
    if (ROOT / "docs" / "how-to" / f"{name}.md").exists()
)


def test_every_place_of_every_file_is_filled(tmp_path: Path) -> None:
    """A place that stays open is a unit that does not start, on somebody else's machine."""
    one = Installation("foil.acme.example", "/srv/foil", "foil", "/opt/foil/bin", "/backup/foil")

    names = write_deploy_files(tmp_path / "files", one)

    text = "".join((tmp_path / "files" / name).read_text() for name in names)
    assert names == SHIPPED
    assert not re.search(r"@[A-Z]+@", text)
    assert all(value in text for value in (one.name, one.directory, one.user, one.programs))
    assert "/var/lib/counterfoil" not in text
    assert "ReadWritePaths=/srv/foil\n" in text


def test_a_ledger_in_var_lib_is_its_units_state_directory(tmp_path: Path) -> None:
    """There systemd makes the folder, and its owner and mode, by itself."""
    write_deploy_files(tmp_path, Installation("foil.example", "/var/lib/qa/foil"))

    unit = (tmp_path / "counterfoil.service").read_text()

    assert "StateDirectory=qa/foil\nStateDirectoryMode=0700\n" in unit


UNFIT = {
    "a second line in a unit": {"user": "foil\nExecStartPre=/bin/true"},
    "a placeholder of systemd": {"directory": "/srv/%h"},
    "a variable of nginx": {"name": "$host"},
    "an end of a statement of nginx": {"name": "foil.example; root /"},
    "a blank in a path": {"programs": "/opt/my programs"},
    "a path that is relative": {"directory": "ledger"},
    "a path that climbs": {"backups": "/var/../etc"},
    "a name in capitals": {"name": "Foil.example"},
    "an address in place of a name": {"name": "https://foil.example"},
    "backups inside of the ledger": {"backups": "/var/lib/counterfoil/backups"},
}


@pytest.mark.parametrize("values", UNFIT.values(), ids=UNFIT.keys())
def test_what_would_mean_something_to_root_is_refused(
    values: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(RequestError) as refused:
        write_deploy_files(tmp_path / "files", Installation(**{"name": "foil.example", **values}))

    assert refused.value.code == "usage"
    assert not (tmp_path / "files").exists()


def test_files_that_stand_there_are_not_written_over(tmp_path: Path) -> None:
    """Somebody changed them; the later ones go elsewhere, and are compared."""
    (tmp_path / "counterfoil.service").write_text("mine")

    with pytest.raises(RequestError) as refused:
        write_deploy_files(tmp_path, Installation("foil.example"))

    assert refused.value.code == "dir_exists"
    assert (tmp_path / "counterfoil.service").read_text() == "mine"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_file_is_in_a_how_to(name: str) -> None:
    """A file nobody is told to put anywhere is not deployed."""
    assert f"/{name}" in DOCS or f"`{name}`" in DOCS


def test_a_how_to_names_no_file_that_does_not_ship() -> None:
    named = set(re.findall(r"/root/files/([\w.-]+)", DOCS)) - {"*.service", "*.timer"}

    assert named
    assert {name for name in named if name not in SHIPPED} <= {""}


def test_the_wrapper_is_a_shell_script(tmp_path: Path) -> None:
    write_deploy_files(tmp_path, Installation("foil.example"))

    subprocess.run(["sh", "-n", tmp_path / "foil"], check=True)
