"""docs/email.md names every provider, field and reason as they are, and its examples are configurations that work."""

import base64
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from stream.collect.adapters import pixel, redirect, unsubscribe
from stream.collect.request import Request
from stream.collect.webhooks.registry import PROVIDERS, fault_of
from stream.collect.webhooks.verification import Refusal
from stream.settings import Config, Source, Webhook
from tests.support.webhooks import MAIL_KEY, public_text
from tests.unit.collect_edge.requests import NOW

PAGE = (Path(__file__).parents[3] / "docs" / "email.md").read_text("utf-8")


def test_every_provider_has_its_path_and_its_section():
    for provider in PROVIDERS:
        assert f"`/webhooks/{provider.name}/{{name}}`" in PAGE
    assert PAGE.count("\n## ") == len(PROVIDERS) + 9


def test_every_field_and_every_reason_is_documented_and_no_other():
    table = PAGE.partition("| field of `[[webhooks]]`")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert named == [*Webhook.__struct_fields__[:3], "tenant", *Webhook.__struct_fields__[4:]]
    reasons = re.findall(
        r"^\| `(\w+)` \| ", PAGE.partition("| reason | meaning |")[2].partition("\n\n")[0], re.MULTILINE
    )
    assert reasons == [refusal.value for refusal in Refusal]


def test_the_examples_are_configurations_that_work():
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    hooks = [hook for text in examples for hook in msgspec.convert(tomllib.loads(text), Config).webhooks]
    # The one with a source shows the pixel.
    assert len([text for text in examples if "[[sources]]" in text]) == 1
    real = {"sendgrid": public_text(MAIL_KEY), "resend": "whsec_" + base64.b64encode(b"key").decode()}
    for hook in hooks:
        assert fault_of(msgspec.structs.replace(hook, secret=real.get(hook.provider, hook.secret))) == ""
    assert {hook.provider for hook in hooks} | {"brevo"} == {provider.name for provider in PROVIDERS}


def test_the_pixel_of_the_page_is_taken_and_every_other_refused():
    source = next(
        config.sources[0]
        for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
        if (config := msgspec.convert(tomllib.loads(text), Config)).sources[0].name == "mail"
    )
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    query = names["pixel"]("m-1", "Ann@acme.com", "spring ä").partition("?")[2]
    sources = {source.key: source}
    (event,) = pixel.events_of(b"", Request(received_at=NOW, sources=sources, query=query)).events
    assert (event.name, event.node, event.source) == ("opened", "default/e:ann@acme.com", "mail")
    changed = [
        query.replace("Ann", "Eve"),
        query.replace("m-1", "m-2"),
        query.replace("spring", "fall"),
        query.partition("&sig")[0],
    ]
    for wrong in [*changed, query + "0"]:
        found = pixel.events_of(b"", Request(received_at=NOW, sources=sources, query=wrong))
        assert (found.events, [r.detail for r in found.rejected]) == ([], ["sig"])


def test_the_links_of_the_page_are_taken():
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(example, names)
    source = Source("mail", "mail-pixel", mail_secret="a-long-secret")

    def request(query: str) -> Request:
        return Request(received_at=NOW, sources={source.key: source}, query=query)

    for kind, bot in (("link", ""), ("honeypot", "scanner")):
        url = names["link"]("https://www.example.com/?a=b", "m-1", "Ann@acme.com", "spring \u00e4", kind=kind)
        (click,) = redirect.events_of(b"", request(url.partition("?")[2])).events
        assert (click.name, click.node, click.bot) == ("clicked", "default/e:ann@acme.com", bot)
    headers = names["unsubscribe"]("m-1", "Ann@acme.com", "spring \u00e4")
    url = headers["List-Unsubscribe"].strip("<>")
    assert url.startswith("https://collect.example.com/u?")
    body = headers["List-Unsubscribe-Post"].encode()
    (wish,) = unsubscribe.events_of(body, request(url.partition("?")[2])).events
    assert (wish.name, wish.node) == ("unsubscribed", "default/e:ann@acme.com")
