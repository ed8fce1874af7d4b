"""What a provider proves with: this machine's processes, a program, or a cluster."""

from agents.core.errors import Misuse
from agents.core.proofs.profiles import Profile
from agents.proving.cluster import ClusterPool
from agents.proving.executor import Executor
from agents.proving.prover import prover_for, recipe_for
from agents.runtime.settings import Proving


async def executor_for(profile: Profile, settings: Proving) -> Executor:
    """What was asked for. Raises Misuse, ProverUnavailable, and BadData for a key that is none."""
    if settings.cluster is None:
        return prover_for(profile, settings.zkey, settings.executable, settings.workers)
    if settings.executable is not None or settings.workers is not None:
        raise Misuse(
            "--cluster does not go with --prover or --workers", "a cluster's workers have the package's own prover"
        )
    return await ClusterPool.connect(recipe_for(profile, settings.zkey), settings.cluster)
