"""Artifacts: bytes that were built, signed, published, fetched and thrown away."""

from collections.abc import Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.kinds import EventType, cdevents_type

_DIGEST = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
_PURL = f"pkg:oci/shop@sha256%3A{_DIGEST}?tag=1.4.2"
_SBOM: dict[str, JSON] = {"uri": "https://sbom.example/acme/shop/1.4.2.spdx.json"}
_USER = {"user": "who did it, at the source; personal"}


def _artifact(
    name: str,
    meaning: str,
    title: str,
    content: Mapping[str, JSON],
    members: Mapping[str, str],
    *,
    named: tuple[tuple[str, str], ...] = (),
    refs: Mapping[str, str] | None = None,
    personal: tuple[str, ...] = (),
) -> EventType:
    return cdevents_type(
        f"artifact.{name}",
        noun="artifact",
        meaning=meaning,
        title=title,
        row="artifacts",
        ident=_PURL,
        subject=f"artifact:sha256:{_DIGEST}",
        content=content,
        named=named,
        members=members,
        refs=refs,
        personal=personal,
    )


TYPES = (
    _artifact(
        "packaged.0.3.0",
        "An artifact was built and packed.",
        "packaged {thing}",
        {"change": {"id": "acme/shop#118"}, "sbom": _SBOM},
        {
            "change.id": "the change it was built from",
            "sbom.uri": "where its bill of materials is",
        },
        named=(
            ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "built-from"),
            ("run:acme/shop/build-311", "part-of"),
        ),
        refs={
            "built-from": "the `commit:` and the `change:` it was built from",
            "part-of": "the `run:` that built it",
        },
    ),
    _artifact(
        "signed.0.3.0",
        "An artifact was signed.",
        "signed {thing}",
        {"signature": "MEYCIQCBT8U5ypDXWCjlNKfzTV4KH516/SK13NZSh8znnSMNkQ=="},
        {"signature": "the signature, in the signer's form; it is not checked here"},
    ),
    _artifact(
        "published.0.3.0",
        "An artifact was put where others can get it.",
        "published {thing}",
        {"sbom": _SBOM, "user": "release-bot"},
        {"sbom.uri": "where its bill of materials is", **_USER},
        personal=("user",),
    ),
    _artifact(
        "downloaded.0.2.0",
        "Somebody fetched an artifact.",
        "downloaded {thing}",
        {"user": "deploy-bot"},
        _USER,
        personal=("user",),
    ),
    _artifact(
        "deleted.0.2.0",
        "An artifact was removed from where it was published.",
        "deleted {thing}",
        {"user": "registry-janitor"},
        _USER,
        personal=("user",),
    ),
)
