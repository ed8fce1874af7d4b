"""What a person may choose, as plain values: no chain, no files, nothing heavy to import."""

from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from agents.core.units import TOKEN

DEFAULT_PRICE = 1000
"""Base units per byte per second that a client offers who names no price."""


@dataclass(frozen=True)
class Place:
    """Which chain, which market, whose key, and where files are kept."""

    rpc: str | None = None
    """JSON-RPC URL; None: the running devnet's."""
    market: str | None = None
    """``eip155:<chain id>:<address>``; None: the running devnet's."""
    wallet: str | None = None
    """Name of a keystore; None: the only one there is, or HOLDFAST_KEY."""
    data_dir: Path | None = None
    """The agent's directory; None: one below HOLDFAST_HOME, named after the role and the address."""


@dataclass(frozen=True)
class Proving:
    """How proofs are made."""

    executable: Path | None = None
    """A rapidsnark-compatible prover, or the name snarkjs; None: the package's own."""
    zkey: Path | None = None
    """A ceremony's proving key; None: the development key, which is insecure."""
    workers: int | None = None
    """Processes that prove at once; None: one a core."""
    cluster: str | None = None
    """Address of a dask scheduler whose workers prove instead of this machine."""


@dataclass(frozen=True)
class ProviderSettings:
    """What `agent provider` was told."""

    place: Place
    stake: int | None
    """Base units to hold as stake; 0: the market's minimum; None: what is staked already."""
    quota: int
    """Bytes of slots to hold at most."""
    min_price: int = 0
    """Base units per byte per second, at least."""
    max_duration: int | None = None
    """Seconds a request may still last; None: as long as the market allows."""
    listen: str = "127.0.0.1:0"
    """Host and port to listen on; port 0 picks a free one once and keeps it."""
    endpoint: str | None = None
    """URL under which others reach it; None: made of ``listen``."""
    proving: Proving = field(default_factory=Proving)
    scrub_every: int = 7 * 86_400
    """Seconds after which every slot is read whole again; 0: only where a proof or a reader finds it damaged."""


@dataclass(frozen=True)
class CacheSettings:
    """What `agent cache` was told."""

    place: Place
    price: int = 0
    """Base units per byte; 0: whoever asks is served."""
    announce: bool = False
    """Whether a free cache is put into the directory, which takes an account; one that sells always is."""
    memory: int = 100 << 20
    """Bytes of hot objects."""
    disk: int = 10 << 30
    """Bytes of the disk, at most."""
    policy: str = "darwin"
    """What is kept in memory: darwin, lru, s3fifo, static:F,SIZE."""
    objective: str = "objects"
    """What darwin makes the most of: objects, bytes, writes, earnings."""
    epoch: int = 16_000
    """Requests between two of darwin's looks at the traffic."""
    listen: str = "127.0.0.1:0"
    """Host and port to listen on; port 0 picks a free one once and keeps it."""
    endpoint: str | None = None
    """URL under which others reach it; None: made of ``listen``."""
    origins: tuple[str, ...] = ()
    """URLs of free caches that are asked before the hosts of slots."""
    redeem_at: int = TOKEN
    """Base units of vouchers that are worth a transaction."""
    redeem_least: int | None = None
    """Base units for which one is sent before it is too late; None: the price of half a first interval."""


@dataclass(frozen=True)
class ReadOrder:
    """How a file is read: from whom, and for how much."""

    max_price: int = 0
    """Base units per byte that a cache is paid at most; 0: free caches and hosts alone, without an account."""
    max_cost: int | None = None
    """Base units for the whole read at most; None: what the deposit has."""
    grant: str | None = None
    """A sponsor's, or the name of a file with it: the sponsor pays."""
    caches: tuple[str, ...] = ()
    """URLs of free caches that are asked first, announced or not."""
    announced: bool = True
    """Whether the caches of the chain's directory are asked."""


@dataclass(frozen=True)
class ValidatorSettings:
    """What `agent validator` was told."""

    place: Place


@dataclass(frozen=True)
class Parameters:
    """What is chosen of a request so that the file lasts."""

    slots: int = 3
    """k: slots that hold the file; any k of k+m rebuild it."""
    parity: int = 2
    """m: slots of parity; as many may be lost."""
    repair_threshold: int = 1
    """Lost slots that open a repair."""
    proof_probability: int = 1
    """A slot must prove one period in this many, on average."""
    price: int = DEFAULT_PRICE
    """Base units per byte per second."""


@dataclass(frozen=True, kw_only=True)
class Hardship:
    """What is assumed of those who store."""

    mttf: int = 365 * 86_400
    """Mean seconds until a host is lost with its slot."""
    mttr: int = 86_400
    """Mean seconds a repair takes once it is open."""
    group_size: int = 1
    """So many hosts fail together, besides failing alone; 1: none do."""
    group_mttf: int | None = None
    """Mean seconds until they do; None: never."""

    @property
    def together(self) -> float:
        """The same, endless where it is never."""
        return inf if self.group_mttf is None else float(self.group_mttf)


@dataclass(frozen=True)
class Target(Hardship):
    """A durability to choose the parameters for; None leaves a choice open."""

    nines: float
    """The file is lost within a year with a probability of 10^-nines at most."""
    max_slots: int | None = None
    """Slots at most, parity included."""
    expansion: float | None = None
    """(k+m)/k."""
    repair_threshold: int | None = None
    proof_interval: int | None = None
    """Mean seconds between two proofs of a slot, at most."""
    gas_price: int = 0
    """Base units of the token that a million gas is worth."""
    traffic_price: int = 0
    """Base units of the token that moving a GiB is worth."""
    price: int | None = None
    """Base units per byte per second; None: what the market pays."""


@dataclass(frozen=True)
class StoreOrder:
    """What `agent client store` was told to buy."""

    file: Path
    parameters: Parameters | Target
    duration: int
    """Seconds."""
    expiry: int = 120
    """Seconds within which all slots must be filled."""
    collateral: int | None = None
    """Base units per byte a host locks; None: the least the registry allows."""
    dispersal: float = 0.5
    """h of the placement window, 0.01 to 0.99."""
    max_cost: int | None = None
    """Base units; a dearer request is refused before anything is spent."""
    encrypt: bool = True
    profile: str | None = None
    """Circuit profile; None: the market's."""
