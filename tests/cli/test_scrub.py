"""`agent provider scrub`: slots on disk read whole and mended, beside a provider that runs or without one."""

import json
import os
from pathlib import Path

import pytest

from agents.core.dataset.cid import cid_text
from agents.core.proofs.profiles import profile_named
from agents.store.folders import HeldSlot, SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool
from tests.cli.conftest import Agent
from tests.cli.test_files import TERMS
from tests.cli.town import HOSTS, Town
from tests.store.test_mending import damage, files


@pytest.fixture
def slots(tmp_path: Path) -> list[HeldSlot]:
    """Two slots of six blocks and three of parity, in the data directory ``agent`` of a provider that runs."""
    (tmp_path / "file").write_bytes(os.urandom(700_000))
    dataset = Spool(tmp_path / "spool").encode(tmp_path / "file", 2, 1, None, profile_named("devnet"))
    store = SlotStore(tmp_path / "agent", 1 << 30)  # its lock is held
    return [
        put_all(
            store, SlotName(dataset.manifest.digest, index), dataset.manifest_bytes, dataset.block_list(index),
            list(dataset.blocks(index)),
        )
        for index in range(2)
    ]  # fmt: skip


def test_scrub_mends_and_tells_what_it_cannot(lonely: Agent, slots: list[HeldSlot]) -> None:
    cid, whole = cid_text(slots[0].name.manifest), files(slots[0])
    sound = {"cid": cid, "blocks": 9, "damaged": 0, "mended": 0, "left": 0, "needed": 0, "trouble": None}
    done = lonely("provider", "scrub", "--data-dir", "agent", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"slots": [{**sound, "slot": 0}, {**sound, "slot": 1}]}

    damage(slots[0], 1, 5, 8)
    before = files(slots[0])
    looked = lonely("provider", "scrub", "--data-dir", "agent", "--dry-run")
    assert looked.code == 4 and "1 of 2 slots are damaged: nothing was changed" in looked.err
    assert f"{cid}-0\t9\t3\t0\t3" in looked.out and f"{cid}-1\t9\t0\t0\t0" in looked.out
    assert files(slots[0]) == before
    mended = lonely("provider", "--data-dir", "agent", "scrub", "--slot", f"{cid}-0", "--json")
    assert mended.code == 0, mended.err
    assert json.loads(mended.out) == {"slots": [{**sound, "slot": 0, "damaged": 3, "mended": 3}]}
    assert files(slots[0]) == whole

    damage(slots[1], 0, 1, 2, 3, 4)
    lost = lonely("provider", "scrub", "--data-dir", "agent", "--slot", cid[:20])
    assert lost.code == 4 and "cannot be made again from this disk" in lost.err
    assert f"{cid}-1\t9\t5\t0\t5, of which 2 must come from other hosts" in lost.out
    unknown = lonely("provider", "scrub", "--data-dir", "agent", "--slot", f"{cid}-7")
    assert unknown.code == 8 and "is named by its file's CID, a hyphen and its number" in unknown.err
    nothing = lonely("provider", "scrub", "--data-dir", "elsewhere")
    assert (nothing.code, nothing.out) == (0, "no slots\n")


def test_status_tells_of_a_slot_that_will_be_lost(
    agent: Agent, client: str, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(os.urandom(700_000))
    assert agent("client", "store", "file", *TERMS).code == 0
    request = json.loads(agent("client", "ls", "--json").out)[0]["request"]
    hosts = [slot["host"] for slot in json.loads(agent("client", "status", request, "--json").out)["slotList"]]
    (host,) = [host for host in town.hosts if host.actor.address == hosts[0]]
    monkeypatch.setenv("HOLDFAST_KEY", "0x" + bytes(host.account.key).hex())
    place = ("provider", "--data-dir", str(town.home / "hosts" / str(HOSTS[town.hosts.index(host)])))
    folders = [host.store.slot(name) for name in host.store.held if name.index == 0]
    (slot,) = [folder for folder in folders if len(folder.digests) == 9]

    def disk() -> tuple[object, str]:
        told = json.loads(agent(*place, "status", "--json").out)["slots"]
        return next(each["sound"] for each in told if each["request"] == request), agent(*place, "status").out

    assert disk()[0] is None
    damage(slot, 0)
    assert agent(*place, "scrub").code == 0
    assert disk()[0] is True and "\tsound\n" in disk()[1]
    damage(slot, 0, 1, 2, 3)
    assert agent(*place, "scrub").code == 4
    sound, text = disk()
    assert sound is False and "cannot be mended: 4 blocks lost" in text
