"""What Prometheus reads.

Counters live in this process; gauges of projects are read from the database at each scrape.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tithe.errors import SignedOut, TitheError
from tithe.gateway.context import Here
from tithe.gateway.problems import documented
from tithe.gateway.who import from_this_machine
from tithe.storage import connectors, status
from tithe.storage.database import Database

#: Projects told at a scrape, the newest first: the cost of a scrape must not grow for ever.
_PROJECTS = 200
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

router = APIRouter(tags=["operation"])


class Meters:
    """The registry of one application."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "tithe_http_request_seconds", "From the first byte of a request to the last of its response.",
            ["route", "method", "status"], registry=self.registry, buckets=_BUCKETS,
        )  # fmt: skip
        self.labels = Counter("tithe_labels_recorded", "Labels counted.", registry=self.registry)
        self.batches = Counter("tithe_batches_handed_out", "Batches given, again or for the first time.",
                               registry=self.registry)  # fmt: skip
        self.registry.register(_Projects(database))
        self.registry.register(_Connections(database))


class _Projects:
    """Gauges per project. Without a database there are none, and the rest is still told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Read the gauges, in one query."""
        depth = GaugeMetricFamily("tithe_ready_items", "Ranked hand-outs that are left.", labels=["project"])
        rounds = GaugeMetricFamily("tithe_open_rounds", "Rounds that are not at their end.", labels=["project"])
        unsent = GaugeMetricFamily(
            "tithe_unsent_job_seconds", "Age of the oldest job whose message is unsent.", labels=["project"]
        )
        vectors = GaugeMetricFamily(
            "tithe_labeled_vectors", "Labeled items that can be asked for the nearest.", labels=["project"]
        )
        recall = GaugeMetricFamily(
            "tithe_nearest_labeled_recall",
            "Of the index over them, when it was last measured.",
            labels=["project", "k"],
        )
        up = GaugeMetricFamily("tithe_database_up", "Whether the database answered this scrape.", value=None)
        try:
            found = self._database.run(lambda unit: status.gauges(unit, _PROJECTS), attempts=1)
            up.add_metric([], 1)
        except TitheError:
            found = []
            up.add_metric([], 0)
        for one in found:
            project = [str(one.project_id)]
            depth.add_metric(project, float(one.queue_depth))
            rounds.add_metric(project, float(one.open_rounds))
            unsent.add_metric(project, one.unsent_seconds)
            vectors.add_metric(project, float(one.labeled_vectors))
            for k, measured in (("1", one.recall_at_1), ("10", one.recall_at_10)):
                if measured is not None:
                    recall.add_metric([*project, k], measured)
        yield from (up, depth, rounds, unsent, vectors, recall)


class _Connections:
    """Gauges per connection to a tool. Without a database there are none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Read the gauges, in one query."""
        labels = ["project", "connector", "kind"]
        healthy = GaugeMetricFamily("tithe_connector_healthy", "Whether its last pass went well.", labels=labels)
        lag = GaugeMetricFamily(
            "tithe_connector_lag_seconds", "From annotation to counted label, median of the last 100.", labels=labels
        )
        held = GaugeMetricFamily("tithe_connector_held", "Answers the tool is waited for.", labels=labels)
        counted = GaugeMetricFamily("tithe_connector_counted", "Labels from the tool that count.", labels=labels)
        quarantined = GaugeMetricFamily("tithe_connector_quarantined", "Annotations that fit no schema.", labels=labels)
        silent = GaugeMetricFamily(
            "tithe_connector_success_age_seconds", "Since a pass over it last went well.", labels=labels
        )
        failures = GaugeMetricFamily("tithe_connector_failures", "Passes in a row that failed.", labels=labels)
        try:
            found = self._database.run(lambda unit: connectors.looks(unit, None), attempts=1)
        except TitheError:
            found = []
        for one in found:
            named = [str(one.project_id), one.name, one.kind]
            healthy.add_metric(named, float(one.state == "healthy"))
            held.add_metric(named, float(one.held))
            counted.add_metric(named, float(one.counted))
            quarantined.add_metric(named, float(one.quarantined))
            failures.add_metric(named, float(one.failures))
            if one.lag_seconds is not None:
                lag.add_metric(named, float(one.lag_seconds))
            if one.ok_at is not None:
                silent.add_metric(named, max(0.0, time.time() - one.ok_at.timestamp()))
        yield from (healthy, lag, held, counted, quarantined, silent, failures)


class Timed:
    """Measures every request by the template of its route. Pure ASGI, so that bodies stream through."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self.app = app
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and measure it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status_code = "cut"

        async def watched(message: Message) -> None:
            nonlocal status_code
            if message["type"] == "http.response.start":
                status_code = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.meters.requests.labels(route, method, status_code).observe(time.perf_counter() - began)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@router.get("/metrics", summary="Measurements for Prometheus", response_class=Response, responses=documented())
def metrics(request: Request, here: Here) -> Response:
    """Requests by route, labels counted, batches handed out; the queues, rounds and unsent work of projects.

    For whoever bears TITHE_METRICS_KEY; where it is not set, for programs on this machine.
    """
    _let_in(request, here.settings.metrics_key)
    meters: Meters = request.app.state.meters
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


def _let_in(request: Request, key: SecretStr | None) -> None:
    # No database is asked: it may be what is measured as being away.
    if key is None:
        if from_this_machine(request):
            return
        raise SignedOut("measurements are for programs on this machine", remedy="set TITHE_METRICS_KEY, and send it")
    sent = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(sent, f"Bearer {key.get_secret_value()}".encode()):
        raise SignedOut(
            "this is not the key of the measurements", place="header.Authorization",
            remedy="send Authorization: Bearer KEY, with TITHE_METRICS_KEY",
        )  # fmt: skip
