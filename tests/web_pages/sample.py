"""One story, as `app.read` would answer it: acme, Friday 20 November 2026, 14:03 UTC."""

import base64
import dataclasses
import hashlib

from counterfoil.app.answers import (
    Activity,
    ActorView,
    BlobView,
    CaseRow,
    EntryView,
    EnvironmentRow,
    Gap,
    Health,
    LogLine,
    Page,
    ReleaseRow,
    RunRow,
    SourceRow,
    Step,
    TestRow,
    Trace,
)
from counterfoil.app.between import Between, ChangeBetween, CommitBetween
from counterfoil.app.blobs import Look
from counterfoil.app.changed import Changed
from counterfoil.clock import parse_time
from counterfoil.events.entry import Entry, write_entry
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import Named
from counterfoil.projections.base import Approval, At, Piece
from counterfoil.projections.changed import Differs, GapChange, RunChange, TraceChange, Turned
from counterfoil.projections.environments import Deployed
from counterfoil.projections.release_changed import Lacks, ReleaseChange
from counterfoil.projections.releases import Delivery
from counterfoil.projections.tests import TestRun
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.note import SignerKey
from counterfoil.tlog.proof import inclusion_path
from counterfoil.tlog.receipt import Receipt, write_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash, root_from_leaves
from counterfoil.web.pages.frame import Frame, Place, build_frame
from counterfoil.web.pages.now import Board
from counterfoil.web.pages.parts import Links

NOW = parse_time("2026-11-20T14:03:25Z")
LINKS = Links("default", None)
SIGNER = SignerKey.from_seed("foil.acme.example/log/acme", hashlib.sha256(b"sample").digest())
DIGEST = "10dc21eb8bdc6fb51a952cd2d2da586a86b3af616fe184bf0a247d9156c9b7a4"

PEOPLE = {
    "actor:cart": ActorView("actor:cart", "dev-cart", "person", "claimed"),
    "actor:pay": ActorView("actor:pay", "dev-pay", "person", "matched"),
    "actor:lead": ActorView("actor:lead", "qa-lead", "person", "proven"),
    "actor:ci": ActorView("actor:ci", "ci:acme/shop", "service", "proven"),
    "actor:deploy": ActorView("actor:deploy", "ci:acme/deploy", "service", "proven"),
}
NOBODY = ActorView("", "nobody", "nobody", "claimed")


def resolve(pseudonym: str) -> ActorView:
    """Return the actor of the story, or nobody."""
    return PEOPLE.get(pseudonym, NOBODY)


def at(entry: int, time: str, actor: str | None = "actor:ci") -> At:
    """Return a moment of the story's day."""
    return At(entry, f"2026-11-20T{time}Z", actor)


def log_line(
    index: int, time: str, actor: str, sentence: str, *, outcome: str | None = None,
    happened: str | None = None, demo: bool = False, erased: bool = False,
) -> LogLine:  # fmt: skip
    """Return one line of the log."""
    return LogLine(
        index=index,
        time=f"2026-11-20T{happened or time}.100Z",
        recordedtime=f"2026-11-20T{time}.400Z",
        actor=resolve(actor),
        sentence=sentence,
        outcome=outcome,
        demo=demo,
        via="webhook",
        source="https://github.example/acme/shop",
        type="dev.cdevents.testsuiterun.finished.0.3.0",
        subject="run:acme/payments/902",
        erased=erased,
        id=f"e{index}",
    )


LINES = (
    log_line(4711, "14:03:22", "actor:ci", "finished run 902, shard 3 of 4: 96 passed, 1 failed",
             outcome="failed"),
    log_line(4710, "14:03:09", "actor:ci", "started end to end on qa for 0d77a35, run 1881"),
    log_line(4709, "14:02:41", "actor:lead", "approved shop@1.4.2 for production"),
    log_line(4708, "14:01:58", "actor:cart", "pushed 0d77a35 to acme/shop main", demo=True),
    log_line(4707, "14:00:00", "actor:pay", "reviewed change 318: approved", happened="13:10:00"),
    log_line(4706, "13:58:30", "", "changed shop-worker in production", erased=True),
)  # fmt: skip

