"""A devnet survives a restart and a kill; a deployment is known again, and an insecure one refused elsewhere."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.chain.anvil import Anvil, AnvilOptions, find_anvil
from agents.chain.codec import Artefact
from agents.chain.contracts import Market, Registry, Token
from agents.chain.deploy import DEV_MARKET, DEV_STAKE, create_address, deploy, discover, parse_reference
from agents.chain.devnet import Devnet, give, read_descriptor
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.core.errors import ChainLies, DataDirInUse, Misuse, Refused, ToolMissing, WrongChain
from agents.core.units import TOKEN
from tests.chain.ground import ACCEPT_ALL, market_on, sender_of

SOMEBODY = "0x000000000000000000000000000000000000bEEF"

SUPERVISED = """
import asyncio, sys
from pathlib import Path
from agents.chain.devnet import Devnet
from tests.chain.ground import ACCEPT_ALL

async def main():
    devnet = await Devnet.start(Path(sys.argv[1]), verifier=ACCEPT_ALL, profile="")
    await devnet.give("0x000000000000000000000000000000000000bEEF", tokens=5)
    await devnet.save()
    print(devnet.anvil.pid, flush=True)
    await devnet.wait()

asyncio.run(main())
"""


def test_a_devnet_survives_a_restart(tmp_path: Path) -> None:
    async def first() -> tuple[str, int]:
        async with await Devnet.start(tmp_path, verifier=ACCEPT_ALL, profile="") as devnet:
            found = read_descriptor(tmp_path)
            assert found == devnet.describe()
            assert (tmp_path / "devnet.json").stat().st_mode & 0o777 == 0o600
            await give(devnet.rpc, devnet.deployment, SOMEBODY, tokens=3 * TOKEN, wei=4)
            with pytest.raises(DataDirInUse, match="A devnet runs on"):
                await Devnet.start(tmp_path, verifier=ACCEPT_ALL)
            return devnet.deployment.reference, await devnet.rpc.block_number()

    async def second(reference: str, height: int) -> None:
        assert read_descriptor(tmp_path) is None
        async with await Devnet.start(tmp_path, verifier=ACCEPT_ALL, profile="") as devnet:
            assert devnet.deployment.reference == reference
            assert await devnet.rpc.block_number() >= height
            assert await Token(devnet.rpc, devnet.deployment.token).balance_of(SOMEBODY) == 3 * TOKEN
            assert await devnet.rpc.balance(SOMEBODY) == 4
            account, _ = devnet.describe().accounts[0]
            assert await Token(devnet.rpc, devnet.deployment.token).balance_of(account) > 0

    asyncio.run(second(*asyncio.run(first())))


def test_a_devnet_survives_a_kill_and_takes_its_anvil_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISED, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        anvil = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while _alive(anvil):
        assert time.monotonic() < deadline, "anvil outlives its supervisor"
        time.sleep(0.02)

    async def again() -> None:
        async with await Devnet.start(tmp_path, verifier=ACCEPT_ALL, profile="") as devnet:
            assert await Token(devnet.rpc, devnet.deployment.token).balance_of(SOMEBODY) == 5

    asyncio.run(again())


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_market_is_known_again_by_its_reference(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            found = await discover(rpc, made.reference)
            assert replace(found, block=made.block) == made
            assert made.block < found.block <= await rpc.block_number()
            assert await rpc.call("eth_getCode", made.registry, hex(found.block - 1)) == "0x"
            assert await Market(rpc, made.marketplace).config() == DEV_MARKET
            assert await Registry(rpc, made.registry).config() == DEV_STAKE
            with pytest.raises(WrongChain, match="serves chain 31337, not 1"):
                await discover(rpc, made.reference.replace("31337", "1"))
            with pytest.raises(WrongChain, match="There is no Marketplace at"):
                await discover(rpc, f"eip155:31337:{SOMEBODY}")
            with pytest.raises(WrongChain, match="another contract is there"):
                await discover(rpc, f"eip155:31337:{made.token}")

    asyncio.run(check())


def test_a_reference_with_a_typo_is_refused() -> None:
    assert parse_reference(f"eip155:1:{SOMEBODY}") == (1, SOMEBODY)
    with pytest.raises(Misuse, match="has a typo"):
        parse_reference(f"eip155:1:{SOMEBODY.replace('bEEF', 'BEEF')}")
    with pytest.raises(Misuse, match="names no market"):
        parse_reference("0x12")


def test_the_development_verifier_is_refused_off_development_chains(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            sender = Sender(rpc, sender_of(rpc, 0).account, 1, MemoryJournal())
            with pytest.raises(Refused, match="not deployed on chain 1: its proving key is insecure"):
                await deploy(sender, verifier=ACCEPT_ALL)

    asyncio.run(check())


def test_code_that_is_not_the_verifiers_is_noticed(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            swapped = Artefact("Swapped", [], ACCEPT_ALL.bytecode, b"\x00")
            with pytest.raises(ChainLies, match="is not Swapped's"):
                await deploy(sender_of(rpc, 0), verifier=swapped)

    asyncio.run(check())


def test_a_contracts_address_follows_from_its_creator_and_nonce() -> None:
    sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert create_address(sender, 0) == "0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d"
    assert create_address(sender, 1) == "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"


def test_a_missing_anvil_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "anvil"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    for named in (tmp_path / "absent", script):
        monkeypatch.setenv("HOLDFAST_ANVIL", str(named))
        with pytest.raises(ToolMissing, match="npm install @foundry-rs/anvil"):
            find_anvil()


def test_block_hashes_of_the_past_are_answered_by_the_chain() -> None:
    async def check(chain: Anvil) -> None:
        async with Rpc(chain.url) as rpc:
            await rpc.call("anvil_mine", hex(300))
            wanted = (await rpc.call("eth_getBlockByNumber", "0x5", False))["hash"]
            history = {"to": "0x0000F90827F1C53a10cb7A02335B175320002935", "data": f"0x{5:064x}"}
            assert json.dumps(await rpc.call("eth_call", history, "latest")) == json.dumps(wanted)

    with Anvil(AnvilOptions(block_time=None)) as chain:
        asyncio.run(check(chain))
