"""Which user agents are not people, and of which kind: tagged at the edge, kept as raw events, counted apart.

    enrich -> bot_of(user agent) -> Event.bot, Event.bot_reason

The own table comes first, since crawlerdetect knows *that* something is a bot but not of which kind. An empty user
agent is nobody's proof of anything: not a bot.

    >>> bot_of("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)")
    ('ai', 'gptbot')
    >>> bot_of("")
    ('', '')
"""

from typing import Final

from crawlerdetect import CrawlerDetect

CRAWLER: Final = "crawler"
AI: Final = "ai"
"""Reads for a language model or on behalf of somebody who asked one."""
TOOL: Final = "tool"
"""HTTP libraries and command-line clients."""
HEADLESS: Final = "headless"
MONITOR: Final = "monitor"
SCANNER: Final = "scanner"
"""Mail gateways that follow links before the reader does."""

# First match wins: an AI agent in a headless browser is an AI agent. Lower-case parts of the names that the agents'
# operators publish for their own robots.
_TABLE: Final = (
    (AI, (
        "gptbot", "chatgpt-user", "oai-searchbot", "chatgpt agent", "claudebot", "claude-user", "claude-searchbot",
        "claude-web", "anthropic-ai", "perplexitybot", "perplexity-user", "google-extended", "googleagent",
        "google-notebooklm", "gemini-deep-research", "mistralai-user", "meta-externalagent", "meta-externalfetcher",
        "amazonbot", "bytespider", "ccbot", "cohere-ai", "cohere-training-data-crawler", "youbot", "duckassistbot",
        "applebot-extended", "ai2bot", "diffbot", "timpibot", "novaact", "firecrawl", "deepseekbot", "kimibot",
    )),
    (HEADLESS, ("headlesschrome", "headless", "phantomjs", "puppeteer", "playwright", "selenium", "slimerjs", "cypress")),
    (MONITOR, (
        "uptimerobot", "pingdom", "statuscake", "site24x7", "datadogsynthetics", "newrelicpinger", "better uptime",
        "betterstack", "uptime-kuma", "checkly", "gtmetrix", "chrome-lighthouse", "pagespeed", "freshping",
        "nodeping", "catchpoint", "dynatracesynthetic", "kube-probe", "elb-healthchecker", "googlehc", "zabbix",
    )),
    (SCANNER, ("barracuda", "proofpoint", "mimecast", "safelinks", "urldefense", "symantec", "ironport", "trendmicro")),
    (TOOL, (
        "curl/", "wget/", "python-requests", "python-urllib", "aiohttp/", "httpx/", "go-http-client", "okhttp",
        "axios/", "node-fetch", "undici", "java/", "apache-httpclient", "libwww-perl", "ruby", "guzzlehttp",
        "postmanruntime", "insomnia/", "httpie/", "powershell", "scrapy",
    )),
)  # fmt: skip

_known_crawlers: Final = CrawlerDetect(user_agent="-")


def bot_of(user_agent: str) -> tuple[str, str]:
    """(class, what gave it away) of a user agent, ("", "") for people. About 0.3 ms: cache it."""
    lowered = user_agent.lower()
    for kind, names in _TABLE:
        for name in names:
            if name in lowered:
                return kind, name.rstrip("/")
    if _known_crawlers.is_crawler(user_agent):
        return CRAWLER, (_known_crawlers.get_matches() or "listed").lower()[:60]
    return "", ""
