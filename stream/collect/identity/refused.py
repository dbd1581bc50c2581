"""An answer that is an error, on its way to whoever answers."""

from stream.collect import answers


class Refused(Exception):
    """Thrown and caught here: the answer is an error."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.answer = answers.error(status, reason, detail)
