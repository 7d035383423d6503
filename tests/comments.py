"""Comments on issues as GitHub delivers them, signed: real deliveries with other words in them."""

import hashlib
import hmac
import itertools
import json
from pathlib import Path
from typing import Any

from counterfoil.app import intake
from counterfoil.app.home import Home
from counterfoil.app.posted import Answer
from counterfoil.policy.access import ANONYMOUS

SAMPLES = Path(__file__).parent / "vectors" / "webhooks" / "github"
SECRET = b"It's a Secret to Everybody"
EVENT = "issue_comment"
_numbers = itertools.count()


def sample(action: str = "created") -> dict[str, Any]:
    """Return a delivery of GitHub's own sample account, Codertocat."""
    read = json.loads((SAMPLES / f"issue_comment.{action}.json").read_text("utf-8"))
    assert isinstance(read, dict)
    return read


def comment(text: str, login: str, action: str = "created") -> dict[str, Any]:
    """Return the delivery of a comment that somebody wrote."""
    payload = sample(action)
    payload["comment"]["body"] = text
    payload["comment"]["user"]["login"] = payload["sender"]["login"] = login
    return payload


def signed(payload: dict[str, Any], secret: bytes = SECRET) -> tuple[dict[str, str], bytes]:
    """Return the headers and the bytes of a delivery with an id of its own."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": EVENT,
        "x-github-delivery": f"delivery-{next(_numbers)}",
        "x-hub-signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }
    return headers, body


def connect(home: Home, name: str = "shop") -> None:
    """Set a GitHub source up."""
    home.state.add_webhook_source(name, "github", "default", SECRET)


def deliver(home: Home, payload: dict[str, Any], **headers: str) -> list[Answer]:
    """Take a signed delivery in; `headers` replace its own."""
    sent, body = signed(payload)
    return intake.webhook(home, "shop", {**sent, **headers}, body, ANONYMOUS)
