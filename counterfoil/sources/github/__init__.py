"""GitHub webhooks -> events: the signature first, then one module per noun."""

from counterfoil.sources.github.comments import CODE_LETTERS, LinkComment, find_link, link_line
from counterfoil.sources.github.events import parse_delivery
from counterfoil.sources.github.signature import check_signature, require_signature

__all__ = [
    "CODE_LETTERS",
    "LinkComment",
    "check_signature",
    "find_link",
    "link_line",
    "parse_delivery",
    "require_signature",
]
