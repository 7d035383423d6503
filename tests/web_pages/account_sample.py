"""The pages of signing in, with any text a person, a provider or a browser might bring."""

from counterfoil.app.invitations import Invited
from counterfoil.app.last_key import WARNING
from counterfoil.app.linking import Begun, Waiting
from counterfoil.app.oidc import Provider
from counterfoil.app.sessions import Session
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.policy.directory import Actor, Link, Passkey
from counterfoil.web.pages.account import build_account
from counterfoil.web.pages.linked import build_accounts
from counterfoil.web.pages.render import html

MOMENT = "2026-11-20T11:58:00.000Z"
STATES = ("needed", "confirm", "over", "refused", "nowhere")


def pages(text: str, theme: str) -> dict[str, str]:
    """Return every page in every state, with `text` wherever somebody else's words stand."""
    providers = [Provider("acme", text)]
    actor = Actor(ref="actor:bo", handle=text, kind="person", name=text, behalf="", entry=3)
    session = Session(
        b"digest", "session:9b0d5c6e1f2a3b4c", actor.ref, text, "passkey", "key", text, text,
        MOMENT, MOMENT, MOMENT, "2026-11-21T11:58:00.000Z", "key",
    )  # fmt: skip
    key = Passkey(
        id=text, actor=actor.ref, name=text, public_key="", counter=0, rp="localhost",
        vouched="invitation", vouched_by="", entry=4_711, since=MOMENT,
    )  # fmt: skip
    account = build_account(
        handle=text, session=session, keys=[key], used={text: MOMENT},
        sessions=[session], warning=WARNING, is_first=False, now=SteppedClock().now(),
    )  # fmt: skip
    link = Link(
        account="actor:github", actor=actor.ref, how="ceremony", signs_in=True, entry=4_712,
        since=MOMENT, until="2026-11-21", project=text, comment=4_710,
    )  # fmt: skip
    begun = Begun(said="", link=text, account=text, until=MOMENT)
    accounts = build_accounts(
        [(text, link)], [Waiting(text, MOMENT)], begun, text, RequestError("usage", text),
        SteppedClock().now(),
    )  # fmt: skip
    shared = {"theme": theme, "providers": providers, "passkeys": True}
    made = {
        f"sign-in {state}": html(
            "sign_in.html", **shared, state=state, token=text, host=text, public_url=text,
            handle=text, why=text, back="/runs", back_query="?next=%2Fruns", enrolled=state != "needed",
        )
        for state in STATES
    }  # fmt: skip
    return {
        **made,
        "account": html(
            "account.html", theme=theme, it=account, accounts=accounts, csrf=text,
            providers=providers,
        ),
        "step-up": html(
            "step_up.html", theme=theme, usable=True, handle=text, csrf=text, back="/runs",
            answer="/step-up?next=%2Fruns",
        ),
        "step-up without a passkey": html(
            "step_up.html", theme=theme, usable=False, handle=text, csrf=text, back="/runs",
            answer="/step-up?next=%2Fruns",
        ),
        "invitation": html(
            "invitation.html", **shared, token=text, by=text, here=True, host=text,
            invited=Invited("a1c27be09d54", actor, "actor:ana", "invitation", MOMENT),
        ),
        "invitation over": html(
            "invitation.html", **shared, token=text, by=text, here=True, host=text, invited=None
        ),
    }  # fmt: skip
