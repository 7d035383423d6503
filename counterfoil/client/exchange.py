"""A job's own token becomes a session: nothing secret is kept in the CI's settings.

A job's token is often one fixed variable that several commands use, so the first exchange binds
it to a key pair, made here and kept in the job's folder (0600); every exchange is signed by that
key.  Whoever gets hold of the token alone gets nothing with it.

What must hold: the secret half leaves the folder never; tokens are sent over TLS, or to this
machine; a session got for one job is never used by another, though both use the same folder.

If we crash: the key is there whole or not at all; a session that was not kept is asked for again.
Source: RFC 8693 section 2; RFC 9449 section 4; RFC 8037 appendix A; docs/adr/0025.
"""

import base64
import contextlib
import hashlib
import json
import os
import stat
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from counterfoil.client import system
from counterfoil.client.address import split_address
from counterfoil.client.bearer import CIRCLECI_TOKEN, GITHUB_TOKEN, GITHUB_URL, JOB_TOKEN
from counterfoil.client.http import Client, NoRedirect
from counterfoil.clock import Clock, SystemClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import Randomness, SystemRandomness

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PATH: Final = "/v1/token/exchange"
GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
FOLDER: Final = ".counterfoil"
KEY: Final = "job.key"
# Shortly before its end a session is not begun to be used: what takes a moment would end outside.
MARGIN_S: Final = 60.0
TOKEN_MAX_BYTES: Final = 64 * 1024
# Where a CI keeps what is this job's: a folder that all its commands see, wherever they stand.
JOB_FOLDERS: Final = (
    *("COUNTERFOIL_JOB_DIR", "RUNNER_TEMP", "CI_PROJECT_DIR"),
    *("BUILDKITE_BUILD_CHECKOUT_PATH", "CIRCLE_WORKING_DIRECTORY"),
)
# No session lasts longer by far; a number beyond it is no time.
_LASTS_MAX_S: Final = 86_400 * 366
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Job:
    """What a CI gave this job.

    Attributes:
        name: what tells it from other jobs: a digest of what only it was given.
        token: its token; "" where it has to be asked for.
        ask: address and credential to ask at, both "" where the token is there.
    """

    name: str
    token: str
    ask: tuple[str, str] = ("", "")


def session(
    url: str,
    project: str,
    variables: Mapping[str, str],
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    timeout_s: float = 10.0,
) -> str:
    """Return a session's token for this job: the one that is kept, or another.

    Args:
        url: the server's address.
        project: what will be recorded into.
        variables: the environment of a job.
        clock: tells the time, if not this machine.
        randomness: makes names of proofs.
        timeout_s: how long each call may take.

    Raises:
        RequestError: `usage`, or why the server lets this job in not.
        UnavailableError: `unreachable`, or why the server cannot tell now.
    """
    parts = split_address(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise RequestError(
            "usage", f"{url} is not https: a job's token is not sent there; use https"
        )
    job, folder = find_job(variables), job_folder(variables)
    now_s = (clock or SystemClock()).now().timestamp()
    base = _base(parts)
    kept = folder / f"session-{_digest(base, project, job.name)[:16]}.json"
    if token := _read_session(kept, now_s):
        return token
    token = job.token or _ask_github(job, variables.get("COUNTERFOIL_AUDIENCE") or base, timeout_s)
    key = job_key(folder)
    proof = make_proof(
        key, base + PATH, token, randomness=randomness or SystemRandomness(), now_s=now_s
    )
    form = {"grant_type": GRANT, "subject_token": token, "subject_token_type": JWT}
    answer = Client(url, "", project, timeout_s=timeout_s).call(
        "POST",
        PATH,
        body=urllib.parse.urlencode(form).encode(),
        content_type="application/x-www-form-urlencoded",
        headers={"DPoP": proof},
    )
    got, lasts_s = _read_answer(answer, url)
    with contextlib.suppress(OSError):
        # A disk that takes nothing costs an exchange a command, and no record.
        lasting = json.dumps({"token": got, "until_s": now_s + lasts_s})
        system.write_whole(kept, lasting.encode(), sync=False)
    return got


def _base(parts: urllib.parse.SplitResult) -> str:
    """Return an address as its server calls itself: lower case, no default port, no slash."""
    default = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}{parts.path.rstrip('/')}"


def find_job(variables: Mapping[str, str]) -> Job:
    """Return what a CI gave this job: of GitLab, Buildkite and CircleCI, or of GitHub."""
    fixed = variables.get(JOB_TOKEN) or ""
    if not fixed and not variables.get(GITHUB_URL):
        fixed = variables.get(CIRCLECI_TOKEN, "")
    if fixed:
        return Job(_digest(fixed), fixed.strip())
    ask = variables.get(GITHUB_URL, ""), variables.get(GITHUB_TOKEN, "")
    return Job(_digest(*ask), "", ask)


