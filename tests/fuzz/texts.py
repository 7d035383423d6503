"""Decoders of what people write: settings, directory files, policies, searches, addresses."""

import contextlib
import tempfile
from pathlib import Path

from counterfoil.app.config import FILE_NAME, TEMPLATE, read_config
from counterfoil.app.directory_csv import read_csv
from counterfoil.app.directory_file import read_directory
from counterfoil.app.handles import check_account, check_handle, check_name
from counterfoil.app.naming import check_project
from counterfoil.app.plain_yaml import YamlError, read_yaml
from counterfoil.app.rows import _read_cursor, _write_cursor
from counterfoil.client.address import check_token, split_address
from counterfoil.clock import parse_time
from counterfoil.errors import CounterfoilError
from counterfoil.policy.policy_set import PolicySet, builtin
from counterfoil.policy.upload import check_upload
from counterfoil.projections.search import read_query, read_words
from counterfoil.projections.search_time import read_span
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.web.api.log import _parse as parse_log_path
from counterfoil.web.api.route import PROJECT, Param
from counterfoil.web.head import read_head
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import VECTORS, as_text

_NOW = parse_time("2026-11-20T12:00:00Z")
_WITNESS = SignerKey.from_seed("w.example", bytes(32), COSIGNATURE)
_DOCS = VECTORS.parents[1] / "docs"
_YAML = b"""apiVersion: counterfoil.directory/1
actors:
  - handle: ana-dev
    name: "Ana \xc3\x96"
    accounts:
      - github.com:ana-dev
      - {account: mail:ana@acme.example, since: 2026-01-01, until: 2027-01-01}
  - handle: fixer
    kind: agent
    behalf: ana-dev
roles:
  - {to: ana-dev, role: approver, project: shop, tier: production}
"""
_CSV = b"""what,handle,kind,name,account,since,to,role,project
actor,ana-dev,person,Ana,,,,,
account,ana-dev,,,github.com:ana-dev,2026-01-01,,,
role,,,,,,ana-dev,approver,shop
"""


def _yaml(data: bytes) -> None:
    read_yaml(as_text(data))


def _directory(data: bytes) -> None:
    form, text = ("csv" if data[:1] == b"c" else "yaml"), data[1:]
    read_directory(text.decode("utf-8", "surrogateescape"), form)


def _csv(data: bytes) -> None:
    read_csv(as_text(data))


def _settings(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE_NAME).write_bytes(data)
        read_config(Path(folder))


def _policies(data: bytes) -> None:
    text = as_text(data)
    assert PolicySet.parse(text).text == text
    check_upload(text, ())


def _search(data: bytes) -> None:
    text = as_text(data)
    words = read_words(text, _NOW)
    assert all(0 <= word.start <= word.end <= len(text) for word in words)
    read_query(text, _NOW)


def _span(data: bytes) -> None:
    span = read_span(as_text(data), _NOW)
    assert span is None or span.start <= span.end


def _address(data: bytes) -> None:
    text = as_text(data)
    assert split_address(text).hostname


def _words(data: bytes) -> None:
    """Ask every check of a short text: each takes it or says why not."""
    text = as_text(data)
    for check in (check_handle, check_name, check_account, check_token, check_project):
        with contextlib.suppress(CounterfoilError):
            check(text)


def _log_path(data: bytes) -> None:
    parse_log_path(as_text(data))


_NUMBER = Param(name="limit", doc="how many", number=True, minimum=1, maximum=500)


def _parameter(data: bytes) -> None:
    text = as_text(data)
    if text[:1].isdigit():
        assert str(_NUMBER.read(text)) == text
    else:
        assert PROJECT.read(text) == text


def _cursor(data: bytes) -> None:
    _read_cursor(as_text(data))


def _head(data: bytes) -> None:
    head = read_head(data)
    assert head is None or head.length_bytes > 0


DECODERS = (
    Decoder(name="YAML", read=_yaml, of=(read_yaml,), seeds=(_YAML,), errors=(YamlError,)),
    Decoder(
        name="directory files",
        read=_directory,
        of=(read_directory,),
        seeds=(b"y" + _YAML, b"c" + _CSV),
    ),
    Decoder(name="CSV of a directory", read=_csv, of=(read_csv,), seeds=(_CSV,)),
    Decoder(
        name="settings",
        read=_settings,
        of=(read_config,),
        seeds=(
            TEMPLATE.encode(),
            b'[server]\nport = 8000\n[tiers]\n"eu-1" = "production"\n[timestamp]\nurl = "https://tsa.example"\n',
            b'[[witness]]\nname = "audit"\nvkey = "%s"\nurl = "https://w.example"\n'
            % str(_WITNESS.vkey).encode(),
            b'[oidc.acme]\nissuer = "https://login.acme.example"\nclient_id = "counterfoil"\n',
        ),
    ),
    Decoder(
        name="access policies",
        read=_policies,
        of=(PolicySet.parse, check_upload),
        seeds=(
            builtin().text.encode(),
            *(path.read_bytes() for path in sorted(_DOCS.glob("examples/policies/*.cedar"))[:3]),
        ),
    ),
    Decoder(
        name="searches",
        read=_search,
        of=(read_query, read_words),
        seeds=(
            b'actor:ana type:approval since:7d "heap grows"',
            b"ref:release:shop@1.4.2 outcome:failed until:2026-11-20",
            b'-via:cli source:"x y"',
        ),
    ),
    Decoder(
        name="spans of time",
        read=_span,
        of=(read_span,),
        seeds=(b"7d", b"2026-11", b"2026-11-20T12", b"yesterday"),
    ),
    Decoder(
        name="addresses",
        read=_address,
        of=(split_address,),
        seeds=(
            b"https://foil.example:8443/x",
            b"http://[::1]:8000",
            "https://öre.example".encode(),
        ),
    ),
    Decoder(
        name="names and handles",
        read=_words,
        of=(check_handle, check_name, check_account, check_token, check_project),
        seeds=(b"ana.dev", b"github.com:ana-dev", "Ana Ö".encode()),
    ),
    Decoder(
        name="paths below a log",
        read=_log_path,
        of=(parse_log_path,),
        seeds=(b"tile/0/x001/067.p/8", b"tile/entries/000"),
    ),
    Decoder(
        name="parameters of a call",
        read=_parameter,
        of=(Param.read,),
        seeds=(b"42", b"500", b"default"),
    ),
    Decoder(
        name="cursors of lists",
        read=_cursor,
        of=(_read_cursor,),
        seeds=(_write_cursor(7, "run:acme/shop/1874").encode(),),
    ),
    Decoder(
        name="heads of requests",
        read=_head,
        of=(read_head,),
        seeds=(
            b"POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Type: application/json\r\nContent-Length: 12",
        ),
    ),
)
