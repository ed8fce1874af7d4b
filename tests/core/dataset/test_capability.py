"""Capabilities and CIDs: round trips, and every typo noticed."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset.capability import Capability, parse_capability
from agents.core.dataset.cid import cid_text, digest_of, digest_of_cid
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
