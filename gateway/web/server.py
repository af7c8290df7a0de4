"""The HTTP service: routes, and uvicorn in one or several processes."""

from __future__ import annotations

import signal
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from gateway import memory
from gateway.config import GatewayConfig, HttpConfig
from schemas.submission import Answer, Envelope

from .health import Health
from .intake import Intake
from .push import OPEN, PushEndpoint, PushSecurity

KEEP_ALIVE_S = 5  # also how long the rest of a refused body is thrown away, so that the caller reads the refusal


def application(
    accept: Callable[[Envelope], Answer],
    config: GatewayConfig,
    ready: Callable[[], None],
    further: tuple[BaseRoute, ...] = (),
    security: PushSecurity = OPEN,
) -> Starlette:
    """The service as an ASGI application.

    Args: accept: keeps one envelope and says what to answer; called in a thread, raises BramaError to refuse.
          ready: raises BramaError while documents cannot be kept. further: routes of other parts of the service.
          security: whether callers must sign, and whether our answers are signed.
    """
    push, health = PushEndpoint(accept, config, Intake(config.http), security), Health(ready)
    return Starlette(
        routes=[
            Route(config.http.push_path, push.get, methods=["GET"]),
            Route(config.http.push_path, push.post, methods=["POST"]),
            Route("/health/live", health.live, methods=["GET"]),
            Route("/health/ready", health.check, methods=["GET"]),
            *further,
        ]
    )


def serve(build: str | Starlette, http: HttpConfig) -> None:
    """Listen until SIGTERM or SIGINT, then finish what is in work.

    Args: build: the application; for several processes the import path of a function that makes it
          (`"gateway.app:web"`), because each process makes its own.
    """
    memory.settle()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn repeats it when it is done; we leave by returning
    uvicorn.run(
        build,
        factory=isinstance(build, str),
        host=http.host,
        port=http.port,
        workers=http.processes if isinstance(build, str) else 1,
        log_config=None,  # logging is set up already
        access_log=False,  # push_answered and push_refused say more, without personal data
        proxy_headers=True,
        forwarded_allow_ips=http.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
    )