RUNNING = RunRow(
    ref="run:acme/payments/902", entries=(4690, 4711), name="integration", kind="test",
    state="running", commit="commit:acme/payments@41c0d7e9fceb02aa", environment="env:qa",
    started=at(4690, "13:54:00"), counts={"passed": 240, "failed": 1},
)  # fmt: skip
FINISHED = RunRow(
    ref="run:acme/shop/1879", entries=(4541, 4566), name="end to end", kind="test",
    state="finished", outcome="failed", commit="commit:acme/shop@9fceb02aa17b3355",
    environment="env:qa", change="change:acme/shop#318", started=at(4541, "12:05:00"),
    finished=at(4566, "12:31:12"), counts={"passed": 84, "failed": 2, "skipped": 1},
    artifacts=(Piece(f"artifact:sha256:{DIGEST}", "input", 4541),),
    warnings=("The report counts 88 cases and holds 87.",),
    problems=((4566, "finished before it started, by its sender's clock"),),
)  # fmt: skip
RUNS = Page((RUNNING, FINISHED), "next", 1874)
COUNTED = {
    RUNNING.ref: {"passed": 247, "failed": 1, "running": 2},
    FINISHED.ref: {"passed": 84, "failed": 2, "skipped": 1},
}
CASES = Page(
    tuple(
        CaseRow(
            ref=f"c{n}", entries=(4550 + n,), run=FINISHED.ref,
            test=f"test:tests/integration/test_refund.py::test_partial_refund_{n}",
            name=f"test_partial_refund_{n}", attempt=1 + (n == 2), outcome=outcome,
            reason=reason, duration_ms=duration, at=at(4550 + n, "12:20:00"),
        )
        for n, (outcome, reason, duration) in enumerate(
            [("failed", 'AssertionError: "vat": "3.98" != "3.99"', 812), ("error", None, 61_000),
             ("skipped", "needs the sandbox", None), ("passed", None, 14), ("passed", None, 1)]
        )
    ),
    "more", 87,
)  # fmt: skip

RED = Page(
    (
        TestRow(
            ref="test:tests/integration/test_refund.py::test_partial_refund_keeps_vat",
            entries=(4118, 4566), name="test_partial_refund_keeps_vat", outcome="failed",
            colour="red", since=At(4118, "2026-11-17T09:14:00Z"), last_red=at(4566, "12:31:00"),
            runs=(TestRun(FINISHED.ref, "failed", 1, at(4566, "12:31:00")),), count=14, flaky=True,
        ),
    ),
    None, 1,
)  # fmt: skip

