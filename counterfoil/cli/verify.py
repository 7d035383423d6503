"""`verify`: the verdict on a ledger, an exported log, an archive or a receipt.

Needs no server, no account and no lock, only the core install: it reads and never writes.
"""

from pathlib import Path

import click

from counterfoil.cli import output
from counterfoil.client.evidence import verify_path

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("target", metavar="PATH|URL|FILE")
@click.option(
    "--trust",
    type=_FILE,
    metavar="POLICY",
    help="A tlog-policy: whose logs and witnesses you trust.",
)
@click.option("--vkey", type=_FILE, metavar="FILE", help="The one verifier key you trust.")
@click.option("--against", multiple=True, metavar="EVIDENCE",
              help="Compare with what was kept outside: a receipt, a checkpoint, a copy of a log"
              " or of its aggregate, a witness; a file, directory or URL; repeatable.")  # fmt: skip
@click.option("--event", type=_FILE, help="With a receipt: the event it should stand for.")
@click.option("--opening", type=_FILE, help="With --event: the opening that came with the receipt.")
@click.option("--tsa", type=_FILE, metavar="PEM",
              help="Roots of a time-stamping authority: check the stamps of a ledger.")  # fmt: skip
@click.option("--project", help="Only this project's log.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(
    *, target: str, trust: Path | None, vkey: Path | None, against: tuple[str, ...],
    event: Path | None, opening: Path | None, tsa: Path | None, project: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Say whether TARGET is whole, and under whose key.

    TARGET is a ledger directory, DIR/public/PROJECT, an http(s) log prefix, a zip or tar of a
    log, or a .tlog-proof receipt.  Exit 0 whole, 1 anything wrong, 2 not a ledger, 4 unreadable.
    """
    verdict = verify_path(
        target, trust=trust, vkey=vkey, against=against, event=event, opening=opening,
        project=project, tsa=tsa,
    )  # fmt: skip
    if as_json:
        output.show_json(verdict.to_json())
    else:
        for line in verdict.lines():
            click.echo(output.plain(line))
    return output.YES if verdict.ok else output.NO
