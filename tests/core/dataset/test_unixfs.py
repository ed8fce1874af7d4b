"""The UnixFS tree against IPFS's own importer, and walked through."""

import json
import random
import struct
from collections import Counter
from pathlib import Path

import pytest

from agents.core.dataset.cid import Cid, digest_of
from agents.core.dataset.unixfs import LINKS, FileTree, Inner, Leaf
from tests.core.dataset.ipfs import IMPORT, run_module

BLOCK = 65_536
SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 174 * BLOCK, 174 * BLOCK + 1, 175 * BLOCK - 9, 349 * BLOCK + 5]
SIZES += [(174 * 174 + 2) * BLOCK + 77]


def leaves_of(size: int) -> list[bytes]:
    """Digests of a file of numbered blocks with a tail of sevens, as the script makes it."""
    whole = [digest_of(struct.pack("<I", index).ljust(BLOCK, b"\0")) for index in range(size // BLOCK)]
    return whole + ([digest_of(b"\7" * (size % BLOCK))] if size % BLOCK or not whole else [])


def test_every_node_is_the_one_that_ipfs_makes(tmp_path: Path) -> None:
    for told in run_module(IMPORT, tmp_path, json.dumps(SIZES)):
        tree = FileTree(leaves_of(told["size"]), told["size"])
        assert str(tree.root) == told["root"], told["size"]
        assert {str(node.cid): node.data.hex() for node in tree.inner} == told["blocks"]
        assert all(tree.block(node.cid.digest) == node.data for node in tree.inner)
    assert tree.block(tree.leaves[0]) is None


def test_a_walk_takes_what_verifies_the_leaves_and_no_more() -> None:
    count = LINKS * LINKS + 2
    tree = FileTree([digest_of(struct.pack("<I", index)) for index in range(count)], count * BLOCK)
    everything = list(tree.walk())
    assert [node.index for node in everything if isinstance(node, Leaf)] == list(range(count))
    assert next(node.cid for node in everything if isinstance(node, Inner)) == tree.root
    assert len({node.cid for node in everything}) == len(everything) == count + (LINKS + 1) + 2 + 1

    some = list(tree.walk(173, 174))
    assert [node.index for node in some if isinstance(node, Leaf)] == [173, 174]
    assert len(some) == 2 + 1 + 1 + 2
    known = {tree.root}
    for node in some:
        assert node.cid in known
        if isinstance(node, Inner):
            assert node.cid == Cid("dag-pb", digest_of(node.data))
            known |= {other.cid for other in everything if other.cid.to_bytes() in node.data}
    for first, last in ((0, None), (173, 174), (0, 0), (count - 2, None), (count - 1, count - 1), (174, 174 * 174 - 1)):
        walked = Counter(len(node.data) if isinstance(node, Inner) else 65_536 for node in tree.walk(first, last))
        told: Counter[int] = Counter()
        for number, size in tree.sizes(first, last):
            told[size] += number
        assert +told == walked
    end = list(tree.walk(count - 1))
    assert [node.index for node in end if isinstance(node, Leaf)] == [count - 1]


def test_leaves_and_size_must_agree() -> None:
    with pytest.raises(ValueError, match="2 leaves for 65536 bytes"):
        FileTree([bytes(32)] * 2, BLOCK)


@pytest.mark.parametrize("alphabet", [1, 2, 400])
def test_a_walk_that_gives_nothing_twice_leaves_out_what_came_before(alphabet: int) -> None:
    chance = random.Random(alphabet)
    for count in (1, 5, LINKS, 3 * LINKS + 5, LINKS * LINKS + LINKS + 1):
        # Runs of one kind that are as long as nodes have links, so that nodes repeat as well.
        kinds = [chance.randrange(alphabet) for _ in range(-(-count // LINKS))]
        whole = [digest_of(bytes([kinds[index // LINKS] % 256, index % alphabet % 7])) for index in range(count)]
        for size in (count * BLOCK, count * BLOCK - 9):
            tree = FileTree([*whole[:-1], whole[-1] if size % BLOCK == 0 else digest_of(b"tail")], size)
            for first, last in ((0, count - 1), (count // 3, count - 1), (count // 2, count // 2 + 200), (7, 8)):
                first, last = min(first, count - 1), min(last, count - 1)
                expected = list(dict.fromkeys(node.cid for node in tree.walk(first, last)))
                found = list(tree.walk(first, last, once=True))
                assert [node.cid for node in found] == expected
                bytes_ = [len(node.data) if isinstance(node, Inner) else _leaf_bytes(node, size) for node in found]
                told = Counter(dict.fromkeys(bytes_, 0))
                for number, length in tree.sizes(first, last, once=True):
                    told[length] += number
                assert +told == Counter(bytes_)


def _leaf_bytes(leaf: Leaf, size: int) -> int:
    return min(BLOCK, size - leaf.index * BLOCK)
