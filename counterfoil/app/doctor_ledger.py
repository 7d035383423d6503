"""`admin doctor`, the ledger: who may read and change it, who signs, who outside holds us to it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from counterfoil.app.config import WitnessConfig
from counterfoil.app.cosigned import CosignedNote
from counterfoil.app.doctor_case import Case, read_state
from counterfoil.app.doctor_report import Line
from counterfoil.app.key_files import KeyFolder
from counterfoil.app.key_source import read_source
from counterfoil.app.outbound import NotFetchedError, ask
from counterfoil.app.place import real_place
from counterfoil.app.resting import chain_at_rest
from counterfoil.client.evidence_keys import KeyFiles
from counterfoil.clock import format_time
from counterfoil.errors import CounterfoilError, EvidenceError, UnavailableError
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.report import Findings

ASK_TIMEOUT_S: Final = 3.0
COSIGNED_LATE_S: Final = 2 * 3600.0
"""They are asked again every hour, whether the log grew or not."""
STAMPS_LATE: Final = 3
"""So many times the interval of the settings."""
_LATEST_S: Final = 253_402_300_799
"""The last second of the year 9999: a witness may state any."""
_TO_STAMPS: Final = "see the server's log for what the authority answers"
_COSIGNED: Final = "SELECT project, note FROM cosigned"
_DATABASES: Final = ("ledger.db", "erasable.db")
"""Those that hold what nothing else does."""
_RESTORE: Final = "restore it: docs/how-to/backup.md"
_TO_KEYS: Final = (
    "put back the key the log began with (docs/how-to/keys.md); nothing is signed without"
)


def parts(case: Case) -> Iterator[Line]:
    """Whether everything is there that a ledger cannot be without."""
    gone = [name for name in _DATABASES if not (case.directory / name).is_file()]
    for name in gone:
        yield Line("files", "fail", f"{name} is not there: nobody can go on without", _RESTORE)
    if any(log.size for log in case.logs):
        if not (case.directory / "blobs").is_dir():
            gone.append("blobs")
            what = "blobs/ is not there, and entries are: the files they speak of are gone"
            yield Line("files", "fail", what, _RESTORE)
        if not (case.directory / "public").is_dir():
            gone.append("public")
            yield Line("files", "fail", "public/ is not there, and entries are",
                       "run counterfoil fsck --repair, which makes it again, or restore it:"
                       " docs/how-to/backup.md")  # fmt: skip
    if not gone:
        yield Line("files", "ok", "every part of a ledger is there")


def modes(case: Case) -> Iterator[Line]:
    """Whether owners, modes and links are as a start asks; and who may look in from above."""
    try:
        real_place(case.directory)
    except CounterfoilError as error:
        yield Line("modes", "fail", error.message, "a server does not start like this")
        return
    yield Line("modes", "ok", "nothing in it is open to others, a link, or somebody else's")


def keys(case: Case) -> Iterator[Line]:
    """Whether every log's signing key is there, and is the one that its verifier key goes with."""
    findings = Findings()
    files = KeyFiles(case.directory, findings)
    origins = {log.project: log.origin for log in case.logs}
    if (case.directory / case.config.keys.directory / f"{AGGREGATE}.vkey").exists():
        origins[AGGREGATE] = ""
    unasked = []
    for project, origin in origins.items():
        key = files.key(project)
        if key is None:
            continue  # a finding says so
        if origin and key.name != origin:
            findings.add(
                "damaged", f"keys/{project}.vkey", f"the key of {key.name}, not of {origin}"
            )
        try:
            _compare_signers(case, project, key, findings)
        except UnavailableError as error:
            unasked.append(error.message)
    for one in findings:
        yield Line("keys", "fail", f"{one.object}: {one.message}", _TO_KEYS)
    for why in unasked:
        yield Line("keys", "warn", why, "run doctor with the environment of the service")
    if not findings and not unasked:
        count = len(origins)
        yield Line(
            "keys", "ok", f"{count} signing key{'s' if count != 1 else ''}, each its log's own"
        )


