"""A ledger in which one person's words stand everywhere they can, and where they are looked for."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from counterfoil.app import intake
from counterfoil.app.acting_erasing import Erased
from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.intake import ReportOptions
from counterfoil.app.opening import show_parts
from counterfoil.app.record import LOCAL
from counterfoil.events import sealing
from counterfoil.events.entry import read_entry
from counterfoil.events.event import Event, make_event
from counterfoil.ids import SeededRandomness
from counterfoil.policy.access import ANONYMOUS
from counterfoil.stores.blobs import BlobFiles
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import SavedSearch

LOGIN = "zebulonqx"
NAME = "Žofie Zebulonová"
ACCOUNT = f"github.com:{LOGIN}"
OTHER = "github.com:bo-dev"
SECRET = b"It's a Secret to Everybody"
REASON = "asked for by the person it is about"
REQUEST = "DSR-2026-017"


def note(number: int, authid: str, data: dict[str, Any]) -> Event:
    """Return an event of a type nobody knows."""
    return make_event(
        type="com.example.note", source="urn:example:notes", id=f"note-{number}",
        time="2026-11-20T12:00:00Z", authtype="user", authid=authid, data=data,
    )  # fmt: skip


def tell(home: Home, *, files: bool = True) -> None:
    """Record the person's words in every place that keeps any."""
    act(home, LOCAL, "actor-describe", {"handle": "ana-dev", "name": "Ana Dev"}, "cli")
    act(home, LOCAL, "actor-describe", {"handle": LOGIN, "name": NAME}, "cli")
    for account in (ACCOUNT, f"mail:{LOGIN}@acme.example"):
        act(home, LOCAL, "account-link", {"handle": LOGIN, "account": account}, "cli")
    act(home, LOCAL, "invite", {"handle": LOGIN}, "cli")
    raw = home.recorder.put_blob(f"seen by {NAME}\n".encode(), "seen.txt", "text/plain")
    events = [
        note(0, ACCOUNT, {"said": "nothing"}),
        note(1, OTHER, {"text": f"{LOGIN} asked for it, and {NAME} got it"}),
        note(2, OTHER, {"n": 1, "refs": [{"ref": f"actor:{ACCOUNT}", "role": "author"}]}),
        note(3, OTHER, {"blobs": [_blob(raw)], "n": 3}),
        note(4, OTHER, {"mail": f"{LOGIN}@acme.example", "n": 4, "personal": ["/mail"]}),
        note(5, OTHER, {"text": "of nobody"}),
    ]
    home.recorder.record("default", events, LOCAL, "cli")
    failed = f'<failure message="as {LOGIN}">{NAME}</failure>'
    case = f'<testcase classname="cart" name="adds">{failed}</testcase>'
    report = f'<testsuite name="shop">{case}</testsuite>'
    intake.report(home, "default", report.encode(), ReportOptions(), LOCAL, "cli")
    ping = json.dumps({"zen": NAME, "repository": {"full_name": "acme/shop"}}).encode()
    home.state.add_webhook_source("shop", "github", "default", SECRET)
    headers = {
        "content-type": "application/json",
        "x-github-event": "ping",
        "x-github-delivery": "d1",
        "x-hub-signature-256": "sha256=" + hmac.new(SECRET, ping, hashlib.sha256).hexdigest(),
    }
    intake.webhook(home, "shop", headers, ping, ANONYMOUS)
    home.state.save_search(LOGIN, "default", SavedSearch("mine", f'actor:"{LOGIN}"', "2026-11-20"))
    if files:
        refused = home.directory / "spool" / "refused"
        refused.mkdir(parents=True, exist_ok=True)
        (refused / "one.json").write_text(json.dumps({"authid": ACCOUNT, "name": NAME}), "ascii")
        (home.directory / "spool" / "kept.report").write_text(f"<a by='{LOGIN}'/>", "utf-8")
    settle(home)


def settle(home: Home) -> None:
    """Wait until the rows of pages are as far as the logs."""
    for info in home.log.projects():
        home.follower.catch_up(info.project)


def erase(home: Home, **more: Any) -> Erased:
    """Erase the person, or what `more` says."""
    given = {
        "reason": REASON,
        "request_id": REQUEST,
        **({"subject": LOGIN} if "entry" not in more else {}),
    }
    done = act(home, LOCAL, "erase", {**given, **more}, "cli")
    assert isinstance(done, Erased)
    return done


def forms(text: str) -> dict[str, bytes]:
    """Return the forms a text is looked for in."""
    utf8 = text.encode()
    found = {
        "utf-8": utf8,
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "json": json.dumps(text)[1:-1].encode(),
    }
    for skip in range(3):
        # Of the first and the last group only some bits are the text's.
        coded = base64.b64encode(bytes(skip) + utf8)
        found[f"base64 at {skip}"] = coded[4 if skip else 0 : -4]
    return found


def holding(root: Path, *texts: str) -> list[str]:
    """Return `FILE: FORM` for every file below a folder that holds a text in some form."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        found += [
            f"{path.relative_to(root)}: {form}"
            for text in texts
            for form, wanted in forms(text).items()
            if wanted in data
        ]
    return found


def opened(directory: Path, keys_of: Path) -> Iterator[bytes]:
    """Yield all that opens of one directory's log and blobs under another one's keys."""
    log = SqliteLogStore(directory / "ledger.db", write=False)
    keys = ErasableStore(keys_of / "erasable.db", SeededRandomness("none"), write=False)
    files = BlobFiles(directory / "blobs")
    try:
        for info in log.projects():
            for kept in log.kept(info.project, 0, log.head(info.project).size):
                entry = read_entry(kept.entry)
                yield kept.entry
                for part in show_parts(entry, kept, keys, info.project, personal=True):
                    yield part.plain
                for stored in kept.blobs:
                    key = keys.blob_by_stored(stored) if stored else None
                    if key is not None:
                        yield b"".join(sealing.unseal(key.key, files.read(stored)))
    finally:
        log.close()
        keys.close()


def _blob(blob: Any) -> dict[str, str]:
    return {"digest": blob.digest, "name": blob.name, "mediatype": blob.mediatype}
