"""What a run tells the record: outcomes, attempts, phases, surroundings, and nothing secret."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client.spool import read_spool
from counterfoil.events import canonical
from counterfoil.events.event import parse_event
from tests.suites import custom, environment, of_type, outcomes, run_suite, spooled

OUTCOMES = """
import pytest
def test_ok(): pass
def test_bad(): assert 1 == 2
def test_skipped(): pytest.skip("not today")
@pytest.mark.xfail(reason="known")
def test_xfailed(): assert 0
@pytest.mark.xfail(reason="surprise")
def test_xpassed(): pass
@pytest.mark.xfail(strict=True, reason="fixed?")
def test_strict(): pass
@pytest.fixture
def broken(): raise RuntimeError("no database")
def test_setup(broken): pass
@pytest.fixture
def leaking():
    yield
    raise RuntimeError("left open")
def test_teardown(leaking): pass
def test_both(leaking): assert 0, "first"
"""


def spool_of(folder: Path) -> Path:
    return folder / ".counterfoil" / "spool"


def test_every_outcome_is_told_with_its_phases(tmp_path: Path) -> None:
    ended = run_suite(tmp_path, OUTCOMES, "--counterfoil")
    assert ended.returncode == 1, ended.output
    events = spooled(spool_of(tmp_path))

    assert outcomes(events) == {
        "test_ok": ["success"],
        "test_bad": ["failure"],
        "test_skipped": ["skipped"],
        "test_xfailed": ["skipped"],
        "test_xpassed": ["success"],
        "test_strict": ["failure"],
        "test_setup": ["error"],
        "test_teardown": ["error"],
        "test_both": ["failure"],
    }
    assert custom(events, "test_xfailed")["result"] == "xfailed"
    assert custom(events, "test_xpassed")["result"] == "xpassed"
    assert custom(events, "test_strict")["result"] == "xpassed strictly"
    [finished] = of_type(events, "testsuiterun.finished")
    assert finished["data"]["customData"]["counts"] == {
        "total": 9, "passed": 2, "failed": 3, "error": 2, "skipped": 2,
    }  # fmt: skip
    assert finished["data"]["subject"]["content"]["outcome"] == "failure"


def test_a_failing_teardown_after_a_passing_call_stays_two_facts(tmp_path: Path) -> None:
    run_suite(tmp_path, OUTCOMES, "--counterfoil")
    events = spooled(spool_of(tmp_path))

    phases = {
        name: one["outcome"] for name, one in custom(events, "test_teardown")["phases"].items()
    }
    assert phases == {"setup": "passed", "call": "passed", "teardown": "failed"}
    [told] = [
        one for one in of_type(events, "finished") if one["subject"].endswith("test_teardown")
    ]
    assert told["data"]["subject"]["content"]["reason"] == "teardown: RuntimeError: left open"
    both = custom(events, "test_both")
    assert "first" in both["text"]["kept"]
    assert both["also_failed"][0]["when"] == "teardown"
    assert "left open" in both["also_failed"][0]["kept"]


def test_every_record_is_an_event_the_server_takes_numbered_without_a_hole(tmp_path: Path) -> None:
    run_suite(tmp_path, OUTCOMES, "--counterfoil")
    [path] = spool_of(tmp_path).glob("*.spool")
    events = [parse_event(canonical.read(one.payload)) for one in read_spool(path).records]

    assert [event.seq for event in events] == list(range(len(events)))
    assert len({event.id for event in events}) == len(events)
    assert {(event.producer, event.boot) for event in events} == {
        (events[0].producer, events[0].boot)
    }
    for record, event in zip(read_spool(path).records, events, strict=True):
        assert record.payload == canonical.write(event.to_json())


def test_intent_comes_before_outcome_and_the_plan_before_both(tmp_path: Path) -> None:
    run_suite(tmp_path, "def test_a(): pass\ndef test_b(): pass", "--counterfoil")
    kinds = [event["type"].split(".")[-5:-3] for event in spooled(spool_of(tmp_path))]

    words = [".".join(kind) for kind in kinds]
    assert words == [
        "testsuiterun.started", "counterfoil-run.planned",
        "testcaserun.started", "testcaserun.finished",
        "testcaserun.started", "testcaserun.finished", "testsuiterun.finished",
    ]  # fmt: skip


def test_the_plan_lists_every_test_and_comes_in_parts(tmp_path: Path) -> None:
    source = """