def _compare_signers(case: Case, project: str, key: VerifierKey, findings: Findings) -> None:
    """Compare a verifier key with what signs: a file, or what the settings name in its place.

    Raises:
        UnavailableError: `key_source`.
    """
    source = case.config.keys.source.get(project)
    keys = case.directory / case.config.keys.directory
    current = chain_at_rest(case.directory / "ledger.db", keys, project, key).current
    said = f"not the key of keys/{project}.vkey"
    if current != key:
        said = f"not key {current.fingerprint()[:16]}, to which the log is handed over"
    if source is not None:
        if all(one.vkey != current for one in read_source(project, source)):
            findings.add("damaged", f"the key source of log {project}", said)
        return
    name = f"keys/{project}.key"
    folder = KeyFolder(keys, project)
    try:
        signer = folder.signer()
        # A rotation that broke off left the key in force beside it, and a start goes on with that.
        held = [one.vkey for one in (signer, folder.later(), folder.earlier()) if one is not None]
    except EvidenceError:
        # The message may quote the file, and the file is a secret.
        findings.add("damaged", name, "no signer key")
        return
    if signer is None:
        findings.add("missing", name, "no signing key")
    elif current not in held:
        findings.add("damaged", name, said)


def witnesses(case: Case) -> Iterator[Line]:
    """Whether each witness answers, and how far behind what it cosigned is."""
    if not case.config.witness:
        yield Line("witnesses", "warn", "none: nobody outside could tell one history from another",
                   "name one in other hands (docs/how-to/witness.md)")  # fmt: skip
    notes = [(project, bytes(note)) for project, note in read_state(case.directory, _COSIGNED)]
    for one in case.config.witness:
        yield _reached(one)
        yield from _lags(case, one, notes)


def _reached(one: WitnessConfig) -> Line:
    try:
        # Whatever it answers: that it does is what is asked.
        ask("GET", one.url, None, {}, private=True, plain=True, timeout_s=ASK_TIMEOUT_S)
    except NotFetchedError as error:
        return Line("witnesses", "warn", f"{one.name} does not answer: {error}",
                    "tell who runs it; entries are recorded all the same")  # fmt: skip
    return Line("witnesses", "ok", f"{one.name} answers")


def _lags(case: Case, one: WitnessConfig, notes: list[tuple[str, bytes]]) -> Iterator[Line]:
    """Compare what one witness cosigned last of each log with how long the log is."""
    files = KeyFiles(case.directory, Findings())
    for log in case.logs:
        trust = files.policy(log.project)
        if trust is None or not log.size:
            continue
        found = [seen for project, note in notes if project == log.project
                 if (seen := _cosigned(note, trust, one)) is not None]  # fmt: skip
        if not found:
            yield Line("witnesses", "warn", f"{one.name} has cosigned nothing of {log.project}",
                       "give it the log's verifier key, and see Log health")  # fmt: skip
            continue
        size, at_s = max(found)
        moment = format_time(datetime.fromtimestamp(min(at_s, _LATEST_S), UTC))
        said = f"{one.name}: {log.project} up to {size:,} of {log.size:,}, {moment}"
        if size < log.size and case.age_s(moment) > COSIGNED_LATE_S:
            yield Line("witnesses", "warn", said, "see Log health for what it answers")
        else:
            yield Line("witnesses", "ok", said)


def _cosigned(note: bytes, log: Policy, one: WitnessConfig) -> tuple[int, int] | None:
    """Return the size a witness cosigned and when, POSIX seconds; None where it is not among them."""
    try:
        seen = CosignedNote.read(note, log, [one.key])
    except EvidenceError:
        return None  # no evidence, and asked for again: fsck names it
    at_s = seen.witnesses.get((one.key.name, one.key.key_id))
    return None if at_s is None else (seen.head.size, at_s)


def time_stamps(case: Case) -> Iterator[Line]:
    """When the aggregate log was stamped last, where the settings name an authority."""
    wanted = case.config.timestamp
    if not wanted.url:
        yield Line("time stamps", "ok", "the settings name no authority")
        return
    stamps = [
        path for path in (case.directory / "timestamps").glob("*.tsr") if path.stem.isdecimal()
    ]
    if not stamps:
        yield Line("time stamps", "warn", f"{wanted.url} has stamped nothing yet", _TO_STAMPS)
        return
    last = max(stamps, key=lambda path: int(path.stem))
    age_s = case.now.timestamp() - last.stat().st_mtime
    said = f"the aggregate log up to {int(last.stem):,} checkpoints, {age_s / 3600:.1f} h ago"
    grew = any(log.last and case.age_s(log.last) < age_s for log in case.logs)
    late = grew and age_s > STAMPS_LATE * wanted.interval_s
    yield Line("time stamps", "warn" if late else "ok", said, _TO_STAMPS if late else "")
