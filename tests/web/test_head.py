"""The heads a worker reads by itself are the plainest; the server's own parser has the rest."""

import pytest

from counterfoil.web.head import Head, read_head

PLAIN = {
    "Host": "localhost:8000",
    "Authorization": "Bearer cf_0123",
    "Content-Type": "application/json",
    "Content-Length": "12",
}


def _head(line: str = "POST /v1/events HTTP/1.1", **fields: str | None) -> bytes:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    kept = {name: value for name, value in {**PLAIN, **named}.items() if value is not None}
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in kept.items())]).encode()


def test_a_plain_head_is_read() -> None:
    plain = Head("default", "localhost:8000", "cf_0123", "application/json", 12)

    assert read_head(_head()) == plain
    assert read_head(_head("POST /v1/events?project=shop HTTP/1.1")) == Head(
        "shop", "localhost:8000", "cf_0123", "application/json", 12
    )
    assert read_head(_head(User_Agent="x", Accept="*/*", Connection="keep-alive")) == plain


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(_head("GET /v1/events HTTP/1.1"), id="another method"),
        pytest.param(_head("POST /v1/events/ HTTP/1.1"), id="another path"),
        pytest.param(_head("POST /v1/events HTTP/1.0"), id="another version"),
        pytest.param(_head("POST /v1/events?project=a&project=b HTTP/1.1"), id="two parameters"),
        pytest.param(_head("POST  /v1/events HTTP/1.1"), id="two spaces"),
        pytest.param(_head(Authorization=None), id="no token"),
        pytest.param(_head(Authorization="Basic abc"), id="another scheme"),
        pytest.param(_head(Host=None), id="no host"),
        pytest.param(_head(Content_Length=None), id="no length"),
        pytest.param(_head(Content_Length="+12"), id="a length with a sign"),
        pytest.param(_head(Content_Length="012"), id="a length with a leading zero"),
        pytest.param(_head(Content_Length="12, 12"), id="a list of lengths"),
        pytest.param(_head() + b"\r\nContent-Length: 12", id="the length twice"),
        pytest.param(_head() + b"\r\nhost: other", id="the host twice"),
        pytest.param(_head(Transfer_Encoding="chunked"), id="a transfer encoding"),
        pytest.param(_head(Expect="100-continue"), id="an expectation"),
        pytest.param(_head(Cookie="counterfoil=x"), id="a cookie"),
        pytest.param(_head(X_Forwarded_Host="evil"), id="a proxy's word"),
        pytest.param(_head(Connection="close"), id="a connection to close"),
        pytest.param(_head(Content_Encoding="gzip"), id="an encoded body"),
        pytest.param(_head() + b"\r\n folded: line", id="a folded line"),
        pytest.param(_head() + b"\r\nAccept : x", id="a space before the colon"),
        pytest.param(_head() + b"\r\nAccept: a\nHost: b", id="a bare line feed"),
        pytest.param(_head() + b"\r\nAccept: \xff", id="a byte beyond ASCII"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_whatever_is_unusual_is_left_to_the_servers_own_parser(head: bytes) -> None:
    """Two readers that understand a request differently are how requests are smuggled."""
    assert read_head(head) is None
