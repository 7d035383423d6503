"""Write docs/events.md, the catalogue of event types, from `counterfoil.events.registry`.

tests/house/test_events_house.py makes it again and compares: the docs and the code are one thing.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from counterfoil.events import registry, sentence
from counterfoil.events.canonical import JSON
from counterfoil.events.event import parse_event
from counterfoil.events.registry import EventType

WIDTH = 100
PATH = Path(__file__).resolve().parents[1] / "docs" / "events.md"

HEAD = """# Events

<!-- Written by tools/events_doc.py from counterfoil/events/; edit there, then run it. -->

An event is something that happened, as a CloudEvents 1.0 JSON object. Any `type` is accepted;
those below are understood: they have rows, refs and sentences. CDEvents types are taken as they
are; ours begin with `dev.cdeventsx.counterfoil-` and stand for what CDEvents lacks.

## The envelope

| attribute | rule |
|---|---|
| `specversion` | `"1.0"` |
| `id` | 1 to 200 bytes; unique within `source`: both are the idempotency key |
| `source` | 1 to 200 bytes, a URI-reference |
| `type` | what happened |
| `time` | when it happened, RFC 3339; kept as posted |
| `authtype` | what did it: `app_user`, `user`, `service_account`, `api_key`, `system`, `unauthenticated` or `unknown` |
| `authid` | the account that did it, at most 512 bytes; the log holds a pseudonym in its place |
| `subject` | what it happened to, mostly a [ref](refs.md) |
| `producer`, `boot`, `seq` | numbering: `seq` counts 0..2147483647 within `producer` and `boot`, which `boot` begins anew at every start of the producer |
| `data` | any JSON; `data_base64` instead for bytes |
| any other | a name in `[a-z0-9]{1,20}`, its value a string, a boolean or a 32-bit integer |

- An attribute that is `null` is absent. `recordedtime`, `recordedby` and `via` are the server's to say.
- Strings in attributes hold no control characters. Strings in `data` may hold anything that is
  Unicode, control and bidirectional characters too: they are kept as they are, pages escape them.
- JSON is read strictly: a member named twice, NaN, integers beyond 2^53-1 in whatever notation,
  lone surrogates and nesting deeper than 64 are refused by name (docs/errors.md).
- An event has at most 65,536 bytes as posted. In a JSON batch, where an event has no bytes of
  its own, its RFC 8785 form is measured; in NDJSON its line is. At most 1,000 events a request.
- Refusals in a batch name the `position` of the event to blame, counted from 0.

## What `data` may tell us

If `data` is an object, three members of it are read whatever the type; with another form they
are refused (`ref_invalid`, `blob_invalid`, `attribute_invalid`).

| member | form | meaning |
|---|---|---|
| `refs` | list of `{"ref", "role"}` | what the event names, see [refs](refs.md); public and permanent, but for `actor:` refs |
| `blobs` | list of `{"digest", "name", "mediatype"}` | evidence by SHA-256: `sha256:` and 64 hexadecimal digits |
| `personal` | list of JSON Pointers into `data` | values about persons: each is committed to and sealed by itself |

Personal without being listed: `authid`, `actor:` refs, and the members marked so below.

The sentence of an event leaves out what is not opened; who did it stands before it on pages.
"""


def document() -> str:
    """Return the whole of docs/events.md."""
    parts = [HEAD]
    noun = ""
    for known in registry.TYPES.values():
        if known.noun != noun:
            noun = known.noun
            parts.append(f"## {noun.capitalize()}\n")
        parts.append(section(known))
    return "\n".join(parts)


def section(known: EventType) -> str:
    """Return the section of one type."""
    event = parse_event(known.example)
    said = sentence.say(known.name, event.subject, known.example["data"])
    lines = [
        f"### {known.name}",
        "",
        known.meaning,
        "",
        f'Said as "{said}". {_row(known.row)} Retention: {known.retention}.',
        "",
        *_table("member of `data`", known.members),
        *_table("role of a ref", known.refs),
        "```json",
        pretty(known.example),
        "```",
        "",
    ]
    return "\n".join(lines)


def pretty(value: JSON, indent: str = "") -> str:
    """Return JSON that breaks lines only where one would pass `WIDTH`."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + pretty(one, inner) for one in value) + f"\n{indent}]"
    members = (f"{inner}{json.dumps(name)}: {pretty(one, inner)}" for name, one in value.items())
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def _row(row: str) -> str:
    return f"N{row[1:]}." if row.startswith("no row") else f"Row: {row}."


def _table(head: str, rows: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    return [
        f"| {head} | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in rows.items()),
        "",
    ]


if __name__ == "__main__":
    PATH.write_text(document(), "utf-8")
    print(f"{len(registry.TYPES)} types in {PATH}")
