"""What a page says of a thing that is not on record, in the past and now."""

import pytest

from tests.web.test_door import sign_in
from tests.web_server import Reply, Running, event

RELEASE = "release:unknown-pages@1"
PUBLISHED = "dev.cdeventsx.counterfoil-release.published.0.1.0"


def page(web: Running, path: str) -> Reply:
    """Return a page as a signed-in person sees it."""
    return web.call("GET", path, headers={"Cookie": sign_in(web)}, token=None)


@pytest.mark.parametrize("path", ["/release?ref={ref}&", "/run?ref={ref}&", "/entries/{later}?"])
def test_what_was_not_yet_known_is_said_in_the_frame_of_the_past(web: Running, path: str) -> None:
    """A bare error page gave no way on, and did not say that the past was looked at."""
    first = web.call("POST", "/v1/events", event(type="com.example.first"))
    before = first.json()["entries"][0]["index"]
    assert web.call("POST", "/v1/events", event(type=PUBLISHED, subject=RELEASE)).status == 201

    shown = page(web, path.format(ref=RELEASE, later=before + 1) + f"as_of={before}")

    text = shown.body.decode()
    assert shown.status == 404
    assert f"Not known at entry {before:,}" in text
    assert '<body class="past' in text
    assert "Back to now" in text


def test_what_nobody_ever_named_has_nothing_on_record(web: Running) -> None:
    shown = page(web, "/release?ref=release:nobody@1")

    assert shown.status == 404
    assert "nothing is on record about" in shown.body.decode()
