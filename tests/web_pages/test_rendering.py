"""Rules that hold on every page, whatever its data."""

import html as html_module
import re
from html.parser import HTMLParser

import pytest

from counterfoil.web.pages.render import html
from tests.web_pages import gallery, sample

PAGES = {
    f"{kind}: {name}": page
    for kind, made in (("full", gallery.full()), ("past", gallery.past()),
                       ("empty", gallery.empty()), ("hostile", gallery.hostile()),
                       ("around", gallery.around()))
    for name, page in made.items()
}  # fmt: skip
EVERY = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
FRAMED = {name: page for name, page in PAGES.items() if 'id="asof"' in page}
VOID = {"meta", "link", "input", "hr", "br", "img", "wbr"}


class Tree(HTMLParser):
    """Collects elements with their attributes and text, and whether tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that opens."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Check that what closes was opened last."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of that name."""
        return [attributes for name, attributes in self.found if name == tag]


@EVERY
def test_a_page_is_well_formed(page: str) -> None:
    tree = Tree(page)
    assert not tree.wrong
    assert not tree.open


@EVERY
def test_a_page_names_its_language_title_heading_and_main_part(page: str) -> None:
    tree = Tree(page)
    assert tree.all("html")[0]["lang"] == "en"
    assert len(tree.all("title")) >= 1
    assert re.search(r"<title>\s*\S", page)
    assert len(tree.all("h1")) == 1
    assert len(tree.all("main")) == 1


@pytest.mark.parametrize("page", FRAMED.values(), ids=FRAMED.keys())
def test_a_page_in_the_frame_has_landmarks_and_a_way_past_them(page: str) -> None:
    tree = Tree(page)
    labels = [nav["aria-label"] for nav in tree.all("nav")]
    assert len(labels) == len(set(labels)) == 2
    assert any(link.get("href") == "#main" for link in tree.all("a"))
    assert sum(link.get("aria-current") == "page" for link in tree.all("a")) == 2


@EVERY
def test_no_script_or_style_stands_in_a_page(page: str) -> None:
    """The policy forbids both; what is inline would silently not work."""
    tree = Tree(page)
    assert all(script["src"].startswith("/static/") for script in tree.all("script"))
    assert not tree.all("style")
    assert not re.search(r"<script[^>]*>[^<]", page)
    for _, attributes in tree.found:
        names = set(attributes)
        assert "style" not in names
        assert not {name for name in names if name.startswith("on")}
        assert not {name for name in names if name.startswith(("hx-on", "data-hx-on"))}


@EVERY
def test_ids_are_given_once(page: str) -> None:
    ids = [attributes["id"] for _, attributes in Tree(page).found if "id" in attributes]
    assert len(ids) == len(set(ids))


@EVERY
def test_links_stay_on_this_server(page: str) -> None:
    for _, attributes in Tree(page).found:
        for name in ("href", "src", "action", "hx-sse:connect"):
            target = attributes.get(name, "/")
            assert target.startswith(("/", "#")), target
            assert not target.startswith("//"), target


@pytest.mark.parametrize(
    "page", gallery.hostile().values(), ids=[f"page {name}" for name in gallery.hostile()]
)
def test_a_hostile_text_is_shown_and_does_nothing(page: str) -> None:
    tree = Tree(page)
    assert all(image["src"].startswith("/entries/") for image in tree.all("img"))
    assert not any("onerror" in image for image in tree.all("img"))
    assert all(not script.get("src", "").startswith("x") for script in tree.all("script"))
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "49" not in {part.strip() for part in tree.text}, "a template was rendered twice"


def test_a_hidden_character_is_a_visible_box() -> None:
    page = gallery.hostile()["run"]
    assert '<span class="box">U+202E</span>' in page
    assert '<span class="box">U+0000</span>' in page


def test_a_text_no_template_marks_as_outside_still_cannot_turn_the_line() -> None:
    page = html("error.html", theme="", title="a\u202eb", message="m", next_step="", code="c",
                code_status=400)  # fmt: skip
    assert "a[U+202E]b" in page


def test_long_outside_text_is_bounded() -> None:
    page = html("error.html", theme="", title="t", message="x" * 50_000, next_step="", code="c",
                code_status=400)  # fmt: skip
    assert "x" * 601 not in page
    assert "…" in page


@EVERY
def test_words_the_design_forbids_are_on_no_page(page: str) -> None:
    said = " ".join(Tree(page).text)
    for word in ("immutable", "no data", "violation", "non-compliant", "n/a"):
        assert word not in said.lower()
    assert "None" not in said, "a value that is not there was printed"


@pytest.mark.parametrize("page", gallery.full().values(), ids=gallery.full().keys())
def test_nothing_is_green_that_no_witness_has_signed(page: str) -> None:
    """A mark is green only for what a witness signed; this log has none."""
    assert 'class="mark witnessed"' not in page


@pytest.mark.parametrize("page", gallery.past().values(), ids=gallery.past().keys())
def test_the_past_cannot_be_mistaken(page: str) -> None:
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert title is not None
    assert title[1].startswith("Past: ")
    assert re.search(r'<body class="past', page)
    assert "51 later entries are hidden" in page
    assert "hx-sse:connect" not in page, "the past does not move"


