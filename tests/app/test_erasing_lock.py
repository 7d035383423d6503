"""Who copies a ledger and who erases in it never do so at once."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app.erasing_lock import copying, erasing
from counterfoil.app.place import ERASING_LOCK
from counterfoil.errors import UnavailableError

Held = Callable[..., contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        pytest.param(copying, erasing, "a backup is being taken", id="an erasure beside a backup"),
        pytest.param(
            erasing, copying, "something is being erased", id="a backup beside an erasure"
        ),
        pytest.param(erasing, erasing, "at this moment", id="two erasures"),
    ],
)
def test_who_would_meet_the_other_is_told_to_come_again(
    tmp_path: Path, first: Held, second: Held, why: str
) -> None:
    """In between, an entry would be copied with its contents gone and no event that says why."""
    with first(tmp_path):
        with pytest.raises(UnavailableError, match=why) as caught, second(tmp_path, wait_s=0):
            pass
        assert caught.value.code == "locked"
    with second(tmp_path, wait_s=0):
        assert (tmp_path / ERASING_LOCK).stat().st_mode & 0o777 == 0o600


def test_two_backups_may_copy_at_once(tmp_path: Path) -> None:
    with copying(tmp_path), copying(tmp_path, wait_s=0):
        assert (tmp_path / ERASING_LOCK).exists()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """It would be another ledger's lock, or a file of somebody's that this makes."""
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / ERASING_LOCK).symlink_to(elsewhere)
    with pytest.raises(UnavailableError), copying(tmp_path):
        pass
    assert not elsewhere.exists()
