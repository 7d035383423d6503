"""`record` one event, `report` test reports: what producers call from scripts and pipelines."""

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.attach import attach
from counterfoil.cli.spooled import spooling
from counterfoil.cli.target import Target, open_target
from counterfoil.client.receipts import keep_here
from counterfoil.clock import SystemClock, format_time
from counterfoil.errors import CODES, RequestError, UnavailableError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.event import EVENT_BYTES_MAX, make_event
from counterfoil.ids import SystemRandomness, local_account, short_id

OWN_PREFIX = "dev.cdeventsx.counterfoil-"
SOURCE = "urn:counterfoil:cli"


@click.command()
@click.argument("event_type", metavar="TYPE")
@click.option(
    "--ref", "refs", multiple=True, metavar="[ROLE=]REF", help="A thing it is about; repeatable."
)
@click.option("--subject", metavar="REF", help="What it happened to; default: the first --ref.")
@click.option("--data", metavar="JSON|@FILE|-", help="The event's data; with --ref a JSON object.")
@click.option(
    "--id",
    "event_id",
    metavar="ID",
    help="Idempotency key; the same id and content is recorded once.",
)
@click.option("--source", default=SOURCE, show_default=True, metavar="URI", help="Who says so.")
@click.option("--time", "when", metavar="RFC3339", help="When it happened; default: now.")
@click.option(
    "--by", "authid", metavar="ACCOUNT", help="Who did it; default: you, as this machine knows you."
)
@click.option("--by-kind", "authtype", default="user", show_default=True,
              type=click.Choice(["user", "app_user", "service_account", "api_key", "system"]))  # fmt: skip
@click.option("--attach", "files", multiple=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False),
              help="Keep this file as evidence and name it; repeatable.")  # fmt: skip
@click.option("--receipt", "receipt_file", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the receipt to this file (.tlog-proof).")  # fmt: skip
@output.where_options
def record(
    *, event_type: str, refs: tuple[str, ...], subject: str | None, data: str | None,
    event_id: str | None, source: str, when: str | None, authid: str | None, authtype: str,
    files: tuple[Path, ...], receipt_file: Path | None, url: str | None, directory: Path | None,
    project: str, as_json: bool,
) -> int:  # fmt: skip
    """Record one event of TYPE and print its entry number.

    TYPE is any CloudEvents type.  Short names such as `approval.requested` stand for
    dev.cdeventsx.counterfoil-approval.requested.0.1.0.
    """
    # An empty value is handed on and refused: what it stands for was not said, and a name of ours
    # in its place would say something else.
    named = [_named(ref) for ref in refs]
    value = _read_data(data) if data is not None else None
    if subject is None and named:
        subject = named[0][0]
    if (named or files) and value is not None and not isinstance(value, dict):
        raise RequestError(
            "usage", "with --ref or --attach, --data must be a JSON object: they stand in it"
        )
    made = partial(
        make_event,
        type=_full_type(event_type),
        source=source,
        id=short_id(SystemRandomness(), 24) if event_id is None else event_id,
        time=format_time(SystemClock().now()) if when is None else when,
        authtype=authtype,
        authid=local_account() if authid is None else authid,
        subject=subject,
        refs=named,
        data=value,
    )
    event = made()  # refused here, before any file is sent
    # Files cannot wait in a spool: with them, only the ledger itself will do.
    kept_in = None if files else directory
    with spooling(kept_in, project, event), open_target(directory, url, project) as target:
        if files:
            event = made(blobs=[attach(target, file) for file in files])
        [answer] = target.record([event])
    _keep([answer], [event.canonical])
    if receipt_file:
        _write_file(receipt_file, str(answer["receipt"]).encode())
    if as_json:
        output.show_json(answer)
    else:
        word = "recorded before as" if answer["status"] == "duplicate" else "recorded as"
        click.echo(f"{word} entry {answer['index']}: {event.type}")
    return output.YES


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--run",
    metavar="REF",
    help="The run these results belong to; default: from the file's content.",
)
@click.option("--commit", metavar="OWNER/REPO@HEX", help="The commit under test.")
@click.option("--environment", metavar="NAME", help="Where the tests ran.")
@click.option("--name", help="What to call the run.")
@click.option("--allow-empty", is_flag=True, help="A report without tests is not an error.")
@click.option(
    "--fail-on", type=click.Choice(["failed"]), help="Exit 1 when a recorded test failed."
)
@click.option("--receipts", "receipts_dir", type=click.Path(path_type=Path, file_okay=False),
              help="Keep one receipt per record in this folder.")  # fmt: skip
