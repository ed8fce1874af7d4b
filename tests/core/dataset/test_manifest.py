"""Manifests: round trips, and hostile ones refused before anything is fetched."""

import contextlib
from dataclasses import replace
from typing import Any

import dag_cbor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset.cid import digest_of
from agents.core.dataset.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    SlotEntry,
    block_list,
    block_list_bytes,
    check_bought,
    parse_block_list,
    parse_manifest,
)  # fmt: skip
from agents.core.errors import ManifestInvalid
from agents.core.market.types import Ask, Content
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.trees import dataset_tree, root

ROOTS = [11, 22, 33]
MANIFEST = Manifest(
    "devnet", 2, 1, 4, 2, 5 * 65536 + 7 + 65536, True,
    tuple(SlotEntry(digest_of(bytes([value])), value) for value in ROOTS), root(dataset_tree(ROOTS)),
)  # fmt: skip
UNCODED = replace(MANIFEST, parity_blocks=0)
PUBLIC = replace(MANIFEST, encrypted=False, name="a file.txt", unixfs=digest_of(b"root"))


@pytest.mark.parametrize(
    ("manifest", "version", "blocks", "digest"),
    [
        (UNCODED, 1, 4, "0e9061c1a4667e2e"),
        (MANIFEST, 2, 6, "7d0f7d1dd8be4714"),
        (PUBLIC, 3, 6, "e2b517a9b9c22995"),
    ],
)
def test_a_manifest_survives(manifest: Manifest, version: int, blocks: int, digest: str) -> None:
    assert parse_manifest(manifest.to_bytes()) == manifest
    assert manifest.digest == digest_of(manifest.to_bytes())
    # Of manifests on the chain: no version's bytes may ever change.
    assert manifest.digest.hex().startswith(digest)
    assert (manifest.slot_bytes, manifest.data_bytes) == (blocks * 65536, 4 * 65536)
    fields = dag_cbor.decode(manifest.to_bytes())
    assert isinstance(fields, dict)
    assert fields["version"] == version
    assert [fields.get(name) for name in ("parity", "code")] == ([None, None] if version == 1 else [2, "rs16"])
    assert [fields.get(name) for name in ("name", "unixfs")] == (
        ["a file.txt", digest_of(b"root")] if version == 3 else [None, None]
    )


def changed(manifest: Manifest = MANIFEST, **fields: Any) -> bytes:
    found = dag_cbor.decode(manifest.to_bytes())
    assert isinstance(found, dict)
    for name, value in fields.items():
        if value is None:
            del found[name]
        else:
            found[name] = value
    return bytes(dag_cbor.encode(found))


