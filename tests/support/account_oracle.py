"""What the account stage must say, computed from the final set alone with Fractions. Shares no code with the product.

Exact only where every weight is a power of two, so tests put touches at multiples of the half-lives.
"""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from math import floor

DAY = 86_400_000


def shares_by_model(model, touches, conversion, half_life_ms):
    """Fractions per touch, from the written definition of each model."""
    n = len(touches)
    share = [Fraction(0)] * n
    if model == "first":
        share[0] = Fraction(1)
    elif model == "last":
        share[n - 1] = Fraction(1)
    elif model == "last_non_direct":
        candidates = [i for i in range(n) if touches[i].channel != "Direct"] or [n - 1]
        share[candidates[-1]] = Fraction(1)
    elif model == "linear":
        share = [Fraction(1, n)] * n
    elif model == "time_decay":
        weights = []
        for t in touches:
            halvings = Fraction(conversion.at - t.at, half_life_ms)
            assert halvings.denominator == 1, "only whole half-lives are exact"
            weights.append(Fraction(1, 2**halvings.numerator))
        share = [w / sum(weights) for w in weights]
    elif model == "u_shaped":
        share = {1: [Fraction(1)], 2: [Fraction(1, 2)] * 2}.get(n) or (
            [Fraction(2, 5)] + [Fraction(1, 5 * (n - 2))] * (n - 2) + [Fraction(2, 5)]
        )
    return share


def largest_remainder(total, shares):
    sign = -1 if total < 0 else 1
    exact = [abs(total) * s for s in shares]
    parts = [floor(e) for e in exact]
    for _ in range(abs(total) - sum(parts)):
        rest = [(e - p, -i) for i, (e, p) in enumerate(zip(exact, parts, strict=True))]
        parts[-max(rest)[1]] += 1
    return [sign * p for p in parts]


def ledger(touches, conversions, rules):
    """The sums that ``AccountLog.sums`` must give for one account "acme"."""
    found = {}
    for c in conversions:
        days = rules.lookback_days_by_stage.get(c.stage, rules.lookback_days)
        window = sorted(
            (t for t in touches if t.eligible and t.at <= c.at and (days == 0 or t.at >= c.at - days * DAY)),
            key=lambda t: (t.at, t.id),
        )
        for model in rules.models:
            head = ("acme", c.id, c.stage, model, rules.version, c.currency, c.at)
            if not window:
                found[*head, "unattributed", c.at, "Unattributed", "", "", ""] = _booked(10**9, c.amount)
                continue
            shares = shares_by_model(model, window, c, int(rules.time_decay_half_life_days * DAY))
            credits_ = largest_remainder(10**9, shares)
            amounts = largest_remainder(c.amount, shares)
            for t, credit, amount in zip(window, credits_, amounts, strict=True):
                if credit or amount:
                    tail = (t.id, t.at, t.channel, t.utm_source, t.utm_medium, t.utm_campaign)
                    found[head + tail] = _booked(credit, amount)
    return found


def _booked(credit, amount):
    return Decimal(credit).scaleb(-9), Decimal(amount).scaleb(-2)


def score(touches, at, half_life_ms):
    """Points at a time, over the given touches."""
    total = Fraction(0)
    for t in touches:
        halvings = Fraction(at - t.at, half_life_ms)
        assert halvings.denominator == 1
        total += Fraction(t.points, 1000) * Fraction(2) ** -halvings.numerator
    return total


def alert_days(touches, rule, half_life_ms):
    """ISO-free day numbers of the alerts that stand."""
    entries = [t for t in touches if t.points]
    days = defaultdict(list)
    for t in entries:
        days[t.at // DAY].append(t)
    threshold = Fraction(str(rule.threshold))
    armed, found = True, []
    for day in sorted(days):
        earlier = [t for t in entries if t.at // DAY < day]
        if not armed and score(earlier, day * DAY, half_life_ms) <= threshold * Fraction(str(rule.rearm_share)):
            armed = True
        moments = sorted({t.at for t in days[day]})
        peaks = [score([t for t in entries if t.at <= moment], moment, half_life_ms) for moment in moments]
        if armed and max(peaks) >= threshold:
            found.append(day)
            armed = False
    return found
