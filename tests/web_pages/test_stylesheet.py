"""The stylesheet keeps the tokens of the design, and text can be read on them."""

import math
import re
from importlib import resources

import pytest

CSS = (resources.files("counterfoil.web") / "static" / "counterfoil.css").read_text("utf-8")

# The design's table: token -> (light, dark), each L C H.
TOKENS = {
    "bg": (".982 .003 250", ".185 .012 258"),
    "surface": ("1 0 0", ".22 .014 258"),
    "sunken": (".962 .004 250", ".16 .012 258"),
    "line": (".91 .006 250", ".305 .015 258"),
    "line2": (".80 .012 250", ".44 .018 258"),
    "edge": (".62 .014 258", ".58 .018 258"),
    "ink": (".23 .02 258", ".945 .005 250"),
    "ink2": (".42 .018 258", ".79 .012 250"),
    "ink3": (".53 .016 258", ".69 .013 250"),
    "accent": (".45 .105 248", ".77 .095 242"),
    "accent-soft": (".95 .018 248", ".29 .04 248"),
    "accent-on": ("1 0 0", ".18 .02 258"),
    "pass": (".46 .105 155", ".79 .125 155"),
    "pass-soft": (".955 .028 155", ".27 .04 155"),
    "fail": (".50 .18 26", ".75 .145 26"),
    "fail-soft": (".965 .018 26", ".27 .055 26"),
    "warn": (".50 .105 70", ".83 .115 82"),
    "warn-soft": (".965 .035 85", ".28 .045 82"),
    "past": (".42 .13 318", ".79 .11 318"),
    "past-bar": (".42 .13 318", ".36 .11 318"),
    "past-on": ("1 0 0", ".96 .015 318"),
}
GROUNDS = ("bg", "surface", "sunken")
PAIRS = [
    *((text, ground) for text in ("ink", "ink2", "accent", "pass", "fail", "warn", "past")
      for ground in GROUNDS),
    *(("ink3", ground) for ground in GROUNDS),
    *((name, f"{name}-soft") for name in ("accent", "pass", "fail", "warn")),
    *((text, f"{name}-soft") for text in ("ink", "ink2") for name in ("accent", "pass", "fail",
                                                                      "warn")),
    ("accent-on", "accent"),
    ("past-on", "past-bar"),
]  # fmt: skip


def declared() -> dict[str, tuple[str, str]]:
    """Return the tokens the stylesheet declares at its root."""
    found = re.findall(r"--([a-z0-9-]+): light-dark\(oklch\(([^)]*)\), oklch\(([^)]*)\)\);", CSS)
    return {name: (light, dark) for name, light, dark in found}


def luminance(oklch: str) -> float:
    """Return the relative luminance of an oklch colour.  Source: CSS Color 4; WCAG 2.2."""
    light, chroma, hue = (float(part) for part in oklch.split())
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    clipped = [min(1.0, max(0.0, part)) for part in (red, green, blue)]
    return 0.2126 * clipped[0] + 0.7152 * clipped[1] + 0.0722 * clipped[2]


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two oklch colours."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_twenty_one() -> None:
    """The arithmetic the next test rests on."""
    assert contrast("0 0 0", "1 0 0") == pytest.approx(21, abs=0.01)


def test_the_tokens_are_the_designs() -> None:
    assert declared() == TOKENS


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS, ids=[f"{a} on {b}" for a, b in PAIRS])
def test_text_can_be_read_on_its_ground(text: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_edges_of_inputs_can_be_seen(theme: int) -> None:
    assert contrast(TOKENS["edge"][theme], TOKENS["surface"][theme]) >= 3


def test_only_plum_says_time() -> None:
    """Plum is used by the as-of bar, the past frame and the line of now, and nothing else."""
    users = {
        rule.split("{")[0].strip()
        for rule in CSS.split("}")
        if re.search(r"var\(--past(-bar|-on)?\)", rule)
    }
    assert all(".past" in user or ".now" in user or ".cut" in user for user in users), users


@pytest.mark.parametrize(
    "asked",
    ["prefers-contrast: more", "prefers-reduced-motion: reduce", "forced-colors: active", "print",
     "pointer: coarse", "max-width: 899px"],
)  # fmt: skip
def test_the_stylesheet_answers_what_readers_ask(asked: str) -> None:
    assert f"@media ({asked})" in CSS or f"@media {asked}" in CSS


def test_nothing_is_written_smaller_than_twelve_pixels() -> None:
    rems = [float(size) for size in re.findall(r"font(?:-size)?:[^;]*?(\d*\.?\d+)rem", CSS)]
    assert rems
    assert min(rems) >= 0.75


def test_nothing_comes_from_elsewhere() -> None:
    """No font, image or stylesheet of another server: a page tells nobody that it was read."""
    assert "@import" not in CSS
    assert set(re.findall(r"url\(([^)]*)\)", CSS)) == {"#hatch"}
