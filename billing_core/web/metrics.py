"""Metrics for operators (Prometheus), where the setting ``BILLING_METRICS`` turns them on.

The number and duration of requests, by route and never by address, so that they contain no name, id or secret; the
work in the background, by queue; whether the jobs run.
"""

import hmac
import time
from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs.overview import processes, queues
from billing_core.jobs.overview.queues import QueueRow
from billing_core.online_payments import queries as online_payments
from billing_core.outbox import queries as outbox
from billing_core.settings import settings
from billing_core.web import health
from billing_core.web.doors.client_address import address_of
from billing_core.web.throttle import wrong_token_wait_seconds

router = APIRouter()
REGISTRY = CollectorRegistry()
_REQUESTS = Counter("billing_http_requests", "Requests answered", ["method", "route", "status"], registry=REGISTRY)
_SECONDS = Histogram(
    "billing_http_request_seconds", "Time until the last byte of an answer", ["route"], registry=REGISTRY
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            route = _route(scope)
            _REQUESTS.labels(method_of(scope), route, str(status)).inc()
            _SECONDS.labels(route).observe(time.perf_counter() - begun)


class _Current(Collector):
    """The values that are read when the metrics are."""

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("billing_job_running", "Whether a background job lives", labels=["job"])
        for name, alive in health.running_jobs().items():
            jobs.add_metric([name], alive)
        yield jobs
        messages = GaugeMetricFamily("billing_outbox_messages", "Messages of the outbox", labels=["channel", "state"])
        events = GaugeMetricFamily("billing_webhook_events", "Received gateway events by state", labels=["state"])
        with runtime.sessions()() as session:
            for (channel, state), count in outbox.counts_of_all(session, SYSTEM).items():
                messages.add_metric([channel, state.value], count)
            for outcome, count in online_payments.event_counts(session, SYSTEM).items():
                events.add_metric([outcome.value], count)
            rows, states = queues.queues(session, SYSTEM, now=utc_now()), processes.counts(session)
        yield from (messages, events)
        yield from _of_queues(rows)
        known = GaugeMetricFamily("billing_processes", "Processes that work in the background", labels=["state"])
        for each, count in states.items():
            known.add_metric([each.value], count)
        yield known


def _of_queues(rows: Sequence[QueueRow]) -> Iterator[Metric]:
    work = GaugeMetricFamily("billing_queue_work", "Background work by queue and state", labels=["queue", "state"])
    oldest = GaugeMetricFamily(
        "billing_queue_oldest_waiting_seconds", "For how long the oldest waiting work has been due", labels=["queue"]
    )
    done = GaugeMetricFamily("billing_queue_done_last_hour", "Work done in the last hour", labels=["queue"])
    paused = GaugeMetricFamily("billing_queue_paused", "Whether a person has paused the queue", labels=["queue"])
    for row in rows:
        name, held = row.queue.value, row.backlog
        for state in ("running", "waiting", "scheduled", "held_back", "failed"):
            work.add_metric([name, state], getattr(held, state))
        oldest.add_metric([name], row.oldest_seconds or 0)
        done.add_metric([name], held.done)
        paused.add_metric([name], row.pause is not None)
    return iter((work, oldest, done, paused))


REGISTRY.register(_Current())
ProcessCollector(registry=REGISTRY)


@router.get("/metrics")
def metrics(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    token = settings().metrics_token
    if token is None:
        raise HTTPException(404)
    if token and not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        if wait := wrong_token_wait_seconds(address_of(request.scope)):
            return PlainTextResponse("Too many wrong tokens.", 429, {"Retry-After": str(wait)})
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def method_of(scope: Scope) -> str:
    """The request's method for figures and the log: anybody can send any word as one."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The declared route; for the dashboard, which has too many addresses, only that it is the dashboard's."""
    return str(getattr(scope.get("route"), "path", "")) or ("unknown" if "app" in scope else "dashboard")
