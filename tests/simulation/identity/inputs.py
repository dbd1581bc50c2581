"""What the world feeds to nodes besides identity messages: hits, and whose session they are."""

import msgspec

from schemas.messages import Claim, Identity, IdentityMessage, Merge, Retract

TENANT = "t"


class Hit(IdentityMessage, tag="hit", frozen=True):
    """The leaf ``to`` did something at ``when``, in ``session`` (visitors)."""

    id: str = ""
    when: int = 0
    session: str = ""
    content: str = ""

    def order(self) -> tuple[int, str, str]:
        """Of two contents of one id the smaller counts."""
        return self.when, self.session, self.content


class SessionUser(IdentityMessage, tag="who", frozen=True):
    """An event of ``session`` of visitor ``to`` says that it is ``user``'s; the latest one counts."""

    session: str = ""
    user: str = ""
    when: int = 0


Input = Hit | SessionUser | Claim | Retract | Merge
decoder = msgspec.json.Decoder(Hit | SessionUser | Identity)


def n(short: str) -> str:
    """Node name of a short one: ``v:1`` -> ``t/v:1``."""
    return f"{TENANT}/{short}"
