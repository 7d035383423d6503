"""The proof of an entry, computed by a real browser: yes for what is true, no for anything else."""

import base64
import re
from typing import Any

import pytest

from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.note import SignerKey
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import TreeHead
from tests.browser.conftest import Watched
from tests.web_pages import sample
from tests.web_server import Running

pytestmark = pytest.mark.browser


def test_a_true_entry_is_recomputed(watched: Watched) -> None:
    page = watched.open("/entries/2")
    page.wait_for_selector("#proof[data-verdict]")
    assert page.get_attribute("#proof", "data-verdict") == "verified"
    assert page.locator('[data-step][data-state="verified"]').count() == 3
    assert "recomputed in this browser" in page.inner_text("#verdict")
    assert page.is_hidden("#alarm")
    assert watched.complaints == []


@pytest.mark.parametrize("index", [0, 1, 3])
def test_every_place_of_a_tree_is_recomputed(watched: Watched, index: int) -> None:
    page = watched.open(f"/entries/{index}")
    page.wait_for_selector("#proof[data-verdict]")
    assert page.get_attribute("#proof", "data-verdict") == "verified"


def flip(encoded: str) -> str:
    """Return base64 of the same bytes with one bit of the middle turned."""
    raw = bytearray(base64.b64decode(encoded))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(bytes(raw)).decode()


def other_receipt(page: str, old: str, new: str) -> str:
    """Return the page with a line of its receipt replaced."""
    found = re.search(r'data-receipt="([^"]+)"', page)
    assert found is not None
    text = base64.b64decode(found[1]).decode()
    assert old in text
    changed = base64.b64encode(text.replace(old, new).encode()).decode()
    return page.replace(found[1], changed)


def _entry(page: str) -> str:
    found = re.search(r'data-entry="([^"]+)"', page)
    assert found is not None
    return page.replace(f'data-entry="{found[1]}"', f'data-entry="{flip(found[1])}"')


def _index(page: str) -> str:
    return page.replace('data-index="4588"', 'data-index="4589"')


def _leaf(page: str) -> str:
    return re.sub(r'data-leaf="..', 'data-leaf="ff', page)


def _receipt_index(page: str) -> str:
    return other_receipt(page, "index 4588\n", "index 4590\n")


def _path(page: str) -> str:
    first = base64.b64encode(parse_receipt(sample.RECEIPT).path[0]).decode()
    return other_receipt(page, first, flip(first))


def _short_path(page: str) -> str:
    last = base64.b64encode(parse_receipt(sample.RECEIPT).path[-1]).decode()
    return other_receipt(page, last + "\n", "")


def _size(page: str) -> str:
    return other_receipt(page, "\n4712\n", "\n4711\n")


def _root(page: str) -> str:
    root = base64.b64encode(sample.HEAD.root).decode()
    return other_receipt(page, root, flip(root))


def _signature(page: str) -> str:
    note = parse_receipt(sample.RECEIPT).checkpoint.decode()
    signature = note.rstrip("\n").rpartition(" ")[2]
    return other_receipt(page, signature, flip(signature))


def _key(page: str) -> str:
    other = SignerKey.from_seed(sample.SIGNER.name, b"x" * 32)
    return page.replace(f'data-vkey="{sample.SIGNER.vkey}"', f'data-vkey="{other.vkey}"')


def _signed_other_tree(page: str) -> str:
    """A true signature of the log, over another tree of the same size."""
    note = parse_receipt(sample.RECEIPT).checkpoint.decode()
    other = sign_checkpoint(sample.SIGNER.name, TreeHead(4712, b"\7" * 32), sample.SIGNER)
    return other_receipt(page, note, other.decode())


TAMPERINGS = {
    "the bytes of the entry": (_entry, 0),
    "its place": (_index, 0),
    "the leaf hash the page states": (_leaf, 0),
    "the place in the receipt": (_receipt_index, 0),
    "a neighbour": (_path, 1),
    "a neighbour is gone": (_short_path, 1),
    # The same neighbours lead to the same root in a tree of one entry less: only the signature
    # tells the sizes apart.
    "the size in the checkpoint": (_size, 2),
    "the root in the checkpoint": (_root, 1),
    "another tree, truly signed": (_signed_other_tree, 1),
    "the signature": (_signature, 2),
    "the key": (_key, 2),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_one_thing_changed_is_one_step_that_fails(
    watched: Watched, served: Running, name: str
) -> None:
    """Steps before it hold, it names what was expected and found, the head is red."""
    from tests.web_pages import gallery

    tamper, held = TAMPERINGS[name]
    changed = tamper(gallery.full()["entry"])
    assert changed != gallery.full()["entry"]
    page = watched.page

    def answer(route: Any) -> None:
        route.fulfill(status=200, content_type="text/html; charset=utf-8", body=changed)

    page.route("**/tampered", answer)
    watched.open("/tampered")
    page.wait_for_selector("#proof[data-verdict]")
    assert page.get_attribute("#proof", "data-verdict") == "failed"
    assert page.locator('[data-step][data-state="verified"]').count() == held
    assert page.locator('[data-step][data-state="failed"]').count() == 1
    assert page.is_visible("#alarm")
    assert "fail" in (page.get_attribute("#verdict", "class") or "").split()
    assert "expected" in page.inner_text("#alarm-reason")
    assert served.size() > 0


def test_the_untampered_page_is_verified(watched: Watched) -> None:
    """The same way round, so that the tests above fail for what they changed and nothing else."""
    from tests.web_pages import gallery

    body = gallery.full()["entry"]
    watched.page.route(
        "**/untampered",
        lambda route: route.fulfill(status=200, content_type="text/html; charset=utf-8", body=body),
    )
    page = watched.open("/untampered")
    page.wait_for_selector("#proof[data-verdict]")
    assert page.get_attribute("#proof", "data-verdict") == "verified"
