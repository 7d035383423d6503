"""`init` a ledger, `serve` it, `demo` both with real data."""

import json
from pathlib import Path

import click

from counterfoil.app.config import read_config
from counterfoil.app.founding import DEFAULT_PROJECT, create_home
from counterfoil.app.home import open_home
from counterfoil.app.log_lines import set_up
from counterfoil.app.naming import check_ledger
from counterfoil.cli import output
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError
from counterfoil.garbage import not_collected
from counterfoil.ids import SystemRandomness

_DIR = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--origin", default="", help="The log's name for life, such as log.example/acme.")
@click.option("--project", default=DEFAULT_PROJECT, show_default=True,
              help="The project; on an existing ledger: one more log.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def init(*, directory: Path, origin: str, project: str, as_json: bool) -> int:
    """Create a ledger in DIR."""
    create_home(directory, SystemRandomness(), origin=origin, project=project)
    vkey = (directory / "keys" / f"{project}.vkey").read_text("ascii").strip()
    if as_json:
        output.show_json({"directory": str(directory), "project": project, "vkey": vkey})
    else:
        click.echo(f"made the log of project {project} in {directory}")
        click.echo(f"its verifier key, for everybody who will check it: {vkey}")
        click.echo(f"serve it with: counterfoil serve --dir {directory}")
    return output.YES


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
              help="The ledger directory.")  # fmt: skip
@click.option("--host", help="The address to listen on; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; default 8000.")
@click.option("--public-url", help="What links show; default http://localhost:PORT.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="Serve https.")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="Its key.")
@click.option("--workers", type=click.IntRange(0, 64), default=0, show_default=True,
              help="Processes that take events; 0: everything in one.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Say where, as JSON on one line.")
def serve(
    *, directory: Path | None, host: str | None, port: int | None, public_url: str | None,
    tls_cert: Path | None, tls_key: Path | None, workers: int, as_json: bool,
) -> int:  # fmt: skip
    """Serve a ledger: pages, API, webhooks, the log itself."""
    if directory is None:
        raise RequestError(
            "usage", "which ledger? give --dir DIR; make one with: counterfoil init DIR"
        )
    tls = (tls_cert, tls_key)
    _serve(directory, host, port, public_url, tls, as_json=as_json, workers=workers)
    return output.YES


@click.command()
@click.option("--dir", "directory", type=_DIR, default=Path(".demo"), show_default=True,
              help="Where the demo's ledger goes.")  # fmt: skip
@click.option("--build-only", "build_only", type=_DIR, metavar="DIR",
              help="Fill a ledger in DIR and exit.")  # fmt: skip
@click.option("--host", help="The address to listen on; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; default 8000.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line a fact.")
def demo(
    *, directory: Path, build_only: Path | None, host: str | None, port: int | None, as_json: bool
) -> int:
    """Fill a ledger from the real data that ships in the package, and serve it.

    A ledger that stands in the directory already is served as it is.
    """
    where = build_only or directory
    if build_only is not None or not _stands(where):
        built = _build(where)
        if as_json:
            click.echo(json.dumps(built))
        else:
            click.echo(f"filled {where}: {built['entries']:,} entries in {built['seconds']} s")
    if build_only is not None:
        return output.YES
    if not as_json:
        click.echo(f"check it without the server: counterfoil verify {where}")
        click.echo("where to look: / what is red, /runs every test run, /log every entry,")
        click.echo("  /release?ref=release:counterfoil@0.1.0 a release with its gaps")
    _serve(where, host, port, None, (None, None), as_json=as_json)
    return output.YES


def _stands(directory: Path) -> bool:
    try:
        check_ledger(directory)
    except RequestError:
        return False
    return True


def _build(directory: Path) -> dict[str, object]:
    from counterfoil.demo.build import build  # noqa: PLC0415  the samples load only when asked for

    clock = SystemClock()
    started = clock.now()
    create_home(directory, SystemRandomness())
    with open_home(directory, clock, SystemRandomness()) as home:
        build(home)
        home.follower.catch_up(DEFAULT_PROJECT)
        entries = home.log.head(DEFAULT_PROJECT).size
    seconds = round((clock.now() - started).total_seconds(), 1)
    return {"directory": str(directory), "entries": entries, "seconds": seconds}


def _serve(
    directory: Path, host: str | None, port: int | None, public_url: str | None,
    tls: tuple[Path | None, Path | None], *, as_json: bool, workers: int = 0,
) -> None:  # fmt: skip
    with not_collected():
        from counterfoil.web.server import serve as serve_web  # noqa: PLC0415  heavy

    check_ledger(directory)
    if (tls[0] is None) != (tls[1] is None):
        raise RequestError("usage", "--tls-cert and --tls-key go together")

    def announce(url: str, link: str) -> None:
        if as_json:
            click.echo(json.dumps({"directory": str(directory), "url": url, "sign_in": link}))
            return
        click.echo(f"serving {directory} on {url}; stop with Ctrl-C")
        if link:
            click.echo(f"sign in, once, within a day: {link}")

    clock, randomness = SystemClock(), SystemRandomness()
    set_up(read_config(directory).log)
    with open_home(directory, clock, randomness, follow_elsewhere=workers > 0) as home:
        server = home.config.server
        serve_web(
            home,
            host=host or server.host,
            port=server.port if port is None else port,
            public_url=public_url or server.public_url,
            tls_cert=tls[0],
            tls_key=tls[1],
            workers=workers,
            announce=announce,
        )
