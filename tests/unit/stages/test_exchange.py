"""What only one side of the exchange knows is named with its address."""

from schemas import topics
from schemas.address import address, offset_and_part, order
from stream.stages.compute import Output
from stream.stages.exchange import LOG, RECOMPUTED, Exchange, Untold


def say(exchange: Exchange, offset: int, value: bytes, *, part: int = 0, to: int = 3) -> None:
    source = address("events", 0, offset, part)
    exchange.sent(Output(topics.ACCOUNTS, to, value, [(topics.SOURCE_HEADER, source)]))


def find(exchange: Exchange, offset: int, value: bytes, *, part: int = 0, to: int = 3) -> None:
    exchange.found(topics.ACCOUNTS, to, "events/0", order(offset, part), value)


def test_the_same_messages_are_no_difference_whichever_side_is_seen_first():
    exchange = Exchange()
    find(exchange, 7, b"a")
    for number in (7, 8):
        say(exchange, number, b"a")
    find(exchange, 8, b"a")

    assert exchange.differences() == []
    assert exchange.counts == (2, 2)


def test_differences_are_in_order_of_their_source():
    exchange = Exchange()
    say(exchange, 12, b"lost")
    say(exchange, 3, b"same")
    find(exchange, 3, b"same")
    find(exchange, 9, b"forged", part=2)
    find(exchange, 10, b"other")
    say(exchange, 10, b"one")

    assert exchange.differences() == [
        Untold(LOG, "events/0/9/2", "accounts/3"),
        Untold(LOG, "events/0/10/0", "accounts/3"),
        Untold(RECOMPUTED, "events/0/10/0", "accounts/3"),
        Untold(RECOMPUTED, "events/0/12/0", "accounts/3"),
    ]


def test_a_message_that_went_to_another_partition_is_missing_here_and_too_many_there():
    exchange = Exchange()
    say(exchange, 1, b"a", to=0)
    find(exchange, 1, b"a", to=1)

    assert exchange.differences() == [
        Untold(RECOMPUTED, "events/0/1/0", "accounts/0"),
        Untold(LOG, "events/0/1/0", "accounts/1"),
    ]


def test_an_order_can_be_taken_apart():
    assert offset_and_part(order(1234, 5)) == (1234, 5)
    assert offset_and_part(order(0, 65_535)) == (0, 65_535)
