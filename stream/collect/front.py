"""``GET /``: what this is, for whoever opens the collector's address. HTML for browsers, JSON for programs.

It tells nothing that the other public paths do not: no version, no setting, nothing of what is collected.
"""

from typing import Final

from aiohttp import web

from stream.collect import answers, pages

ABOUT: Final = "A Touchline collector: it takes the events of websites, apps, email providers, CRMs and ad accounts."
ENDPOINTS: Final = {
    "/healthz": "the process lives",
    "/readyz": "it reaches its broker",
    "/metrics": "figures for Prometheus",
    "/t.js": "the browser tracker",
    "/openapi.json": "all endpoints, for tools",
}
MANUAL: Final = "docs/collect.md"
"""In the product's source."""
_HTML: Final = pages.front(ABOUT, ENDPOINTS, MANUAL)
_JSON: Final = {"service": "touchline collector", "about": ABOUT, "endpoints": ENDPOINTS, "documentation": MANUAL}


async def front(request: web.Request) -> web.Response:
    """The page, or the same as JSON."""
    accept = ",".join(request.headers.getall("Accept", []))
    response = answers.page(_HTML) if wants_html(accept) else web.json_response(_JSON)
    response.headers["Vary"] = "Accept"
    return response


def wants_html(accept: str) -> bool:
    """Whether an ``Accept`` header names HTML, and JSON by name no more: browsers do, curl and libraries do not.

    >>> wants_html("text/html,application/xhtml+xml,*/*;q=0.8"), wants_html("*/*"), wants_html("")
    (True, False, False)
    >>> wants_html("application/json, text/html;q=0.5"), wants_html("text/html;q=0")
    (False, False)
    """
    weights = dict(map(_weighed, accept.split(",")))
    html = weights.get("text/html", 0.0)
    return html > 0 and html >= weights.get("application/json", 0.0)


def _weighed(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    given = [p.partition("=")[2] for p in parameters.split(";") if p.strip().lower().startswith("q=")]
    try:
        weight = float(given[0]) if given else 1.0
    except ValueError:
        weight = 0.0
    return name.strip().lower(), weight
