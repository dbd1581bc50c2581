"""docs/rules.md names every rule and the default points as they are, and its example is a configuration."""

import re
import tomllib
from pathlib import Path

import msgspec

from schemas.rules import Rules
from stream.settings import Config

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text("utf-8")


def test_every_rule_is_documented_and_no_other():
    named = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert named == list(Rules.__struct_fields__)


def test_the_default_points_are_those_of_the_page():
    listed = re.findall(r"^\| ([\w.]+) \| ([\w ]*?) ?\| ([\w/]*) ?\| (-?\d+) \|$", PAGE, re.MULTILINE)
    assert listed == [(p.type, p.name, p.path_prefix, f"{p.points:g}") for p in Rules().points]


def test_the_example_is_a_configuration():
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    config = msgspec.convert(tomllib.loads(example[1]), Config)
    assert config.rules.alerts[0].threshold == 40
    assert [c.stage for c in config.rules.conversions] == ["won"]
