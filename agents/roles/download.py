"""A file back from any k of its slots: capability, chain and hosts are all it takes."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from agents.core.dataset.capability import Capability
from agents.core.dataset.reading import FileReader
from agents.core.errors import FileRejected
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.roles.reading import fetch_manifest, hosts_of, stripes
from agents.store.files import storage_errors, sync_folder

Advance = Callable[[str, int, int], None]


async def download(
    peers: PeerClient,
    view: MarketView,
    capability: Capability,
    target: Path | None,
    advance: Advance,
    but: tuple[str, ...] = (),
) -> Path:
    """Write the file to ``target``, by default under its own name in this folder; where it is.

    ``but`` names hosts not to ask. The file appears whole or not at all, and nothing is overwritten.
    Raises FileRejected, NotFound, PeerError, Corrupt, DiskFull.
    """
    if target is not None:
        _must_be_new(target)
    hosts = hosts_of(view, capability.manifest, but)
    manifest = await fetch_manifest(peers, hosts, capability.manifest)
    reader = FileReader(manifest, capability.key)
    folder = target.parent if target is not None else Path.cwd()
    partial = folder / f".{capability.manifest.hex()[:16]}.partial"
    with storage_errors(partial):
        handle = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
        try:
            stripe = 0
            async for blocks in stripes(peers, hosts, manifest):
                for offset, piece in await asyncio.to_thread(reader.open_stripe, stripe, dict(blocks)):
                    os.pwrite(handle, piece, offset)
                stripe += 1
                advance("reading", stripe, manifest.blocks_per_slot)
            os.fsync(handle)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        own = reader.header.name if reader.header else "file"
        final = target if target is not None else folder / Path(own).name
        _must_be_new(final)
        partial.rename(final)
        sync_folder(folder)
    return final


def _must_be_new(path: Path) -> None:
    if path.exists():
        raise FileRejected(f"{path} exists", "nothing is overwritten", "Name another file with -o, or move it away.")
