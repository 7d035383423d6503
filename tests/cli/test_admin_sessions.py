"""`admin invite`, `admin sessions`, `admin passkeys`, on a directory that nobody serves."""

from pathlib import Path

from counterfoil.app.home import open_home
from counterfoil.app.last_key import WARNING
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from tests.cli.conftest import Foil


def person(foil: Foil, ledger: Path, handle: str) -> None:
    assert foil("admin", "people", "add", handle, "--dir", ledger).code == 0


def test_an_invitation_is_a_link_that_is_printed_alone(foil: Foil, ledger: Path) -> None:
    """So that it can be piped to where it goes; what it is, is said beside it."""
    person(foil, ledger, "bo")

    made = foil("admin", "invite", "bo", "--dir", ledger)

    assert made.code == 0
    assert made.out.startswith("http://localhost:8000/invitation?token=")
    assert len(made.out.splitlines()) == 1
    assert "bo is invited until" in made.err


def test_an_invitation_is_withdrawn_once(foil: Foil, ledger: Path) -> None:
    person(foil, ledger, "bo")
    assert foil("admin", "invite", "bo", "--dir", ledger).code == 0
    words = ("admin", "invite", "bo", "--withdraw", "--reason", "wrong mail", "--dir", ledger)

    ended, again = foil(*words), foil(*words)

    assert "the invitation of bo lets nobody in any more" in ended.out
    assert "bo has no invitation that could be used" in again.err
    assert "add --withdraw" in foil("admin", "invite", "bo", "--reason", "x", "--dir", ledger).err


def test_nobody_who_is_unknown_is_invited(foil: Foil, ledger: Path) -> None:
    refused = foil("admin", "invite", "nobody", "--dir", ledger)

    assert "actor_unknown" in refused.err
    assert refused.out == ""


def test_where_nobody_is_signed_in_or_enrolled_it_says_so(foil: Foil, ledger: Path) -> None:
    person(foil, ledger, "bo")

    assert "nobody is signed in" in foil("admin", "sessions", "list", "--dir", ledger).out
    told = foil("admin", "passkeys", "list", "bo", "--dir", ledger).out
    assert "counterfoil admin invite bo" in told


def test_sessions_of_a_person_end_even_if_there_are_none(foil: Foil, ledger: Path) -> None:
    person(foil, ledger, "bo")

    assert "0 sessions ended" in foil("admin", "sessions", "end", "--of", "bo", "--dir", ledger).out


def test_which_session_ends_has_to_be_said(foil: Foil, ledger: Path) -> None:
    for words in ((), ("session:x", "--of", "bo")):
        refused = foil("admin", "sessions", "end", *words, "--dir", ledger)
        assert "name one session, or a handle" in refused.err
    assert "not_found" in foil("admin", "sessions", "end", "session:x", "--dir", ledger).err


def test_a_passkey_that_is_not_there_is_not_removed(foil: Foil, ledger: Path) -> None:
    person(foil, ledger, "bo")

    refused = foil("admin", "passkeys", "remove", "bo", "x", "--dir", ledger)

    assert "bo has no passkey of that id" in refused.err


def enrol(ledger: Path, handle: str, passkey: str) -> None:
    """Record that somebody enrolled a passkey."""
    with open_home(ledger, SteppedClock(), SeededRandomness(passkey)) as home:
        subject = home.access.account_ref(handle)
        data = {"passkey": passkey, "name": "laptop", "public_key": "", "rp": "localhost"}
        told = home.access.event("passkey.enrolled", LOCAL, subject=subject, data={**data})
        home.access.enact([told], LOCAL)


def test_the_last_passkey_of_the_last_administrator_is_warned_of_in_the_words_of_my_account(
    foil: Foil, ledger: Path
) -> None:
    """Listed before it goes, and printed when it is gone; JSON has it as a member."""
    person(foil, ledger, "bo")
    assert foil("admin", "roles", "grant", "bo", "administrator", "--dir", ledger).code == 0
    for passkey in ("first", "second"):
        enrol(ledger, "bo", passkey)

    spare = foil("admin", "passkeys", "remove", "bo", "first", "--dir", ledger)
    listed = foil("admin", "passkeys", "list", "bo", "--dir", ledger)
    as_json = foil("admin", "passkeys", "list", "bo", "--dir", ledger, "--json")
    last = foil("admin", "passkeys", "remove", "bo", "second", "--dir", ledger)

    assert (spare.code, spare.err) == (0, "")
    assert "laptop" in listed.out
    assert listed.err == last.err == f"warning: {WARNING}\n"
    assert (as_json.err, as_json.json()["passkeys"][0]["warning"]) == ("", WARNING)
    assert (last.code, last.out) == (0, "a passkey of bo is removed, and 0 sessions with it\n")
