"""GitHub webhooks -> events: the signature first, then one module per noun."""

from counterfoil.sources.github.events import parse_delivery
from counterfoil.sources.github.signature import check_signature

__all__ = ["check_signature", "parse_delivery"]
