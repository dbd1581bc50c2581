"""The same numbers the slow way: sort the whole set of events, fold once, look everything up. Shares no code with the core
but the shapes, the derived ids, the sources and the points.

It knows a small world: visitors, users with one address each, work and free domains, deals and meetings of the CRM with
what an operator took back of their links, no other CRM claims, no groups.
"""

from itertools import groupby

from schemas.codec import properties_of
from schemas.ids import derived_id, value
from schemas.messages import Conversion, Touch
from stream.core.rulebook import Rulebook
from stream.core.sources import DIRECT_SOURCE

FREEMAIL = ("gmail.com",)
HIT_TYPES = ("page", "screen", "track", "identify", "ping", "group", "alias")


class Oracle:
    def __init__(self, events, rules):
        self.rules = rules
        self.book = Rulebook(rules)
        self.events = sorted(events, key=lambda e: (e.node, e.at, e.id))
        unlinks = [e for e in events if e.type == "identity.unlink"]
        self.taken_back = {(e.node, properties_of(e.properties)["claim"].split("\0")[0]) for e in unlinks}
        self.emails = {e.user: e.email for e in events if e.user and e.email and not e.bot}
        self.sessions = {}
        self.touches = {}
        self.conversions = {}
        self.unowned = []
        told = [e for e in self.events if e.type != "identity.unlink"]
        for node, group in groupby(told, key=lambda e: e.node):
            self._leaf(node, list(group))
        self._make_journeys_of_buyers()

    def _make_journeys_of_buyers(self):
        """Who converted without an account is a journey: of all that is on no account, the person's goes there."""
        buyers = {person for made, person in self.unowned if isinstance(made, Conversion)} - {""}
        for made, person in self.unowned:
            if person in buyers:
                self._give(made, (person, person))

    def _leaf(self, node, events):
        hits = [e for e in events if self._is_hit(e)]
        others = [e for e in events if not self._is_hit(e)]
        sessions = self._split(node, hits) if "/v:" in node else []
        named = {user for s in sessions for _, user in s["users"]}
        if "/v:" in node:
            named |= {self._user(e) for e in others if not e.bot} - {""}
        for session in sessions:
            self._add_session(node, session, named)
        for event in others:
            if not event.bot:
                via = self._user(event) if "/v:" in node else ""
                for made in self._singles(node, event, None):
                    self._give(made, self._owner(node, via, named))
        if "/o:" in node:
            self._opportunity(node, events)
        if "/m:" in node:
            self._activity(node, events)

    def _is_hit(self, e):
        return "/v:" in e.node and e.type in HIT_TYPES and e.platform in ("web", "app") and not e.bot

    def _user(self, e):
        if not e.visitor or e.type == "alias":
            return ""
        if e.user:
            return f"default/u:{e.user}"
        return f"default/e:{e.email}" if e.email else ""

    def _split(self, node, hits):
        """Cut at gaps, fold each run."""
        runs, last = [], None
        for e in hits:
            if last is None or e.at - last > self.rules.session_gap_s * 1000:
                runs.append([])
            runs[-1].append(e)
            last = e.at
        return [s for run in runs for s in self._fold(node, run)]

    def _fold(self, node, run):
        sessions = []
        for e in run:
            s = sessions[-1] if sessions else None
            too_long = s is not None and e.at - s["start"] > self.rules.session_max_s * 1000
            if e.type == "ping":
                if s is not None and not too_long:
                    s["engaged_ms"] += e.engaged_ms
                    s["end"] = e.at
                continue
            source = self.book.page(e).source
            fields = ["medium", "campaign", "click_id"]
            if not source.click_id.startswith(("fbclid=", "igsh=", "igshid=", "epik=")):
                fields.append("source")
            new_source = (
                source.kind == "external"
                and s is not None
                and any(getattr(source, f) != getattr(s["source"], f) for f in fields)
            )
            if s is None or too_long or new_source:
                s = {
                    "id": derived_id("default", value(node), str(e.at), e.id),
                    "start": e.at,
                    "engaged_ms": 0,
                    "source": source if source.kind == "external" else DIRECT_SOURCE,
                    "users": [],
                    "events": [],
                }
                sessions.append(s)
            s["end"] = e.at
            s["engaged_ms"] += e.engaged_ms
            s["events"].append(e)
            if self._user(e):
                s["users"].append((e.at, self._user(e)))
        return sessions

    @staticmethod
    def _user_at(session, at):
        """The latest claim until then, else the first. Claims at one time: the last in the order of the fold."""
        until = [user for since, user in session["users"] if since <= at]
        return until[-1] if until else session["users"][0][1] if session["users"] else ""

    def _owner(self, node, via, named):
        """(account, person): a visitor's through its session's user, else through the only one there is."""
        kind, name = node[8], node[10:]
        if kind == "v":
            link = via or (next(iter(named)) if len(named) == 1 else "")
            return self._owner(link, "", named) if link else ("", node)
        if kind == "u":
            address = self.emails.get(name)
            return self._owner(f"default/e:{address}", "", named) if address else ("", node)
        if kind == "e":
            domain = name.partition("@")[2]
            return ("" if domain in FREEMAIL else f"default/d:{domain}", node)
        assert kind in "om"
        return "", ""

    def _add_session(self, node, s, named):
        account, person = self._owner(node, self._user_at(s, s["start"]), named)
        views = [e for e in s["events"] if e.type in ("page", "screen")]
        urls = [e.url for e in s["events"] if e.url]
        key = any(e.type == "track" and e.name in self.rules.key_events for e in s["events"])
        self.sessions[s["id"]] = (
            account,
            person,
            s["start"],
            s["end"],
            len(views),
            len(s["events"]),
            s["engaged_ms"],
            len(views) >= 2 or key or s["end"] - s["start"] > 10_000 or s["engaged_ms"] > 10_000,
            s["source"].channel,
            urls[0] if urls else "",
            urls[-1] if urls else "",
        )
        points = sum(
            self.book.points(e.type, e.name, self.book.page(e).path)
            for e in s["events"]
            if not (e.type == "track" and e.name in self.rules.form_events)
        )
        src = s["source"]
        touch = Touch(
            derived_id("session", s["id"]),
            s["start"],
            "session",
            src.channel,
            "",
            node,
            src.source,
            src.medium,
            src.campaign,
            s["id"],
            "",
            points,
            s["end"],
        )
        self._give(touch, (account, person))
        for e in s["events"]:
            for made in self._singles(node, e, s):
                self._give(made, self._owner(node, self._user_at(s, e.at), named))

    def _singles(self, node, e, session):
        if e.type == "email" and e.name in ("clicked", "replied", "unsubscribed", "complained"):
            type_ = {
                "clicked": "email_click",
                "replied": "email_reply",
                "unsubscribed": "email_unsubscribe",
                "complained": "email_complaint",
            }[e.name]
            yield Touch(
                derived_id("touch", node, e.id),
                e.at,
                type_,
                "Email",
                "",
                node,
                "",
                "email",
                "",
                "",
                e.id,
                self.book.points("email", e.name, ""),
                e.at,
                e.name in ("clicked", "replied"),
            )
        if e.type != "track":
            return
        if e.name in self.rules.form_events:
            own = self.book.page(e).source
            src = session["source"] if session else own if own.kind == "external" else None
            yield Touch(
                derived_id("touch", node, e.id),
                e.at,
                "form",
                src.channel if src else "Unassigned",
                "",
                node,
                src.source if src else "",
                src.medium if src else "",
                src.campaign if src else "",
                session["id"] if session else "",
                e.id,
                self.book.points("track", e.name, ""),
                e.at,
            )
        for rule in self.rules.conversions:
            if rule.event == e.name:
                yield Conversion(derived_id("event", node, e.id, rule.stage), e.at, rule.stage, "", node, 0, "", e.id)

    def _opportunity(self, node, events):
        """Write down every moment with all that held at it, cut it into cycles, and look each stage up in its last cycle."""
        updates = [(e.at, e.id, properties_of(e.properties)) for e in events]
        said = [p for _, _, p in updates]
        if said[-1].get("deleted"):
            return
        amount = next((p["amount"] for p in said if "amount" in p), 0)
        created = next((p["created_at"] for p in reversed(said) if "created_at" in p), None)
        first_amount = amount
        # Of one moment: the history, then versions that name a stage, then the others; of stages the closed ones last.
        final = ("won", "lost")
        moments = [
            (at, 2 + (p["stage"] in final) if "stage" in p else 4, n, id_, p) for n, (at, id_, p) in enumerate(updates)
        ]
        histories = [(id_, p["stages"]) for _, id_, p in updates if "stages" in p]
        if histories:
            id_, told = histories[-1]
            moments += [(h["at"], int(h["stage"] in final), h["stage"], id_, {"stage": h["stage"]}) for h in told]
        moments.sort(key=lambda m: (m[0], m[1], m[2]))
        stage, cycles = None, [[]]
        for at, _, _, id_, p in moments:
            before, stage = stage, p.get("stage", stage)
            amount = p.get("amount", amount)
            if before in ("won", "lost") and stage not in ("won", "lost"):
                cycles.append([])
            cycles[-1].append((at, id_, stage, amount, p.get("closed_at")))
        reached = {}
        for name in {s for cycle in cycles for _, _, s, _, _ in cycle} - {None}:
            if name in ("won", "lost") and stage != name:
                continue
            cycle = [c for c in cycles if any(m[2] == name for m in c)][-1]
            inside = [m for m in cycle if m[2] == name]
            at = inside[0][0]
            closings = [m[4] for m in cycle if m[2] in ("won", "lost") and m[4] is not None]
            if name in ("won", "lost") and closings:
                not_before = [b for b in (created, cycle[0][0] if len(cycles) > 1 else None) if b is not None]
                at = min(at, max([closings[-1], *not_before]))
            reached[name] = (at, inside[0][1], inside[-1][3])
        if "open" not in reached:
            known = [moments[0][0], *(at for at, _, _ in reached.values())] + ([] if created is None else [created])
            reached["open"] = (min(known), updates[0][1], first_amount)
        for name, (at, id_, units) in reached.items():
            made = Conversion(
                derived_id("default", "opportunity", value(node), name),
                at, name, "", node, units * 100, "EUR", id_, value(node),
            )  # fmt: skip
            self._give(made, (self._linked(node, f"default/a:{value(node)}"), ""))

    def _activity(self, node, events):
        """Of each field the latest word. Of two words of one time on whose it is the greater counts."""
        said = [(e, properties_of(e.properties)) for e in events]

        def latest(name, otherwise):
            return ([otherwise] + [p[name] for _, p in said if name in p])[-1]

        at = latest("occurred_at", events[0].at)
        if said[-1][1].get("deleted") or latest("status", "") in ("scheduled", "cancelled"):
            return
        if all(e.received_at < at for e in events):
            return
        email, account = (
            max([(-1, "")] + [(e.at, p[name]) for e, p in said if name in p])[1] for name in ("email", "account_id")
        )
        email = self._linked(node, f"default/e:{email}") if email else ""
        account = self._linked(node, f"default/a:{account}") if account else ""
        owner, person = self._owner(email, "", ()) if email else ("", "")
        name = events[-1].name
        made = Touch(
            derived_id("activity", node, str(at)), at, name, "Sales Outreach", "", node,
            event_id=events[0].id, points=self.book.points("crm.activity", name, ""), last_at=at,
        )  # fmt: skip
        self._give(made, (account or owner, person))

    def _linked(self, node, parent):
        """The parent, unless an operator said that it is none of the node's."""
        return "" if (node, f"{node} {parent}") in self.taken_back else parent

    def _give(self, made, owner):
        account, person = owner
        if not account:
            self.unowned.append((made, person))
            return
        import msgspec

        kept = self.touches if isinstance(made, Touch) else self.conversions
        kept.setdefault(account, {})[made.id] = msgspec.structs.replace(made, person=person)
