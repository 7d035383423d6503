"""A directory file: who there is, as an organisation writes it down, in YAML or CSV.

Both forms hold the same content (docs/how-to/people.md).  Whatever is off is refused with its
line, and the whole file with it.  A file says nothing about what it leaves out: an actor without
`accounts` keeps theirs, an actor with an empty list has none.

Pure.  Cost: about 20 us a line.
"""

import hashlib
import re
from typing import Final, TypeVar

from counterfoil.app.directory_csv import read_csv
from counterfoil.app.directory_lines import (
    COLUMNS,
    VERSION,
    AccountLine,
    ActorLine,
    DeputyLine,
    DirectoryFile,
    MemberLine,
    OnLine,
    RoleLine,
    TeamLine,
    Timed,
    refused,
)
from counterfoil.app.handles import (
    check_account,
    check_behalf,
    check_handle,
    check_kind,
    check_name,
    team_ref,
)
from counterfoil.app.moments import moment
from counterfoil.app.plain_yaml import Node, YamlError, read_yaml
from counterfoil.errors import RequestError
from counterfoil.policy.access import ALL
from counterfoil.policy.places import TIERS
from counterfoil.policy.roles import ROLES

FILE_BYTES_MAX: Final = 3_000_000
# What stands for bytes that were no UTF-8.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
FORMS: Final = ("yaml", "csv")
TURN_DAYS_MAX: Final = 366
TimedT = TypeVar("TimedT", bound=Timed)


def read_directory(content: str, form: str) -> DirectoryFile:
    """Return what a directory file says, each line of it sound by itself.

    Args:
        content: the text.
        form: "yaml" or "csv".

    Raises:
        RequestError: `directory_refused`, with `line`; `usage`: no such form.
    """
    if form not in FORMS:
        raise RequestError("usage", f"{form[:40]!a} is no form of a directory file: yaml or csv")
    encoded = content.encode("utf-8", "surrogatepass")
    if len(encoded) > FILE_BYTES_MAX:
        raise RequestError(
            "directory_refused",
            f"the file is {len(encoded):,} bytes; a directory file has at most "
            f"{FILE_BYTES_MAX:,}: split it by team",
        )
    if (odd := _SURROGATE.search(content)) is not None:
        raise refused(content.count("\n", 0, odd.start()) + 1, "the file is not in UTF-8 here")
    if form == "yaml":
        try:
            top = _mapping(read_yaml(content), "apiVersion", "actors", "teams", "roles")
        except YamlError as error:
            raise refused(error.line, error.message) from error
        version = _text(top, "apiVersion")
        if version != VERSION:
            raise refused(1, f"it begins with apiVersion: {VERSION}, not {version[:40]!a}")
    else:
        top = read_csv(content)
    actors = [_actor(node) for node in _list(top, "actors") or ()]
    teams = [_team(node) for node in _list(top, "teams") or ()]
    _refuse_twice([(one.handle, one.line) for one in actors])
    _refuse_twice([(one.ref, one.line) for one in teams])
    return DirectoryFile(
        digest=f"sha256:{hashlib.sha256(encoded).hexdigest()}",
        actors={one.handle: one for one in actors},
        teams={one.ref: one for one in teams},
        roles=tuple(_role(node) for node in _list(top, "roles") or ()),
    )


def _actor(node: Node) -> ActorLine:
    line = node.line
    given = _mapping(node, "handle", "kind", "name", "behalf", "accounts", "deputies")
    with OnLine(line):
        handle, kind = _text(given, "handle"), _text(given, "kind", "person")
        name, behalf = _text(given, "name"), _text(given, "behalf")
        check_handle(handle)
        check_kind(kind)
        check_name(name)
        check_behalf(handle, kind, behalf)
    accounts = _list(given, "accounts")
    deputies = _list(given, "deputies")
    found = ActorLine(
        line=line,
        handle=handle,
        kind=kind,
        name=name,
        behalf=behalf,
        accounts=None
        if accounts is None
        else tuple(_timed(one, AccountLine, "account") for one in accounts),
        deputies=None
        if deputies is None
        else tuple(_timed(one, DeputyLine, "deputy") for one in deputies),
    )
    for one in found.accounts or ():
        with OnLine(one.line):
            check_account(one.account)
    return found


