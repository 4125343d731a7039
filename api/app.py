"""The HTTP interface: every route, every refusal and every limit, put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi.concurrency import run_in_threadpool

from api import refusals
from api.allowance import Allowances
from api.drafts import Drafts
from api.jobs import Jobs
from api.openapi import DESCRIPTION, TAGS, Interface
from api.publishing import Publishing
from api.routes import (
    audits,
    checks,
    drafts,
    edits,
    exports,
    generations,
    identifications,
    jobs,
    log,
    recordings,
    registry,
    statements,
    tiles,
    verifications,
)
from api.service import Service, Workshop
from api.submission import Intake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from fastapi import FastAPI

    from api.home import Home

ROUTERS = (
    generations.router,
    jobs.router,
    recordings.router,
    edits.router,
    drafts.router,
    checks.router,
    exports.router,
    audits.router,
    identifications.router,
    verifications.router,
    registry.router,
    statements.router,
    log.entries,
)


def create_app(home: Home) -> FastAPI:
    """Return the HTTP interface of a home; its jobs begin to work when it is started.

    Args:
        home: Opened, and to be used by no other service.
    """
    app = Interface(
        title="Liner Notes",
        version=version("linernotes"),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=TAGS,
        lifespan=_working(home),
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.add_middleware(Allowances)
    refusals.install(app, home)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    app.include_router(log.open_to_all)
    app.include_router(tiles.router)
    return app


def _working(home: Home) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        jobs, publishing = Jobs(home), Publishing(home)
        await run_in_threadpool(lambda: home.credential)  # made here once, rather than by two threads at a time
        publishing.start()
        await run_in_threadpool(jobs.start)
        intake = Intake(home)
        waiting = Drafts(home, intake)
        waiting.start()
        app.state.service = Service(home, jobs, Workshop(), intake, waiting)
        try:
            yield
        finally:
            await run_in_threadpool(waiting.stop)
            await run_in_threadpool(jobs.stop)
            await run_in_threadpool(publishing.stop)
            home.time.close()

    return lifespan
