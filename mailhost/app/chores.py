"""The process that does what nobody waits for: the search index, outgoing mail, tidying up.

It is one for all doors, and a little less in a hurry than they are, so that a client never waits for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from mailhost import observe
from mailhost.app import certificates
from mailhost.app.maintenance import Maintenance
from mailhost.app.office import office_of
from mailhost.app.selfcheck import SelfCheck
from mailhost.app.server import host_name, settle_memory, stop_signal
from mailhost.app.services import Services
from mailhost.delivery.worker import Worker
from mailhost.mailstore.indexer import TextIndex
from mailhost.network.tls import client_context
from mailhost.storage.errors import StorageFull, StorageUnavailable
from mailhost.web.setup import Facts

log = observe.logger()

_NICE: Final = 5
_REST: Final = 60.0  # seconds after a failure


async def do_chores(services: Services, index: TextIndex, facts: Facts, name: str, ready: Callable[[], None]) -> None:
    """Until SIGTERM or SIGINT. SIGHUP begins a round of maintenance at once. `name` is this process's, in rows."""
    os.nice(_NICE)
    renew = partial(certificates.ensure, services)
    maintenance = Maintenance(services.database, services.blobs, services.files, index, renew)
    host = host_name(services.config, facts)
    orders = None
    if services.config.tls.acme:
        from mailhost.app.acme import CertificateOrders  # loads what nobody else needs

        orders = CertificateOrders(services, host, facts.ports)

    def hurry() -> None:
        maintenance.hurry()
        if orders is not None:
            orders.hurry()

    stopping = stop_signal(hurry)
    worker = Worker(office_of(services, host), client_context(), name)
    settle_memory()
    ready()
    async with asyncio.TaskGroup() as tasks:
        tidying = tasks.create_task(maintenance.run())
        indexing = tasks.create_task(_keep_up(index.run, "index"))
        working = tasks.create_task(_keep_up(worker.run, "queue"))
        idle = [tidying, indexing, tasks.create_task(SelfCheck(services, host).run())]
        if orders is not None:
            idle.append(tasks.create_task(orders.run()))
        await stopping.wait()
        worker.close()
        # What it leaves undone is free when the server has ended.
        await asyncio.wait({working}, timeout=services.config.limits.drain_seconds)
        for task in (*idle, working):
            task.cancel()


async def _keep_up(work: Callable[[], Awaitable[None]], task: str) -> None:
    """Do it anew, after a rest, whenever it fails."""
    while True:
        try:
            return await work()
        except (StorageFull, StorageUnavailable) as error:
            log.warning("chore.delayed", task=task, reason=str(error))
        except Exception:  # it must not end the process, and is told
            log.exception("chore.crashed", task=task)
        await asyncio.sleep(_REST)
