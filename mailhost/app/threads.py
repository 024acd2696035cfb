"""Work that blocks for minutes, beside an event loop that may end before it does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

R = TypeVar("R")


async def in_thread(work: Callable[[], R]) -> R:
    """What blocks for minutes, in a thread that the end of the process need not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()

    def tell(result: R | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast(R, result))

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where the work is waited for
            failure = error
        with suppress(RuntimeError):  # the loop ended before the work did
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await done
