"""One GitHub delivery, read leniently, and the tools to make events of it.

Optional fields may be absent or null: then the fact is left out.  Names and mail addresses are
never copied; accounts appear only as `actor:` refs, which the log turns into pseudonyms.
Source: the webhook payloads of docs.github.com; the samples of octokit/webhooks.
"""

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from counterfoil.clock import format_time, parse_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import safe_id

TEXT_BYTES = 1_000
_LAST_SECOND = 253_402_300_799
_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HTTPS = re.compile(r"https?://([A-Za-z0-9.-]+(?::\d{1,5})?)(?:/|$)", re.ASCII)

Refs = Iterable[tuple[str | None, str]]


def dig(value: JSON, *path: str) -> JSON:
    """Return what stands at `path`, None where anything on the way is absent or no object."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: JSON, *path: str, size_bytes: int = TEXT_BYTES) -> str | None:
    """Return the text at `path` cut to `size_bytes` of UTF-8; None if there is none."""
    found = dig(value, *path)
    if not isinstance(found, str) or not found:
        return None
    return found.encode()[:size_bytes].decode(errors="ignore")


def number(value: JSON, *path: str) -> int | None:
    """Return the whole number at `path`, None if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag(value: JSON, *path: str) -> bool | None:
    """Return the boolean at `path`, None if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, bool) else None


def members(value: JSON, *path: str) -> list[JSON]:
    """Return the list at `path`, empty if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, list) else []


def moment(value: JSON) -> str | None:
    """Return RFC 3339 text for GitHub's two forms of a time: text, and seconds since 1970."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LAST_SECOND:
        epoch = parse_time("1970-01-01T00:00:00Z")
        return format_time(epoch + datetime.timedelta(seconds=value))
    try:
        return format_time(parse_time(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def known(facts: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return `facts` without those nobody knows."""
    return {name: value for name, value in facts.items() if value is not None and value != ""}


def host_of(body: JSON) -> str:
    """Return the host a payload's sender lives on: github.com, or an enterprise server."""
    for path in (("repository", "html_url"), ("sender", "html_url")):
        if match := _HTTPS.match(text(body, *path) or ""):
            return match[1].lower()
    return "github.com"


def account_of(body: JSON, *path: str) -> str | None:
    """Return the account at `path` as entries name it, `HOST:LOGIN`; None if there is none."""
    login = text(body, *path, "login", size_bytes=200)
    return f"{host_of(body)}:{safe_id(login)}" if login else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One signed delivery.

    Attributes:
        name: `X-GitHub-Event`.
        id: `X-GitHub-Delivery`.
        body: the payload, an object.
        source: the source to use where the payload names no repository and no organisation.
        received: RFC 3339; used where the payload states no time.
        credential: account that stands in where the payload names no sender.
        blob: the raw bytes as kept.
    """

    name: str
    id: str
    body: JSON
    source: str
    received: str
    credential: str
    blob: BlobName

    @property
    def action(self) -> str:
        """The payload's `action`, "" if it has none."""
        return text(self.body, "action", size_bytes=100) or ""

    @property
    def host(self) -> str:
        """The host the sender lives on: github.com, or an enterprise server."""
        return host_of(self.body)

    @property
    def repository(self) -> str | None:
        """OWNER/REPO, with the host before it unless it is github.com; None if none is named."""
        full = text(self.body, "repository", "full_name", size_bytes=300)
        if full is None or not re.fullmatch(r"[\w.-]+/[\w.-]+", full, re.ASCII):
            return None
        return full if self.host == "github.com" else f"{self.host}/{full}"

    def need_repository(self) -> str:
        """Return the repository.

        Raises:
            RequestError: webhook_payload.
        """
        if self.repository is None:
            raise self.lacking("repository.full_name")
        return self.repository

    def lacking(self, field: str) -> RequestError:
        """Return the refusal of a payload without a field its kind must have."""
        return RequestError(
            "webhook_payload",
            f"the {self.name[:60]!r} payload has no usable {field}; the raw delivery is needed to "
            "say more: redeliver it from the webhook's page",
            field=field,
        )

    def actor(self, *path: str) -> str | None:
        """Return the `actor:` ref of the account at `path`, None if there is none."""
        account = account_of(self.body, *path)
        return f"actor:{account}" if account else None

    def commit(self, *path: str) -> str | None:
        """Return the `commit:` ref of the object id at `path`; None if absent or all zeros."""
        return self.commit_ref(text(self.body, *path))

    def commit_ref(self, sha: str | None) -> str | None:
        """Return the `commit:` ref of an object id; None if it is none."""
        if sha is None or not _HEX.fullmatch(sha) or not sha.strip("0"):
            return None
        return f"commit:{self.need_repository()}@{sha}"

    def make(
        self,
        event_type: str,
        *,
        subject: str | None,
        refs: Refs,
        time: str | None,
        content: Mapping[str, JSON] | None = None,
        facts: Mapping[str, JSON],
        part: int | None = None,
    ) -> Event:
        """Make one event of this delivery.

        Args:
            event_type: a CDEvents type, or one of ours.
            subject: the ref it happened to.
            refs: (ref, role) pairs; None refs are dropped.
            time: when it happened by the payload's word, None for the time of receipt.
            content: members of a CDEvents subject; None makes a flat `data`.
            facts: what GitHub says beyond that: `customData`, or the flat `data`.
            part: index within the delivery, for the 2nd and further events of one delivery.
        """
        event_id = self.id if not part else f"{self.id}/{part}"
        source = self._source()
        account = account_of(self.body, "sender")
        stated = {"event": self.name[:100], "action": self.action, **facts}
        if account is None:
            stated["actor_claim"] = "none: the payload names no sender"
        when = time or self.received
        data: dict[str, JSON]
        if content is None:
            data = known(stated)
        else:
            data = {
                "context": {
                    "specversion": "0.5.1",
                    "id": event_id,
                    "source": source,
                    "type": event_type,
                    "timestamp": when,
                },
                "subject": {
                    "id": (subject or "").partition(":")[2],
                    "source": source,
                    "content": known(content),
                },
                "customData": known(stated),
                "customDataContentType": "application/json",
            }
        return make_event(
            type=event_type,
            source=source,
            id=event_id,
            time=when,
            authtype=self._authtype(account),
            authid=account or self.credential,
            subject=subject,
            refs=[(ref, role) for ref, role in refs if ref is not None],
            blobs=[self.blob],
            data=data,
            time_claimed=time is not None,
        )

    def _source(self) -> str:
        if self.repository is not None:
            full = text(self.body, "repository", "full_name", size_bytes=300)
            return f"https://{self.host}/{full}"
        organisation = text(self.body, "organization", "login", size_bytes=200)
        if organisation is not None and re.fullmatch(r"[\w.-]+", organisation, re.ASCII):
            return f"https://{self.host}/{organisation}"
        return self.source

    def _authtype(self, account: str | None) -> str:
        if account is None or text(self.body, "sender", "type") == "Bot":
            return "service_account"
        return "user"
