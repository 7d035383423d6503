"""`tail`: what is recorded, as it is recorded.

With a server, over its event stream, which goes on after a restart where it stopped.  With a
directory, by reading along: no lock, no server needed, and none disturbed.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from counterfoil.cli import output
from counterfoil.client.bearer import bearer
from counterfoil.client.http import Client
from counterfoil.client.live import follow
from counterfoil.errors import RequestError, UnavailableError

LINES: Final = 10
POLL_S: Final = 0.25
# name of a filter word -> the members of a line it is looked for in.
_NAMED: Final = {
    "actor": ("actor",),
    "type": ("type",),
    "ref": ("subject", "sentence"),
    "outcome": ("outcome",),
    "via": ("via",),
    "source": ("source",),
}
_ALL: Final = ("actor", "sentence", "type", "subject", "outcome", "via", "source")

Line = dict[str, Any]


@click.command()
@click.option("--since", type=click.IntRange(min=-1), metavar="ENTRY",
              help="Begin after this entry; -1 for the whole log.")  # fmt: skip
@click.option("-n", "--lines", type=click.IntRange(min=0), default=LINES, show_default=True,
              help="Without --since: begin with this many of the last entries.")  # fmt: skip
@click.option("--filter", "words", default="", metavar="WORDS",
              help="Only entries with all of these words; actor: type: ref: outcome: via: source: look in one place.")  # fmt: skip
@output.where_options
def tail(
    *, since: int | None, lines: int, words: str, url: str | None, directory: Path | None,
    project: str, as_json: bool,
) -> int:  # fmt: skip
    """Print entries as they are recorded, until Ctrl-C.

    With --json, one JSON object a line.  Survives a restart of the server: no entry is lost and
    none comes twice.
    """
    wanted = make_filter(words)
    show = _show_json if as_json else show_line
    try:
        for line in _lines(directory, url, project, since, lines):
            if wanted(line):
                show(line)
    except BrokenPipeError:
        # `tail | head`: whoever read us has enough.  Python would complain on closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return output.YES


def _lines(
    directory: Path | None, url: str | None, project: str, since: int | None, lines: int
) -> Iterator[Line]:
    if directory is not None:
        # The ledger's own code stands behind [server]; a core install reaches servers only.
        from counterfoil.app.tailing import open_tail  # noqa: PLC0415  absent from a core install

        with open_tail(directory, project) as log:
            last = max(log.size() - lines, 0) - 1 if since is None else since
            _check_reached(last, log.size())
            while True:
                for line in log.after(last):
                    last = line["index"]
                    yield line
                time.sleep(POLL_S)
    if not url:
        raise RequestError(
            "usage", "which ledger? give --dir DIR, or --url URL with COUNTERFOIL_TOKEN"
        )
    client = Client(url, bearer(url, project, os.environ), project)
    size = _size(client, project)
    last = max(size - lines, 0) - 1 if since is None else since
    _check_reached(last, size)
    yield from follow(client, last, pause=time.sleep, lost=_lost, found=_found)


def _size(client: Client, project: str) -> int:
    """Return how many entries the server's log has, by its checkpoint (C2SP tlog-checkpoint)."""
    note = client.call("GET", f"/log/{project}/checkpoint").split(b"\n")
    if len(note) < 3 or not note[1].isdigit():
        raise UnavailableError("unreachable", "the server answered without a checkpoint")
    return int(note[1])


def _check_reached(last: int, size: int) -> None:
    if last >= size:
        raise RequestError(
            "query_invalid",
            f"there is no entry {last} yet: the log has {size}; begin at an earlier",
        )


def make_filter(words: str) -> Callable[[Line], bool]:
    """Return whether a line has every one of `words`, upper and lower case alike.

    >>> red = make_filter("outcome:failed refund")
    >>> red({"outcome": "failed", "sentence": "finished test_refund"})
    True
    """
    asked = []
    for word in words.casefold().split():
        name, _, value = word.partition(":")
        asked.append((_NAMED[name], value) if value and name in _NAMED else (_ALL, word))
    return lambda line: all(_in(line, places, word) for places, word in asked)


def _in(line: Line, places: Sequence[str], word: str) -> bool:
    return any(word in _text(line.get(place)).casefold() for place in places)


def _text(value: Any) -> str:  # noqa: ANN401  a member of a JSON line
    if isinstance(value, dict):
        return str(value.get("handle", ""))
    return "" if value is None else str(value)


def show_line(line: Line) -> None:
    """Print one entry; nothing in it can act on the terminal."""
    sentence, outcome = _text(line.get("sentence")), _text(line.get("outcome"))
    said = f"{_text(line.get('actor'))} {sentence}"
    if outcome and outcome not in sentence:
        said += f" ({outcome})"
    when = output.plain(_text(line.get("recordedtime")))
    click.echo(f"{when}  {line['index']:>7}  {output.plain(said)}")


def _show_json(line: Line) -> None:
    click.echo(json.dumps(line, ensure_ascii=False))


def _lost(error: UnavailableError) -> None:
    click.echo(f"counterfoil: {output.plain(error.message)}; trying again", err=True)


def _found() -> None:
    click.echo("counterfoil: connected again; nothing was missed", err=True)
