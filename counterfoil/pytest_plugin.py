"""The pytest plugin: `pytest --counterfoil` records its run.

Loaded into every pytest of an environment that has Counterfoil installed, so nothing but the
standard library is imported, and nothing done, until the option is given.  docs/how-to/pytest.md.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

ATTACHED = "counterfoil.artifact"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--counterfoil`, and the setting `counterfoil_redact`."""
    group = parser.getgroup("counterfoil", "recording who ran which tests, on what")
    group.addoption(
        "--counterfoil",
        nargs="?",
        const="on",
        default="off",
        choices=("on", "off", "strict"),
        help="record this run: to COUNTERFOIL_URL, or into COUNTERFOIL_DIR/spool, or into"
        " .counterfoil/spool; 'strict' fails rather than run unrecorded",
    )
    parser.addini(
        "counterfoil_redact",
        "regular expressions of what must not be recorded, one a line",
        type="linelist",
        default=[],
    )


@pytest.hookimpl(trylast=True)  # after xdist has said whether it is at work
def pytest_configure(config: pytest.Config) -> None:
    """Begin to record, if that is asked for."""
    option = config.getoption("counterfoil")
    if option == "off" or config.getoption("collectonly", default=False):
        return
    from counterfoil.reporter.begin import begin  # noqa: PLC0415  only now may it cost anything

    begin(config, strict=option == "strict")


@pytest.fixture
def counterfoil_attach(record_property: Callable[[str, object], None]) -> Callable[[Path], None]:
    """Return a function that names a file this test made: by digest, with the test's record."""

    def attach(path: Path) -> None:
        from counterfoil.reporter.artifacts import describe  # noqa: PLC0415  the same

        record_property(ATTACHED, describe(Path(path)))

    return attach
