"""One file's life on a real chain with real proofs: stored, proven, a host lost, its slot repaired, read back."""

import asyncio
import os
from pathlib import Path

from agents.core.dataset.capability import Capability
from agents.core.market.types import Ask, Content, Request, RequestState, SlotState
from agents.roles.download import download
from agents.store.spool import Spool
from tests.roles.town import PROFILE, Town, town


def ignore(what: str, done: int, total: int) -> None:
    """Progress nobody watches."""


async def life(folder: Path) -> None:
    data, key = os.urandom(700_001), os.urandom(32)
    file = folder / "letters.tar"
    file.write_bytes(data)
    async with town(folder, providers=5) as place:
        dataset = Spool(folder / "spool").encode(file, 2, 2, key, PROFILE)
        manifest = dataset.manifest
        ask = Ask(1, 4, 2, 1, 9_900, manifest.slot_bytes, 3_000, 1_000, 10**12)
        content = Content(manifest.digest, manifest.dataset_root)
        request = Request(place.client_actor.address, ask, content, 240, os.urandom(32))
        await place.client.post(request)
        await place.client.post(request)  # posted once, however often
        place.each.append(
            lambda now: (
                place.client.upload(now.view, now.view.requests[request.id], dataset, ignore)
                if request.id in now.view.requests
                else None
            )
        )
        await place.until(lambda: state(place, request.id) is RequestState.STARTED)
        hosts = [slot.host for slot in place.view.requests[request.id].slots]
        assert len(set(hosts)) == 4
        await place.until(lambda: all(slot.proven for slot in place.view.requests[request.id].slots))

        # One host is gone for good.
        gone = hosts[1]
        assert gone is not None
        await place.houses[gone].stop()
        await place.until(lambda: place.view.requests[request.id].slots[1].state is SlotState.LOST)
        await place.until(lambda: place.view.requests[request.id].slots[1].state is SlotState.FILLED)
        (spare,) = set(place.houses) - set(hosts)
        repaired = place.view.requests[request.id].slots[1]
        assert repaired.host == spare
        assert repaired.former_hosts == {gone, spare}

        # Only the repaired slot and one parity slot answer.
        capability = Capability(manifest.digest, key)
        target = folder / "back"
        but = (str(hosts[0]), str(hosts[2]))
        assert await download(place.client_peers, place.view, capability, target, ignore, but) == target
        assert target.read_bytes() == data
        assert not place.view.requests[request.id].vacant
        # Slashed: what two misses and the loss took from the host that left.
        assert place.view.providers[gone].locked == 0
        assert place.view.credits[dev_validator(place)] > 0


def state(place: Town, id: bytes) -> RequestState:
    request = place.view.requests.get(id)
    return request.state(place.moment.timestamp) if request else RequestState.NONE


def dev_validator(place: Town) -> str:
    from agents.chain.anvil import dev_account
    from tests.roles.town import VALIDATOR

    return dev_account(VALIDATOR).address


def test_a_file_is_stored_proven_repaired_and_read_back(tmp_path: Path) -> None:
    asyncio.run(life(tmp_path))
