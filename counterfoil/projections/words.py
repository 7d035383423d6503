"""The few words steps and gaps share: short names of things, spans of time, counts."""

from collections.abc import Mapping

from counterfoil.clock import parse_time


def commit_name(ref: str) -> str:
    """Return the first seven digits of a commit.

    >>> commit_name("commit:acme/shop@9fceb02d0ae598e9")
    '9fceb02'
    """
    return ref.rpartition("@")[2][:7]


def digest_name(ref: str) -> str:
    """Return a digest as its first and last four digits.

    >>> digest_name("artifact:sha256:" + "10dc" + 56 * "0" + "b7a4")
    'sha256:10dc…b7a4'
    """
    digest = ref.rpartition(":")[2]
    return f"sha256:{digest[:4]}…{digest[-4:]}" if len(digest) > 12 else ref.partition(":")[2]


def env_name(ref: str | None) -> str:
    """Return an environment's id, or words for not knowing it."""
    return ref.partition(":")[2] if ref else "an environment nobody named"


def name_of(ref: str) -> str:
    """Return the short name of any ref, with its kind where the id does not tell.

    >>> name_of("change:acme/shop#318"), name_of("run:acme/shop/1874"), name_of("release:shop@1.4.2")
    ('#318', 'run 1874', 'shop@1.4.2')
    """
    kind, _, ident = ref.partition(":")
    match kind:
        case "commit":
            return commit_name(ref)
        case "artifact":
            return digest_name(ref)
        case "change":
            return "#" + ident.rpartition("#")[2] if "#" in ident else f"change {ident}"
        case "release" | "env":
            return ident
        case "run" | "deployment":
            parts = ident.split("/")
            return f"{kind} {'/'.join(parts[2:]) if len(parts) > 2 else ident}"
        case _:
            return f"{kind} {ident}"


def span(earlier: str, later: str) -> str | None:
    """Return how long after `earlier` `later` is, in words; None if it is not, or not a time.

    >>> span("2026-11-20T10:24:00Z", "2026-11-20T10:52:30Z")
    '28 minutes'
    """
    try:
        seconds = int((parse_time(later) - parse_time(earlier)).total_seconds())
    except ValueError:
        return None
    if seconds <= 0:
        return None
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size or (unit == "minute" and seconds >= size):
            count = seconds // size
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return "less than a minute"


def sort_time(time: str) -> str:
    """Return a time in a form that sorts like the moment it is; others sort first."""
    try:
        return parse_time(time).isoformat(timespec="microseconds")
    except ValueError:
        return ""


def is_before(a: tuple[str, int], b: tuple[str, int]) -> bool:
    """Say whether (time, entry) `a` came before `b`: by time, by entry number when that is equal."""
    return (sort_time(a[0]), a[1]) < (sort_time(b[0]), b[1])


def counts_words(counts: Mapping[str, int]) -> str:
    """Return cases by outcome as words.

    >>> counts_words({"passed": 96, "failed": 1}), counts_words({"passed": 1204})
    ('96 passed, 1 failed', '1,204 passed')
    """
    order = ("passed", "failed", "error", "skipped", "cancelled")
    return ", ".join(f"{counts[name]:,} {name}" for name in order if counts.get(name))


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "review"), plural(3, "review")
    ('1 review', '3 reviews')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