@output.where_options
def report(
    *, files: tuple[Path, ...], run: str | None, commit: str | None, environment: str | None,
    name: str | None, allow_empty: bool, fail_on: str | None, receipts_dir: Path | None,
    url: str | None, directory: Path | None, project: str, as_json: bool,
) -> int:  # fmt: skip
    """Record the test reports in FILES (JUnit XML)."""
    words = {
        "run": run, "commit": commit, "environment": environment, "name": name,
        "allow_empty": "true" if allow_empty else None,
    }  # fmt: skip
    for word, value in words.items():
        if value == "":
            raise RequestError("usage", f"--{word} is empty; say it, or leave it out")
    query = {word: value for word, value in words.items() if value}
    if receipts_dir is not None:
        _make_folder(receipts_dir)
    with open_target(directory, url, project) as target:
        results = [_report_one(target, file, query, receipts_dir) for file in files]
    if as_json:
        output.show_json({"reports": results})
    else:
        _show_reports(results)
    _warn_refused(results)
    return _report_exit(results, fail_on)


def _report_one(
    target: Target, file: Path, query: dict[str, str], receipts_dir: Path | None
) -> dict[str, Any]:
    """Record one file; a refusal becomes its result, so that the other files are still tried."""
    try:
        content = file.read_bytes()
    except OSError as error:
        return {
            "file": str(file),
            "error": {"code": "file_unreadable", "detail": f"{error.strerror}; check the path"},
        }  # fmt: skip
    try:
        answer = target.report(content, {"name": output.plain(file.stem), **query})
    except (RequestError, UnavailableError) as error:
        detail = {"code": error.code, "detail": error.message, **error.facts}
        return {"file": str(file), "error": detail}
    _keep(answer["entries"])
    if receipts_dir is not None:
        for entry in answer["entries"]:
            path = receipts_dir / f"{entry['index']}.tlog-proof"
            _write_file(path, str(entry["receipt"]).encode())
    return {"file": str(file), **answer}


def _keep(answers: list[dict[str, Any]], events: list[bytes] | None = None) -> None:
    """Check and keep the receipts; a disk that takes none is said, and no reason to fail."""
    if why := keep_here(answers, events):
        click.echo(output.plain(f"counterfoil: the receipt is not kept: {why}"), err=True)


def _show_reports(results: Iterable[dict[str, Any]]) -> None:
    for result in results:
        if "error" in result:
            continue
        counts = ", ".join(
            f"{number} {word}" for word, number in result["counts"].items() if number
        )
        entries = result["entries"]
        recorded = sum(entry["status"] == "recorded" for entry in entries)
        span = (
            f"entries {entries[0]['index']} to {entries[-1]['index']}" if entries else "no entries"
        )
        click.echo(output.plain(
            f"{result['file']}: {counts or 'no tests'}; {recorded} of {len(entries)} recorded as {span}, run {result['run']}"
        ))  # fmt: skip
        for warning in result["warnings"]:
            click.echo(output.plain(f"  note: {warning}"))


def _warn_refused(results: Iterable[dict[str, Any]]) -> None:
    """Say one line a refused file on stderr, whatever stdout is for."""
    for result in results:
        if "error" in result:
            error = result["error"]
            said = output.plain(f"{result['file']}: {error['detail']} [{error['code']}]")
            click.echo(f"counterfoil: {said}", err=True)


def _report_exit(results: list[dict[str, Any]], fail_on: str | None) -> int:
    refused = [result["error"] for result in results if "error" in result]
    if refused and len(refused) < len(results):
        return output.PARTLY
    if refused:
        again = all(
            error["code"] == "file_unreadable" or CODES[error["code"]][0] == "unavailable"
            for error in refused
        )
        partly = any(error.get("recorded") for error in refused)
        return output.UNAVAILABLE if again else output.PARTLY if partly else output.NOTHING
    failed = any(
        result["counts"].get("failed") or result["counts"].get("error") for result in results
    )
    return output.NO if fail_on and failed else output.YES


def _full_type(text: str) -> str:
    short = text.count(".") == 1 and text.replace(".", "").replace("-", "").isalnum()
    return f"{OWN_PREFIX}{text}.0.1.0" if short else text


def _named(text: str) -> tuple[str, str]:
    """Read `[ROLE=]REF` into (ref, role); the role stands before a `=` that precedes any colon."""
    role, equals, ref = text.partition("=")
    if equals and ":" not in role:
        return ref, role
    return text, "about"


def _read_data(text: str) -> JSON:
    """Read `--data`: JSON, @FILE or - for standard input; at most what an event may hold."""
    try:
        if text == "-":
            content = sys.stdin.buffer.read(EVENT_BYTES_MAX + 1)
        elif text.startswith("@"):
            with Path(text[1:]).open("rb") as file:
                content = file.read(EVENT_BYTES_MAX + 1)
        else:
            content = text.encode()
    except OSError as error:
        raise RequestError(
            "file_unreadable", f"--data {text}: {error.strerror}; check the path"
        ) from error
    if len(content) > EVENT_BYTES_MAX:
        raise RequestError(
            "event_too_large",
            f"--data has over {EVENT_BYTES_MAX} bytes; keep large content out of events",
        )
    return canonical.read(content, "--data")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            "file_unreadable", f"--receipts {path}: {error.strerror}; nothing is recorded"
        ) from error


def _write_file(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise RequestError(
            "file_unreadable", f"{path}: {error.strerror}; the event is recorded all the same"
        ) from error
