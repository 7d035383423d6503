"""The CSV form of a directory file: a row for each fact, its column `what` says of which kind.

Pure; every refusal has its line.
"""

import csv
from collections.abc import Iterator
from typing import Final

from counterfoil.app.directory_lines import COLUMNS, refused
from counterfoil.app.plain_yaml import Node

Cells = dict[str, Node]
_KNOWN: Final = {"what", *(column for columns in COLUMNS.values() for column in columns)}


def read_csv(content: str) -> Cells:
    """Return the rows of the CSV form as the YAML form would nest them."""
    actors: dict[str, Cells] = {}
    teams: dict[str, Cells] = {}
    roles: list[Node] = []
    below: list[tuple[int, str, Cells]] = []
    top: Cells = {"roles": Node(1, roles)}
    for line, what, cells in _rows(content):
        if what in {"actor", "team"}:
            name = _cell(cells, "handle" if what == "actor" else "team")
            into = actors if what == "actor" else teams
            if name in into:
                raise refused(line, f"{name[:80]!a} is described twice")
            if "turns" in cells:
                words = _cell(cells, "turns").split()
                cells["turns"] = Node(line, [Node(line, word) for word in words])
            into[name] = cells
        elif what == "role":
            roles.append(Node(line, dict(cells)))
        else:
            below.append((line, what, cells))
    _nest(below, actors, teams)
    for key, into in (("actors", actors), ("teams", teams)):
        top[key] = Node(1, [Node(_line_of(one), dict(one)) for one in into.values()])
    return top


def _nest(
    below: list[tuple[int, str, Cells]],
    actors: dict[str, Cells],
    teams: dict[str, Cells],
) -> None:
    """Put accounts, deputies and members with whom they belong to.

    A file with one row of a kind speaks of that kind for every actor or team it describes.
    """
    for what, key, into, by in (
        ("account", "accounts", actors, "handle"),
        ("deputy", "deputies", actors, "handle"),
        ("member", "members", teams, "team"),
    ):
        rows = [(line, cells) for line, kind, cells in below if kind == what]
        lists: dict[str, list[Node]] = {name: [] for name in into} if rows else {}
        for line, cells in rows:
            name = _cell(cells, by)
            if name not in lists:
                raise refused(line, f"no row of this file describes {name[:80]!a}")
            rest = {column: cell for column, cell in cells.items() if column != by}
            lists[name].append(Node(line, rest))
        for name, found in lists.items():
            into[name][key] = Node(_line_of(into[name]), list(found))


def _line_of(cells: Cells) -> int:
    return next(iter(cells.values())).line


def _rows(content: str) -> Iterator[tuple[int, str, Cells]]:
    """Yield (line, what it is, its cells that are not empty) of each row below the heads."""
    reader = csv.reader(
        content.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), strict=True
    )
    heads: list[str] = []
    try:
        for row in reader:
            line = reader.line_num
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if not heads:
                heads = cells
                _check_heads(line, heads)
                continue
            if len(cells) != len(heads):
                raise refused(line, f"{len(cells)} cells below {len(heads)} columns")
            found = {
                head: Node(line, cell) for head, cell in zip(heads, cells, strict=True) if cell
            }
            what = _cell(found, "what")
            if what not in COLUMNS:
                raise refused(line, f"`what` is one of {', '.join(COLUMNS)}, not {what[:40]!a}")
            del found["what"]
            for column in found:
                if column not in COLUMNS[what]:
                    raise refused(line, f"a row of {what} has no {column}")
            if not found:
                raise refused(line, "the row says nothing")
            yield line, what, found
    except csv.Error as error:
        raise refused(reader.line_num, f"no CSV: {error}") from error


def _check_heads(line: int, heads: list[str]) -> None:
    for head in heads:
        if head not in _KNOWN:
            raise refused(line, f"{head[:40]!a} is no column: {', '.join(sorted(_KNOWN))}")
        if heads.count(head) > 1:
            raise refused(line, f"the column {head} stands here twice")
    if "what" not in heads:
        raise refused(line, "the column `what` is missing: it says what each row is")


def _cell(cells: Cells, column: str) -> str:
    """Return the text of a cell, "" where it is empty."""
    node = cells.get(column)
    return node.value if node is not None and isinstance(node.value, str) else ""
