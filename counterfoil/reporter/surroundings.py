"""Who runs these tests, on what: read once, from the environment and from git.

What a CI system says of itself in the environment is a claim; what proves it is the token the
events are sent with.  No name of a machine or a person stands in what becomes public: the
producer is a digest, and people are `actor:` refs.
"""

import contextlib
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from counterfoil.events.canonical import JSON
from counterfoil.events.refs import is_ref, safe_id
from counterfoil.ids import user_name

GIT_TIMEOUT_S: Final = 2.0
LOCK_FILES: Final = (
    "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "requirements.lock",
    "requirements.txt",
)  # fmt: skip

_REMOTE = re.compile(r"(?:[a-z+]+://)?(?:[^@/\s]+@)?(?P<host>[^:/\s]+)[:/](?:\d+/)?(?P<path>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run has around it; made of plain values, so it can be handed to workers.

    Attributes:
        authtype, authid: who runs it.
        triggered_by: the account that set it off, if that is somebody else.
        producer: a short name of the machine or CI, fit to be public.
        run: id of the run's ref, without what tells one run from the next; "" at a desk.
        parent: ref of the run it is part of.
        commit: ref of the commit under test.
        ci, git: what else is known, for the record of the run.
    """

    authtype: str
    authid: str
    triggered_by: str | None
    producer: str
    run: str
    parent: str | None
    commit: str | None
    ci: dict[str, JSON]
    git: dict[str, JSON]

    def to_plain(self) -> dict[str, Any]:
        """Return it as values any channel between processes takes."""
        return asdict(self)


def read_surroundings(environ: Mapping[str, str], folder: Path) -> Surroundings:
    """Read them.  Cost: three git processes side by side, at most 2 s together."""
    git = _git(folder)
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_REPOSITORY"):
        return _github(environ, git)
    if environ.get("GITLAB_CI") and environ.get("CI_PROJECT_PATH"):
        return _gitlab(environ, git)
    account = user_name()
    repository = git.pop("repository", None) or f"local/{safe_id(folder.name, 100)}"
    machine = hashlib.sha256(f"{platform.node()}\0{account}".encode()).hexdigest()[:8]
    return Surroundings(
        authtype="user", authid=f"local:{safe_id(account)}", triggered_by=None,
        producer=f"pytest-{machine}", run="", parent=None,
        commit=_commit(str(repository), git.get("commit")), ci={}, git=git,
    )  # fmt: skip


def environment_facts(rootdir: Path) -> dict[str, JSON]:
    """Return Python, platform and the digest of the first lock file in `rootdir`."""
    facts: dict[str, JSON] = {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
    }
    for name in LOCK_FILES:
        with contextlib.suppress(OSError):
            digest = hashlib.sha256((rootdir / name).read_bytes()).hexdigest()
            facts["lock"] = {"name": name, "digest": f"sha256:{digest}"}
            break
    return facts


def _github(environ: Mapping[str, str], git: dict[str, JSON]) -> Surroundings:
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    host = urllib.parse.urlsplit(server).hostname or "github.com"
    repository, run = environ["GITHUB_REPOSITORY"], environ.get("GITHUB_RUN_ID", "0")
    attempt, job = environ.get("GITHUB_RUN_ATTEMPT", "1"), environ.get("GITHUB_JOB", "job")
    workflow = environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0] or repository
    git.pop("repository", None)
    commit = git.get("commit") or environ.get("GITHUB_SHA")
    ci = {
        "provider": "github-actions",
        "workflow": environ.get("GITHUB_WORKFLOW"),
        "job": job,
        "attempt": int(attempt) if attempt.isdecimal() else None,
        "branch": environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME"),
        "runner": environ.get("ImageOS") or environ.get("RUNNER_OS"),
        "url": f"{server}/{repository}/actions/runs/{run}",
    }
    actor = environ.get("GITHUB_ACTOR")
    return Surroundings(
        authtype="service_account", authid=safe_id(f"{host}:{workflow}", 400),
        triggered_by=f"{host}:{safe_id(actor)}" if actor else None, producer="github-actions",
        run=f"{repository}/{run}/{job}-{attempt}", parent=_ref("run", f"{repository}/{run}"),
        commit=_commit(repository, commit), ci=_stated(ci), git=git,
    )  # fmt: skip


def _gitlab(environ: Mapping[str, str], git: dict[str, JSON]) -> Surroundings:
    host = environ.get("CI_SERVER_HOST", "gitlab.com")
    project, pipeline = environ["CI_PROJECT_PATH"], environ.get("CI_PIPELINE_ID", "0")
    repository = f"{host}/{project}"
    git.pop("repository", None)
    ci = {
        "provider": "gitlab-ci",
        "job": environ.get("CI_JOB_NAME"),
        "branch": environ.get("CI_COMMIT_REF_NAME"),
        "runner": environ.get("CI_RUNNER_EXECUTABLE_ARCH"),
        "url": environ.get("CI_JOB_URL"),
    }
    actor = environ.get("GITLAB_USER_LOGIN")
    return Surroundings(
        authtype="service_account", authid=safe_id(f"{host}:{project}", 400),
        triggered_by=f"{host}:{safe_id(actor)}" if actor else None, producer="gitlab-ci",
        run=f"{project}/{pipeline}/{environ.get('CI_JOB_ID', '0')}",
        parent=_ref("run", f"{project}/{pipeline}"),
        commit=_commit(repository, git.get("commit") or environ.get("CI_COMMIT_SHA")),
        ci=_stated(ci), git=git,
    )  # fmt: skip


def _git(folder: Path) -> dict[str, JSON]:
    """Ask git what is checked out; what it does not say in time is left out."""
    give_up = time.monotonic() + GIT_TIMEOUT_S
    head = _start(folder, "rev-parse", "HEAD", "HEAD^{tree}")
    status = _start(folder, "status", "--porcelain")
    remote = _start(folder, "remote", "get-url", "origin")
    facts: dict[str, JSON] = {}
    words = (_output(head, give_up) or b"").split()
    if len(words) == 2:
        facts["commit"], facts["tree"] = words[0].decode(), words[1].decode()
    changed = _output(status, give_up)
    if changed is not None:
        facts["dirty"] = bool(changed)
        if changed:
            facts["dirty_digest"] = f"sha256:{hashlib.sha256(changed).hexdigest()}"
    address = _output(remote, give_up)
    if address and (repository := _repository(address.decode("utf-8", "replace").strip())):
        facts["repository"] = repository
    return facts


def _repository(address: str) -> str | None:
    """Return [HOST/]OWNER/REPO of a remote; github.com is left out, as its webhooks do.

    >>> _repository("git@github.com:acme/shop.git"), _repository("https://git.example/a/b/c")
    ('acme/shop', 'git.example/a/b/c')
    """
    found = _REMOTE.fullmatch(address)
    if found is None or "/" not in found["path"].strip("/"):
        return None
    path = found["path"].strip("/").removesuffix(".git")
    return path if found["host"] == "github.com" else f"{found['host']}/{path}"


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603  fixed words
            ["git", "-C", str(folder), *words],  # noqa: S607  the user's own git
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except OSError:
        return None


def _output(process: subprocess.Popen[bytes] | None, give_up: float) -> bytes | None:
    if process is None:
        return None
    try:
        found, _ = process.communicate(timeout=max(0.0, give_up - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return found if process.returncode == 0 else None


def _commit(repository: str, sha: JSON) -> str | None:
    return _ref("commit", f"{repository}@{sha}") if isinstance(sha, str) else None


def _ref(kind: str, ident: str) -> str | None:
    ref = f"{kind}:{ident}"
    return ref if is_ref(ref) else None


def _stated(facts: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        name: safe_id(value, 300) if isinstance(value, str) else value
        for name, value in facts.items()
        if value
    }


def packages(found: Sequence[tuple[str, str]]) -> list[JSON]:
    """Return plug-ins as `NAME VERSION`, sorted, at most 50."""
    return [*sorted({f"{name} {version}"[:100] for name, version in found})[:50]]