SLOTS = [[slot.blocks, slot.root.to_bytes(32, "big")] for slot in MANIFEST.slots]
ATTACKS = {
    "no cbor": (b"\xff\xff", "not dag-cbor"),
    "a list": (bytes(dag_cbor.encode([1])), "not a map"),
    "too large": (bytes(MAX_MANIFEST_BYTES + 1), "more than"),
    "version": (changed(version=4), "version is 4"),
    "version 3 without a name": (changed(version=3, encrypted=False), "'name' is missing"),
    "a name in version 2": (changed(PUBLIC, version=2, unixfs=None), "nobody knows"),
    "public and encrypted": (changed(PUBLIC, encrypted=True), "says that it is encrypted"),
    "no UnixFS root": (changed(PUBLIC, unixfs=None), "'unixfs' is missing"),
    "a UnixFS root as text": (changed(PUBLIC, unixfs="bafy"), "wrong type"),
    "an empty UnixFS root": (changed(PUBLIC, unixfs=b""), "is no digest"),
    "a long UnixFS root": (changed(PUBLIC, unixfs=bytes(33)), "is no digest"),
    "name as bytes": (changed(PUBLIC, name=b"x"), "wrong type"),
    "public without parity": (changed(PUBLIC, parity=0), "0 blocks of parity"),
    "a public file with another code": (changed(PUBLIC, code="rs8"), "'rs8', is not known"),
    **{
        f"the name {name[:9]!r}": (changed(PUBLIC, name=name), "could do harm")
        for name in ("", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b", "a\x1b[2Jb", "a\nb", "x" * 256, "é" * 128)
    },
    "version as boolean": (changed(UNCODED, version=True), "version is True"),
    "version as fraction": (changed(version=2.0), "version is 2.0"),
    "version 1 with parity": (changed(version=1), "nobody knows"),
    "version 2 without parity": (changed(parity=0), "0 blocks of parity"),
    "negative parity": (changed(parity=-1), "-1 blocks of parity"),
    "no parity": (changed(UNCODED, version=2, code="rs16", other=1), "'parity' is missing"),
    "absurd parity": (changed(parity=509), "513 blocks, which its profile cannot prove"),
    "parity beyond all bounds": (changed(parity=2**60), "cannot prove"),
    "another code": (changed(code="rs8"), "'rs8', is not known"),
    "no code": (changed(code=None), "None, is not known"),
    "no version": (changed(version=None), "version is None"),
    "unknown field": (changed(extra=1), "nobody knows"),
    "unknown profile": (changed(profile="huge"), "not known here"),
    "size as text": (changed(size="1"), "wrong type"),
    "boolean as number": (changed(k=True), "wrong type"),
    "absurd size": (changed(size=2**60), "does not fit"),
    "size zero": (changed(size=0), "does not fit"),
    "negative size": (changed(size=-1), "does not fit"),
    "absurd blocks": (changed(blocks=2**40), "cannot prove"),
    "no blocks": (changed(blocks=0), "cannot prove"),
    "k zero": (changed(k=0, m=3), "slots for k = 0"),
    "negative m": (changed(k=4, m=-1), "slots for"),
    "more slots than listed": (changed(k=3), "slots for"),
    "slots for another circuit": (changed(k=16, m=1, slots=SLOTS * 5 + SLOTS[:2]), "slots for"),
    "short digest": (changed(slots=[[b"x", SLOTS[0][1]], *SLOTS[1:]]), "no digest"),
    "root outside the field": (changed(slots=[[SLOTS[0][0], SCALAR_ORDER.to_bytes(32, "big")], *SLOTS[1:]]), "field"),
    "root zero": (changed(root=bytes(32)), "field"),
    "another dataset root": (changed(root=(5).to_bytes(32, "big")), "not that of its slots"),
    "swapped slots": (changed(slots=[SLOTS[1], SLOTS[0], SLOTS[2]]), "not that of its slots"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_manifests_are_refused(name: str) -> None:
    data, why = ATTACKS[name]
    with pytest.raises(ManifestInvalid, match=why):
        parse_manifest(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([MANIFEST, PUBLIC]), st.integers(0, len(MANIFEST.to_bytes()) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed_unnoticed(manifest: Manifest, place: int, change: int) -> None:
    data = bytearray(manifest.to_bytes())
    data[place] ^= change
    with contextlib.suppress(ManifestInvalid):
        assert parse_manifest(bytes(data)).digest != manifest.digest


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_crashes(data: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(data)


@pytest.mark.parametrize("count", [0, 23, 24, 255, 256, 65_535, 65_536])
def test_how_long_a_block_list_is(count: int) -> None:
    assert block_list_bytes(count) == len(block_list([bytes(32)] * count))


def test_block_lists() -> None:
    digests = [digest_of(bytes([index])) for index in range(4)]
    data = block_list(digests)
    entry = SlotEntry(digest_of(data), 1)
    assert parse_block_list(data, entry, 4) == digests
    for wrong, count in ((data + b"\0", 4), (data, 5)):
        with pytest.raises(ManifestInvalid):
            parse_block_list(wrong, entry, count)
    odd = bytes(dag_cbor.encode([b"short"] * 4))
    with pytest.raises(ManifestInvalid, match="no digest"):
        parse_block_list(odd, replace(entry, blocks=digest_of(odd)), 4)


ASK = Ask(1, 3, 1, 1, 5000, MANIFEST.slot_bytes, 1_000, 5, 1)
CONTENT = Content(MANIFEST.digest, MANIFEST.dataset_root)


def test_a_request_pays_for_its_own_manifest() -> None:
    check_bought(MANIFEST, ASK, CONTENT, "devnet")


@pytest.mark.parametrize(
    ("ask", "content", "profile", "named"),
    [
        (ASK, replace(CONTENT, cid=bytes(32)), "devnet", "content"),
        (ASK, replace(CONTENT, root=12_345), "devnet", "dataset root"),
        (replace(ASK, slot_size=65_536), CONTENT, "devnet", "slot size"),
        (replace(ASK, slots=4, max_slot_loss=2), CONTENT, "devnet", "number of slots"),
        (replace(ASK, max_slot_loss=2), CONTENT, "devnet", "may be lost"),
        (ASK, CONTENT, "codex", "circuit profile"),
    ],
)
def test_a_request_that_lies_about_its_manifest_is_refused(
    ask: Ask, content: Content, profile: str, named: str
) -> None:
    with pytest.raises(ManifestInvalid, match=f"not what the request pays for: its .*{named}"):
        check_bought(MANIFEST, ask, content, profile)
