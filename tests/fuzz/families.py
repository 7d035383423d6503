"""All decoders of outside bytes, by family: each family is one target of the fuzzer."""

from collections.abc import Iterable

from tests.fuzz import events, notes, proofs, reports, spools, texts, tiles, tokens, webhooks
from tests.fuzz.decoder import Decoder

FAMILIES: dict[str, tuple[Decoder, ...]] = {
    "events": events.DECODERS,
    "notes": notes.DECODERS,
    "proofs": proofs.DECODERS,
    "tiles": tiles.DECODERS,
    "junit": reports.DECODERS,
    "webhooks": webhooks.DECODERS,
    "tokens": tokens.DECODERS,
    "texts": texts.DECODERS,
    "spools": spools.DECODERS,
}


def decoders_of(families: Iterable[str]) -> tuple[Decoder, ...]:
    """Return the decoders of some families, at most 256 of them, in order."""
    return tuple(decoder for family in families for decoder in FAMILIES[family])
