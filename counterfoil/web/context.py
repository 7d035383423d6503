"""What a page handler is given besides the request: who asks, where, and as of when."""

from dataclasses import dataclass

from counterfoil.app.home import Home
from counterfoil.policy.access import Credential


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
    """

    home: Home
    credential: Credential
    csrf: str
    project: str
    as_of: int | None
    public_url: str

    def note_read(self, what: str) -> None:
        """Count that personal data is shown to whoever asks; `what` as in `Readings.note`."""
        self.home.recorder.readings.note(self.project, self.credential, what)