import pytest
@pytest.mark.parametrize("x", ["y" * 90 + str(n) for n in range(900)])
def test_it(x): pass
"""
    run_suite(tmp_path, source, "--counterfoil", "-q", "-x", "--deselect=nothing")
    planned = of_type(spooled(spool_of(tmp_path)), "run.planned")

    assert len(planned) == planned[0]["data"]["parts"] > 1
    tests = [test for event in planned for test in event["data"]["tests"]]
    assert len(tests) == len(set(tests)) == planned[0]["data"]["planned"] == 900
    assert all(len(json.dumps(event)) < 45_000 for event in planned)


def test_reruns_are_attempts_of_one_test(tmp_path: Path) -> None:
    """As pytest-rerunfailures tells them: a report whose outcome is "rerun", then more of it."""
    (tmp_path / "conftest.py").write_text(
        """
import pytest
from _pytest.runner import runtestprotocol
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in (2, 1, 0):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            if report.failed and left:
                report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
                break
            item.ihook.pytest_runtest_logreport(report=report)
        else:
            break
        item._initrequest()
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
""",
        "utf-8",
    )
    source = "seen = []\ndef test_flaky():\n    seen.append(1)\n    assert len(seen) == 3\n"
    ended = run_suite(tmp_path, source, "--counterfoil")
    assert ended.returncode == 0, ended.output
    events = spooled(spool_of(tmp_path))

    assert outcomes(events) == {"test_flaky": ["failure", "failure", "success"]}
    told = [
        (one["data"]["customData"]["attempt"], one["data"]["customData"]["final"])
        for one in of_type(events, "testcaserun.finished")
    ]
    assert told == [(1, False), (2, False), (3, True)]
    [finished] = of_type(events, "testsuiterun.finished")
    assert finished["data"]["customData"]["retries"] == 2
    assert finished["data"]["customData"]["counts"]["total"] == 1


def test_subtests_are_told_one_by_one_and_fail_the_test_they_are_in(tmp_path: Path) -> None:
    source = """
def test_outer(subtests):
    for i in range(3):
        with subtests.test("part", i=i): assert i != 1
    with subtests.test("part", i=0): pass
"""
    for options in ((), ("-p", "no:terminal")):
        folder = tmp_path / f"with{len(options)}"
        run_suite(folder, source, "--counterfoil", *options)
        assert outcomes(spooled(spool_of(folder))) == {
            "test_outer > [part] (i=0)": ["success"],
            "test_outer > [part] (i=1)": ["failure"],
            "test_outer > [part] (i=2)": ["success"],
            "test_outer > [part] (i=0)#2": ["success"],
            "test_outer": ["failure"],
        }


def test_what_cannot_be_collected_is_an_error_of_the_run(tmp_path: Path) -> None:
    ended = run_suite(tmp_path, "import nothing_of_that_name", "--counterfoil")
    assert ended.returncode == 2
    events = spooled(spool_of(tmp_path))

    [error] = of_type(events, "testcaserun.finished")
    assert error["data"]["subject"]["content"]["outcome"] == "error"
    assert "nothing_of_that_name" in error["data"]["customData"]["text"]["kept"]
    [finished] = of_type(events, "testsuiterun.finished")
    assert finished["data"]["subject"]["content"]["outcome"] == "error"


def test_parameters_markers_files_and_properties_are_kept(tmp_path: Path) -> None:
    source = """
