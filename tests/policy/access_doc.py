"""The tables of docs/access.md, read: what the tests take for the expectation."""

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text("utf-8")


def table(section: str) -> list[list[str]]:
    """Return the first table of a section: its head, then its rows, without code marks."""
    body = TEXT.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\|(.+)\|$", body, flags=re.MULTILINE)
    rows = [[cell.strip().strip("`") for cell in line.split("|")] for line in lines]
    assert set("".join(rows[1])) == {"-"}
    return [rows[0], *rows[2:]]


def allowed() -> set[tuple[str, str]]:
    """Return (role, verb) of every cell that says yes."""
    head, *rows = table("What each role may do")
    cells = {
        (role, row[0]): cell for row in rows for role, cell in zip(head[1:], row[1:], strict=True)
    }
    assert set(cells.values()) == {"yes", "-"}
    return {cell for cell, said in cells.items() if said == "yes"}