TEST = TestRow(
    ref="test:tests/integration/test_refund.py::test_partial_refund_keeps_vat",
    entries=(4118, 4566), name="test_partial_refund_keeps_vat", outcome="failed", colour="red",
    since=At(4118, "2026-11-17T09:14:00Z"), last_red=at(4566, "12:31:00"), flaky=True, count=14,
    last_green=At(4100, "2026-11-17T08:02:00Z"),
    runs=tuple(
        TestRun(f"run:acme/shop/{1865 + n}", outcome, 1 + (outcome == "error"),
                At(4100 + 30 * n, f"2026-11-{17 + n // 4:02}T09:14:00Z", "actor:ci"))
        for n, outcome in enumerate(("passed", "passed", "failed", "skipped", "error", "passed",
                                     "failed", "cancelled", "failed"))
    ),
)  # fmt: skip
TURNED = tuple(
    Turned(test=f"test:t::test_{n}", name=f"test_{n}", before=before, after=after,
           before_entry=None if before is None else 4100 + n,
           after_entry=None if after is None else 4550 + n)
    for n, (before, after) in enumerate([("passed", "failed"), ("failed", "passed"),
                                         (None, "passed"), ("passed", None)])
)  # fmt: skip
RUN_CHANGED = Changed(
    ref="run:acme/shop/1879", as_of=4711, since=None, trace=None, tests=(),
    run=RunChange(
        before="run:acme/shop/1871", after="run:acme/shop/1879", turned=TURNED[:2],
        added=TURNED[2:3], gone=TURNED[3:], same=82, cut=True,
        differs=(Differs(what="commit", before="commit:acme/shop@7be01c2",
                         after="commit:acme/shop@9fceb02aa17b3355"),
                 Differs(what="environment", before=None, after="env:qa")),
    ),
)  # fmt: skip
COMMITS_BETWEEN = dataclasses.replace(
    RUN_CHANGED,
    between=Between(
        before="commit:acme/shop@7be01c2", after="commit:acme/shop@9fceb02aa17b3355", by="parents",
        commits=(
            CommitBetween(ref="commit:acme/shop@9fceb02aa17b3355", message="Round VAT per line",
                          author="actor:cart", entry=4517),
            CommitBetween(ref="commit:acme/shop@c41d9aa0", message=None, author=None, entry=4471),
        ),
        changes=(ChangeBetween(ref="change:acme/shop#318", title="VAT", state="merged",
                               entry=4521),),
        cut=False,
    ),
)  # fmt: skip
RELEASE_CHANGED = dataclasses.replace(
    COMMITS_BETWEEN, ref="release:shop@1.4.2", run=None,
    release=ReleaseChange(
        before="release:shop@1.4.1", after="release:shop@1.4.2",
        added=("change:acme/shop#318", "commit:acme/shop@9fceb02aa17b3355"),
        gone=("run:acme/shop/1871",), same=3, cut=False,
        gaps=(Lacks(rule="commit_unreviewed", before=0, after=1),
              Lacks(rule="approval_unsigned", before=1, after=0)),
    ),
)  # fmt: skip

RELEASE = ReleaseRow(
    ref="release:shop@1.4.2", entries=(4521, 4641), name="shop", version="1.4.2",
    title="Round VAT per line", state="published", author="actor:lead",
    contents=(Piece(f"artifact:sha256:{DIGEST}", "contains", 4526),
              Piece("change:acme/shop#318", "contains", 4521)),
    approvals=(Approval("requested", "approval:AP-95", "actor:lead", "env:production", None,
                        at(4571, "12:10:03", "actor:lead")),
               Approval("signed", "approval:AP-95", "actor:lead", "env:production", "looks right",
                        at(4588, "12:31:07", "actor:lead"))),
    deliveries=(Delivery("deployment:118", "env:production", "succeeded",
                         at(4641, "13:26:40", "actor:deploy")),),
    published=at(4600, "13:00:00", "actor:lead"),
)  # fmt: skip


def step(lane: str, entry: int, time: str, label: str, actor: str, **more: str) -> Step:
    """Return one step of the trace."""
    day = more.pop("day", "2026-11-20")
    end = more.pop("end", None)
    return Step(
        lane=lane, ref=more.pop("ref", "commit:acme/shop@9fceb02"), entry=entry,
        time=f"{day}T{time}Z", end=f"{day}T{end}Z" if end else None, actor=actor,
        sentence=more.pop("sentence", label), label=label, outcome=more.pop("outcome", None),
    )  # fmt: skip