import pytest
class Odd:
    def __repr__(self): raise ValueError("no")
@pytest.mark.slow
@pytest.mark.parametrize("x, password", [({"a": [1, 2]}, "hunter2"), (Odd(), "x" * 9000)])
def test_it(x, password, record_property, counterfoil_attach, tmp_path):
    record_property("ticket", "SHOP-42")
    (tmp_path / "shot.png").write_bytes(b"png")
    counterfoil_attach(tmp_path / "shot.png")
    counterfoil_attach(tmp_path / "absent.txt")
"""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    ended = run_suite(tmp_path, source, "--counterfoil")
    assert ended.returncode == 0, ended.output
    first, second = [
        event["data"]["customData"] for event in of_type(spooled(spool_of(tmp_path)), "case")
        if "finished" in event["type"]
    ]  # fmt: skip

    assert first["parameters"]["x"] == "{'a': [1, 2]}"
    assert second["parameters"]["x"] == "<Odd: repr raised ValueError>" or (
        "Odd" in second["parameters"]["x"]
    )
    assert first["parameters"]["password"].startswith("[redacted hmac-sha256:")
    assert first["markers"] == ["slow"]
    assert first["properties"] == [["ticket", "'SHOP-42'"]]
    shot, absent = first["artifacts"]
    assert shot["name"] == "shot.png"
    assert (shot["size_bytes"], shot["mediatype"]) == (3, "image/png")
    assert shot["digest"].startswith("sha256:")
    assert absent["problem"] == "No such file or directory"


def test_the_fixture_is_there_without_the_option(tmp_path: Path) -> None:
    source = "def test_it(counterfoil_attach): counterfoil_attach(__file__)"
    assert run_suite(tmp_path, source).returncode == 0
    assert not spool_of(tmp_path).exists()


SECRETS = [
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "AKIAABCDEFGHIJKLMNOP",
    "hunter2-correct-horse",
    "c2VjcmV0LWtleS1ib2R5LXRoYXQtaXMtbG9uZw",
]
LEAKING = f"""
import pytest, warnings, sys
@pytest.mark.parametrize("x", ["{SECRETS[0]}"])
def test_name(x):
    warnings.warn("password={SECRETS[2]}")
    print("key {SECRETS[1]}")
    print("-----BEGIN PRIVATE KEY-----\\n{SECRETS[3]}\\n-----END PRIVATE KEY-----", file=sys.stderr)
    raise RuntimeError("https://ana:{SECRETS[2]}@db.example/ failed, api_key: '{SECRETS[2]}'")
def test_declared(): assert False, "ACME-4711-{SECRETS[2]}"
"""


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\ncounterfoil_redact =\n  ACME-\\d+-\\S+\n")
    ended = run_suite(tmp_path, LEAKING, "--counterfoil", "-k", "name or declared")
    assert ended.returncode == 1
    files = [path for path in (tmp_path / ".counterfoil").rglob("*") if path.is_file()]
    assert any(path.suffix == ".spool" for path in files)
    for secret in SECRETS:
        for path in files:
            assert secret.encode() not in path.read_bytes(), (secret, path)
    text = b"".join(path.read_bytes() for path in files)
    assert text.count(b"[redacted hmac-sha256:") > 5


def test_a_pattern_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\ncounterfoil_redact = (\n")
    ended = run_suite(tmp_path, "def test_ok(): pass", "--counterfoil")
    assert ended.returncode == 4
    assert "counterfoil_redact: '(' is no regular expression" in ended.output


ODD = r"""
import pytest
BIDI = "\u202egnp.exe\u2066"
def test_message(): raise RuntimeError("\x00\x1b[31m" + BIDI + "\ud800 " + "x" * 10_000_000)
def test_print():
    print("\x07\x00" + BIDI + "y" * 200_000)
    assert b"\x00\xff" == b"\x01"
