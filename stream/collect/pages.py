"""The pages that recipients of emails see, and the collector's own: small, without scripts, nothing loaded from anywhere.

>>> "Unsubscribe" in unsubscribe("ann@acme.com", field="f", value="v"), "<i>" in unsubscribed("<i>@acme.com")
(True, False)
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #16181d; --soft: #5c6370; --paper: #f4f5f7; --card: #fff; --act: #2f5bea }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceef2; --soft: #a3aab8; --paper: #111318; --card: #1b1e26; --act: #6f8dff }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { width: 100%; max-width: 26rem; padding: 2.25rem; border-radius: 14px; background: var(--card);
  box-shadow: 0 1px 2px #0002, 0 8px 28px #0001; text-align: center }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.25 }
p { margin: 0; color: var(--soft) }
b { color: var(--ink); overflow-wrap: anywhere }
button { margin-top: 1.75rem; width: 100%; padding: .8rem 1rem; border: 0; border-radius: 9px; font: inherit;
  font-weight: 600; color: var(--card); background: var(--act); cursor: pointer }
button:focus-visible, a:focus-visible { outline: 3px solid var(--act); outline-offset: 2px }
a { color: var(--act); font-weight: 600; text-decoration: none }
dl { margin: 1.75rem 0; display: grid; grid-template-columns: auto 1fr; gap: .5rem 1.25rem; text-align: left }
dd { margin: 0; color: var(--soft) }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    # The page's own address unsubscribes: no other site may learn it, no cache keep it, no search engine list it.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}  # fmt: skip


def unsubscribe(address: str, *, field: str, value: str) -> str:
    """Asks whether ``address`` shall get no more mails; the button sends ``field`` to the page's own address."""
    return _page(
        "Unsubscribe?",
        f"<p>No more of these emails to <b>{escape(address)}</b>.</p>"
        f'<form method="post"><input type="hidden" name="{escape(field)}" value="{escape(value)}">'
        '<button type="submit">Unsubscribe</button></form>',
    )


def unsubscribed(address: str) -> str:
    """Says that the wish was noted."""
    return _page("Unsubscribed", f"<p>We have noted that <b>{escape(address)}</b> wants no more of these emails.</p>")


def front(about: str, endpoints: Mapping[str, str], manual: str) -> str:
    """Says what answers here; ``endpoints`` are paths with what each is for."""
    rows = "".join(
        f'<dt><a href="{escape(path)}">{escape(path)}</a></dt><dd>{escape(what)}</dd>'
        for path, what in endpoints.items()
    )
    return _page(
        "Touchline",
        f"<p>{escape(about)}</p><dl>{rows}</dl>"
        f"<p>How to send events: <b>{escape(manual)}</b>. What they come to: <b>touchline sql</b>.</p>",
    )


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{content}</main></body></html>"
    )
