"""Views of a market made of events by hand, for one dataset on disk and one provider."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from agents.core.market import events as e
from agents.core.market.types import Ask, Content, MarketConfig, Request, StakeConfig
from agents.core.market.view import MarketView
from agents.core.proofs.profiles import profile_named
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool, SpooledDataset

PROFILE = profile_named("devnet")
ME, OTHER, THIRD, CLIENT = ("0x" + letter * 40 for letter in "abcd")
CONFIG = MarketConfig(
    period_blocks=30, block_seconds=1, mark_blocks=60, settle_seconds=180, max_misses=2, slash_bps=2000,
    validator_bps=1000, bounty_bps=5000, bond_bps=500, reserve_seconds=60, repair_window=10, min_term_periods=1,
    max_duration=86_400, min_extension=60,
)  # fmt: skip
STAKES = StakeConfig(100, 1, 30, "0x" + "e" * 40)
START = 1_000_000


def at(block: int, log: int = 0) -> e.EventPlace:
    """A place whose timestamp is a second a block after START."""
    return e.EventPlace(block, log, timestamp=START + block)


@dataclass(frozen=True)
class Scene:
    """A dataset, a request for it, and what the market shows."""

    dataset: SpooledDataset
    request: Request
    view: MarketView

    def name(self, index: int) -> SlotName:
        return SlotName(self.request.content.cid, index)

    def after(self, *events: e.Event) -> "Scene":
        return replace(self, view=self.view.after_all(events))

    def reserved(self, index: int, who: str, block: int) -> "Scene":
        reservations = self.view.requests[self.request.id].slots[index].reservations
        return self.after(
            e.SlotReserved(
                at=at(block), request_id=self.request.id, slot_index=index, provider=who, bond=1,
                deadline=START + block + CONFIG.reserve_seconds, reservation_index=reservations,
            )
        )  # fmt: skip

    def filled(self, index: int, who: str, block: int) -> "Scene":
        return self.reserved(index, who, block).after(
            e.SlotFilled(at=at(block, 1), request_id=self.request.id, slot_index=index, host=who, bounty=0, to_client=0)
        )

    def keep(self, store: SlotStore, index: int) -> None:
        """Put a slot of the dataset into ``store``."""
        dataset = self.dataset
        put_all(store, self.name(index), dataset.manifest_bytes, dataset.block_list(index), list(dataset.blocks(index)))


def scene(
    folder: Path, root: int | None = None, slot_size: int | None = None, k: int = 2, m: int = 1, size: int = 300_000
) -> Scene:
    """A file of ``size`` bytes, posted in block 10; ``root`` and ``slot_size`` are what the client lies about."""
    file = folder / "file"
    file.write_bytes(os.urandom(size))
    return scene_of(Spool(folder / "spool").encode(file, k, m, None, PROFILE), root, slot_size)


def scene_of(dataset: SpooledDataset, root: int | None = None, slot_size: int | None = None) -> Scene:
    """The same for a dataset that there is."""
    manifest = dataset.manifest
    m = manifest.parity_slots
    ask = Ask(1, len(manifest.slots), m, 1, 9_900, slot_size or manifest.slot_bytes, 10_000, 1, 1)
    content = Content(manifest.digest, manifest.dataset_root if root is None else root)
    request = Request(CLIENT, ask, content, 240, bytes(32))
    view = MarketView(CONFIG, STAKES)
    for number, who in enumerate((ME, OTHER, THIRD), start=1):
        view = view.after(e.Registered(at=at(number), provider=who, id=bytes([number]) * 32, endpoint="http://x"))
        view = view.after(e.Deposited(at=at(number, 1), provider=who, amount=10**9))
    return Scene(dataset, request, posted(view, request, 10))


def posted(view: MarketView, request: Request, block: int) -> MarketView:
    """``request`` posted in ``block``."""
    return view.after(
        e.StorageRequested(
            at=at(block), request_id=request.id, client=request.client, ask=request.ask, content=request.content,
            expires_at=START + block + request.expiry, ends_at=START + block + request.ask.duration,
            deposit=request.ask.price,
        )
    )  # fmt: skip
