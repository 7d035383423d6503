"""The how-tos for CIs, done as they say: the rule is added, the job runs its lines, entries appear.

What belongs to the vendor (its agent, its runner) is answered here: with tokens signed by a local
issuer.  Installing is left out; everything else is run as it stands there.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from counterfoil.app.actions import act
from counterfoil.app.record import LOCAL
from counterfoil.policy.access import LOG
from tests.ci_tokens import ORGANIZATION, claims_of, rsa_key, sign
from tests.issuer import Issuer, issuing, send
from tests.web_server import Running, running

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
PUBLIC = "https://foil.example"
JUNIT = '<testsuite name="unit"><testcase classname="cart" name="test_total"/></testsuite>'
ASKED = "/token?api-version=2.0&audience="


@dataclass
class Shop:
    """A CI, the server its jobs record to, and where they run."""

    kind: str
    issuer: Issuer
    server: Running
    folder: Path

    @property
    def url(self) -> str:
        """The server as its jobs reach it."""
        return f"http://{self.server.host}"

    def token(self) -> str:
        """Return a token as a job gets it, by the samples' claims."""
        made = int(self.server.home.clock.now().timestamp())
        place = self.issuer.url.removeprefix("http://")
        claims = claims_of(
            self.kind, iss=self.issuer.url, aud=self.url, iat=made, nbf=made, exp=made + 300
        )
        own = {
            "github": {
                "job_workflow_ref": "acme/checkout/.github/workflows/ci.yml@refs/heads/main"
            },
            "gitlab": {
                "ci_config_ref_uri": f"{place}/acme/checkout//.gitlab-ci.yml@refs/heads/main"
            },
        }
        return sign({**claims, **own.get(self.kind, {})}, rsa_key("one")).decode()

    def run(self, script: str, **variables: str) -> None:
        """Run lines as a job does: in one shell that ends at the first that fails."""
        kept = {name: value for name, value in os.environ.items() if "COUNTERFOIL" not in name}
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-e"], input=script, capture_output=True, text=True, check=False,
            cwd=self.folder, env={**kept, "PATH": path, **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.token().rpartition(".")[2] not in done.stdout + done.stderr

    def program(self, name: str, answers: Mapping[str, str]) -> None:
        """Stand in for the vendor's program: it answers the words it knows."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        cases = "".join(
            f"  {shlex.quote(words)}) echo {shlex.quote(text)} ;;\n"
            for words, text in answers.items()
        )
        path = folder / name
        path.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}  *) exit 9 ;;\nesac\n', "utf-8")
        path.chmod(0o700)


def page(kind: str) -> str:
    return (PAGES / f"ci-{kind}.md").read_text("utf-8")


def pipeline(shop: Shop) -> Any:
    """Return the pipeline a page shows, for this server."""
    [shown] = re.findall(r"```yaml\n(.*?)```", page(shop.kind), re.DOTALL)
    return yaml.safe_load(shown.replace(PUBLIC, shop.url))


def trust(shop: Shop) -> None:
    """Add the rule as a page says, for the local issuer."""
    [shown] = re.findall(
        r"^ +(counterfoil admin trust add (?:.*\\\n)*.*)$", page(shop.kind), re.MULTILINE
    )
    words = shlex.split(shown.replace("\\\n", " "))
    place = words.index("--dir")
    del words[place : place + 2]
    if "--issuer" in words:
        place = words.index("--issuer")
        del words[place : place + 2]
    words += ["--issuer", shop.issuer.url, "--private"]
    shop.run(shlex.join(words), COUNTERFOIL_URL=shop.url, COUNTERFOIL_TOKEN=shop.server.token)


def installed(lines: list[str]) -> str:
    """Return a script without what installs."""
    kept = [line for line in lines if not line.startswith("pip install")]
    assert len(kept) == len(lines) - 1
    return "\n".join(kept)


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    kind = request.param
    path = f"/org/{ORGANIZATION}" if kind == "circleci" else ""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "unit.xml").write_text(JUNIT, "utf-8")
    with issuing(Issuer(path=path)) as issuer, running(tmp_path / "ledger") as server:
        issuer.keys = (rsa_key("one"),)
        found = Shop(kind, issuer, server, tmp_path / "job")
        trust(found)
        yield found
        # step, test, report's run: all under one session that the log knows.
        assert_recorded(found)


def assert_recorded(shop: Shop) -> None:
    """See that the job's entries are there, all under one session of this CI."""
    home = shop.server.home
    views = [home.reader.entry("default", index) for index in range(home.log.head("default").size)]
    kinds = {view.entry.type.split(".")[2] for view in views}
    opened = [home.reader.entry(LOG, index) for index in range(home.log.head(LOG).size)]
    sessions = {view.entry.subject for view in opened if "session.opened" in view.entry.type}

    assert {view.entry.recordedby for view in views} == sessions
    assert len(sessions) == 1
    assert len(views) >= 3, kinds
    listed = act(home, LOCAL, "trust-list", {}, "cli")
    assert hasattr(listed, "rules")
    assert [one.rule.kind for one in listed.rules] == [shop.kind]


@pytest.mark.parametrize("shop", ["github"], indirect=True)
def test_the_github_page_does_what_it_says(shop: Shop) -> None:
    found = pipeline(shop)
    steps = [step["run"] for step in found["jobs"]["test"]["steps"] if "run" in step]
    asked = f"{ASKED}{urllib.parse.quote(shop.url, safe='')}"
    given = json.dumps({"value": shop.token()}).encode()
    shop.issuer.instead[asked] = lambda handler: send(handler, given)

    assert found["permissions"]["id-token"] == "write"
    for step in steps:
        if not step.startswith("pip install"):
            shop.run(
                step,
                ACTIONS_ID_TOKEN_REQUEST_URL=f"{shop.issuer.url}/token?api-version=2.0",
                ACTIONS_ID_TOKEN_REQUEST_TOKEN="runner's",
                RUNNER_TEMP=str(shop.folder / "temp"),
                **found["env"],
            )
    assert (shop.folder / "temp" / ".counterfoil" / "job.key").exists()


@pytest.mark.parametrize("shop", ["gitlab"], indirect=True)
def test_the_gitlab_page_does_what_it_says(shop: Shop) -> None:
    found = pipeline(shop)
    job = found["test"]
    job_variables = {
        **found["variables"],
        "CI_PROJECT_DIR": str(shop.folder),
        "COUNTERFOIL_OIDC_TOKEN": shop.token(),
    }

    assert job["id_tokens"] == {"COUNTERFOIL_OIDC_TOKEN": {"aud": shop.url}}
    # GitLab runs the two in shells of their own.
    shop.run(installed(job["script"]), **job_variables)
    shop.run("\n".join(job["after_script"]), **job_variables)


@pytest.mark.parametrize("shop", ["buildkite"], indirect=True)
def test_the_buildkite_page_does_what_it_says(shop: Shop) -> None:
    found = pipeline(shop)
    [step] = found["steps"]
    words = f"oidc request-token --audience {shop.url} --claim organization_id,pipeline_id"
    shop.program("buildkite-agent", {words: shop.token()})

    # `$$` is how a pipeline file writes the `$` of its jobs.
    script = installed(step["commands"]).replace("$$", "$")
    shop.run(script, BUILDKITE_BUILD_CHECKOUT_PATH=str(shop.folder), **found["env"])


@pytest.mark.parametrize("shop", ["circleci"], indirect=True)
def test_the_circleci_page_does_what_it_says(shop: Shop) -> None:
    found = pipeline(shop)
    job = found["jobs"]["test"]
    words = f'run oidc get --claims {{"aud": "{shop.url}"}}'
    shop.program("circleci", {words: shop.token()})
    kept = shop.folder / "bash-env"
    kept.touch()

    for step in job["steps"]:
        if step == "checkout" or step["run"].startswith("pip install"):
            continue
        # Every step is a shell of its own, which reads $BASH_ENV first.
        shop.run(
            step["run"],
            BASH_ENV=str(kept),
            CIRCLE_WORKING_DIRECTORY=str(shop.folder),
            **job["environment"],
        )