def job_folder(variables: Mapping[str, str]) -> Path:
    """Return the folder for this job's key, made if it is not there.

    Raises:
        RequestError: `usage`: it cannot be made.
    """
    named = next((variables[name] for name in JOB_FOLDERS if variables.get(name)), "")
    folder = Path(named).expanduser() / FOLDER if named else Path.cwd() / FOLDER
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            # Recording must make no tree dirty, and nobody should check a key in.
            ignore.write_text("*\n", "utf-8")
    except OSError as error:
        raise RequestError(
            "usage",
            f"the job's key needs a folder, and {folder} cannot be made: {error.strerror};"
            " name another in COUNTERFOIL_JOB_DIR",
        ) from error
    return folder


def job_key(folder: Path) -> "Ed25519PrivateKey":
    """Return the job's key, made at first use; of several commands at once one makes it.

    Raises:
        RequestError: `usage`: what stands there is no key, or others may read it.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  heavy
        Ed25519PrivateKey,
    )

    path = folder / KEY
    try:
        if not path.exists():
            _keep_key(path, Ed25519PrivateKey.generate().private_bytes_raw())
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise RequestError(
                "usage", f"others may read {path}: the job's key is no secret; remove it"
            )
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(
            "usage", f"{path} holds no key of a job ({error}); remove it, or name another folder"
        ) from error


def _keep_key(path: Path, secret: bytes) -> None:
    # Whole or not at all, and the first one stays: a link is made only where no name is taken.
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY}-")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(secret)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def make_proof(
    key: "Ed25519PrivateKey", url: str, token: str, *, randomness: Randomness, now_s: float
) -> str:
    """Return the proof that whoever sends `token` to `url` holds `key`.

    Args:
        key: the job's.
        url: of the call, without query.
        token: the job's token.
        randomness: gives the proof its name, so that it counts once.
        now_s: seconds since 1970.

    Source: RFC 9449 section 4.2; `ath` holds the digest of the job's token.
    """
    public = base64url(key.public_key().public_bytes_raw())
    header = {
        "typ": "dpop+jwt",
        "alg": "Ed25519",
        "jwk": {"kty": "OKP", "crv": "Ed25519", "x": public},
    }
    claims = {
        "jti": base64url(randomness.token(16)),
        "htm": "POST",
        "htu": url,
        "iat": int(now_s),
        "ath": base64url(hashlib.sha256(token.encode()).digest()),
    }
    signed = ".".join(
        base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
    )
    return f"{signed}.{base64url(key.sign(signed.encode()))}"


def base64url(content: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _ask_github(job: Job, audience: str, timeout_s: float) -> str:
    """Return a token for `audience`, asked for as GitHub's runners are asked.

    Raises:
        UnavailableError: `unreachable`.
        RequestError: `usage`: no address.
    """
    url, credential = job.ask
    parts = split_address(url)
    joined = f"{url}{'&' if parts.query else '?'}audience={urllib.parse.quote(audience, safe='')}"
    request = urllib.request.Request(joined)  # noqa: S310  the scheme is checked by split_address
    request.add_header("Authorization", f"Bearer {credential}")
    request.add_header("Accept", "application/json")
    try:
        opener = urllib.request.build_opener(NoRedirect())
        with opener.open(request, timeout=timeout_s) as answer:
            value = json.loads(answer.read(TOKEN_MAX_BYTES))["value"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnavailableError(
            "unreachable",
            f"GitHub gives this job no token ({type(error).__name__}); the job needs"
            " `permissions: id-token: write`",
        ) from error
    if not isinstance(value, str) or not value:
        raise UnavailableError("unreachable", "GitHub gave this job no token; try again later")
    return value


def _read_answer(answer: bytes, url: str) -> tuple[str, float]:
    try:
        said: Any = json.loads(answer)
        token, lasts_s = said["access_token"], said["expires_in"]
    except (ValueError, LookupError, TypeError, RecursionError):
        token, lasts_s = None, None
    if not isinstance(token, str) or not token or not _is_lasting(lasts_s):
        raise UnavailableError(
            "unreachable", f"{url}: this is no answer of Counterfoil; check the address"
        )
    return token, float(lasts_s)


def _is_lasting(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _LASTS_MAX_S


def _read_session(path: Path, now_s: float) -> str:
    """Return the session that is kept, "" if none is, or it ends soon."""
    try:
        kept: Any = json.loads(path.read_bytes())
        token, until_s = kept["token"], float(kept["until_s"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return ""
    return token if isinstance(token, str) and now_s < until_s - MARGIN_S else ""


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
