"""`admin doctor`, the server: does it answer, what may it open, how long does its certificate hold."""

import contextlib
import datetime
import re
import resource
import socket
import ssl
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from counterfoil.app.doctor_case import Case
from counterfoil.app.doctor_report import Line
from counterfoil.client.pinned import PinnedContext

CONNECT_TIMEOUT_S: Final = 3.0
FILES_LEAST: Final = 1024
FILES_WANTED: Final = 8192
"""As `web.crowd` asks for: half of them are left for files and for connections to come."""
ENDS_SOON_DAYS: Final = 21.0
ENDS_NOW_DAYS: Final = 3.0
_FILES: Final = re.compile(r"^Max open files +(\d+|unlimited) +(\d+|unlimited)", re.MULTILINE)
_CORE: Final = re.compile(r"^Max core file size +(\d+|unlimited)", re.MULTILINE)
_TO_RENEW: Final = "renew it, then: systemctl reload counterfoil, or nginx where that shows it"


def server(case: Case) -> Iterator[Line]:
    """Whether the server that says it holds the ledger runs, and takes connections."""
    if case.serving is None:
        yield Line("server", "ok", "none runs on it")
        return
    if not Path(f"/proc/{case.serving.pid}").exists() and Path("/proc/self").exists():
        yield Line("server", "warn", f"process {case.serving.pid}, which served it, has gone",
                   "start it again, and see its log for why it ended")  # fmt: skip
        return
    try:
        # As the commands of this directory do, and the timers' backups with them.
        with _connect(case.serving.url) as plain:
            if case.serving.certificate:
                PinnedContext(case.serving.certificate).wrap_socket(plain).close()
    except OSError as error:
        yield Line("server", "fail", f"{case.serving.url} does not answer: {error}",
                   "see: journalctl -u counterfoil")  # fmt: skip
        return
    yield Line("server", "ok", f"process {case.serving.pid} answers on {case.serving.url}")


def limits(case: Case) -> Iterator[Line]:
    """How many files the server may open, and whether a core of it would be written."""
    text = ""
    if case.serving is not None:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{case.serving.pid}/limits").read_text("ascii")
    found, core = _FILES.search(text), _CORE.search(text)
    whose = "the server" if found else "whoever runs this"
    hard = found[2] if found else str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    files = int(hard) if hard.isdecimal() else FILES_WANTED
    if files < FILES_LEAST:
        yield Line(
            "limits", "fail", f"{whose} may open {files} files", "LimitNOFILE=8192 in its unit"
        )
    elif files < FILES_WANTED:
        yield Line("limits", "warn", f"{whose} may open {files} files, which bounds its connections",
                   "LimitNOFILE=8192 in its unit")  # fmt: skip
    else:
        yield Line("limits", "ok", f"{whose} may open {files:,} files")
    if core is not None and core[1] != "0":
        yield Line("limits", "warn", "a core of the server may be written, with signing keys in it",
                   "LimitCORE=0 in its unit")  # fmt: skip


def certificate(case: Case) -> Iterator[Line]:
    """Until when the certificate holds that people are shown, and whether they can trust it."""
    serving = case.serving
    url = serving.public_url if serving else ""
    if not url.startswith("https://"):
        if url and not _is_here(url):
            yield Line("certificate", "warn", f"{url} is not https: nobody can sign in there",
                       "docs/how-to/install.md, 4")  # fmt: skip
        return
    name = urllib.parse.urlsplit(url).hostname or ""
    try:
        ends = _shown_until(url, name)
    except OSError as error:
        yield Line("certificate", "warn", f"{url} cannot be asked from here: {error}",
                   "look from where people are")  # fmt: skip
        return
    days = (ends - case.now).total_seconds() / 86_400
    said = f"{name} is shown until {ends:%Y-%m-%d}, {days:.0f} days"
    if days < ENDS_NOW_DAYS:
        yield Line("certificate", "fail", said, _TO_RENEW)
    elif days < ENDS_SOON_DAYS:
        yield Line("certificate", "warn", said, _TO_RENEW)
    else:
        yield Line("certificate", "ok", said)
    try:
        with _connect(url) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        yield Line("certificate", "warn", f"this machine does not trust it: {error.verify_message}",
                   "give clients what vouches for it: SSL_CERT_FILE=FILE")  # fmt: skip


def _shown_until(url: str, name: str) -> datetime.datetime:
    """Return when the certificate at an address ends, whoever vouches for it."""
    from cryptography import x509  # noqa: PLC0415  X.509 where it is asked for alone

    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE  # its end is read; nothing is sent
    with _connect(url) as plain, unchecked.wrap_socket(plain, server_hostname=name) as secured:
        shown = secured.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(shown).not_valid_after_utc


def _connect(url: str) -> socket.socket:
    parts = urllib.parse.urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return socket.create_connection((parts.hostname or "", port), CONNECT_TIMEOUT_S)


def _is_here(url: str) -> bool:
    return urllib.parse.urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
