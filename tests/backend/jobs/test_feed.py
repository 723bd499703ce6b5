"""Listeners get the newest record, from any thread, and only of their job."""

import asyncio
import json
from typing import Any

from backend.jobs.feed import Feed, News


def record(news: News | None) -> dict[str, Any]:
    assert news is not None
    assert json.loads(news.text) == news.record
    return news.record


def test_a_slow_listener_gets_the_newest_record_only() -> None:
    feed = Feed()

    async def listen() -> list[int]:
        heard = []
        with feed.subscribe("a") as subscriber, feed.subscribe("a") as other:
            assert feed.watched() == ["a"]
            for number in range(3):
                feed.publish({"id": "a", "number": number})
            feed.publish({"id": "b", "number": 9})
            heard.append(record(await subscriber.next())["number"])
            await asyncio.to_thread(feed.publish, {"id": "a", "number": 5})
            heard.append(record(await subscriber.next())["number"])
            heard.append(record(await other.next())["number"])
            assert await other.next(0.01) is None
        return heard

    assert asyncio.run(listen()) == [2, 5, 5]
    assert feed.watched() == []


def test_a_listener_whose_loop_is_gone_harms_nobody() -> None:
    feed = Feed()

    async def subscribe() -> None:
        context = feed.subscribe("a")
        context.__enter__()
        kept.append(context)

    kept: list[object] = []
    asyncio.run(subscribe())
    feed.publish({"id": "a"})
    assert feed.watched() == ["a"]
