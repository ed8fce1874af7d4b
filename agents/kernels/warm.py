"""Compiling every kernel there is before it is needed: set-up does it, so that no agent waits."""

import numpy as np

from agents.kernels import caches, fixed_base, gf16, lives, ntt, poseidon2, repeats, sparse, vectors
from agents.kernels.forms import FORMS
from agents.kernels.group import group
from agents.kernels.limbs import from_ints
from agents.kernels.memory import aligned
from agents.kernels.msm import multiply_and_add


def warm() -> list[str]:
    """Leave the machine code of all kernels that this CPU can run on disk; the names of its forms, best first."""
    poseidon2.warm()
    gf16.warm()
    lives.slot_lives()
    lives.group_lives()
    lives.group_order()
    caches.warm()
    repeats.repeats()
    repeats.miniatures()
    repeats.number()
    names = [name for name, form in FORMS.items() if form.supported()]
    scalars = from_ints(range(1, 65))
    for name in names:
        fixed_base.multiples_g2(scalars[:3], name)
        # The last two come to nothing in their bucket.
        points = fixed_base.multiples_g1(from_ints([1, 2, -2]), name)
        multiply_and_add(group(name, False), points, from_ints([1, 2, 2]))
        ntt.ntt(name, scalars)
        vectors.multiply_all(scalars, scalars, name)
    entries = np.zeros(1, dtype=[("row", "<u4"), ("rest", "V40")])
    sparse.Matrix(entries, np.ones(1, dtype=np.bool_), 1).times(aligned(4).reshape(1, 4))
    return names
