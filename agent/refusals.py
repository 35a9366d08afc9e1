"""What a refusal of the server means: what is not said again, and when the next attempt may be made."""

from __future__ import annotations

from dataclasses import replace

from agent.errors import Refused
from agent.record import Record

MOST_REFUSALS = 3
"""How often a request that the server calls malformed is repeated before it is made anew."""


class Refusals:
    """Notes refusals in the record, and counts those of one request."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._malformed = 0

    def none(self) -> None:
        """A request was accepted."""
        self._malformed = 0

    def of_the_enrolment(self, error: Refused) -> None:
        """The server does not give an identity yet, or not at all."""
        slow = 400 <= error.status < 500 and error.status != 429
        self._record.failed(f"enrolment: {error.status}", str(error), error.retry_after, slow=slow)

    def of_a_message(self, error: Refused) -> None:
        """The server did not accept a message."""
        status, record = error.status, self._record
        if status == 409:
            # Not accepted, so it need not be repeated: when the operator lets this agent go on, a newer one may count.
            record.spool.answered()
            record.failed("409", f"the server suspects a copy of this agent: {error}", None, slow=True, copy=True)
        elif error.word == "certificate_expired":
            record.keep(replace(record.standing(), renew=True))
            record.failed("401", str(error), error.retry_after)
        elif status in {400, 413, 422}:
            self._malformed += 1
            if self._malformed >= MOST_REFUSALS:
                self._malformed = 0
                record.spool.answered()
            record.failed(str(status), str(error), error.retry_after, slow=True)
        else:
            record.failed(str(status), str(error), error.retry_after, slow=status < 500 and status != 429)
