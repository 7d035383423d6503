"""One release told well, from commit to production, and its pieces to leave out or to change."""

from tests.projections.trail import Told, told

REPO = "acme/shop"
FIRST = f"commit:{REPO}@7be01c2a{32 * '0'}"
SECOND = f"commit:{REPO}@c41d9aab{32 * '1'}"
LAST = f"commit:{REPO}@9fceb02d{32 * '2'}"
MERGE = f"commit:{REPO}@0d77a35e{32 * '3'}"
CHANGE = f"change:{REPO}#318"
ARTIFACT = "artifact:sha256:10dc" + 56 * "a" + "b7a4"
OTHER = "artifact:sha256:65da" + 56 * "b" + "d234"
BUILD = f"run:{REPO}/1874"
UNIT = f"run:{REPO}/1875"
RELEASE = "release:shop@1.4.2"
APPROVAL = "approval:AP-95"
QA, PROD = f"deployment:{REPO}/1", f"deployment:{REPO}/2"
DEV, REVIEWER, CI, LEAD = "dev-cart", "dev-pay", "ci:acme/shop", "qa-lead"


def whole() -> dict[str, Told]:
    """Return a release without a gap, by name of the step."""
    return {
        "push": told(DEV, "+commit.pushed", LAST, (CHANGE, "part-of"), minute=0),
        "propose": told(
            DEV, "change.created", CHANGE, (LAST, "contains"), (f"actor:{DEV}", "author"),
            minute=1, custom={"title": "Round VAT per line"},
        ),
        "review": told(
            REVIEWER, "change.reviewed", CHANGE, (LAST, "reviewed"),
            (f"actor:{REVIEWER}", "reviewer"), minute=24, custom={"review_state": "approved"},
        ),
        "merge": told(DEV, "change.merged", CHANGE, (LAST, "contains"), (MERGE, "merged-as"),
                      minute=66),
        "build": told(CI, "build.finished", BUILD, (MERGE, "input"), (ARTIFACT, "output"),
                      minute=70),
        "test": told(
            CI, "testsuiterun.finished", UNIT, (MERGE, "input"), (ARTIFACT, "input"),
            minute=80, outcome="success", testSuite={"id": "unit", "name": "unit"},
        ),
        "release": told(
            "release-mgr", "+release.published", RELEASE, (ARTIFACT, "contains"),
            (MERGE, "built-from"), ("actor:release-mgr", "author"), minute=90, title="1.4.2",
        ),
        "qa": told(CI, "+deployment.reported", QA, ("env:qa", "deployed-to"),
                   (RELEASE, "deploys"), (ARTIFACT, "deploys"), minute=100, state="success"),
        "ask": told("release-mgr", "+approval.requested", APPROVAL, (RELEASE, "approves"),
                    ("env:production", "target"), minute=130),
        "sign": told(LEAD, "+approval.signed", APPROVAL, (RELEASE, "approves"),
                     ("env:production", "target"), minute=151),
        "prod": told(CI, "+deployment.reported", PROD, ("env:production", "deployed-to"),
                     (RELEASE, "deploys"), (ARTIFACT, "deploys"), minute=206, state="success"),
    }  # fmt: skip


def without(*names: str) -> list[Told]:
    """Return the story without some of its steps."""
    return [one for name, one in whole().items() if name not in names]


def changed(**steps: Told) -> list[Told]:
    """Return the story with some steps told otherwise."""
    return list({**whole(), **steps}.values())