@pytest.mark.parametrize("x", [1], ids=["n" * (10 * 1024 * 1024)])
def test_long(x): pass
@pytest.mark.parametrize("x", [1], ids=[BIDI])
def test_bidi(x): pass
def test_subtest(subtests):
    with subtests.test("\x1b[2J" + "z" * 100_000): assert 0
"""


def test_whatever_tests_are_named_and_print_every_record_is_whole_and_small(tmp_path: Path) -> None:
    plain = run_suite(tmp_path / "plain", ODD, "-q", "--tb=no")
    ended = run_suite(tmp_path / "it", ODD, "-q", "--tb=no", "--counterfoil")
    assert ended.returncode == plain.returncode == 1
    [path] = spool_of(tmp_path / "it").glob("*.spool")
    records = read_spool(path).records
    events = [parse_event(canonical.read(one.payload)) for one in records]

    assert max(len(one.payload) for one in records) <= 65_536
    assert len(of_type([event.to_json() for event in events], "testcaserun.started")) == 5
    [long] = [event for event in events if "testcaserun.finished" in event.type
              and "test_long" in (event.subject or "")]  # fmt: skip
    assert long.subject is not None
    assert len(long.subject) < 500
    assert "~" in long.subject, "cut, and told apart by a digest"
    assert events[-1].type.endswith("testsuiterun.finished.0.3.0")


def test_nothing_but_the_standard_library_is_imported_until_asked_for(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        """
import sys
def pytest_unconfigure(config):
    ours = sorted(name for name in sys.modules if name.startswith("counterfoil"))
    heavy = sorted(sys.modules.keys() & {"msgspec", "cryptography", "click", "urllib.request"})
    print("MODULES", ours, heavy)