@pytest.mark.parametrize("name", ["now", "log"])
def test_how_the_log_is_doing_today_is_not_shown_as_the_past(name: str) -> None:
    card = re.compile(r'<section class="card" id="health".*?</section>', re.DOTALL)
    for page, labelled in ((gallery.past()[name], True), (gallery.full()[name], False)):
        found = card.search(page)
        assert found is not None
        assert ("now, not then" in found[0]) is labelled


@pytest.mark.parametrize("page", gallery.past().values(), ids=gallery.past().keys())
def test_links_in_the_past_keep_the_moment(page: str) -> None:
    """All but the ways back to now, colours, one's account, and files that have no moment."""
    free = ("/theme", "/static/", "/log/", "/sign-out", "/account", "/v1/blobs/", "#")
    links = {link["href"] for link in Tree(page).all("a") if not link["href"].startswith(free)}
    ways = re.findall(r'href="([^"]*)">(?:Back to|Compare with) now</a>', page)
    assert len(ways) == 2
    assert not any("as_of" in way for way in ways)
    loose = {link for link in links if "as_of=" not in link}
    assert loose - {html_module.unescape(way) for way in ways} <= {
        "/v1/entries/4588/receipt", "/v1/prove?entry=4588",
    }  # fmt: skip
    assert links - loose


@pytest.mark.parametrize("page", gallery.past().values(), ids=gallery.past().keys())
def test_nothing_can_be_written_from_the_past(page: str) -> None:
    """Whoever signs or assigns must see what is known now."""
    forms = [form for form in Tree(page).all("form") if form.get("method", "get") == "post"]
    assert {form["action"] for form in forms} == {"/sign-out"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_stored_theme_is_on_the_root_before_anything_is_drawn(theme: str) -> None:
    page = html("error.html", theme=theme, title="t", message="m", next_step="", code="c",
                code_status=400)  # fmt: skip
    assert f'<html lang="en" data-theme="{theme}">' in page


def test_a_first_view_is_under_a_hundred_kibibytes() -> None:
    """Everything a browser fetches to show a page, as sent (assets packed, pages not)."""
    from counterfoil.web import static

    for name, page in gallery.full().items():
        linked = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
        assets = [static.find(path) for path in set(linked)]
        assert all(assets)
        total = len(page.encode()) + sum(len(asset.packed) for asset in assets if asset)
        assert total < 100 * 1024, (name, total)


def test_gaps_stand_above_the_drawing() -> None:
    page = gallery.full()["release"]
    assert page.index('id="gap-1"') < page.index('<svg class="lanes"') < page.index('id="steps"')


# Page -> the parts of it that show rows, each by its id; "head" is what stands around the h1.
SHOWN = {
    "now": ("figures", "red", "running", "feed", "sources", "placed"),
    "runs": ("runs",),
    "run": ("head", "cases"),
    "releases": ("releases",),
    "release": ("head", "figures", "gaps", "way", "steps"),
    "entry": ("head",),
    "log": ("entries", "sources"),
}


@pytest.mark.parametrize(
    ("name", "part"),
    [(name, part) for name, parts in SHOWN.items() for part in parts],
    ids=[f"{part} of {name}" for name, parts in SHOWN.items() for part in parts],
)
def test_demo_data_says_that_it_is_wherever_it_shows(name: str, part: str) -> None:
    """Invented facts beside real ones must not be taken for them on any page."""

    def shown(page: str) -> str:
        start = page.index('<div class="head">' if part == "head" else f'id="{part}"')
        end = re.compile(r"</(section|dl|ol)>|<div class=\"actions\">").search(page, start)
        assert end is not None
        return page[start : end.start()]

    assert "made for the demo" in shown(gallery.demo()[name])


def test_what_is_not_made_for_the_demo_is_not_marked() -> None:
    """Of the story, one log line and one source are marked, and nothing else.

    The search of every log has that line of three logs.
    """
    marked = {name: page.count("made for the demo") for name, page in gallery.full().items()}
    assert {name: count for name, count in marked.items() if count} == {
        "now": 2,
        "log": 2,
        "changed tests": 1,
        "search": 1,
        "everywhere": 3,
    }


def test_a_gap_says_that_nobody_is_named_to_close_it() -> None:
    page = gallery.full()["release"]
    assert page.count("owner: nobody is named yet") == len(sample.GAPS)


def test_the_entry_page_says_what_it_does_not_prove() -> None:
    assert "That it was true when it was written." in gallery.full()["entry"]
    assert gallery.full()["entry"].count('data-state="waiting"') == 3


def test_the_sample_is_a_true_receipt() -> None:
    """The story's receipt verifies with the log's own checks, so the browser test means something."""
    from counterfoil.tlog.checkpoint import verify_checkpoint
    from counterfoil.tlog.proof import verify_inclusion
    from counterfoil.tlog.receipt import parse_receipt
    from counterfoil.tlog.tree import TreeHead, leaf_hash

    receipt = parse_receipt(sample.RECEIPT)
    checkpoint = verify_checkpoint(receipt.checkpoint, [sample.SIGNER.vkey])
    head = TreeHead(checkpoint.size, checkpoint.root)
    verify_inclusion(leaf_hash(sample.BYTES), receipt.index, list(receipt.path), head)
