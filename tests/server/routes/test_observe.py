"""For those who run the server: is it alive, may callers come, and what does it count?"""

from __future__ import annotations

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tandem_server.app import create_app
from tandem_server.config import load

from ...e2e.serving import FAKES, Served, eventually, serving
from ...e2e.talking import calling, tone
from .conftest import TOKEN
from .raw import ask, knock


def counted(served: Served, **headers: str) -> dict[str, float]:
    """What Prometheus would read."""
    answer = served.get("/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return {one.name + "".join(f"{{{value}}}" for value in one.labels.values()): one.value for one in samples}


def test_health_counts_callers_and_lateness(local_server: Served) -> None:
    health = local_server.get("/health").json()

    assert health["status"] == "ok"
    assert health["sessions"] == 0
    assert eventually(lambda: set(local_server.get("/health").json()["loop_lag_ms"]) == {"p50", "p95", "max"})


def test_server_that_runs_is_ready(local_server: Served) -> None:
    answer = local_server.get("/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_server_that_has_not_started_or_is_about_to_end_is_not_ready(tmp_path: Path) -> None:
    app = create_app(load({**FAKES, "data_dir": tmp_path, "host": "127.0.0.1"}))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        before = await client.get("/ready")
        async with app.router.lifespan_context(app):
            during = await client.get("/ready")
            app.state.sessions.draining = True
            ending = await client.get("/ready")
            refused = await client.get("/v1/realtime")

    assert (before.status_code, during.status_code, ending.status_code) == (503, 200, 503)
    assert "still starting" in before.json()["detail"]
    assert "about to end" in ending.json()["detail"]
    assert (refused.status_code, refused.json()["title"]) == (503, "Server is ending")
    assert int(refused.headers["retry-after"]) > 0


async def test_conversation_is_counted(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **FAKES, max_sessions=1) as served:
        async with calling(served.realtime) as caller:
            await caller.turn(tone(1.0))
            assert counted(served)["tandem_sessions_open"] == 1
            assert knock(served).status == 503
            await caller.send("conversation.item.delete", item_id="nothing")
            await caller.until("error")
        assert eventually(lambda: counted(served)["tandem_sessions_open"] == 0)
        seen = counted(served)

    assert seen["tandem_sessions_begun_total"] == seen["tandem_sessions_ended_total{1000}"] == 1
    assert seen["tandem_sessions_refused_total{503}"] == 1
    assert seen["tandem_turns_total"] == seen["tandem_replies_total{completed}"] == 1
    assert seen["tandem_errors_total{item_not_found}"] == 1
    assert 1.9 < seen["tandem_audio_heard_seconds_total"] <= 2.0
    assert seen["tandem_audio_spoken_seconds_total"] > 0.5
    for stage in ("endpoint", "transcript", "response", "voice", "total"):
        assert seen[f"tandem_stage_seconds_count{{{stage}}}"] == 1
    assert seen["tandem_event_loop_lag_seconds_count"] > 0
    assert seen["process_resident_memory_bytes"] > 0


def test_metrics_need_the_token_where_there_is_one(public_server: Served) -> None:
    assert ask(public_server, "/metrics").status == 401
    assert ask(public_server, "/metrics/").status in (401, 404)
    assert counted(public_server, Authorization=f"Bearer {TOKEN}")["tandem_sessions_open"] == 0
    assert ask(public_server, "/ready").status == 200


def test_caller_without_the_token_is_counted(public_server: Served) -> None:
    before = counted(public_server, Authorization=f"Bearer {TOKEN}").get("tandem_sessions_refused_total{401}", 0)
    assert knock(public_server).status == 401
    assert counted(public_server, Authorization=f"Bearer {TOKEN}")["tandem_sessions_refused_total{401}"] == before + 1
