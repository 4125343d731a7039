"""What a running HTTP service holds, and how its handlers come by it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from api.drafts import Drafts
from api.errors import HomeBusyError
from api.home import Home
from api.jobs import Jobs
from api.submission import Intake

MAX_WAITING = 16
Result = TypeVar("Result")


class Workshop:
    """Decoding, rendering, fingerprinting and signing: one piece of work at a time, off the event loop.

    The threads that answer everything else are not kept waiting by it.
    """

    def __init__(self) -> None:
        self._bench = CapacityLimiter(1)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do a piece of work when its turn comes.

        Raises:
            HomeBusyError: Too many others wait already.
        """
        if self._bench.statistics().tasks_waiting >= MAX_WAITING:
            raise HomeBusyError(f"{MAX_WAITING} requests are waiting for their turn already. Try again in a minute.")
        return await to_thread.run_sync(work, limiter=self._bench)


@dataclass(frozen=True, slots=True)
class Service:
    """An opened home with what works for it."""

    home: Home
    jobs: Jobs
    workshop: Workshop
    intake: Intake
    drafts: Drafts


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service = request.app.state.service
    if not isinstance(service, Service):
        raise TypeError("the service answers requests between its start and its end only")
    return service


Running = Annotated[Service, Depends(service_of)]
"""The service, as a parameter of a handler."""
