"""POST /v1/reports over HTTP."""

import hashlib

import pytest

from counterfoil.tlog.receipt import parse_receipt
from tests.web_server import Reply, Running

REPORT = b"""<?xml version="1.0"?>
<testsuite name="shop" tests="3" failures="1" skipped="1">
<testcase classname="cart" name="adds"/>
<testcase classname="cart" name="removes"><failure message="expected 1, got 2"/></testcase>
<testcase classname="cart" name="pays"><skipped message="no till"/></testcase>
</testsuite>"""


def post(web: Running, body: bytes, query: str = "", media: str = "application/xml") -> Reply:
    return web.call("POST", f"/v1/reports{query}", body, {"Content-Type": media})


def test_a_report_is_answered_with_a_receipt_per_record(web: Running) -> None:
    size = web.size()

    answer = post(web, REPORT, "?run=run:acme/shop/1&commit=acme/shop@9fceb02&environment=env:ci")

    assert answer.status == 201, answer.body
    found = answer.json()
    assert found["run"] == "run:acme/shop/1"
    assert (found["counts"]["passed"], found["counts"]["failed"]) == (1, 1)
    assert [one["index"] for one in found["entries"]] == list(range(size, size + 4))
    assert all(parse_receipt(one["receipt"].encode()) for one in found["entries"])


def test_the_run_and_its_tests_can_be_read(web: Running) -> None:
    post(web, REPORT, "?run=run:acme/shop/2&commit=acme/shop@9fceb02")

    runs = web.get("/v1/runs?ref=run:acme/shop/2").json()
    tests = web.get("/v1/tests").json()

    assert [row["ref"] for row in runs["items"]] == ["run:acme/shop/2"]
    assert runs["items"][0]["outcome"] == "failed"
    assert runs["items"][0]["entries"]
    assert tests["total"] >= 3


def test_the_report_itself_is_kept(web: Running) -> None:
    post(web, REPORT)

    assert web.get(f"/v1/blobs/sha256:{hashlib.sha256(REPORT).hexdigest()}").body == REPORT


def test_the_same_report_again_is_answered_with_the_same_entries(web: Running) -> None:
    first = post(web, REPORT, "?run=run:acme/shop/3").json()["entries"]

    again = post(web, REPORT, "?run=run:acme/shop/3").json()["entries"]

    assert [one["index"] for one in again] == [one["index"] for one in first]
    assert {one["status"] for one in again} == {"duplicate"}


def test_a_report_larger_than_memory_for_it_passes_through_a_file(web: Running) -> None:
    cases = b"".join(
        b'<testcase classname="big" name="t%d"><system-out>%b</system-out></testcase>'
        % (number, b"x" * 10_000)
        for number in range(300)
    )
    answer = post(web, b"<testsuite name='big'>" + cases + b"</testsuite>")

    assert answer.status == 201, answer.body[:300]
    assert len(answer.json()["entries"]) == 301


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "report_empty"),
        (b"not xml", 422, "report_not_xml"),
        (REPORT[:-20], 422, "report_truncated"),
        (b"<html></html>", 422, "report_unknown"),
        (b"<testsuite name='x'></testsuite>", 422, "report_empty"),
        (
            b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>',
            422, "report_doctype",
        ),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_by_name_and_records_nothing(
    web: Running, body: bytes, status: int, code: str
) -> None:
    size = web.size()
    refused = post(web, body)

    assert (refused.status, refused.code) == (status, code)
    assert web.size() == size


def test_an_empty_report_is_recorded_when_that_is_said(web: Running) -> None:
    assert post(web, b"<testsuite name='x'></testsuite>", "?allow_empty=true").status == 201


@pytest.mark.parametrize("media", ["application/json", "multipart/form-data", ""])
def test_another_content_type_is_refused(web: Running, media: str) -> None:
    assert post(web, REPORT, media=media).code == "content_type"


@pytest.mark.parametrize("query", ["?run=nothing", "?commit=nothing", "?commit=commit:x"])
def test_a_ref_that_is_none_is_refused(web: Running, query: str) -> None:
    refused = post(web, REPORT, query)

    assert (refused.status, refused.code) == (400, "ref_invalid")


def test_a_report_over_100_mib_is_refused_before_it_comes(web: Running) -> None:
    headers = {"Content-Type": "application/xml", "Content-Length": str(100 * 1024 * 1024 + 1)}
    refused = web.call("POST", "/v1/reports", b"", headers)

    assert (refused.status, refused.code) == (413, "body_too_large")
