"""What makes proofs, as the service sees it, and what a worker process needs to become one that does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agents.core.proofs.profiles import profile_named
from agents.core.proofs.proof import Groth16Proof


class Prover(Protocol):
    """Makes proofs of one circuit with one key."""

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``, named signals.

        Raises ProofFailed; ProverLost where another attempt may do. Whatever works on a proof whose caller is cancelled is
        ended, not waited for.
        """
        ...

    async def close(self) -> None:
        """End what was started."""
        ...


class Executor(Prover, Protocol):
    """A prover that says what it can take."""

    @property
    def capacity(self) -> int:
        """Proofs it can make at once; may change."""
        ...

    @property
    def cores(self) -> int | None:
        """Cores of this machine that each of them keeps busy; None: all of them; 0: none, they are made elsewhere."""
        ...


class Maker(Protocol):
    """Makes proofs where it is, in a process that does nothing else: witness generator and mapped key."""

    def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``, named signals. Raises ProofFailed."""
        ...


class Recipe(Protocol):
    """How a worker process makes its maker. It can be pickled, hashed and compared."""

    @property
    def key(self) -> Path:
        """The proving key on this machine."""
        ...

    def make(self, key: Path) -> Maker:
        """A maker with ``key``, which is mapped and not read; on another machine it has another path.

        Raises BadData, ProverUnavailable.
        """
        ...


@dataclass(frozen=True)
class NativeRecipe:
    """A worker with this package's own prover. Neither its kernels nor its machine code are loaded before `make`."""

    profile: str
    key: Path

    def make(self, key: Path) -> Maker:
        """See Recipe."""
        from agents.proving.native import NativeMaker

        return NativeMaker(profile_named(self.profile), key)
