"""docs/how-to/install.md, followed to the letter on a throw-away machine.

Every block marked `sh` is run, in order, as root; in between somebody from outside looks at what
stands there.  What it cannot run is indented, and is apt's, certbot's and systemd's business.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.deploy.machine import Machine, machine
from tests.tools import needs_tool
from tools import wheel

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "install.md").read_text("utf-8")
MONITORING = (ROOT / "docs" / "how-to" / "monitoring.md").read_text("utf-8")
CERTIFICATE = "/etc/counterfoil/tls/cert.pem"
EVENT = {
    "specversion": "1.0", "source": "https://ci.example/acme", "type": "com.example.step.finished",
    "time": "2026-11-20T12:00:00Z", "authtype": "service_account", "authid": "ci.example:acme",
}  # fmt: skip
CLOUDEVENT = {"Content-Type": "application/cloudevents+json"}
REFUSED = "dev.cdeventsx.counterfoil-refusal.counted.0.1.0"
CLAIMED = "203.0.113.9"


class Stranger:
    """Somebody with the page and the release, at the keyboard of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        sections = re.split(r"^##+ ", PAGE, flags=re.MULTILINE)[1:]
        self._sections = dict(one.split("\n", 1) for one in sections)
        self.left = [title for title, text in self._sections.items() if "```sh" in text]
        self._ids = iter(range(1_000))

    def follow(self, title: str, *, online: bool = False) -> str:
        """Run the blocks of the section that has this title; return what they print."""
        self.left.remove(title)
        blocks = shell_blocks(self._sections[title])
        # The first block fetches packages; nothing behind it needs anybody's network.
        return "".join(
            self.machine.run(block, online=online and number == 0)
            for number, block in enumerate(blocks)
        )

    def again(self, title: str) -> str:
        """Run the first block of a section that was followed once more."""
        assert title not in self.left
        return self.machine.run(shell_blocks(self._sections[title])[0])

    def event(self) -> str:
        """Return an event nobody has sent."""
        return json.dumps({**EVENT, "id": f"e{next(self._ids)}"})

    @property
    def token(self) -> str:
        """The first administrator's, which root can read."""
        return self.machine.run("cat /var/lib/counterfoil/admin.token").strip()


def shell_blocks(text: str) -> list[str]:
    """Return what a page has to be typed into a shell."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    """A stranger whose machine holds nothing of ours but the three files of a release."""
    for tool in ("systemd-analyze", "nginx", "openssl"):
        needs_tool(tool)
    (tmp_path / "machine").mkdir()
    wheel.build(tmp_path / "release")
    with machine(tmp_path / "machine") as made:
        made.run(f"mkdir /root/release; cp {tmp_path}/release/* /root/release")
        yield Stranger(made)


def test_a_stranger_who_follows_install_md_has_a_ledger_behind_tls(stranger: Stranger) -> None:
    """From a wheel to a ledger that is served, looked at, upgraded and taken away again.

    What comes after the choice between 4a and 4b is done under 4a, and looked at again under 4b.
    """
    stranger.follow("1. The program", online=True)
    assert "default.vkey" in PAGE
    stranger.follow("2. A user, and the ledger")
    stranger.follow("3. The first administrator")
    stranger.follow("4. A certificate")
    stranger.follow("4a. TLS by itself")
    look_at_a_server_with_tls_of_its_own(stranger)
    said = stranger.follow("5. Look, and sign in")
    assert re.search(r"ok +server .* answers on https://127\.0\.0\.1:443\n", said)
    assert re.search(r"warn +backups +no backup was ever taken", said)
    said = stranger.follow("6. Backups, and that they can be restored")
    assert re.search(r"ok +backups +default up to (\d+) of \1,", said)
    assert re.search(r"ok +backups +the last drill was 0 h ago", said)
    for block in shell_blocks(MONITORING):
        stranger.machine.run(block)
    scrape(stranger)
    stranger.follow("4b. Behind nginx")
    look_through_nginx(stranger)
    scrape(stranger)
    claim_to_come_from_elsewhere(stranger)
    said = stranger.again("5. Look, and sign in")
    assert re.search(r"ok +server .* answers on http://127\.0\.0\.1:8000\n", said)
    assert re.search(r"ok +certificate +foil\.example is shown until", said)
    look_at_the_sign_in_link(stranger, re.findall(r"https://foil\.example(/sign-in\S+)", said)[0])
    stranger.follow("7. Logs and monitoring")
    stranger.machine.wait_until_ready()
    look_at_who_was_believed(stranger)
    stranger.follow("8. A later version")
    stranger.machine.wait_until_ready()
    assert stranger.machine.ask(path="/readyz")["status"] == 200
    look_for_links_in_what_nginx_logs(stranger)
    stranger.follow("9. Taking it away")
    assert stranger.left == []
    left = stranger.machine.run("ls /opt/counterfoil /etc/systemd/system/counterfoil* || true")
    assert left == ""
    assert "ledger.db" in stranger.machine.run("ls /var/lib/counterfoil")


def look_at_a_server_with_tls_of_its_own(stranger: Stranger) -> None:
    """A client that trusts the certificate gets a receipt; one that does not sends nothing."""
    machine = stranger.machine
    machine.wait_until_ready()
    ready = machine.ask(path="/readyz")
    assert ready["status"] == 200
    assert "max-age" in ready["headers"]["strict-transport-security"]
    foil = "/opt/counterfoil/bin/counterfoil record com.example.done --url https://foil.example"
    send = f"COUNTERFOIL_TOKEN={stranger.token} {foil}"
    assert "receipt" in machine.run(f"SSL_CERT_FILE={CERTIFICATE} {send} --json")
    machine.run(f"unset SSL_CERT_FILE; {send} 2>&1", code=4)
    before = machine.run("stat -c %Y /run/stand-in/counterfoil.service")
    machine.run("systemctl reload counterfoil")
    assert machine.ask(path="/readyz")["status"] == 200
    assert before == machine.run("stat -c %Y /run/stand-in/counterfoil.service")
    assert "read again" in machine.run("cat /var/log/stand-in/counterfoil.service")
    owner = machine.run("ps -o user= -p $(cat /run/stand-in/counterfoil.service)")
    assert owner.strip().startswith("counterf")


def scrape(stranger: Stranger) -> None:
    """Ask for figures as the page has Prometheus ask, who trusts the machine's certificate."""
    [block] = re.findall(r"^```yaml\n(.*?)^```$", MONITORING, flags=re.MULTILINE | re.DOTALL)
    [job] = yaml.safe_load(block)["scrape_configs"]
    assert job["scheme"] == "https"
    assert job["static_configs"] == [{"targets": ["foil.example"]}]
    token = stranger.machine.run("cat /root/counterfoil.token").strip()
    told = stranger.machine.ask(path="/metrics", token=token)
    assert told["status"] == 200
    assert 'counterfoil_log_entries{log="default",stage="committed"}' in told["body"]


