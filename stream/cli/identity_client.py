"""The ``/v1/identity`` interface as the command line uses it: one request, one answer, errors in words."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

from schemas.errors import ConfigError, Retryable, TouchlineError
from stream.settings import Operator, Settings, read_config

_TIMEOUT_S: Final = 120.0


class IdentityClient:
    """Speaks for one operator of ``touchline.toml``."""

    def __init__(self, settings: Settings, name: str = "", url: str = "") -> None:
        """``url``: of the collector, if it is not the one of the settings.

        Raises: ConfigError if the file has no operator (of that name), or the address is none.
        """
        if url and not url.startswith(("http://", "https://")):
            raise ConfigError(f"--url has to be http(s)://host, not {url}")
        self._url = (url or f"http://{settings.host}:{settings.http_port}").rstrip("/") + "/v1/identity"
        self._key = _operator(settings, name).key

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET; empty parameters are left out."""
        return self._ask("GET", path, query, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST; empty members are left out."""
        return self._ask("POST", path, {}, body)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """DELETE; empty parameters are left out."""
        return self._ask("DELETE", path, query, None)

    def _ask(self, method: str, path: str, query: dict[str, str], body: dict[str, Any] | None) -> dict[str, Any]:
        """Raises: TouchlineError with the collector's own words; Retryable if it is not reachable."""
        given = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        url = f"{self._url}/{path}" + (f"?{given}" if given else "")
        sent = None if body is None else json.dumps(_without_empty(body)).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, sent, headers, method=method)  # noqa: S310 - http, see __init__
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                found: dict[str, Any] = json.load(response)
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise TouchlineError(_words(error)) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise Retryable(
                f"no answer from the collector at {self._url} ({reason}); is `touchline up` running?"
            ) from None


def quoted(text: str) -> str:
    """A node or id as part of a path."""
    return urllib.parse.quote(text, safe="")


def _without_empty(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_empty(value) if isinstance(value, dict) else value
        for name, value in body.items()
        if value not in ("", None)
    }


def _words(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the collector answered {error.code}"


def _operator(settings: Settings, name: str) -> Operator:
    found = [one for one in read_config(Path(settings.config)).operators if name in {"", one.name}]
    if found:
        return found[0]
    wanted = f"[[operators]] named {name!r}" if name else "[[operators]]"
    raise ConfigError(f"{settings.config} has no {wanted}; add one with a name and a key: docs/identity.md#operators")
