"""CacheDirectory as typed calls to send and typed views to read. What it lists is what strangers say."""

from dataclasses import dataclass

from agents.chain.codec import artefact
from agents.chain.contracts import Contract
from agents.chain.create2 import create2_address, ensure_contract
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.chain.transactions import Call
from agents.core.errors import WrongChain

NAME = "CacheDirectory"

PAGE = 100
"""Caches asked for at once: with the longest endpoints still a small answer."""


@dataclass(frozen=True)
class Announced:
    """A cache, and where it says it serves reads. Neither is checked by anybody."""

    cache: str
    endpoint: str


def directory_address() -> str:
    """Where the directory is, or would be: the same on every chain."""
    return create2_address(artefact(NAME).deployment())


async def ensure_directory(sender: Sender) -> "Directory":
    """The directory, deployed from the sender's account if it is not there."""
    return Directory(sender.rpc, await ensure_contract(sender, artefact(NAME)))


async def find_directory(rpc: Rpc) -> "Directory":
    """The directory. Raises WrongChain if nobody deployed it."""
    address = directory_address()
    if not await rpc.code(address):
        raise WrongChain(
            "The chain has no directory of caches",
            f"there is no contract at {address}",
            "Name caches yourself, or have it deployed: anybody can.",
        )
    return Directory(rpc, address)


class Directory(Contract):
    """The caches of one chain."""

    def __init__(self, rpc: Rpc, address: str) -> None:
        super().__init__(rpc, NAME, address)

    async def endpoint_of(self, cache: str) -> str:
        """Where ``cache`` serves reads; empty if it does not say."""
        return str(await self.view("endpointOf", cache))

    async def count(self) -> int:
        """How many caches there are."""
        return int(await self.view("cacheCount"))

    async def caches(self, most: int) -> list[Announced]:
        """The caches announced, ``most`` of them at most, page by page at one block."""
        block = hex(await self.rpc.block_number())
        found: list[Announced] = []
        while len(found) < most:
            size = min(PAGE, most - len(found))
            accounts, endpoints = await self.view("caches", len(found), size, block=block)
            found += map(Announced, accounts, endpoints)
            if len(accounts) < size:
                break
        return found

    def announce(self, endpoint: str) -> Call:
        """Say that the sender serves reads at ``endpoint``."""
        return self.call("announce", endpoint)

    def retire(self) -> Call:
        """Take the sender off the list."""
        return self.call("retire")
