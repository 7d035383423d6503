"""`push`: send what a spool still holds."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.recording import spool_folder
from counterfoil.cli.target import open_target
from counterfoil.client.bearer import bearer
from counterfoil.client.http import Client
from counterfoil.client.kept_reports import kept_reports, read_report
from counterfoil.client.push import REFUSED, Deliver, PushResult, Refused
from counterfoil.client.push import push as push_folder
from counterfoil.client.receipts import keep_here
from counterfoil.client.spool import Header, check_origin
from counterfoil.errors import EvidenceError, RequestError, UnavailableError

LOCK_WAIT_S = 5.0


@click.command()
@click.option("--spool", "folder", type=click.Path(path_type=Path, file_okay=False),
              help="The folder; default: DIR/spool, else .counterfoil/spool of this project.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
              help="A ledger directory on this machine.")  # fmt: skip
@click.option("--url", envvar="COUNTERFOIL_URL",
              help="A server's address; its token in COUNTERFOIL_TOKEN.")  # fmt: skip
def push(*, folder: Path | None, directory: Path | None, url: str | None, as_json: bool) -> int:
    """Send what a spool still holds, each record to the project its spool names."""
    where = folder or Path(spool_folder(str(directory or "")))
    if folder is not None and not folder.is_dir():
        raise RequestError("dir_missing", f"{folder} does not exist; name a spool folder")
    with _taker(directory, url, where) as deliver:
        result = push_folder(where, deliver, wait_s=LOCK_WAIT_S)
    if result.stopped is None:
        _push_reports(where, directory, url, result)
    result.waiting += len(kept_reports(where))
    if as_json:
        output.show_json(_shown(where, result))
    else:
        _say(where, result)
    return _exit(result)


@contextlib.contextmanager
def _taker(directory: Path | None, url: str | None, where: Path) -> Iterator[Deliver]:
    """Open what takes the records in: the directory's ledger, its server, or a server."""
    if directory is None:
        if not url:
            raise RequestError(
                "usage", "to which ledger? give --dir DIR, or --url URL with COUNTERFOIL_TOKEN"
            )
        yield _Sender(url, functools.partial(bearer, url, variables=os.environ), where).deliver
        return
    from counterfoil.app.home import open_home  # noqa: PLC0415  heavy, [server]
    from counterfoil.app.serving import serving_address  # noqa: PLC0415  the same
    from counterfoil.app.spool import deliver_into  # noqa: PLC0415  the same
    from counterfoil.clock import SystemClock  # noqa: PLC0415  the same
    from counterfoil.ids import SystemRandomness  # noqa: PLC0415  the same

    try:
        home = open_home(directory, SystemClock(), SystemRandomness())
    except UnavailableError as error:
        address = serving_address(directory)
        if error.code != "locked" or address is None:
            raise
        token = (directory / "admin.token").read_text("ascii").strip()
        certificate = serving_address(directory, "certificate") or ""
        yield _Sender(address, lambda _project: token, where, certificate).deliver
        return
    with home:
        yield deliver_into(home.recorder, home.log)


class _Sender:
    """Posts batches to one server."""

    def __init__(
        self, url: str, token_for: Callable[[str], str], spool: Path, certificate: str = ""
    ) -> None:
        self._url = url
        self._token_for = token_for
        self._spool = spool
        self._certificate = certificate
        self._clients: dict[tuple[str, str], Client] = {}

    def deliver(self, payloads: Sequence[bytes], header: Header) -> Sequence[Mapping[str, Any]]:
        """Post one batch to the project its spool names."""
        # Asked for every batch: a job's session may end before a long spool does.
        token = self._token_for(header.project)
        client = self._clients.get((header.project, token))
        if client is None:
            client = Client(self._url, token, header.project, certificate=self._certificate)
            self._clients[header.project, token] = client
        if header.origin is not None:
            note = client.call("GET", f"/log/{header.project}/checkpoint")
            check_origin(header, note.split(b"\n", 1)[0].decode("utf-8", "replace"))
        entries = client.post_batch(payloads)
        _keep(entries, payloads, spool=self._spool)
        return entries


def _keep(
    answers: Sequence[Mapping[str, Any]], events: Sequence[bytes] | None = None, *, spool: Path
) -> None:
    """Check and keep the receipts; a disk that takes none is said, and no reason to fail."""
    if why := keep_here(answers, events, spool=spool):
        _warn(f"receipts are not kept: {why}")


def _push_reports(
    folder: Path, directory: Path | None, url: str | None, result: PushResult
) -> None:
    """Send the reports `run` has kept; one that is refused goes into `refused/` whole."""
    for path in kept_reports(folder):
        try:
            project, query, content = read_report(path)
            with open_target(directory, url, project) as target:
                answer = target.report(content, query)
            _keep(answer["entries"], spool=folder)
        except RequestError as error:
            if not error.code.startswith("report_"):
                result.stuck[path.name] = error
                continue
            refused = folder / REFUSED
            refused.mkdir(mode=0o700, exist_ok=True)
            path.rename(refused / path.name)
            result.refused.append(Refused(path.name, error.code, error.message))
        except (UnavailableError, EvidenceError) as error:
            result.stopped = error
            return
        else:
            path.unlink()
            result.reports += 1


def _shown(folder: Path, result: PushResult) -> dict[str, Any]:
    stuck = {name: {"code": why.code, "detail": why.message} for name, why in result.stuck.items()}
    stopped = result.stopped
    return {
        "folder": str(folder),
        "recorded": result.recorded,
        "duplicate": result.duplicate,
        "refused": [dataclasses.asdict(one) for one in result.refused],
        "reports": result.reports,
        "lost_runs": result.lost,
        "dropped": result.dropped,
        "waiting": result.waiting,
        "torn": result.torn,
        "stuck": stuck,
        **({"error": {"code": stopped.code, "detail": stopped.message}} if stopped else {}),
    }


def _say(folder: Path, result: PushResult) -> None:
    taken = result.recorded + result.duplicate + result.reports
    if not (taken or result.refused or result.torn or result.stuck or result.stopped):
        click.echo(output.plain(f"nothing to send in {folder}"))
        return
    words = f"{result.recorded} recorded"
    if result.duplicate:
        words += f", {result.duplicate} recorded before"
    if result.reports:
        words += f", {result.reports} test reports"
    if result.lost:
        words += f", {result.lost} of them because a run never said how it ended"
    click.echo(output.plain(f"{folder}: {words}"))
    if result.dropped:
        click.echo(f"  note: {result.dropped} events were lost before: their producer had no room")
    for one in result.refused:
        _warn(f"refused: {one.detail} [{one.code}]; kept as {folder / REFUSED / one.file}")
    for name, why in result.torn.items():
        _warn(f"{folder / name}: {why}; what stands before it is sent, the file is left alone")
    for name, error in result.stuck.items():
        _warn(f"{folder / name}: {error.message} [{error.code}]; the file is left alone")
    if result.stopped:
        _warn(
            f"{result.stopped.message} [{result.stopped.code}]; {result.waiting} records are kept"
        )


def _warn(text: str) -> None:
    click.echo(f"counterfoil: {output.plain(text)}", err=True)


def _exit(result: PushResult) -> int:
    taken = result.recorded + result.duplicate + result.reports
    if result.stopped is not None:
        return output.exit_code(result.stopped, reading=False)
    if result.refused or result.torn:
        return output.PARTLY
    if result.stuck:
        return output.PARTLY if taken else output.NOTHING
    return output.YES
