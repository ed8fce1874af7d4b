"""Capabilities and CIDs: round trips, and every typo noticed."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiformats import CID

from agents.core.dataset.capability import Capability, parse_capability
from agents.core.dataset.cid import CODES, Cid, Codec, cid_of_bytes, cid_text, digest_of, digest_of_cid, parse_cid
from agents.core.errors import CapabilityInvalid

digests = st.binary(min_size=32, max_size=32)


@given(digests, st.none() | digests)
def test_a_capability_survives_being_written_and_read(manifest: bytes, key: bytes | None) -> None:
    capability = Capability(manifest, key)
    assert parse_capability(f" {capability}\n") == capability


def test_every_single_typo_is_noticed() -> None:
    text = str(Capability(bytes(range(32)), bytes(range(32, 64))))
    for place in range(len(text)):
        for letter in string.ascii_lowercase + "234567":
            if letter != text[place]:
                with pytest.raises(CapabilityInvalid):
                    parse_capability(text[:place] + letter + text[place + 1 :])
        with pytest.raises(CapabilityInvalid):
            parse_capability(text[:place] + text[place + 1 :])


@settings(max_examples=200)
@given(st.text())
def test_noise_is_no_capability_and_is_not_repeated(text: str) -> None:
    with pytest.raises(CapabilityInvalid) as found:
        parse_capability("hold1" + text)
    assert len(text) < 12 or text not in str(found.value)


def test_a_key_never_shows_in_a_representation() -> None:
    assert "key" not in repr(Capability(bytes(32), b"s" * 32))


@given(digests)
def test_a_cid_survives_being_written_and_read(digest: bytes) -> None:
    assert digest_of_cid(cid_text(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bafy",
        "f\x0b",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        cid_text(bytes(32), "raw"),
        "bafyrwidcyzvhuxoxbqyumymampbujzjr43kllhrxtaeeiphjmkz2xvr4li",  # a typo that names keccak
        "bafyr4idcyzvhuxoxbqyumymampbejzjr43kllhrxtaeeiphjmkz2xvr4li",  # and one that names blake3
    ],
)
def test_other_things_are_no_manifest_cid(text: str) -> None:
    with pytest.raises(CapabilityInvalid, match=r"is not (a|the) CID.*Copy"):
        digest_of_cid(text)


def test_a_cid_with_a_typo_names_another_or_nothing() -> None:
    text = cid_text(digest_of(b"manifest"))
    for place in range(len(text)):
        changed = text[:place] + ("a" if text[place] != "a" else "b") + text[place + 1 :]
        try:  # whatever else it raises fails the test
            assert digest_of_cid(changed) != digest_of(b"manifest")
        except CapabilityInvalid:
            continue


@given(digests, st.sampled_from(sorted(CODES)))
def test_a_cid_is_what_multiformats_says_it_is(digest: bytes, codec: Codec) -> None:
    cid = Cid(codec, digest)
    theirs = CID("base32", 1, codec, ("sha2-256", digest))
    assert str(cid) == str(theirs)
    assert cid.to_bytes() == bytes(theirs)
    assert cid_of_bytes(cid.to_bytes()) == cid
    for base in ("base32", "base58btc", "base36", "base16"):
        assert parse_cid(str(theirs.set(base=base))) == cid
    assert parse_cid(str(CID("base58btc", 0, "dag-pb", ("sha2-256", digest)))) == Cid("dag-pb", digest)


def test_the_name_that_ipfs_has_for_a_file_is_told_from_that_of_its_manifest() -> None:
    with pytest.raises(CapabilityInvalid, match=r"IPFS knows public files by such CIDs.*begins with bafyrei"):
        digest_of_cid(cid_text(digest_of(b"root"), "dag-pb"))
    for wrong in (
        b"",
        bytes(36),
        Cid("raw", bytes(32)).to_bytes() + b"x",
        bytes(CID("base32", 1, "raw", ("sha2-512", bytes(64)))),
    ):
        with pytest.raises(CapabilityInvalid, match="no CID of a block"):
            cid_of_bytes(wrong)
