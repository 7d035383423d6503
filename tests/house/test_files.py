"""House rules about files: sizes, leftovers, and no file that nothing imports."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "counterfoil").rglob("*.py"))
ALL_PYTHON = SOURCES + sorted(
    path
    for folder in ("tests", "tools", "bench")
    for path in (ROOT / folder).rglob("*.py")
    if "vectors" not in path.parts
)


def _module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_no_file_is_unimported() -> None:
    """A module nothing imports is dead: delete it, or wire it in."""
    imported: set[str] = set()
    for path in SOURCES:
        imported |= _imports(path)
    for table in ("__init__", "admin"):
        text = (ROOT / "counterfoil" / "cli" / f"{table}.py").read_text("utf-8")
        imported |= {f"counterfoil.cli.{name}" for name in re.findall(r'\("(\w+)", "', text)}
    entry_points = {"counterfoil", "counterfoil.__main__", "counterfoil.cli"}
    entry_points |= {"counterfoil.pytest_plugin", "counterfoil.testing.replay"}
    packages = {_module(path) for path in SOURCES if path.name == "__init__.py"}
    # Revisions are found by their numbers; tests/stores/test_migrating.py runs each.
    revision = re.compile(r"counterfoil\.stores\.migrations\.\w+\.r\d{4}_\w+")
    numbered = {_module(path) for path in SOURCES if revision.fullmatch(_module(path))}

    unimported = {_module(path) for path in SOURCES} - imported - entry_points - packages - numbered

    assert unimported == set(), f"nothing imports {sorted(unimported)}"


@pytest.mark.parametrize("path", ALL_PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_idea(path: Path) -> None:
    """Past 500 lines a second idea has moved in: give it a file of its own."""
    assert len(path.read_text("utf-8").splitlines()) <= 500


def test_nothing_is_left_for_later() -> None:
    """What is not done is not there, or is said in the open; a marker in the code is neither."""
    marks = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
    hidden = re.compile(r"NotImplemented" + r"Error|mark\.x" + r"fail")
    left = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ALL_PYTHON
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if marks.search(line)
        # The suites that tests of the plugin run are data.
        or (hidden.search(line) and path.parent.name != "plugin")
    ]

    assert left == []


def test_vectors_name_their_source() -> None:
    """A vector without an origin cannot be argued with."""
    folders = [path for path in (ROOT / "tests" / "vectors").iterdir() if path.is_dir()]
    readme = (ROOT / "tests" / "vectors" / "README.md").read_text("utf-8")

    silent = [
        folder.name
        for folder in folders
        if folder.name not in readme
        and not any((folder / name).exists() for name in ("README.md", "ORIGIN.md", "SOURCES.md"))
    ]

    assert silent == []
