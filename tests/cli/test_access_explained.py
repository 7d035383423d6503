"""`admin access explain`: the answer in words, with what counts there and what does not."""

from pathlib import Path

from tests.cli.conftest import Foil


def test_a_role_that_does_not_reach_there_is_said_in_words(foil: Foil, ledger: Path) -> None:
    def admin(*words: object) -> tuple[int, list[str]]:
        done = foil("admin", *words, "--dir", ledger)
        assert done.err == "", done.err
        return done.code, done.out.splitlines()

    admin("people", "add", "bo")
    admin("roles", "grant", "bo", "approver", "--tier", "staging", "--until", "2099-01-01")
    admin("roles", "grant", "bo", "developer")
    approver = "approver in every project, tier staging, until 2099-01-01, by entry 1 of _access"
    developer = "developer in every project, by entry 2 of _access"

    code, said = admin("access", "explain", "bo", "approve", "env:production")

    assert code == 1
    assert f"  role {developer}" in said
    assert f"  does not reach there: role {approver}" in said

    code, said = admin("access", "explain", "bo", "approve", "env:staging")

    assert f"  role {approver}" in said
    assert not [line for line in said if "does not reach there" in line]
