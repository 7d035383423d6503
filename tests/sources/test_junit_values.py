"""Durations and times are read as written, or not at all."""

import pytest

from counterfoil.sources.junit.values import parse_duration, parse_timestamp


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("0.001", 0.001),
        (".5", 0.5),
        (" 1.5 ", 1.5),
        ("4e-05", 0.00004),
        ("0,288", 0.288),
        ("12,5", 12.5),
        ("1,234.5", 1234.5),
        ("1,234,567.25", 1234567.25),
        ("0:00:01.5", 1.5),
        ("01:02:03", 3723.0),
        ("2:03", 123.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("NaN", "no number"),
        ("inf", "no number"),
        ("-5", "time does not run backwards"),
        ("-345345", "met in a real file"),
        ("1e400", "beyond any number"),
        ("0.", "digits are missing"),
        ("12ms", "a unit"),
        ("1,234", "a thousand seconds to one tool, a second to another"),
        ("١٢", "digits of another script"),
        ("1e12", "longer than ten years"),
    ],
)
def test_a_doubtful_duration_is_not_guessed(text: str, why: str) -> None:
    assert parse_duration(text) is None, why


@pytest.mark.parametrize(
    ("text", "time", "zoned"),
    [
        ("2024-01-03T12:27:44Z", "2024-01-03T12:27:44.000Z", True),
        ("2024-01-03 12:27:54Z", "2024-01-03T12:27:54.000Z", True),
        ("2021-03-07T10:36:56 UTC", "2021-03-07T10:36:56.000Z", True),
        ("2024-01-03T12:27:15+01:00", "2024-01-03T11:27:15.000Z", True),
        ("2024-01-03T12:27:15+0100", "2024-01-03T11:27:15.000Z", True),
        ("2024-01-03T12:27:11.21-01:00", "2024-01-03T13:27:11.210Z", True),
        ("2026-11-21T05:17:17.129042+00:00", "2026-11-21T05:17:17.129Z", True),
        ("2025-11-15T11:51:49.548396-05:00", "2025-11-15T16:51:49.548Z", True),
        ("2017-10-05T10:36:22.999999", "2017-10-05T10:36:22.999Z", False),
        ("2009-05-16T10:00:00", "2009-05-16T10:00:00.000Z", False),
        ("2024-01-03T 12:40:13", "2024-01-03T12:40:13.000Z", False),
        ("2024-01-03", None, False),
        ("06/07/2018 20:33:39", None, False),
        ("2421.447", None, False),
        ("0", None, False),
        ("2024-13-03T12:27:44Z", None, False),
        ("", None, False),
    ],
)
def test_a_timestamp_is_read_with_whether_it_named_a_zone(
    text: str, time: str | None, zoned: bool
) -> None:
    assert parse_timestamp(text) == (time, zoned)