STEPS = (
    step("Commits", 4402, "17:42:00", "7be01c2", "actor:cart", day="2026-11-19"),
    step("Commits", 4471, "08:31:00", "c41d9aa fixes F-207", "actor:cart"),
    step("Review", 4502, "10:24:40", "dev-pay reviewed c41d9aa", "actor:pay", outcome="approved",
         sentence="reviewed c41d9aa: approved"),
    step("Commits", 4517, "10:52:18", "9fceb02", "actor:cart", sentence="pushed 9fceb02 to #318"),
    step("Change", 4521, "11:06:00", "#318 merged", "actor:cart", sentence="merged change 318"),
    step("Build", 4526, "11:08:00", "build 1874", "actor:ci", end="11:14:00", outcome="passed",
         sentence="built sha256:10dc from 9fceb02"),
    step("Runs", 4535, "11:14:30", "unit 1,204 of 1,204", "actor:ci", end="11:19:00",
         outcome="passed"),
    step("Runs", 4541, "11:15:30", "integration 410 of 412", "actor:ci", end="11:37:00",
         outcome="failed"),
    step("Runs", 4566, "11:40:00", "end to end 86 of 86", "actor:ci", end="12:05:00",
         outcome="passed"),
    step("Approval", 4571, "12:10:03", "asked for approval AP-95", "actor:lead"),
    step("Approval", 4588, "12:31:07", "qa-lead signed", "actor:lead", outcome="signed"),
    step("Deployment", 4610, "11:39:00", "qa", "actor:deploy", outcome="succeeded"),
    step("Deployment", 4641, "13:20:28", "production", "actor:deploy", end="13:26:40",
         outcome="succeeded", sentence="finished deploying shop@1.4.2 to production"),
)  # fmt: skip
GAPS = (
    Gap(
        rule="review-after-push",
        what="Commit 9fceb02 was pushed 28 minutes after the only review.",
        why="Nobody except its author has looked at it.",
        entries=(4502, 4517), lane="Review", ref="commit:acme/shop@9fceb02",
    ),
    Gap(
        rule="digest-untested",
        what="The artifact sha256:65da…d234 was run by no test.",
        why="What it does in production nobody has tried before.",
        entries=(4641,), lane="Deployment", ref="artifact:sha256:65da",
    ),
)  # fmt: skip
TRACE = Trace(
    ref=RELEASE.ref, known=True, steps=STEPS, gaps=GAPS,
    refs=("commit:acme/shop@9fceb02aa17b3355", "change:acme/shop#318"), cut=False,
)  # fmt: skip

TRACE_CHANGED = Changed(
    ref=RELEASE.ref, as_of=4711, since=4540, run=None, tests=(),
    trace=TraceChange(
        steps=STEPS[-4:], opened=(GapChange(before=None, after=GAPS[1]),),
        closed=(GapChange(before=GAPS[0], after=None),),
        reworded=(GapChange(before=GAPS[1], after=GAPS[0]),), still=1,
    ),
)  # fmt: skip
TESTS_CHANGED = Changed(ref="", as_of=4711, since=4700, run=None, trace=None, tests=TURNED[:2])

ENVIRONMENT = EnvironmentRow(
    ref="env:production", entries=(4641,), name="production", production=True,
    deployed=(Deployed("shop", RELEASE.ref, (RELEASE.ref,), "deployment:118",
                       at(4641, "13:26:40", "actor:deploy")),),
)  # fmt: skip
SOURCES = (
    SourceRow("https://github.example/acme/shop", 1118, 4709, "2026-11-20T14:02:41Z", "webhook",
              tuple((n * 7) % 13 for n in range(24)), demo=False),
    SourceRow("urn:counterfoil:demo", 34, 4539, "2026-11-20T10:51:00Z", "server",
              (0,) * 20 + (9, 12, 0, 0), demo=True),
)  # fmt: skip

_ENTRY = Entry(
    id="01JD4M7Q8W", source="https://foil.acme.example",
    type="dev.cdeventsx.counterfoil-approval.signed.0.1.0", subject="approval:AP-95",
    time="2026-11-20T12:31:07.188Z", recordedtime="2026-11-20T12:31:07.412Z",
    recordedby="session:3d5f", via="web", producer=None, boot=None, seq=None,
    refs=(Named("approval:AP-95", "about"), Named(f"artifact:sha256:{DIGEST}", "subject"),
          Named("env:production", "target"), Named("release:shop@1.4.2", "approves")),
    retention="standard",
    commit={"body": base64.b64encode(b"b" * 32).decode(),
            "authid": base64.b64encode(b"a" * 32).decode()},
)  # fmt: skip


def tree(index: int, size: int) -> tuple[bytes, bytes, TreeHead]:
    """Return the entry's bytes, its receipt, and the head of a real tree of `size` leaves."""
    data = write_entry(_ENTRY)
    leaves = [leaf_hash(data if n == index else b"entry %d" % n) for n in range(size)]

    def node(level: int, n: int) -> bytes:
        return root_from_leaves(leaves[n << level : (n + 1) << level])

    head = TreeHead(size, root_from_leaves(leaves))
    note = sign_checkpoint(SIGNER.name, head, SIGNER)
    receipt = Receipt(index, data, tuple(inclusion_path(index, size, node)), note)
    return data, write_receipt(receipt), head


