"""Silence told apart: one port is blocked, or the whole host does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from mailhost.doctor.probe import Path, Reach
from mailhost.doctor.targets import PORTS
from mailhost.doctor.wire import Silent, Wire
from mailhost.doctor.world import World

_OTHERS = (*PORTS, 443)


async def settle_silence(world: World, paths: Sequence[Path]) -> None:
    """Where a port was silent, ask the other ports of the address: one that answers makes it B2, none leaves B3."""
    silent = [path for path in paths if path.reach is Reach.SILENT]
    answering = {path.address for path in paths if path.reach in (Reach.OPEN, Reach.REFUSED) and path.address}
    unknown = {path.address for path in silent} - answering
    alive = await asyncio.gather(*(_any_port_answers(world, address) for address in unknown))
    answering |= {address for address, answers in zip(unknown, alive, strict=True) if answers}
    for path in silent:
        if path.address in answering and path.finding is not None:
            path.finding = replace(
                path.finding, leaf="B2", evidence=(*path.finding.evidence, "another port of this address answers")
            )


async def _any_port_answers(world: World, address: str) -> bool:
    return any(await asyncio.gather(*(_answers(world, address, port) for port in _OTHERS)))


async def is_open(world: World, address: str, port: int) -> bool:
    """Whether a port accepts a connection."""
    try:
        (await Wire.open(world, address, port)).close()
    except OSError:
        return False
    return True


async def _answers(world: World, address: str, port: int) -> bool:
    """Whether anything comes back from a port, a refusal included."""
    try:
        wire = await Wire.open(world, address, port)
    except Silent:
        return False
    except OSError as error:
        return isinstance(error, ConnectionRefusedError)
    wire.close()
    return True
