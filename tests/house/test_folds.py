"""Every type of event has a row somewhere, or says why not."""

import pytest

from counterfoil.events.event import parse_event
from counterfoil.events.registry import TYPES, EventType
from counterfoil.projections.catalogue import PROJECTIONS
from counterfoil.projections.mentions import mentions
from tests.projections.trail import recorded_event

# A test's cases and its row over all runs are told by the same events.
NOUNS = {"tests": ("tests", "cases")}


@pytest.mark.parametrize("known", TYPES.values(), ids=TYPES.keys())
def test_a_type_with_a_row_is_folded_into_it(known: EventType) -> None:
    """A type that says it has a row and is folded nowhere would be recorded and never shown."""
    recorded = recorded_event(parse_event(known.example), 0)
    touching = {one.noun for one in PROJECTIONS if one.touches(recorded)}

    if known.row.startswith("no row"):
        assert mentions(recorded), "what has no row is found by the refs it names"
    else:
        wanted = NOUNS.get(known.row, (known.row,))
        assert touching & set(wanted), (
            f"{known.name} says that {known.row} keeps a row of it, and no fold of that noun "
            f"touches anything for its example (touching: {sorted(touching)})"
        )


def test_every_noun_a_type_names_has_a_projection() -> None:
    named = {known.row for known in TYPES.values() if not known.row.startswith("no row")}

    assert named <= {one.noun for one in PROJECTIONS}
