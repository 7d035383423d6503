"""docs/life-of-an-event.md names files and functions: all of them are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "life-of-an-event.md").read_text("utf-8")


def _definitions() -> set[str]:
    found: set[str] = set()
    for room in ("ledger", "stores", "app"):
        for path in (ROOT / "counterfoil" / room).glob("*.py"):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found.add(node.name)
                if isinstance(node, ast.ClassDef):
                    found |= {
                        f"{node.name}.{inner.name}"
                        for inner in node.body
                        if isinstance(inner, ast.FunctionDef)
                    }
    return found


def test_every_file_it_names_is_there() -> None:
    named = set(re.findall(r"`([a-z_/]+\.py)`", TEXT))
    missing = {
        name
        for name in named
        if not (ROOT / name).is_file() and not (ROOT / "counterfoil" / name).is_file()
    }
    assert len(named) >= 10
    assert missing == set()


def test_every_function_it_names_is_there() -> None:
    methods = set(re.findall(r"`([A-Z]\w+\.\w+)`", TEXT))
    functions = set(re.findall(r"\.py` `(\w+)`", TEXT))
    assert len(methods) >= 12
    assert methods | functions <= _definitions()


def test_its_steps_are_numbered_without_a_gap() -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. \*\*", TEXT, flags=re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
