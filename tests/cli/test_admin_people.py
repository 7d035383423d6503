"""People, accounts, teams, roles and tokens at the command line: near with the lock, far over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Foil, Result
from tests.web_server import Running, running

Admin = Callable[..., Result]

FILE = """apiVersion: counterfoil.directory/1
actors:
  - handle: ana-dev
    name: Ana Dev
    accounts: [github.com:ana-dev]
  - handle: bo-dev
    deputies: [ana-dev]
teams:
  - team: checkout
    members: [ana-dev]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("served") / "ledger") as web:
        yield web


@pytest.fixture(params=["near", "far"])
def admin(
    request: pytest.FixtureRequest, foil: Foil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Admin:
    """Run `counterfoil admin WORDS` on a fresh ledger: by its directory, or through a server."""
    if request.param == "near":
        where = tmp_path / "foil"
        assert foil("init", where).code == 0
        return lambda *words: foil("admin", *words, "--dir", where)
    web = request.getfixturevalue("fresh")
    monkeypatch.setenv("COUNTERFOIL_TOKEN", web.token)
    return lambda *words: foil("admin", *words, "--url", f"http://127.0.0.1:{web.port}")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """A server of a fresh ledger."""
    with running(tmp_path / "served") as web:
        yield web


def done(result: Result) -> str:
    assert (result.code, result.err) == (0, ""), result
    return result.out.strip()


def test_a_person_from_adding_to_removing(admin: Admin) -> None:
    assert done(admin("people", "add", "ana-dev", "--name", "Ana Dev")) == (
        "ana-dev is known as a person"
    )
    done(admin("people", "add", "fixer", "--kind", "agent", "--behalf", "ana-dev"))
    done(admin("accounts", "link", "ana-dev", "github.com:ana-dev", "--since", "2026-01-01"))
    done(admin("teams", "add", "checkout", "--title", "Checkout", "--turn", "ana-dev",
               "--turns-from", "2026-11-02", "--turn-days", "7"))  # fmt: skip
    done(admin("teams", "join", "checkout", "ana-dev"))
    done(admin("roles", "grant", "ana-dev", "approver", "--tier", "production"))

    [row] = [one.split("\t") for one in done(admin("people", "list")).splitlines()
             if one.startswith("ana-dev")]  # fmt: skip
    assert row == [
        "ana-dev",
        "person",
        "Ana Dev",
        "github.com:ana-dev",
        "team:checkout",
        "approver",
    ]
    shown = done(admin("people", "show", "ana-dev"))
    assert "github.com:ana-dev since 2026-01-01, administrator" in shown
    assert "approver, tier production" in shown
    assert "team:checkout\tCheckout\tana-dev\tana-dev" in done(admin("teams", "list"))
    assert "github.com:ana-dev\tana-dev" in done(admin("accounts", "list"))

    done(admin("people", "add", "bo-dev"))
    done(admin("deputies", "name", "ana-dev", "bo-dev", "--until", "2099-01-01"))
    assert "stands in for  ana-dev" in done(admin("people", "show", "bo-dev"))
    done(admin("deputies", "end", "ana-dev", "bo-dev"))
    done(admin("teams", "leave", "checkout", "ana-dev"))
    done(admin("teams", "remove", "checkout", "--reason", "merged"))
    done(admin("accounts", "unlink", "ana-dev", "github.com:ana-dev"))
    done(admin("people", "remove", "ana-dev", "--reason", "left"))

    assert admin("people", "show", "ana-dev").code == 1
    listed = admin("people", "list", "--removed", "--json").json()["people"]
    assert {one["handle"]: one["removed"] for one in listed} == {
        "ana-dev": True, "bo-dev": False, "fixer": False,
    }  # fmt: skip


def test_a_role_is_taken_back_by_the_name_of_its_grant(admin: Admin) -> None:
    admin("people", "add", "ana-dev")
    granted = admin("roles", "grant", "ana-dev", "tester", "--project", "default", "--json").json()

    assert granted["grant"] in done(admin("roles", "list"))
    done(admin("roles", "revoke", granted["grant"]))
    assert done(admin("roles", "list")).startswith("no role is given")


def test_a_token_is_shown_once_and_only_as_such(admin: Admin) -> None:
    made = admin("tokens", "add", "shop-ci", "--for", "default", "--days", "7")
    token = made.out.strip()
    assert token.startswith("cft_"), "standard output is the token, for a script to take"
    assert "shown this once" in made.err

    listed = done(admin("tokens", "list"))
    assert token not in listed
    assert "never used" in listed
    done(admin("tokens", "revoke", listed.split("\t")[0], "--reason", "leaked"))
    assert "revoked" in done(admin("tokens", "list"))


def test_a_directory_file_is_shown_and_then_applied(admin: Admin, tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(FILE)

    shown = done(admin("people", "import", file))
    assert "add           ana-dev  person Ana Dev" in shown
    assert "nothing is changed yet" in shown
    assert done(admin("people", "list")).startswith("nobody is known")
    digest = shown.split()[-1]

    assert done(admin("people", "import", file, "--apply", digest)).endswith("done")
    assert done(admin("people", "import", file)) == "nothing would change"
    assert "github.com:ana-dev" in done(admin("people", "list"))


def test_the_csv_form_is_known_by_the_name_of_the_file(admin: Admin, tmp_path: Path) -> None:
    file = tmp_path / "PEOPLE.CSV"
    file.write_text("what,handle,name\nactor,ana-dev,Ana Dev\n")

    compared = admin("people", "import", file, "--json").json()

    assert compared["changes"] == [{"does": "add", "who": "ana-dev", "text": "person Ana Dev"}]
    digest = compared["digest"]
    assert done(admin("people", "import", file, "--apply", digest)) == "1 add done"


def test_accounts_that_are_nobodys_are_named_and_counted(foil: Foil, ledger: Path) -> None:
    for _ in range(2):
        foil("record", "com.example.done", "--by", "github.com:zed", "--dir", ledger)

    account, acts, _last, projects = done(
        foil("admin", "accounts", "unmapped", "--dir", ledger)
    ).split("\t")

    assert (account, acts, projects) == ("github.com:zed", "2", "default")


BAD = {
    "a duplicate": (
        "actors:\n  - handle: ana\n  - handle: ana\n",
        "line 4: ana is described twice",
    ),
    "a cycle": (
        "actors:\n  - handle: ana\n    deputies: [bo]\n  - handle: bo\n    deputies: [ana]\n",
        "line 6: deputies in a circle at the same time: ana -> bo",
    ),
    "a future date": (
        "actors:\n  - handle: ana\n    accounts:\n      - {account: g:a, since: 2999-01-01}\n",
        "line 5: g:a is linked from when it is ana's; 2999-01-01 is still to come",
    ),
    "a look-alike": (
        "actors:\n  - handle: ana\n    accounts: [github.com:\u0430na]\n",
        "mixes letters of CYRILLIC and LATIN",
    ),
    "a member nobody describes": (
        "teams:\n  - team: a\n    members: [ana]\n",
        "line 4: nobody describes 'ana'",
    ),
    "an anchor": ("actors: &all []\n", "line 2: '&all []' begins with &"),
}


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_clear_line_and_changes_nothing(
    foil: Foil, ledger: Path, tmp_path: Path, content: str, why: str
) -> None:
    file = tmp_path / "people.yaml"
    file.write_text("apiVersion: counterfoil.directory/1\n" + content, "utf-8")

    refused = foil("admin", "people", "import", file, "--dir", ledger)

    assert refused.code == 5
    assert refused.out == ""
    assert why in refused.err
    assert refused.err.endswith("[directory_refused]\n")
    assert refused.err.count("\n") == 1
    assert done(foil("admin", "people", "list", "--dir", ledger)).startswith("nobody is known")


def test_a_file_that_is_none_is_said_in_one_line(foil: Foil, ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"apiVersion: x\n# \xe9\n")
    (tmp_path / "large").write_bytes(b"#" * 10_000_000)
    for name, code, why in (
        ("absent", 4, "file_unreadable"), ("latin", 5, "line 2 is not UTF-8"),
        ("large", 5, "over 3,000,000 bytes"),
    ):  # fmt: skip
        refused = foil("admin", "people", "import", tmp_path / name, "--dir", ledger)
        assert (refused.code, why in refused.err) == (code, True), refused


def test_without_a_ledger_it_says_what_is_missing(foil: Foil) -> None:
    refused = foil("admin", "people", "list")

    assert (refused.code, "give --dir DIR" in refused.err) == (2, True)


def test_a_token_without_the_verb_changes_nobody(
    foil: Foil, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{server.port}"
    monkeypatch.setenv("COUNTERFOIL_TOKEN", server.token)
    made = foil("admin", "tokens", "add", "reader", "--for", "*", "--verb", "read", "--url", url)
    monkeypatch.setenv("COUNTERFOIL_TOKEN", made.out.strip())

    for words in (
        ("people", "add", "zed"),
        ("people", "list"),
        ("roles", "grant", "zed", "tester"),
    ):
        refused = foil("admin", *words, "--url", url)
        assert (refused.code, "[not_allowed]" in refused.err) == (5, True), refused


def test_with_dir_it_goes_through_the_server_that_holds_the_lock(
    foil: Foil, server: Running
) -> None:
    done(foil("admin", "people", "add", "through-the-server", "--dir", server.directory))

    assert server.home.access.directory.by_handle("through-the-server") is not None


def test_an_invitation_is_a_link_on_standard_output(admin: Admin) -> None:
    admin("people", "add", "ana-dev")

    invited = admin("invite", "ana-dev")

    assert invited.code == 0
    assert invited.out.startswith("http")
    assert invited.out.count("\n") == 1


def test_nobody_is_signed_in_where_nobody_signed_in(admin: Admin) -> None:
    admin("people", "add", "ana-dev")

    assert done(admin("sessions", "list")) == "nobody is signed in"
    assert admin("sessions", "end").code == 2
    assert admin("sessions", "end", "session:none").code == 1
    assert admin("passkeys", "remove", "ana-dev", "none").code == 1


def test_policies_are_gone_back_from_to_a_named_set_and_to_the_built_in_one(
    admin: Admin, tmp_path: Path
) -> None:
    shown = admin("policies", "show")
    assert shown.code == 0
    for name in ("one", "two"):
        file = tmp_path / f"{name}.cedar"
        file.write_text(
            f'{shown.out}\n@id("{name}") @reason("x")\n'
            f'permit (principal in Team::"{name}", action == Action::"read", resource);\n'
        )
        assert admin("policies", "activate", file, "--reason", name).code == 0

    back = admin("policies", "rollback", "--reason", "too wide")
    again = admin("policies", "rollback")
    assert (back.code, again.code) == (0, 0)
    assert "builtin is in force again" in again.out

    digest = admin("policies", "history").out.splitlines()[-1].split()[4]
    assert f"{digest}" in admin("policies", "rollback", "--to", digest).out
    assert "builtin is in force" in admin("policies", "rollback", "--to", "builtin").out
    assert admin("policies", "rollback", "--to", "").code == 2
