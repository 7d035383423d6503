"""`prove`: one HTML file that proves an entry, or the way of a release, to a stranger."""

import sys
from pathlib import Path

import click

from counterfoil.cli import output
from counterfoil.cli.target import open_target
from counterfoil.errors import RequestError


@click.command()
@click.argument("what", metavar="REF|entry:N")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False),
              help="Write it here instead of standard output.")  # fmt: skip
@click.option("--as-of", default="", metavar="ENTRY|TIME", help="As it was known then.")
@click.option("--with-people", is_flag=True, help="Open names and other personal values too.")
@output.where_options
def prove(
    *, what: str, file: Path | None, as_of: str, with_people: bool, url: str | None,
    directory: Path | None, project: str, as_json: bool,
) -> int:  # fmt: skip
    """Write a proof file: it opens from disk, offline, and recomputes itself.

    Personal values stay closed unless --with-people is given: a file cannot be called back.
    """
    if file is None and as_json:
        raise RequestError("usage", "--json says what was written; give -o FILE with it")
    with open_target(directory, url, project) as target:
        page = target.prove(what, as_of, with_people=with_people)
    if file is None:
        sys.stdout.buffer.write(page)
        return output.YES
    try:
        file.write_bytes(page)
    except OSError as error:
        raise RequestError("file_unreadable", f"{file}: {error.strerror}") from error
    if as_json:
        output.show_json({"file": str(file), "bytes": len(page)})
    else:
        click.echo(f"wrote {file}, {len(page):,} bytes: it opens in a browser, without network")
        key = directory / "keys" / f"{project}.vkey" if directory is not None else None
        trust = f"--vkey {key}" if key is not None and key.exists() else "--trust POLICY"
        click.echo(
            output.plain(f"check it without its own code: counterfoil verify {file} {trust}")
        )
    return output.YES
