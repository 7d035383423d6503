"""The command line as a function: words in, exit code and output out."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterfoil.cli import main


@dataclasses.dataclass(frozen=True)
class Result:
    """What one command line did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what it printed, read as JSON."""
        return json.loads(self.out)


Foil = Callable[..., Result]


@pytest.fixture
def foil(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Foil:
    """Run `counterfoil WORDS`."""
    monkeypatch.chdir(tmp_path)  # what is kept must not lie in the project of these tests
    for name in (
        *("COUNTERFOIL_URL", "COUNTERFOIL_TOKEN", "COUNTERFOIL_DIR", "COUNTERFOIL_PROJECT"),
        *("COUNTERFOIL_OIDC_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "CIRCLE_OIDC_TOKEN_V2"),
    ):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> Result:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Result(code, printed.out, printed.err)

    return run


@pytest.fixture
def ledger(tmp_path: Path, foil: Foil) -> Path:
    """A fresh ledger directory."""
    where = tmp_path / "foil"
    assert foil("init", where, "--origin", "log.example/acme").code == 0
    return where


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project of its own, so that its spool is nobody else's."""
    (tmp_path / ".counterfoil").mkdir()
    return tmp_path
