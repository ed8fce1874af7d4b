"""A network whose nodes keep chunks in groups, as Vault's evaluation sets it up (§6.1)."""

from dataclasses import dataclass
from math import comb, fsum, inf

from agents.core.durability.hazards import YEAR_SECONDS
from agents.core.errors import Misuse


@dataclass(frozen=True)
class GroupSetting:
    """A network, its codes and its habits; the defaults are those of Vault's evaluation (§6)."""

    nodes: int = 100_000
    members: int = 80
    """R, fragments kept of a chunk."""
    needed: int = 32
    """k_in, fragments that recover a chunk."""
    chunks: int = 10
    """n_out, of an object."""
    chunks_needed: int = 8
    """k_out, of them that recover the object."""
    byzantine: float = 0.0
    """f, the share of nodes that follow every protocol and store nothing; they never leave."""
    churn: float = 4.0
    """Departures a year for each node there is; as only honest nodes leave, each of those leaves at churn / (1 - f)."""
    rotation: float = inf
    """W, seconds between evictions; fragments are due in the order in which they were made."""
    cache: float = 0.0
    """Seconds that a chunk is kept after a repair; until then the next one needs no fragments."""

    def __post_init__(self) -> None:
        if not 1 <= self.needed <= self.members <= self.nodes:
            raise Misuse(
                f"groups of {self.members} out of {self.nodes} nodes, {self.needed} needed, cannot be",
                "a group has at least the members it needs and at most as many as there are nodes",
            )
        if not 1 <= self.chunks_needed <= self.chunks:
            raise Misuse(f"an object cannot need {self.chunks_needed} of its {self.chunks} chunks")
        if not 0.0 <= self.byzantine < 1.0:
            raise Misuse(f"{self.byzantine} of all nodes cannot be Byzantine", "", "Take a share from 0 to below 1.")
        if not 0.0 <= self.churn < inf:
            raise Misuse(f"{self.churn} departures a year cannot be", "", "Take 0 or more.")
        if not self.rotation > 0.0:
            raise Misuse(
                f"members cannot be evicted every {self.rotation} s", "", "Take more than 0, or inf for never."
            )
        if not self.cache >= 0.0:
            raise Misuse(f"chunks cannot be cached for {self.cache} s", "", "Take 0 or more.")

    @property
    def leaving(self) -> float:
        """Rate per second at which an honest node leaves."""
        return self.churn / (1.0 - self.byzantine) / YEAR_SECONDS

    def object_loss(self, chunk_loss: float) -> float:
        """Probability that more than n_out - k_out chunks of an object are lost, each by itself with ``chunk_loss``."""
        fatal = range(self.chunks - self.chunks_needed + 1, self.chunks + 1)
        return fsum(
            comb(self.chunks, lost) * chunk_loss**lost * (1.0 - chunk_loss) ** (self.chunks - lost) for lost in fatal
        )


REPLICATED = GroupSetting(members=3, needed=1, chunks=1, chunks_needed=1)
"""The baseline: three whole copies, each made anew at once from another one."""


def even_rotation(churn: float, members: int) -> float:
    """Seconds: as many evictions are due as nodes depart. Figures 4 and 5 without Byzantine nodes use it."""
    return YEAR_SECONDS / (churn * members)


def safe_rotation(churn: float, members: int, byzantine: float) -> float:
    """Seconds: fast enough that Byzantine nodes, which never leave, do not fill the groups. Figures 5 and 6 use it."""
    return even_rotation(churn, members) * (1.0 - byzantine) / 2.0


def hypergeometric(nodes: int, byzantine: int, members: int, hit: int) -> float:
    """Probability that ``hit`` of ``members`` random nodes are Byzantine."""
    if not max(0, members - (nodes - byzantine)) <= hit <= min(members, byzantine):
        return 0.0
    return comb(byzantine, hit) * comb(nodes - byzantine, members - hit) / comb(nodes, members)