BYTES, RECEIPT, HEAD = tree(4588, 4712)
OPENED = EntryView(
    index=4588, entry=_ENTRY, bytes=BYTES, leaf_hash=leaf_hash(BYTES),
    event={"type": _ENTRY.type, "data": {"meaning": "approved", "refs": []}}, erased=(),
    receipt=RECEIPT, actor=PEOPLE["actor:lead"],
    sentence="approved shop@1.4.2 for production", outcome="passed",
    blobs=(
        BlobView(BlobName(f"sha256:{DIGEST}", "statement.json", "application/json"), None),
        BlobView(BlobName(f"sha256:{'1' * 64}", "shot.png", "image/png"), f"sha256:{'a' * 64}"),
        BlobView(BlobName(f"sha256:{'2' * 64}", "server.log", "text/plain"), f"sha256:{'b' * 64}"),
        BlobView(BlobName(f"sha256:{'3' * 64}", "trace.zip", "application/zip"), None),
        BlobView(BlobName(f"sha256:{'4' * 64}", "core", ""), f"sha256:{'c' * 64}"),
    ),
    demo=False,
)  # fmt: skip
LOOKS = {
    f"sha256:{'1' * 64}": Look(b"\x89PNG\r\n\x1a\n...", 81_234, sound=True),
    f"sha256:{'2' * 64}": Look(b"started\n", 200_000, sound=True),
    f"sha256:{'3' * 64}": Look(b"PK\x03\x04\x00", 5_000_000, sound=True),
    f"sha256:{'4' * 64}": Look(b"", 0, sound=False),
}
HEALTH = Health(
    size=4712, root=HEAD.root, origin=SIGNER.name, checkpoint_size=4712,
    checkpoint=sign_checkpoint(SIGNER.name, HEAD, SIGNER), exported_size=4710, followed=4712,
    stopped=None, last_recorded="2026-11-20T14:03:22.400Z", gaps=2,
)  # fmt: skip
EMPTY_HEALTH = Health(
    size=0, root=hashlib.sha256(b"").digest(), origin=SIGNER.name, checkpoint_size=0,
    checkpoint=b"", exported_size=None, followed=0, stopped=None, last_recorded=None, gaps=0,
)  # fmt: skip
ACTIVITY = Activity(
    start="2026-11-13T00:00:00Z", end="2026-11-20T15:00:00Z", bucket_s=3600,
    counts=tuple(((n * 37) % 11 + 20) if 8 <= n % 24 <= 18 else n % 3 for n in range(180)),
    firsts=tuple(26 * n for n in range(180)),
)  # fmt: skip
EMPTY_ACTIVITY = Activity(start=None, end=None, bucket_s=3600, counts=(), firsts=())
BOARD = Board(
    health=HEALTH, running=Page((RUNNING,), None, 1), counted=COUNTED, red=RED,
    waiting=Page((), None, 0), environments=(ENVIRONMENT,), lines=LINES, today=247,
    sources=SOURCES,
)  # fmt: skip
EMPTY_BOARD = Board(
    health=EMPTY_HEALTH, running=Page((), None, 0), counted={}, red=Page((), None, 0),
    waiting=Page((), None, 0), environments=(), lines=(), today=0, sources=(),
)  # fmt: skip


def frame(
    path: str = "/", as_of: int | None = None, *, empty: bool = False, about: str = ""
) -> Frame:
    """Return the frame of a page of the story."""
    return build_frame(
        place=Place(path, (), "", about),
        links=Links("default", as_of),
        handle="qa-lead",
        csrf="c" * 16,
        active=path,
        health=EMPTY_HEALTH if empty else HEALTH,
        activity=EMPTY_ACTIVITY if empty else ACTIVITY,
        running=0 if empty else 3,
        shown_time=None if empty else "2026-11-20T14:03:22.400Z",
        now=NOW,
    )


BY_ENTRY = {
    each.entry: log_line(
        each.entry, each.time[11:19], each.actor or "", each.sentence, outcome=each.outcome
    )
    for each in STEPS
}
