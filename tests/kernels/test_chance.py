"""The random numbers of kernels against their published values and a slow reference."""

import numpy as np
from scipy import stats

from agents.kernels import chance, lives

WORD = 2**64 - 1
PUBLISHED = [
    41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205, 9973669472204895162,
    14011001112246962877, 12406186145184390807, 15849039046786891736, 10450023813501588000,
]  # fmt: skip
"""xoshiro256++ from the state (1, 2, 3, 4): the authors' program and other implementations of it."""


def reference(state: list[int]) -> int:
    """The next word, by the authors' description."""

    def turned(word: int, by: int) -> int:
        return (word << by | word >> (64 - by)) & WORD

    drawn = (turned((state[0] + state[3]) & WORD, 23) + state[0]) & WORD
    shifted = (state[1] << 17) & WORD
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = turned(state[3], 45)
    return drawn


def test_words_are_those_published() -> None:
    state = np.array([1, 2, 3, 4], np.uint64)
    assert [int(chance.word(state)) for _ in PUBLISHED] == PUBLISHED


def test_words_are_those_of_the_reference_from_any_seed() -> None:
    for seed in range(20):
        state = lives.seeded(np.random.SeedSequence(seed))
        slow = [int(word) for word in state]
        assert [int(chance.word(state)) for _ in range(50)] == [reference(slow) for _ in range(50)]
        assert [int(word) for word in state] == slow


def test_draws_have_the_distributions_they_say() -> None:
    state = lives.seeded(np.random.SeedSequence(7))
    uniforms = [chance.uniform(state) for _ in range(20_000)]
    waits = [chance.exponential(state) for _ in range(20_000)]
    faces = np.bincount([chance.below(state, 7) for _ in range(20_000)], minlength=7)
    assert stats.kstest(uniforms, "uniform").pvalue > 0.01
    assert stats.kstest(waits, "expon").pvalue > 0.01
    assert len(faces) == 7 and stats.chisquare(faces).pvalue > 0.01


def test_the_ends_of_the_range_are_drawn_whole() -> None:
    # The largest word there is: the sum of the first and fourth words turned by 23, plus the first.
    state = np.array([0, 0, 0, WORD], np.uint64)
    assert chance.uniform(state.copy()) == 1.0 - 2.0**-53
    assert chance.below(state.copy(), 256) == 255
    assert 36.7 < chance.exponential(state.copy()) < 36.8
