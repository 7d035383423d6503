"""What `trace` prints of things that are unknown, late, or made for the demonstration."""

from pathlib import Path

from tests.cli.conftest import Foil

RELEASE = "release:shop@1.4.2"
PUBLISHED = "dev.cdeventsx.counterfoil-release.published.0.1.0"


def test_a_thing_nobody_named_is_not_said_to_have_no_gaps(foil: Foil, ledger: Path) -> None:
    result = foil("trace", "release:nothing@1", "--dir", ledger)

    assert result.code == 1
    assert result.out == "nothing is on record about release:nothing@1\n"


def test_a_step_recorded_late_says_both_times_and_demo_data_says_that_it_is(
    foil: Foil, ledger: Path
) -> None:
    foil("record", PUBLISHED, "--subject", RELEASE, "--time", "2020-01-01T00:00:00Z",
         "--source", "urn:counterfoil:demo/git", "--dir", ledger)  # fmt: skip

    shown = foil("trace", RELEASE, "--dir", ledger).out

    [step] = [row for row in shown.splitlines() if "\t" in row]
    assert step.startswith("2020-01-01T00:00:00Z (recorded 20")
    assert "published shop@1.4.2 (made for the demo)\t" in step
    [gap] = [row for row in shown.splitlines() if "Gap 1." in row]
    assert "(made for the demo)" in gap


def test_a_step_recorded_at_once_says_one_time(foil: Foil, ledger: Path) -> None:
    foil("record", PUBLISHED, "--subject", RELEASE, "--dir", ledger)

    shown = foil("trace", RELEASE, "--dir", ledger).out

    assert "recorded 20" not in shown
    assert "made for the demo" not in shown
