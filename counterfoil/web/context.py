"""What a page handler is given besides the request: who asks, where, and as of when."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from counterfoil.app.actions import Done
from counterfoil.app.home import Home
from counterfoil.errors import RequestError
from counterfoil.policy.access import Credential


@dataclass(frozen=True, slots=True)
class Typed:
    """A form that was refused: shown again as it was typed, with the error beside it.

    Args:
        form: id of the form on its page.
        fields: its fields as typed, by name.
        error: why it was refused.
    """

    form: str
    fields: Mapping[str, str]
    error: RequestError


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a form.

    Args:
        action: its name.
        given: its fields, by name, where the page that says it goes on from them.
        done: what came of it.
    """

    action: str
    given: Mapping[str, str]
    done: Done


@dataclass(frozen=True, slots=True)
class Context:
    """One page request, after the door.

    Args:
        home: the open ledger directory; its calls block, so handlers run in a thread.
        credential: who asks; allowed to `read` by the time a handler sees it.
        csrf: the token a form of this session has to send back, "" when there is no session.
        project: a project that exists.
        as_of: entry index the page is to show, or None for now.
        public_url: what links outside the page begin with, without a slash at the end.
        around: the project the reader came from, where the page is about another log.
        told: what came of the form sent before this page, once.
        typed: the form that was refused and is shown again.
    """

    home: Home
    credential: Credential
    csrf: str
    project: str
    as_of: int | None
    public_url: str
    around: str = ""
    told: Came | None = field(default=None)
    typed: Typed | None = field(default=None)

    @property
    def opens_personal(self) -> bool:
        """Whether whoever asks may open personal values here."""
        return self.home.access.decide(self.credential, "personal", self.project).allowed

    def note_read(self, what: str) -> None:
        """Count that personal data is shown to whoever asks; `what` as in `Readings.note`."""
        self.home.recorder.readings.note(self.project, self.credential, what)
