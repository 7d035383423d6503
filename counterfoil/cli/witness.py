"""`witness`: cosign other people's logs, so that nobody can show two readers two histories."""

import json
from pathlib import Path

import click

from counterfoil.cli import output
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import SystemRandomness
from counterfoil.witness.book import Book, add_log, create_book

_DIR = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(invoke_without_command=True)
@click.option("--listen", metavar="HOST:PORT", help="Serve the witness at this address.")
@click.option("--dir", "directory", type=_DIR, help="The witness's directory.")
@click.option("--tls-cert", type=_FILE, help="Serve https.")
@click.option("--tls-key", type=_FILE, help="Its key.")
@click.option("--json", "as_json", is_flag=True, help="Say where, as JSON on one line.")
@click.pass_context
def witness(
    context: click.Context, *, listen: str | None, directory: Path | None,
    tls_cert: Path | None, tls_key: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Cosign checkpoints of other logs: the server of one witness, and its set-up."""
    if context.invoked_subcommand is not None:
        return output.YES
    if listen is None or directory is None:
        raise RequestError(
            "usage", "give --listen HOST:PORT and --dir DIR; set one up with: witness init DIR"
        )
    if (tls_cert is None) != (tls_key is None):
        raise RequestError("usage", "--tls-cert and --tls-key go together")
    from counterfoil.web.server import bind  # noqa: PLC0415  heavy, and not for setting up
    from counterfoil.witness.server import serve_witness  # noqa: PLC0415  the same

    host, port = _address(listen)
    book = Book(directory, SystemClock())
    try:
        sock = bind(host, port)
        scheme = "https" if tls_cert else "http"
        shown = f"[{host}]" if ":" in host else host
        url = f"{scheme}://{shown}:{sock.getsockname()[1]}"

        def announce() -> None:
            if as_json:
                click.echo(json.dumps({"url": url, "vkey": str(book.vkey), "logs": len(book.logs)}))
                return
            click.echo(f"witness {book.vkey.name} on {url} watches {len(book.logs)} logs")
            click.echo(f"its verifier key: {book.vkey}")

        tls = (tls_cert, tls_key) if tls_cert and tls_key else None
        serve_witness(book, sock, announce, tls=tls)
    finally:
        book.close()
    return output.YES


@witness.command()
@click.argument("directory", metavar="DIR", type=_DIR)
@click.option("--name", required=True, help="Its key name, such as witness.example/audit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def init(*, directory: Path, name: str, as_json: bool) -> int:
    """Make the key and the directory of a witness."""
    vkey = create_book(directory, name, SystemRandomness())
    if as_json:
        output.show_json({"directory": str(directory), "vkey": str(vkey)})
    else:
        click.echo(f"made witness {name} in {directory}")
        click.echo(f"its verifier key, for the logs and for trust policies: {vkey}")
        click.echo(f"let it watch a log: counterfoil witness add-log {directory} LOG.vkey")
    return output.YES


@witness.command("add-log")
@click.argument("directory", metavar="DIR", type=_DIR)
@click.argument("files", metavar="VKEY-FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add_log_verb(*, directory: Path, files: tuple[Path, ...], as_json: bool) -> int:
    """Watch the logs of these verifier keys, from the next start on."""
    keys = []
    for path in files:
        try:
            text = path.read_text("utf-8", errors="replace")
        except OSError as error:
            raise UnavailableError("storage", f"{path}: {error.strerror or error}") from error
        keys.append(add_log(directory, text))
    if as_json:
        output.show_json({"logs": [str(key) for key in keys]})
    else:
        for key in keys:
            click.echo(f"watches {key.name} from the next start on")
    return output.YES


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise RequestError("usage", f"{text[:80]!a} is no HOST:PORT to listen on")
    return host, int(port)
