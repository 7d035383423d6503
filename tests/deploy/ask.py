"""Questions to a server from inside the throw-away machine, as a program: JSON in, JSON out.

python -I ask.py call '{"path": "/readyz", ...}'
python -I ask.py live '{...}'
"""

import http.client
import json
import socket
import ssl
import sys
from typing import Any

CERTIFICATE = "/etc/counterfoil/tls/cert.pem"
NAME = "foil.example"
WAIT_S = 60.0
PIECE = b"0" * 65536


def connection(question: dict[str, Any]) -> http.client.HTTPConnection:
    """Connect the way a question says: over TLS to 443, unless it names another port."""
    port = question.get("port", 443)
    source = (question["from"], 0) if "from" in question else None
    if port != 443:
        return http.client.HTTPConnection("127.0.0.1", port, WAIT_S, source_address=source)
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    return http.client.HTTPSConnection(NAME, port, timeout=WAIT_S, context=trusting)


def begin(question: dict[str, Any]) -> http.client.HTTPConnection:
    """Send a question's head and body."""
    headers = {"Host": NAME, **question.get("headers", {})}
    if token := question.get("token"):
        headers["Authorization"] = f"Bearer {token}"
    body = question.get("body", "").encode()
    size_bytes = question.get("body_bytes", len(body))
    if body or size_bytes:
        headers["Content-Length"] = str(size_bytes)
    link = connection(question)
    link.putrequest(question.get("method", "GET"), question["path"], skip_host=True)
    for name, value in headers.items():
        link.putheader(name, value)
    link.endheaders(body or None)
    try:
        for _ in range(0 if question.get("only_head") else size_bytes // len(PIECE)):
            link.send(PIECE)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass  # refused half-way: the answer says so
    return link


def call(question: dict[str, Any]) -> dict[str, Any]:
    """Return one answer."""
    link = begin(question)
    answer = link.getresponse()
    body = answer.read()
    link.close()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return {"status": answer.status, "headers": headers, "body": body.decode("utf-8", "replace")}


def live(question: dict[str, Any]) -> dict[str, Any]:
    """Open the live stream, post an event, and return what the stream tells first of it.

    A proxy that keeps answers back would keep this: then the socket's time runs out.
    """
    link = begin({**question, "path": "/v1/live"})
    stream = link.getresponse()
    greeting = stream.readline().decode()
    posted = call({**question, "method": "POST", "path": "/v1/events"})
    lines: list[str] = []
    while not lines or not lines[-1].startswith("data:"):
        lines.append(stream.readline().decode().strip())
    link.sock.shutdown(socket.SHUT_RDWR)
    return {"greeting": greeting, "posted": posted["status"], "told": lines[-1]}


if __name__ == "__main__":
    asked = {"call": call, "live": live}[sys.argv[1]]
    sys.stdout.write(json.dumps(asked(json.loads(sys.argv[2]))))
