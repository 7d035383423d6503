"""Directory files for the tests, and the steps of an import."""

from typing import Any

from counterfoil.app.acting_directory import Compared, Imported
from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL

HEAD = "apiVersion: counterfoil.directory/1\n"

YAML = (
    HEAD
    + """
actors:
  - handle: ana-dev
    name: Ana Dev
    accounts:
      - github.com:ana-dev
      - {account: mail:ana@acme.example, since: 2026-01-01, until: 2027-01-01}
    deputies:
      - {deputy: bo-dev, since: 2026-12-01, until: 2026-12-15}
  - handle: bo-dev
    name: Bo Dev
    accounts: [github.com:bo-dev]
  - {handle: fixer, kind: agent, behalf: ana-dev}
teams:
  - team: checkout
    title: Checkout
    members:
      - ana-dev
      - {handle: bo-dev, since: 2026-12-01}
    turns: [ana-dev, bo-dev]
    turns_from: 2026-11-02
    turn_days: 7
roles:
  - {to: team:checkout, role: developer}
  - {to: ana-dev, role: approver, project: default, tier: production, until: 2027-01-01}
"""
)

CSV = """what,handle,kind,name,behalf,account,deputy,team,title,turns,turns_from,turn_days,to,role,project,tier,since,until
actor,ana-dev,person,Ana Dev,,,,,,,,,,,,,,
actor,bo-dev,person,Bo Dev,,,,,,,,,,,,,,
actor,fixer,agent,,ana-dev,,,,,,,,,,,,,
account,ana-dev,,,,github.com:ana-dev,,,,,,,,,,,,
account,ana-dev,,,,mail:ana@acme.example,,,,,,,,,,,2026-01-01,2027-01-01
account,bo-dev,,,,github.com:bo-dev,,,,,,,,,,,,
deputy,ana-dev,,,,,bo-dev,,,,,,,,,,2026-12-01,2026-12-15
team,,,,,,,checkout,Checkout,ana-dev bo-dev,2026-11-02,7,,,,,,
member,ana-dev,,,,,,checkout,,,,,,,,,,
member,bo-dev,,,,,,checkout,,,,,,,,,2026-12-01,
role,,,,,,,,,,,,team:checkout,developer,,,,
role,,,,,,,,,,,,ana-dev,approver,default,production,,2027-01-01
"""


def compare(home: Home, content: str, **more: Any) -> Compared:
    """Return what a file would change."""
    found = act(home, LOCAL, "directory-diff", {"content": content, **more}, "cli")
    assert isinstance(found, Compared)
    return found


def take_over(home: Home, content: str, **more: Any) -> Imported:
    """Compare a file, and apply what was shown."""
    given = {"content": content, "digest": compare(home, content, **more).digest, **more}
    done = act(home, LOCAL, "directory-import", given, "cli")
    assert isinstance(done, Imported)
    return done


def shown(compared: Compared) -> list[str]:
    """Return the changes as lines."""
    return [f"{one.does} {one.who} {one.text}".strip() for one in compared.changes]