def _team(node: Node) -> TeamLine:
    given = _mapping(node, "team", "title", "turns", "turns_from", "turn_days", "members")
    line = node.line
    turns = tuple(_plain(one) for one in _list(given, "turns") or ())
    days, turns_from = _text(given, "turn_days"), _text(given, "turns_from")
    with OnLine(line):
        ref, title = team_ref(_text(given, "team")), _text(given, "title")
        check_name(title, "a title")
        if bool(turns) != bool(days) or bool(turns) != bool(turns_from):
            raise refused(line, "turns need `turns`, `turns_from` and `turn_days` together")
        if turns:
            turns_from = moment("turns_from", turns_from)[:10]
            if not (days.isascii() and days.isdigit() and 1 <= int(days[:4]) <= TURN_DAYS_MAX):
                raise refused(line, f"turn_days is a number from 1 to {TURN_DAYS_MAX}")
    members = _list(given, "members")
    return TeamLine(
        line=line,
        ref=ref,
        title=title,
        turns=turns,
        turns_from=turns_from,
        turn_days=int(days[:4]) if turns else 0,
        members=None
        if members is None
        else tuple(_timed(one, MemberLine, "handle") for one in members),
    )


def _role(node: Node) -> RoleLine:
    given = _mapping(node, *COLUMNS["role"])
    with OnLine(node.line):
        to, role, tier = _text(given, "to"), _text(given, "role"), _text(given, "tier", ALL)
        if to.startswith("team:"):
            to = team_ref(to.removeprefix("team:"))
        if role not in ROLES:
            raise refused(node.line, f"{role[:40]!a} is no role; they are {', '.join(ROLES)}")
        if tier not in {ALL, *TIERS}:
            raise refused(node.line, f"{tier[:40]!a} is no tier; they are {', '.join(TIERS)}")
        check_name(_text(given, "component"), "a component")
    return RoleLine(
        line=node.line,
        to=to,
        role=role,
        project=_text(given, "project", ALL),
        tier=tier,
        component=_text(given, "component", ALL),
        **_span(node.line, given),
    )


def _timed(node: Node, kind: type[TimedT], name: str) -> TimedT:
    """Read something that is a name alone, or a mapping with dates."""
    if isinstance(node.value, str):
        return kind(line=node.line, **{name: node.value})
    given = _mapping(node, name, "since", "until")
    value = _text(given, name)
    if not value:
        raise refused(node.line, f"`{name}` is missing")
    return kind(line=node.line, **{name: value}, **_span(node.line, given))


def _span(line: int, given: dict[str, Node]) -> dict[str, str]:
    with OnLine(line):
        since = moment("since", _text(given, "since"))
        until = moment("until", _text(given, "until"))
    if since and until and until <= since:
        raise refused(line, f"it ends ({until}) before it begins ({since})")
    return {"since": since, "until": until}


def _mapping(node: Node, *known: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise refused(node.line, f"expected KEY: VALUE lines with {', '.join(known)}")
    for key, value in node.value.items():
        if key not in known:
            raise refused(value.line, f"{key[:40]!a} is not known here: {', '.join(known)}")
    return node.value


def _list(given: dict[str, Node], key: str) -> list[Node] | None:
    node = given.get(key)
    if node is None:
        return None
    if not isinstance(node.value, list):
        raise refused(node.line, f"`{key}` is a list")
    return node.value


def _text(given: dict[str, Node], key: str, default: str = "") -> str:
    node = given.get(key)
    return default if node is None else _plain(node) or default


def _plain(node: Node) -> str:
    if not isinstance(node.value, str):
        raise refused(node.line, "expected a text, not a list or mapping")
    return node.value


def _refuse_twice(named: list[tuple[str, int]]) -> None:
    first: dict[str, int] = {}
    for name, line in named:
        if name in first:
            raise refused(line, f"{name} is described twice, first on line {first[name]}")
        first[name] = line