"""
    )
    blocked = [word for name in ("schemathesis", "hypothesispytest", "anyio", "xdist")
               for word in ("-p", f"no:{name}")]  # fmt: skip
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    ended = run_suite(tmp_path, "def test_ok(): pass", "-s", *blocked, env=env)
    assert "MODULES ['counterfoil', 'counterfoil.pytest_plugin'] []" in ended.output, ended.output


def test_collecting_alone_records_nothing(tmp_path: Path) -> None:
    ended = run_suite(tmp_path, "def test_ok(): pass", "--counterfoil", "--collect-only")
    assert ended.returncode == 0
    assert not spool_of(tmp_path).exists()
    run_suite(tmp_path, "def test_ok(): pass", "--counterfoil", "--no-such-option")
    assert not list(spool_of(tmp_path).glob("*.spool"))


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@y.example", *words],
        check=True, capture_output=True,
    )  # fmt: skip


def test_commit_and_whether_the_tree_is_dirty_are_recorded(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "git@github.com:acme/shop.git")
    source = "def test_ok(): pass"
    (tmp_path / "test_it.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / ".gitignore").write_text("__pycache__\n")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "it")
    env = {"GIT_CEILING_DIRECTORIES": ""}

    def opening() -> Any:
        for path in spool_of(tmp_path).glob("*.spool"):
            path.unlink()
        run_suite(tmp_path, source, "--counterfoil", env=env)
        return of_type(spooled(spool_of(tmp_path)), "testsuiterun.started")[0]["data"]

    clean = opening()
    clean_again = opening()
    head = clean["customData"]["git"]["commit"]
    assert clean["customData"]["git"]["dirty"] is False
    assert clean_again["customData"]["git"]["dirty"] is False, "our own spool makes no tree dirty"
    assert clean["refs"] == [{"ref": f"commit:acme/shop@{head}", "role": "input"}]
    assert clean["customData"]["environment"]["lock"]["name"] == "uv.lock"
    (tmp_path / "other.py").write_text("")
    dirty = opening()
    assert dirty["customData"]["git"]["dirty"] is True
    assert dirty["customData"]["git"]["dirty_digest"].startswith("sha256:")


def test_a_git_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tools / "git").chmod(0o755)
    env = {"PATH": f"{tools}:{environment()['PATH']}"}
    ended = run_suite(tmp_path / "it", "def test_ok(): pass", "--counterfoil", env=env)
    assert ended.returncode == 0
    [started] = of_type(spooled(spool_of(tmp_path / "it")), "testsuiterun.started")
    assert "git" not in started["data"]["customData"]


@pytest.mark.parametrize(
    ("env", "authid", "run", "refs"),
    [
        pytest.param(
            {
                "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop",
                "GITHUB_RUN_ID": "1874", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "unit",
                "GITHUB_SHA": "9fceb02d0ae598e95dc970b74767f19372d61af8",
                "GITHUB_ACTOR": "ana-dev",
                "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/ci.yml@refs/heads/main",
            },
            "github.com:acme/shop/.github/workflows/ci.yml", "run:acme/shop/1874/unit-2/pytest-",
            {
                ("run:acme/shop/1874", "part-of"), ("actor:github.com:ana-dev", "triggered-by"),
                ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "input"),
            },
            id="GitHub Actions",
        ),
        pytest.param(
            {
                "GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/deep/shop", "CI_PIPELINE_ID": "7",
                "CI_JOB_ID": "70", "CI_SERVER_HOST": "git.example", "GITLAB_USER_LOGIN": "ana",
                "CI_COMMIT_SHA": "9fceb02d0ae598e95dc970b74767f19372d61af8",
            },
            "git.example:acme/deep/shop", "run:acme/deep/shop/7/70/pytest-",
            {
                ("run:acme/deep/shop/7", "part-of"), ("actor:git.example:ana", "triggered-by"),
                ("commit:git.example/acme/deep/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "input"),
            },
            id="GitLab CI",
        ),
    ],
)  # fmt: skip
def test_in_ci_the_job_is_the_actor_and_names_whoever_set_it_off(
    tmp_path: Path, env: dict[str, str], authid: str, run: str, refs: set[tuple[str, str]]
) -> None:
    run_suite(tmp_path, "def test_ok(): pass", "--counterfoil", env=env)
    [started] = of_type(spooled(spool_of(tmp_path)), "testsuiterun.started")

    assert (started["authtype"], started["authid"]) == ("service_account", authid)
    assert started["subject"].startswith(run)
    assert {(one["ref"], one["role"]) for one in started["data"]["refs"]} == refs


def test_a_surrounding_step_and_a_given_name_are_believed(tmp_path: Path) -> None:
    env = {
        "COUNTERFOIL_RUN": "acme/shop/nightly-7",
        "COUNTERFOIL_PARENT_RUN": "run:step/b1",
        "COUNTERFOIL_ENVIRONMENT": "staging",
        "COUNTERFOIL_PROJECT": "other",
    }
    run_suite(tmp_path, "def test_ok(): pass", "--counterfoil", env=env)
    [started] = of_type(spooled(spool_of(tmp_path)), "testsuiterun.started")
    [path] = spool_of(tmp_path).glob("*.spool")

    assert started["subject"] == "run:acme/shop/nightly-7"
    assert started["data"]["refs"] == [
        {"ref": "run:step/b1", "role": "part-of"},
        {"ref": "env:staging", "role": "environment"},
    ]
    assert read_spool(path).header.project == "other"


def test_the_name_of_the_machine_is_nowhere_public(tmp_path: Path) -> None:
    run_suite(tmp_path, "def test_ok(): pass", "--counterfoil")
    for event in spooled(spool_of(tmp_path)):
        assert event["producer"].startswith("pytest-")
        assert len(event["producer"]) == len("pytest-") + 8


def test_python_without_the_package_of_pytest_still_imports_the_rest() -> None:
    """The core install has no pytest, and needs none."""
    program = "import sys; sys.modules['pytest'] = None; import counterfoil.client.spool"
    subprocess.run([sys.executable, "-c", program], check=True)
