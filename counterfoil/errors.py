"""Errors, grouped by what the caller does next: change it, retry it, stop.

Every error raised on purpose carries a `code`: public, listed in docs/errors.md, the metrics
label, the problem document's `code`; it never changes.  The message is one line for people:
what is wrong, with what, what to do next.  `facts` are the few values a program needs, such as
the `position` of the refused event in a batch.
"""

from typing import ClassVar

Fact = str | int | bool
MESSAGE_LENGTH_MAX = 1_000


class CounterfoilError(Exception):
    """Base of everything Counterfoil raises on purpose.

    Args:
        code: a key of `CODES` that belongs to this class.
        message: one line for a person; no secrets, no bodies.
        facts: values a program may need, by name.
    """

    group: ClassVar[str] = "error"

    def __init__(self, code: str, message: str, **facts: Fact) -> None:
        assert CODES[code][0] == self.group, f"{code} is not a {self.group} code"
        self.code = code
        self.message = _one_line(message)
        super().__init__(self.message)
        self.facts = facts


class RequestError(CounterfoilError):
    """Change the request.  Nothing was recorded."""

    group = "request"


class UnavailableError(CounterfoilError):
    """Try again with the same idempotency key.  Nothing recorded twice, nothing lost."""

    group = "unavailable"


class EvidenceError(CounterfoilError):
    """Stop.  Two things that must agree do not; keep both, tell a person, never retry."""

    group = "evidence"


def _one_line(message: str) -> str:
    r"""Keep the promise of one line, whatever was quoted: senders choose its length and its breaks.

    >>> _one_line("no word:\r\nDELETE"), len(_one_line("9" * 5_000))
    ('no word: DELETE', 1000)
    """
    if len(message) > MESSAGE_LENGTH_MAX:
        message = message[: MESSAGE_LENGTH_MAX - 1] + "…"
    return message if message.isprintable() else " ".join(message.splitlines())


