"""The pages that a person sees who comes back from a platform. Pure.

Whatever comes from elsewhere is escaped; nothing of the request is shown.
"""

import base64
import hashlib
from html import escape
from urllib.parse import urlencode

from contracts.accounts import Account
from contracts.connections import ConnectionChoice, ConnectionSelection
from contracts.content import Platform

NAMES: dict[Platform, str] = {
    "twitter": "X",
    "linkedin": "LinkedIn",
    "instagram": "Instagram",
    "youtube": "YouTube",
    "tiktok": "TikTok",
    "facebook": "Facebook",
}

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:10vh auto;padding:0 1rem;color:#1a1a1a}"
    "label{display:block;padding:.75rem;margin:.5rem 0;border:1px solid #ccc;border-radius:.5rem}"
    "button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.5rem;background:#1a56db;color:#fff}"
    ".quiet{color:#666}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def choosing(selection: ConnectionSelection) -> bytes:
    """Also for a single account: the person must see who will be able to publish as them."""
    name = NAMES[selection.platform]
    choices = "".join(
        _choice(choice, is_first=index == 0, is_only=len(selection.choices) == 1)
        for index, choice in enumerate(selection.choices)
    )
    missing = ""
    if selection.missing_permissions:
        listed = ", ".join(escape(scope) for scope in selection.missing_permissions)
        missing = f'<p class="quiet">Not allowed, and therefore not available: {listed}.</p>'
    return _page(
        f"Connect {name}",
        f"<h1>Connect {name}?</h1>"
        f"<p>The workspace <b>{escape(selection.tenant_id)}</b> will be able to publish as the account you choose. "
        f"This was started by <b>{escape(selection.started_by)}</b>.</p>"
        "<p><b>Go on only if you started this yourself.</b> Otherwise close this page: nothing is connected.</p>"
        '<form method="post">'
        f'<input type="hidden" name="selection_token" value="{escape(selection.selection_token)}">'
        f"{choices}{missing}<p><button>Connect</button></p></form>",
    )


def connected(account: Account, return_to: str | None) -> bytes:
    name = NAMES[account.platform]
    onward = "<p>You can close this page.</p>"
    if return_to is not None:
        separator = "&" if "?" in return_to else "?"
        address = return_to + separator + urlencode({"status": "connected", "account_id": account.account_id})
        onward = f'<p><a href="{escape(address)}">Go back</a></p>'
    return _page(
        f"{name} is connected",
        f"<h1>{name} is connected</h1><p>{escape(account.display_name)} ({escape(account.username)}) can be published "
        f"to.</p>{onward}",
    )


def failed(message: str) -> bytes:
    """`message` is ours."""
    return _page(
        "Not connected",
        f"<h1>Not connected</h1><p>{escape(message)}</p>"
        '<p class="quiet">Nothing was changed. Go back to where you came from to try again.</p>',
    )


def _choice(choice: ConnectionChoice, *, is_first: bool, is_only: bool) -> str:
    followers = "" if choice.followers is None else f", {choice.followers:,} followers"
    checked = " checked" if is_first and is_only else ""
    return (
        f'<label><input type="radio" name="choice" value="{escape(choice.id)}" required{checked}> '
        f"{escape(choice.display_name)} "
        f'<span class="quiet">{escape(choice.username)}, {escape(choice.account_type.replace("_", " "))}{followers}'
        "</span></label>"
    )


def _page(title: str, body: str) -> bytes:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    ).encode()
