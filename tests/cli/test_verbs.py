"""The verbs of the first journey, run as a person at a terminal would."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Foil

JUNIT = """<?xml version="1.0"?>
<testsuite name="unit" tests="3" failures="1" timestamp="2026-11-20T12:00:00">
  <testcase classname="cart" name="test_total" time="0.1"/>
  <testcase classname="cart" name="test_vat" time="0.2"><failure message="3.98 != 3.99"/></testcase>
  <testcase classname="cart" name="test_slow"><skipped/></testcase>
</testsuite>
"""


@pytest.fixture
def junit(tmp_path: Path) -> Path:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT)
    return path


def test_a_recorded_event_can_be_proved_from_its_receipt_alone(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    recorded = foil(
        "record", "approval.requested", "--ref", "release:shop@1.4.2",
        "--data", '{"for": "production"}', "--dir", ledger,
        "--receipt", tmp_path / "kept.tlog-proof",
    )  # fmt: skip
    assert (recorded.code, recorded.err) == (0, "")
    assert "recorded as entry 0" in recorded.out

    verdict = foil("verify", tmp_path / "kept.tlog-proof", "--vkey", ledger / "keys/default.vkey")

    assert verdict.code == 0
    assert "contents not compared" in verdict.out


def test_the_same_id_is_recorded_once(foil: Foil, ledger: Path) -> None:
    words = ("record", "com.example.done", "--id", "42", "--time", "2026-11-20T12:00:00Z")
    foil(*words, "--dir", ledger)
    again = foil(*words, "--dir", ledger)
    other = foil(*words, "--data", '{"x": 1}', "--dir", ledger, "--json")

    assert "recorded before as entry 0" in again.out
    assert other.code == 5
    assert other.json()["error"]["code"] == "id_conflict"
    assert other.json()["error"]["index"] == 0


def test_the_data_of_an_event_may_be_any_json(foil: Foil, ledger: Path) -> None:
    assert foil("record", "com.example.done", "--data", "[1, 2]", "--dir", ledger).code == 0


def test_a_reader_that_has_seen_enough_is_no_verdict(ledger: Path) -> None:
    """`counterfoil verify DIR | head` must not read as "no": exit 1 is an answer."""
    for target in (ledger, ledger / "nowhere"):
        words = f"{sys.executable} -m counterfoil verify {target} --json | true"
        done = subprocess.run(
            ["bash", "-c", words + "; echo ${PIPESTATUS[0]}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert int(done.stdout) in {0, 2, 141}
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


def test_a_report_gives_an_entry_a_case_and_one_for_the_run(
    foil: Foil, ledger: Path, junit: Path, tmp_path: Path
) -> None:
    result = foil("report", junit, "--commit", "acme/shop@9fceb02", "--dir", ledger,
                  "--receipts", tmp_path / "receipts", "--json")  # fmt: skip

    [report] = result.json()["reports"]
    assert result.code == 0
    assert report["counts"]["failed"] == 1
    assert [entry["index"] for entry in report["entries"]] == [0, 1, 2, 3]
    assert len(list((tmp_path / "receipts").iterdir())) == 4


def test_a_report_sent_twice_is_recorded_once(foil: Foil, ledger: Path, junit: Path) -> None:
    foil("report", junit, "--dir", ledger)
    again = foil("report", junit, "--dir", ledger)

    assert again.code == 0
    assert "0 of 4 recorded" in again.out


def test_an_undated_report_sent_twice_is_recorded_once(
    foil: Foil, ledger: Path, junit: Path
) -> None:
    """Its time is that of the first receipt, which is on record."""
    junit.write_text(JUNIT.replace(' timestamp="2026-11-20T12:00:00"', ""))
    first = foil("report", junit, "--dir", ledger)
    again = foil("report", junit, "--dir", ledger)

    assert (first.code, again.code) == (0, 0), again.err
    assert "0 of 4 recorded" in again.out


def test_fail_on_failed_turns_a_red_report_into_exit_1(
    foil: Foil, ledger: Path, junit: Path
) -> None:
    assert foil("report", junit, "--dir", ledger, "--fail-on", "failed").code == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param("", "report_empty", id="an empty file"),
        pytest.param("<html><body>502</body></html>", "report_unknown", id="an error page"),
        pytest.param("<testsuite><testcase name='a'>", "report_truncated", id="a cut file"),
        pytest.param(
            "<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite/>", "report_doctype", id="an entity bomb"
        ),
    ],
)
def test_a_report_that_is_none_records_nothing(
    foil: Foil, ledger: Path, junit: Path, content: str, code: str
) -> None:
    junit.write_text(content)
    result = foil("report", junit, "--dir", ledger)
    as_json = foil("report", junit, "--dir", ledger, "--json")

    assert result.code == 5
    assert result.err.startswith("counterfoil: ")
    assert f"[{code}]" in result.err
    assert result.err.count("\n") == 1
    assert as_json.code == 5
    assert as_json.err == result.err, "stdout is for programs; who reads along sees the same line"
    [told] = json.loads(as_json.out)["reports"]
    assert told["error"]["code"] == code
    assert foil("receipt", "0", "--dir", ledger).code == 1, "nothing was recorded"


def test_an_empty_report_may_be_recorded_as_such(foil: Foil, ledger: Path, junit: Path) -> None:
    junit.write_text('<testsuite name="none" tests="0"/>')

    assert foil("report", junit, "--dir", ledger).code == 5
    assert foil("report", junit, "--dir", ledger, "--allow-empty").code == 0


def test_one_bad_report_of_two_is_partly_recorded(
    foil: Foil, ledger: Path, junit: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_text("<html/>")
    result = foil("report", bad, junit, "--dir", ledger)

    assert result.code == 3
    assert "recorded as entries 0 to 3" in result.out


def test_an_unreadable_report_is_named(foil: Foil, ledger: Path, tmp_path: Path) -> None:
    result = foil("report", tmp_path / "nowhere.xml", "--dir", ledger)

    assert result.code == 4
    assert "nowhere.xml" in result.err


def test_a_trace_shows_steps_and_says_the_gaps(foil: Foil, ledger: Path, junit: Path) -> None:
    foil("record", "release.published", "--subject", "release:shop@1.4.2", "--ref",
         "contains=commit:acme/shop@9fceb02", "--dir", ledger)  # fmt: skip
    foil("report", junit, "--commit", "acme/shop@9fceb02", "--dir", ledger)

    result = foil("trace", "release:shop@1.4.2", "--dir", ledger)

    assert result.code == 1, "there are gaps"
    assert "Gap 1." in result.out
    assert "entry 0" in result.out


def test_a_trace_of_nothing_says_so(foil: Foil, ledger: Path) -> None:
    result = foil("trace", "release:nothing@1", "--dir", ledger, "--json")

    assert result.code == 1
    assert result.json()["steps"] == []


def test_verify_says_under_whose_key(foil: Foil, ledger: Path, junit: Path) -> None:
    foil("report", junit, "--dir", ledger)
    result = foil("verify", ledger)

    assert result.code == 0
    assert "whole under the key found in this directory" in result.out
    assert foil("verify", ledger, "--json").json()["trust"] == "self"


def test_verify_names_a_flipped_byte(foil: Foil, ledger: Path, junit: Path) -> None:
    foil("report", junit, "--dir", ledger)
    [bundle] = (ledger / "public/default/tile/entries").rglob("4")
    data = bytearray(bundle.read_bytes())
    data[100] ^= 1
    bundle.chmod(0o600)
    bundle.write_bytes(data)

    result = foil("verify", ledger)

    assert result.code == 1
    assert "tile/entries/000.p/4" in result.out


def test_rebuild_folds_everything_again(foil: Foil, ledger: Path, junit: Path) -> None:
    foil("report", junit, "--dir", ledger)

    assert foil("admin", "rebuild", "--dir", ledger, "--json").json() == {
        "rebuilt": {"default": 4, "_access": 0}
    }


def test_a_webhook_source_shows_its_secret_once(foil: Foil, ledger: Path) -> None:
    made = foil("admin", "sources", "add", "github", "--kind", "github", "--dir", ledger, "--json")
    listed = foil("admin", "sources", "list", "--dir", ledger)

    assert len(made.json()["secret"]) == 48
    assert made.json()["secret"] not in listed.out
    assert "github" in listed.out


def test_a_webhook_source_can_be_rotated_and_removed(foil: Foil, ledger: Path) -> None:
    made = foil("admin", "sources", "add", "github", "--kind", "github", "--dir", ledger, "--json")
    again = foil("admin", "sources", "rotate", "github", "--dir", ledger, "--json")
    assert made.json()["secret"] != again.json()["secret"]

    assert foil("admin", "sources", "remove", "github", "--dir", ledger).code == 0
    assert foil("admin", "sources", "remove", "github", "--dir", ledger).code == 5
    assert foil("admin", "sources", "rotate", "github", "--dir", ledger).code == 5
    assert foil("admin", "sources", "list", "--dir", ledger, "--json").json() == {"sources": []}


def test_a_sign_in_link_is_printed(foil: Foil, ledger: Path) -> None:
    result = foil("admin", "sign-in", "--dir", ledger, "--url", "https://foil.example")

    assert result.out.startswith("https://foil.example/sign-in?token=")


def test_a_sign_in_link_names_somebody_who_is_known(foil: Foil, ledger: Path) -> None:
    result = foil("admin", "sign-in", "--dir", ledger, "--url", "https://x", "--as", "nobody")

    assert "actor_unknown" in result.err
    assert "nobody is known by the handle" in result.err


def test_words_that_are_off_are_refused_in_one_line(foil: Foil, ledger: Path) -> None:
    for words in (
        ("record", "x", "--ref", "no colon", "--dir", ledger),
        ("record", "x", "--data", "{", "--dir", ledger),
        ("record", "x", "--data", '{"a": NaN}', "--dir", ledger),
        ("record", "x", "--data", '{"a": 1, "a": 2}', "--dir", ledger),
        ("record", "x", "--data", "[1]", "--ref", "run:1", "--dir", ledger),
        ("record", "x", "--data", "@/dev/zero", "--dir", ledger),
        ("record", "x", "--time", "yesterday", "--dir", ledger),
        ("record", "x", "--dir", ledger / "nowhere"),
        ("record", "x", "--dir", ledger.parent),
        ("record", "x"),
        ("record", "x", "--url", "ftp://foil.example"),
        ("record", "x", "--project", "Nobody", "--dir", ledger),
        ("frobnicate",),
        ("record",),
        ("serve", "--dir", ledger / "nowhere"),
        ("serve",),
        ("init", ledger),
        ("verify", ledger / "nowhere"),
        ("verify", ledger.parent),
        ("trace", "no colon", "--dir", ledger),
        ("receipt", "0", "--dir", ledger, "--project", "Nobody"),
    ):
        result = foil(*words)
        usage = words[0] != "record" or ledger not in words or "--project" in words
        assert result.code == (2 if usage or "[usage]" in result.err else 5), words
        assert result.err.count("\n") == 1, words
        assert result.err.startswith("counterfoil: "), words
    assert foil("receipt", "0", "--dir", ledger).code == 1, "nothing was recorded"


def test_no_answer_from_a_server_is_worth_another_try(foil: Foil) -> None:
    result = foil("record", "x", "--url", "http://127.0.0.1:9", "--json")

    assert result.code == 4
    assert result.json()["error"]["code"] == "unreachable"


def test_a_read_only_disk_is_named_and_nothing_changes(ledger: Path) -> None:
    """As on a full or failing disk that the kernel has remounted."""
    script = (
        f"mount --bind {ledger} {ledger} && mount -o remount,ro,bind {ledger} && "
        f"exec {sys.executable} -m counterfoil record x --dir {ledger}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr:
        pytest.skip(f"this machine gives no mount namespace: {done.stderr.strip()}")

    assert done.returncode == 4, done.stderr
    assert "[read_only]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_verb_helps_and_help_stays_light() -> None:
    """`--help` must not import the server: it runs in other people's shells all day."""
    probe = (
        "import sys; from counterfoil.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'starlette', 'sqlalchemy', 'uvicorn', 'jinja2', 'rich', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "verify" in done.stdout
