"""Manifests and block lists: on disk as other objects are, for they are as easily fetched again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from agents.core.dataset.cid import DIGEST_BYTES, Cid, digest_of
from agents.core.dataset.manifest import Manifest, parse_block_list, parse_manifest
from agents.core.dataset.segments import Digests
from agents.core.errors import HoldfastError, PeerError, StorageTrouble
from agents.net.errors import PeerRefused
from agents.roles.caching.flight import SingleFlight
from agents.roles.caching.hosts import SlotHosts
from agents.store.cache.disk import DiskCache, Name

log = logging.getLogger(__name__)

MANIFEST, BLOCK_LIST, LEAF = "manifest", "list", "leaf"


class Upstream(Protocol):
    """Another cache that serves documents by digest."""

    async def dataset_of(self, cid: Cid) -> bytes | None:
        """Of which dataset a block is: what the cache says. Raises PeerError."""

    async def document(self, digest: bytes) -> bytes:
        """The manifest or block list, verified. Raises PeerError."""


class Documents:
    """Manifests and block lists from the disk, from other caches, or from hosts."""

    def __init__(self, disk: DiskCache, hosts: SlotHosts, upstreams: Sequence[Upstream] = ()) -> None:
        self._disk = disk
        self._hosts = hosts
        self._upstreams = upstreams
        self._flights: SingleFlight[tuple[bytes, Name], bytes] = SingleFlight()
        """By dataset too: one whose hosts keep everybody waiting may name another's lists."""

    @property
    def kept(self) -> list[bytes]:
        """Digests of the manifests on disk."""
        return [name.digest for name in self._disk.names if name.part == MANIFEST]

    def lists_kept(self, manifest: Manifest) -> list[int]:
        """Data slots whose block lists are on disk."""
        return [index for index in range(manifest.data_slots) if self.has_list(manifest, index)]

    def has_list(self, manifest: Manifest, index: int) -> bool:
        """Whether the block list of slot ``index`` is on disk."""
        return Name(manifest.slots[index].blocks, BLOCK_LIST) in self._disk

    def has_last_leaf(self, digest: bytes) -> bool:
        """Whether the dataset's last leaf is on disk."""
        return Name(digest, LEAF) in self._disk

    async def manifest(self, digest: bytes) -> Manifest:
        """The manifest with this digest. Raises NotFound, ManifestInvalid."""

        async def asked() -> bytes:
            return (await self._hosts.manifest(digest)).to_bytes()

        return parse_manifest(await self._document(digest, Name(digest, MANIFEST), asked))

    async def block_list(self, manifest: Manifest, index: int) -> bytes:
        """The block list of slot ``index``, as it is stored. Raises NotFound."""
        name = Name(manifest.slots[index].blocks, BLOCK_LIST)
        return await self._document(manifest.digest, name, lambda: self._hosts.block_list(manifest, index))

    async def listed(self, manifest: Manifest, index: int) -> Digests:
        """The digests of the slot's data blocks. Raises NotFound, ManifestInvalid."""
        data = await self.block_list(manifest, index)
        return await asyncio.to_thread(parsed_list, data, manifest, index)

    async def keep_list(self, data: bytes) -> None:
        """Keep a block list that was made here."""
        await self._keep(Name(digest_of(data), BLOCK_LIST), data)

    async def dataset_of(self, cid: Cid) -> bytes | None:
        """Of which dataset a block is: what the first cache says that knows. Raises PeerError where one did not answer."""
        fault: PeerError | None = None
        for upstream in self._upstreams:
            try:
                found = await upstream.dataset_of(cid)
            except PeerRefused as error:
                fault = fault if error.status == 404 else error
            except PeerError as error:
                fault = error
            else:
                if found is not None:
                    return found
        if fault is not None:
            raise fault
        return None

    async def last_leaf(self, digest: bytes, sound: Callable[[bytes], bool]) -> bytes | None:
        """What `keep_last_leaf` kept of the dataset, if it is ``sound``."""
        found = await self._read(Name(digest, LEAF), lambda data: len(data) == DIGEST_BYTES and sound(bytes(data)))
        return None if found is None else bytes(found)

    async def keep_last_leaf(self, digest: bytes, leaf: bytes) -> None:
        """Keep the digest of a public file's last leaf, which stands in no block list: there it has zeros behind it."""
        await self._keep(Name(digest, LEAF), leaf)

    async def _document(self, dataset: bytes, name: Name, ask_hosts: Callable[[], Awaitable[bytes]]) -> bytes:
        return await self._flights.run((dataset, name), lambda: self._found(name, ask_hosts))

    async def _found(self, name: Name, ask_hosts: Callable[[], Awaitable[bytes]]) -> bytes:
        data = await self._read(name, lambda data: digest_of(data) == name.digest)
        if data is not None:
            return bytes(data)
        for upstream in self._upstreams:
            try:
                document = await upstream.document(name.digest)
            except HoldfastError as error:
                log.info("no %s from another cache: %s", name.part, error)
                continue
            await self._keep(name, document)
            return document
        document = await ask_hosts()
        await self._keep(name, document)
        return document

    async def _read(self, name: Name, sound: Callable[[memoryview], bool]) -> memoryview | None:
        try:
            return await asyncio.to_thread(self._disk.read, name, sound)
        except StorageTrouble as error:
            log.warning("%s", error)
            return None

    async def _keep(self, name: Name, data: bytes) -> None:
        try:
            await asyncio.to_thread(self._disk.write, name, data)
        except StorageTrouble as error:
            log.warning("a %s is not kept: %s", name.part, error)


def parsed_list(data: bytes, manifest: Manifest, index: int) -> Digests:
    """The digests of a slot's data blocks, from its block list. Raises ManifestInvalid."""
    listed = parse_block_list(data, manifest.slots[index], manifest.blocks_per_slot)
    return Digests.of(listed[: manifest.data_blocks])
