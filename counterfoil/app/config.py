"""The settings of one ledger directory: DIR/counterfoil.toml, read once at start.

Every setting has a default, so an empty file is a good file.  Unknown settings are refused by
name: a misspelt `publik = true` must not leave somebody believing the log is public.
"""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from counterfoil.errors import RequestError

FILE_NAME = "counterfoil.toml"

TEMPLATE = """\
# Settings of this ledger.  Every line is optional; these are the defaults.

[server]
# host = "127.0.0.1"
# port = 8000
# public_url = ""          # what links show; default http://localhost:PORT
# trusted_proxies = []     # addresses whose X-Forwarded-* headers are believed

[log]
# public = false           # true: entry bundles are readable without signing in

[keys]
# directory = "keys"       # signing keys, one PROJECT.key each, mode 0600

[blobs]
# quota_bytes = 10737418240  # evidence a project may keep: 10 GiB
"""


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens and how it is reached."""

    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may read the log itself."""

    public: bool = False


class KeysConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the signing keys are."""

    directory: str = "keys"


class BlobsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much evidence is kept."""

    quota_bytes: Annotated[int, msgspec.Meta(ge=0)] = 10 * 1024**3


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a ledger directory."""

    server: ServerConfig = msgspec.field(default_factory=ServerConfig)
    log: LogConfig = msgspec.field(default_factory=LogConfig)
    keys: KeysConfig = msgspec.field(default_factory=KeysConfig)
    blobs: BlobsConfig = msgspec.field(default_factory=BlobsConfig)


def read_config(directory: Path) -> Config:
    """Read DIR/counterfoil.toml.

    Raises:
        RequestError: `config_invalid`, with the setting that is wrong.
    """
    path = directory / FILE_NAME
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Config)
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise RequestError(
            "config_invalid", f"{FILE_NAME}: {error}; correct the line and start again"
        ) from error
