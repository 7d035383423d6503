"""The settings of one ledger directory: DIR/counterfoil.toml, read once at start.

Every setting has a default, so an empty file is a good file.  Unknown settings are refused by
name: a misspelt `publik = true` must not leave somebody believing the log is public.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from counterfoil.client.address import is_safe_address, plain_address
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.places import TIERS
from counterfoil.tlog.keys import COSIGNATURE, MLDSA44, VerifierKey, parse_vkey

FILE_NAME = "counterfoil.toml"
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")

TEMPLATE = """\
# Settings of this ledger.  Every line is optional; these are the defaults.

[server]
# host = "127.0.0.1"
# port = 8000
# public_url = ""          # what links show; default http://localhost:PORT
# trusted_proxies = []     # addresses whose X-Forwarded-* headers are believed

[log]
# public = false           # true: entry bundles are readable without signing in
# format = "text"          # of the server's own log on standard error: text or json
# level = "info"           # debug: every request; info: refused ones too; warning; error

[keys]
# directory = "keys"       # signing keys, one PROJECT.key each, mode 0600

# Where the signing key of one log comes from, if not from a file (docs/how-to/keys.md).
# [keys.source.default]
# env = "COUNTERFOIL_KEY"  # or: command = ["/usr/local/bin/read-key", "default"]

[blobs]
# quota_bytes = 10737418240  # evidence a project may keep: 10 GiB

[aggregate]
# interval_s = 60          # how often checkpoints are written to the aggregate log

[retention]
# automatic = true         # false: what is due by the rules goes by `admin retention run` alone
# hour = 3                 # of the day, UTC, after which it goes by itself

[scrub]
# share_percent = 5        # of one processor, for reading everything kept again; 0 never does

[backup]
# keep = 7                 # generations a destination keeps; older ones go once another stands
# keys_days = 7            # how long copies of erasable.db and state.db are kept; then what an
                           # older backup holds of contents opens for nobody

[timestamp]
# url = ""                 # an RFC 3161 authority for checkpoints of the aggregate log
# interval_s = 3600        # how often one is stamped, if the log has grown

[tiers]
# "eu-1" = "production"    # the tier of an environment whose name does not tell it: production,
                           # staging, testing, development or other; untold counts as production

# A provider people sign in with, by OpenID Connect; any number (docs/how-to/sign-in.md).
# [oidc.acme]
# issuer = "https://login.acme.example"
# client_id = "counterfoil"
# client_secret_file = "oidc-acme.secret"   # or client_secret_env = "NAME"

# A witness that is asked to cosign every log here; any number of them (docs/how-to/witness.md).
# [[witness]]
# name = "audit"           # as these pages call it
# vkey = "witness.example/audit+01234567+BA..."
# url = "https://witness.example"
"""


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens and how it is reached."""

    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may read the log itself, and how the program's own log is written."""

    public: bool = False
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class KeySourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the signing key of one log comes from: one of a variable and a command.

    Attributes:
        env: the name of an environment variable.
        command: a program and its arguments; no shell reads them.
        timeout_s: how long the command may take.
    """

    env: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z_][A-Za-z0-9_]{0,127})?$")] = ""
    command: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    timeout_s: Annotated[int, msgspec.Meta(ge=1, le=120)] = 10


class KeysConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the signing keys are, and for which logs they come from elsewhere."""

    directory: str = "keys"
    source: dict[str, KeySourceConfig] = {}


class BlobsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much evidence is kept."""

    quota_bytes: Annotated[int, msgspec.Meta(ge=0)] = 10 * 1024**3


class AggregateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often the checkpoints of all logs are written to the aggregate log."""

    interval_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60


class ScrubConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of one processor's time re-reading may take."""

    share_percent: Annotated[int, msgspec.Meta(ge=0, le=50)] = 5


class BackupConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many backups are kept, and for how long the keys to their contents."""

    keep: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 7
    keys_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 7


class RetentionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether things expire by themselves, and at which hour of the day, UTC."""

    automatic: bool = True
    hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 3


class TimestampConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who stamps the aggregate log with a time, and how often."""

    url: str = ""
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=604_800)] = 3_600


class WitnessConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A witness that is asked to cosign: what it is called here, its key, where it answers."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    vkey: str
    url: str

    @property
    def key(self) -> VerifierKey:
        """The verifier key, which `read_config` has checked."""
        return parse_vkey(self.vkey)


class OidcConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider people sign in with: what it calls itself, and what we are there."""

    issuer: str
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    client_secret_env: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid",)
    title: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a ledger directory."""

    server: ServerConfig = msgspec.field(default_factory=ServerConfig)
    log: LogConfig = msgspec.field(default_factory=LogConfig)
    keys: KeysConfig = msgspec.field(default_factory=KeysConfig)
    blobs: BlobsConfig = msgspec.field(default_factory=BlobsConfig)
    aggregate: AggregateConfig = msgspec.field(default_factory=AggregateConfig)
    retention: RetentionConfig = msgspec.field(default_factory=RetentionConfig)
    scrub: ScrubConfig = msgspec.field(default_factory=ScrubConfig)
    backup: BackupConfig = msgspec.field(default_factory=BackupConfig)
    timestamp: TimestampConfig = msgspec.field(default_factory=TimestampConfig)
    witness: tuple[WitnessConfig, ...] = ()
    tiers: dict[str, str] = {}
    oidc: dict[str, OidcConfig] = {}


def read_config(directory: Path) -> Config:
    """Read DIR/counterfoil.toml.

    Raises:
        RequestError: `config_invalid`, with the setting that is wrong.
    """
    path = directory / FILE_NAME
    try:
        config = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Config)
    except FileNotFoundError:
        return Config()
    # ValueError: no TOML, no UTF-8, or a number of thousands of digits.
    except (ValueError, msgspec.ValidationError) as error:
        raise RequestError(
            "config_invalid", f"{FILE_NAME}: {error}; correct the line and start again"
        ) from error
    except RecursionError as error:
        raise RequestError(
            "config_invalid", f"{FILE_NAME}: lists within lists without end; correct the line"
        ) from error
    _check_witnesses(config.witness)
    for environment, tier in config.tiers.items():
        if tier not in TIERS:
            raise RequestError(
                "config_invalid",
                f"{FILE_NAME}: tiers: {environment} = {tier!r} is none of {', '.join(TIERS)}",
            )
    _check_providers(config.oidc)
    _check_key_sources(config.keys.source)
    if config.timestamp.url:
        try:
            plain_address(config.timestamp.url)
        except CounterfoilError as error:
            raise RequestError(
                "config_invalid", f"{FILE_NAME}: timestamp: {error.message}"
            ) from error
    return config


def _check_witnesses(witnesses: Sequence[WitnessConfig]) -> None:
    names: set[str] = set()
    publics: set[bytes] = set()
    for one in witnesses:
        try:
            key = parse_vkey(one.vkey)
            plain_address(one.url)
        except CounterfoilError as error:
            raise _refuse(one, error.message) from error
        if key.algorithm not in {COSIGNATURE, MLDSA44}:
            raise _refuse(one, "its vkey is that of a log, and a log witnesses nothing")
        if one.name in names or key.public in publics:
            # Counted twice, one witness would look like two.
            raise _refuse(one, "its name or its key stands there already")
        names.add(one.name)
        publics.add(key.public)


def _check_providers(providers: Mapping[str, OidcConfig]) -> None:
    for name, one in providers.items():
        why = ""
        if not _PROVIDER_NAME.fullmatch(name):
            why = "its name is not lower-case letters, digits and hyphens, at most 32"
        elif not is_safe_address(one.issuer, beside=one.issuer) or "?" in one.issuer:
            why = f"its issuer {one.issuer[:200]!a} is no https address"
        elif one.client_secret_env and one.client_secret_file:
            why = "its secret is in the environment or in a file, not both"
        elif "openid" not in one.scopes:
            why = "its scopes lack openid, without which nobody is named"
        if why:
            raise RequestError("config_invalid", f"{FILE_NAME}: oidc.{name[:40]!a}: {why}")


def _check_key_sources(sources: Mapping[str, KeySourceConfig]) -> None:
    for project, one in sources.items():
        why = ""
        if bool(one.env) == bool(one.command):
            why = "name a variable (env) or a command, one of the two"
        elif project == "_aggregate":
            why = "the key of the aggregate log is a file"
        if why:
            raise RequestError("config_invalid", f"{FILE_NAME}: keys.source.{project[:63]}: {why}")


def _refuse(witness: WitnessConfig, why: str) -> RequestError:
    return RequestError("config_invalid", f"{FILE_NAME}: witness {witness.name[:64]!a}: {why}")
