from counterfoil.projections.changes import CHANGES, ChangeRow
from tests.projections.stories import CHANGE, DEV, FIRST, LAST, MERGE, REVIEWER, SECOND
from tests.projections.trail import Told, replay, told, trail


def row(*story: Told) -> ChangeRow:
    return replay(CHANGES, trail(*story))[CHANGE]


def proposed(commit: str = FIRST) -> Told:
    return told(DEV, "change.created", CHANGE, (commit, "contains"), (f"actor:{DEV}", "author"),
                custom={"title": "Round VAT", "url": "https://x.example/318"})  # fmt: skip


def reviewed(commit: str | None, state: str, number: int = 1) -> Told:
    refs = [(f"review:acme/shop#318/{number}", "about"), (f"actor:{REVIEWER}", "reviewer")]
    if commit:
        refs.append((commit, "reviewed"))
    return told(REVIEWER, "change.reviewed", CHANGE, *refs, custom={"review_state": state})


def test_the_heads_of_a_change_keep_the_entries_that_told_of_them() -> None:
    found = row(
        proposed(FIRST),
        told(DEV, "+commit.pushed", SECOND, (CHANGE, "part-of")),
        told(DEV, "change.updated", CHANGE, (SECOND, "contains")),
        told(DEV, "change.updated", CHANGE, (LAST, "contains")),
    )

    assert [(head.commit, head.at.entry) for head in found.heads] == [
        (FIRST, 0), (SECOND, 1), (LAST, 3),
    ]  # fmt: skip
    assert found.author == f"actor:{DEV}"
    assert found.title == "Round VAT"


def test_a_review_is_of_the_commit_it_names_else_of_the_head() -> None:
    found = row(proposed(FIRST), reviewed(None, "commented", 1), reviewed(SECOND, "APPROVED", 2))

    assert [(one.commit, one.outcome) for one in found.reviews] == [
        (FIRST, "commented"), (SECOND, "approved"),
    ]  # fmt: skip
    assert found.reviews[0].reviewer == f"actor:{REVIEWER}"


def test_a_dismissal_takes_the_place_of_its_review() -> None:
    found = row(proposed(), reviewed(FIRST, "approved"), reviewed(FIRST, "dismissed"))

    assert [(one.outcome, one.at.entry) for one in found.reviews] == [("dismissed", 2)]


def test_a_merge_names_what_the_change_became() -> None:
    found = row(
        proposed(LAST), told(DEV, "change.merged", CHANGE, (LAST, "contains"), (MERGE, "merged-as"))
    )

    assert (found.state, found.merge_commit) == ("merged", MERGE)
    assert [head.commit for head in found.heads] == [LAST], "the merge commit is no head"


def test_a_second_merge_is_a_problem_and_the_first_stays() -> None:
    merged = told(DEV, "change.merged", CHANGE)
    found = row(merged, merged)

    assert found.merged is not None
    assert found.merged.entry == 0
    assert found.problems == ((1, "merged again, after entry 0"),)


def test_a_merged_change_is_not_abandoned_by_a_late_word() -> None:
    found = row(told(DEV, "change.merged", CHANGE), told(DEV, "change.abandoned", CHANGE))

    assert found.state == "merged"


def test_a_reopened_change_is_open() -> None:
    found = row(
        proposed(),
        told(DEV, "change.abandoned", CHANGE),
        told(DEV, "change.updated", CHANGE, custom={"state": "open"}),
    )

    assert found.state == "open"