def look_through_nginx(stranger: Stranger) -> None:
    """Pages, events, evidence, the live stream and refusals come through as they were sent."""
    machine, token = stranger.machine, stranger.token
    machine.wait_until_ready()
    plain = machine.ask(path="/runs?ref=1", port=80)
    assert (plain["status"], plain["headers"]["location"]) == (
        301,
        "https://foil.example/runs?ref=1",
    )
    machine.run("install -D /dev/stdin /var/www/html/.well-known/acme-challenge/token <<< proof")
    proof = machine.ask(path="/.well-known/acme-challenge/token", port=80)
    assert (proof["status"], proof["body"]) == (200, "proof\n")
    page = machine.ask(path="/sign-in")
    assert page["status"] == 200
    assert "<html" in page["body"]
    told = machine.ask("live", token=token, body=stranger.event(), headers=CLOUDEVENT)
    assert told["greeting"].startswith(": the log has")
    assert told["posted"] == 201
    assert "com.example.step.finished" in told["told"]
    post: dict[str, Any] = {"method": "POST", "path": "/v1/events", "token": token}
    ours = machine.ask(**post, body_bytes=5 << 20, headers=CLOUDEVENT)
    assert (ours["status"], json.loads(ours["body"])["code"]) == (413, "body_too_large")
    zeros = "sha256:" + machine.run("head -c 8388608 /dev/zero | tr '\\0' 0 | sha256sum")[:64]
    kept = machine.ask(method="PUT", path=f"/v1/blobs/{zeros}", token=token, body_bytes=8 << 20)
    assert kept["status"] == 201, kept
    over = machine.ask(method="PUT", path=f"/v1/blobs/{zeros}", token=token,
                       body_bytes=102 << 20, only_head=True)  # fmt: skip
    assert over["status"] == 413
    assert machine.run("find /var/lib/nginx -type f") == "", "nginx has put a body into a file"
    other = machine.ask(path="/", headers={"Host": "evil.example"})
    assert other["status"] == 421


def claim_to_come_from_elsewhere(stranger: Stranger) -> None:
    """Call with a wrong token, through nginx and past it, each time as if for somebody else."""
    machine = stranger.machine
    wrong: dict[str, Any] = {"method": "POST", "path": "/v1/events", "token": "cf_" + "0" * 48}
    through = {"X-Forwarded-For": CLAIMED, **CLOUDEVENT}
    assert machine.ask(**wrong, body=stranger.event(), headers=through)["status"] == 401
    past = {"X-Forwarded-For": CLAIMED, "X-Forwarded-Host": "evil.example", **CLOUDEVENT}
    asked = {**wrong, "port": 8000, "from": "127.0.0.2", "body": stranger.event(), "headers": past}
    assert machine.ask(**asked)["status"] == 401


def look_at_who_was_believed(stranger: Stranger) -> None:
    """What a caller says of its own address counts for nothing.

    Refusals are counted, and written down at the latest when the server stops, which it did.
    """
    machine = stranger.machine
    found = json.loads(machine.run(f"foil search type:{REFUSED} --json"))["items"]
    entries = [f"/v1/entries/{one['index']}" for one in found]
    told = [json.loads(machine.ask(path=one, token=stranger.token)["body"]) for one in entries]
    places = {place for entry in told for place in entry["event"]["data"]["from"]}
    assert places == {"127.0.0.1", "127.0.0.2"}


def look_at_the_sign_in_link(stranger: Stranger, path: str) -> None:
    """It opens the page it names, and stands in no log."""
    machine = stranger.machine
    assert machine.ask(path=path)["status"] == 200
    token = path.partition("token=")[2]
    logs = machine.run("cat /var/log/nginx/counterfoil.log /var/log/stand-in/*")
    assert "/sign-in" in logs
    assert token not in logs


def look_for_links_in_what_nginx_logs(stranger: Stranger) -> None:
    """Neither a link that came without https nor one while the server is away: both still work."""
    machine = stranger.machine
    machine.run("systemctl stop counterfoil")
    for path, secret in (("/sign-in", "cf_link"), ("/invitation", "cf_invited")):
        asked = f"{path}?token={secret}"
        assert machine.ask(path=asked, port=80)["status"] == 301
        assert machine.ask(path=asked)["status"] == 502
    logs = machine.run("cat /var/log/nginx/*")
    assert logs.count('"GET /invitation" 301') == logs.count('"GET /invitation" 502') == 1
    assert "cf_link" not in logs
    assert "cf_invited" not in logs