# code -> (group, HTTP status, what it means).  The catalogue in docs/errors.md is checked
# against this table; add a row here and a section there.
CODES: dict[str, tuple[str, int, str]] = {
    # change the request: who and whether they may
    "actor_unknown": ("request", 404, "nobody is known by that handle"),
    "actor_taken": ("request", 409, "the handle is another kind of actor's"),
    "account_taken": ("request", 409, "the account is another actor's"),
    "account_lookalike": ("request", 400, "the account reads like another one"),
    "directory_refused": ("request", 422, "a directory file with something off, or too large"),
    "directory_changed": ("request", 409, "the difference is not the one that was shown"),
    "preview_changed": ("request", 409, "what would go is not what was shown"),
    "two_people": ("request", 403, "one person is not enough, and whoever asks is none"),
    "confirm_refused": ("request", 409, "what was asked does not wait for this person's yes"),
    "role_conflict": ("request", 409, "two roles that one actor may not have"),
    # change the request: what arrived
    "json_broken": ("request", 400, "the body is not JSON in UTF-8"),
    "json_duplicate_member": ("request", 400, "an object names a member twice"),
    "json_number": ("request", 400, "NaN, an infinity, or an integer beyond 2^53-1"),
    "json_surrogate": ("request", 400, "a string holds a lone surrogate"),
    "json_depth": ("request", 400, "arrays and objects are nested too deeply"),
    "attribute_missing": ("request", 400, "a mandatory CloudEvents attribute is absent"),
    "attribute_invalid": ("request", 400, "an attribute breaks the rules of its name or value"),
    "actor_missing": ("request", 400, "authtype or authid is absent: nobody did it"),
    "server_attribute": ("request", 400, "an attribute only the server may set"),
    "ref_invalid": ("request", 400, "a ref breaks the grammar of docs/refs.md"),
    "blob_invalid": ("request", 400, "data.blobs breaks its form"),
    "blob_digest": ("request", 400, "the bytes do not hash to the name they were sent under"),
    "blob_quota": ("request", 413, "the project keeps as much evidence as it may"),
    "batch_empty": ("request", 400, "the batch holds no event"),
    "content_type": ("request", 415, "a content type this call does not take"),
    "event_too_large": ("request", 413, "an event over 65,536 bytes as posted"),
    "entry_too_large": ("request", 413, "the public part of the event is over 65,535 bytes"),
    "batch_too_large": ("request", 413, "over 1,000 events in a request"),
    "body_too_large": ("request", 413, "a request body over its limit"),
    "headers_too_large": ("request", 431, "the request's headers are over their limit"),
    "request_timeout": ("request", 408, "the body stalled or came too slowly"),
    "id_conflict": ("request", 409, "this source and id are recorded with other content"),
    "erased": ("request", 409, "this event, or what is named, has been erased"),
    "on_hold": ("request", 409, "a legal hold keeps what is named"),
    # change the request: reports and webhooks
    "report_not_xml": ("request", 422, "the report is not well-formed XML"),
    "report_truncated": ("request", 422, "the report ends before it is complete"),
    "report_doctype": ("request", 422, "a DOCTYPE or an entity declaration: refused unread"),
    "report_limit": ("request", 422, "size, depth, attributes or text beyond the limits"),
    "report_unknown": ("request", 422, "well-formed, but no test report this version reads"),
    "report_empty": ("request", 422, "the report holds no test case"),
    "webhook_signature": ("request", 401, "the vendor signature is absent or does not match"),
    "webhook_payload": ("request", 422, "a signed payload without the fields its kind must have"),
    "source_unknown": ("request", 404, "no webhook source of that name is set up"),
    # change the request: who asks, for what
    "token_missing": ("request", 401, "no token or session came with the request"),
    "token_invalid": ("request", 401, "the token or session is unknown or over"),
    "exchange_invalid": ("request", 400, "an exchange of tokens breaks the form of RFC 8693"),
    "job_token_invalid": ("request", 401, "the CI's token does not hold"),
    "job_token_refused": ("request", 403, "the CI's token holds; no trust rule is for this job"),
    "job_token_replayed": ("request", 403, "the CI's token was first brought under another key"),
    "proof_invalid": ("request", 401, "the proof of the job's key does not hold"),
    "ci_rule_invalid": ("request", 400, "a trust rule for a CI rests on too little"),
    "csrf": ("request", 403, "a session request without its CSRF token"),
    "sign_in_refused": ("request", 403, "who it is was not proven"),
    "step_up_needed": ("request", 403, "this needs a passkey shown in the last five minutes"),
    "not_allowed": ("request", 403, "this credential may not do this here"),
    "host_refused": ("request", 421, "the Host header is not one this server answers to"),
    "not_found": ("request", 404, "nothing of that name is recorded"),
    "method": ("request", 405, "the path exists, the method does not"),
    "query_invalid": ("request", 400, "a query parameter is absent or malformed"),
    "project_invalid": ("request", 400, "a project name outside [a-z0-9][a-z0-9-]{0,62}"),
    "project_unknown": ("request", 404, "this ledger has no log for that project"),
    # change the command: directories, files, settings
    "dir_missing": ("request", 404, "the directory does not exist"),
    "not_a_ledger": ("request", 404, "the directory holds no ledger, or one of another version"),
    "backup_invalid": ("request", 400, "a folder is no backup, or not one of this ledger"),
    "dir_exists": ("request", 409, "a ledger or other files stand there already"),
    "unsafe_access": ("request", 400, "the ledger's files let others in"),
    "network_storage": ("request", 400, "the directory lies on a network file system"),
    "file_unreadable": ("request", 404, "a named file cannot be read"),
    "config_invalid": ("request", 400, "counterfoil.toml or an option breaks its form"),
    "origin_invalid": ("request", 400, "an origin that is no schema-less URL"),
    "key_refused": ("request", 409, "a key that cannot be handed over to, or retired, as asked"),
    "usage": ("request", 400, "the words of the command are off"),
    "trust_invalid": ("request", 400, "a trust policy or key that was given breaks its format"),
    "policy_refused": ("request", 422, "access policies that do not parse, fit or evaluate"),
    "spool_invalid": ("request", 422, "a file that is no spool, or one of another version"),
    "spool_foreign": ("request", 409, "a spool that is for another log"),
    # try again
    "busy": ("unavailable", 503, "the queue is full; nothing was recorded"),
    "locked": ("unavailable", 503, "another process owns this ledger"),
    "port_in_use": ("unavailable", 503, "another program listens on that port"),
    "read_only": ("unavailable", 503, "the disk does not take writes"),
    "clock": ("unavailable", 503, "this machine's clock cannot be right"),
    "storage": ("unavailable", 503, "the disk or database failed; restart and retry"),
    "stopping": ("unavailable", 503, "the server is shutting down"),
    "unreachable": ("unavailable", 503, "the server did not answer"),
    "issuer_unreachable": ("unavailable", 503, "the issuer's keys cannot be got at the moment"),
    "key_source": ("unavailable", 503, "a source of signing keys gives no key"),
    "internal": ("unavailable", 500, "a fault of ours; the log says more"),
    # stop
    "note_invalid": ("evidence", 500, "bytes that are no signed note, checkpoint or key"),
    "signature": ("evidence", 500, "a signature by a known key does not verify"),
    "key_unknown": ("evidence", 500, "no signature by a key that is trusted here"),
    "key_retired": ("evidence", 500, "signed by a key alone, beyond the size it was retired at"),
    "key_wrong": ("evidence", 500, "a source of keys holds another key than the log's"),
    "proof": ("evidence", 500, "a proof does not lead to the signed root"),
    "tile": ("evidence", 500, "a tile or entry bundle of a wrong shape"),
    "policy_invalid": ("evidence", 500, "a trust policy breaks its format"),
    "quorum": ("evidence", 500, "fewer witnesses signed than the policy asks for"),
    "entry_invalid": ("evidence", 500, "bytes that are no entry of format 1"),
    "proof_file_invalid": ("evidence", 500, "a proof file that is cut off or breaks its form"),
    "commitment": ("evidence", 500, "what is shown is not what was committed to"),
    "damaged": ("evidence", 500, "stored evidence does not match the log"),
    "missing": ("evidence", 500, "stored evidence is not there"),
    "forked": ("evidence", 500, "two different histories under one key"),
    "rolled_back": ("evidence", 500, "the database is older than what was published from it"),
    "frozen": ("evidence", 500, "the log refuses to go on after a failed self-check"),
}
