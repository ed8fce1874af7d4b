"""What is signed to pay a cache, against the vectors the contracts' tests read too, and against eth_account."""

import json
from typing import Any

import pytest

from agents.core.channels.lanes import Domain, Grant, Lane, Opening, Voucher
from agents.core.errors import VoucherInvalid
from agents.net.signing import digest_signer, digest_signing
from tests.core.channels import oracle
from tests.core.channels.actors import DOMAIN, LANE, READER, SPONSORED, grant

VECTORS: dict[str, Any] = json.loads(oracle.VECTORS.read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def lane_of(message: dict[str, str]) -> Lane:
    return Lane(message["payer"], message["reader"], message["cache"], int(message["epoch"]), int(message["expiry"]))


def paper_of(case: dict[str, Any]) -> Voucher | Opening | Grant:
    message = case["message"]
    if case["kind"] == "Grant":
        limit, epoch, expiry = (int(message[name]) for name in ("limit", "epoch", "expiry"))
        return Grant(message["sponsor"], message["reader"], limit, epoch, expiry)
    made = {"Voucher": Voucher, "Opening": Opening}[case["kind"]]
    return made(lane_of(message["lane"]), int(message["amount"]))


def test_the_vectors_are_those_eth_account_makes() -> None:
    assert oracle.vectors() == VECTORS


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['kind']}-{case['chainId']}")
def test_digests_and_signatures_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    domain = Domain(int(case["chainId"]), case["contract"])
    paper = paper_of(case)
    digest = paper.digest(domain)
    assert digest == unhex(case["digest"])
    if "laneId" in case:
        assert lane_of(case["message"]["lane"]).id == unhex(case["laneId"])
    key = VECTORS["keys"]["sponsor" if case["kind"] == "Grant" else "reader"]
    assert digest_signing(unhex(key))(digest) == unhex(case["signature"])
    assert digest_signer(digest, unhex(case["signature"])) == case["signer"]


def test_every_field_changes_the_digest() -> None:
    lanes = [
        LANE,
        SPONSORED,
        Lane(LANE.payer, LANE.reader, LANE.payer, 0, LANE.expiry),
        Lane(LANE.payer, LANE.reader, LANE.cache, 1, LANE.expiry),
        Lane(LANE.payer, LANE.reader, LANE.cache, 0, LANE.expiry + 1),
    ]
    domains = [DOMAIN, Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, READER.address)]
    papers = [made(lane, amount) for lane in lanes for amount in (1, 2) for made in (Voucher, Opening)]
    digests = {paper.digest(domain) for paper in papers for domain in domains}
    assert len(digests) == len(papers) * len(domains)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Voucher(LANE, 1 << 128),
        lambda: Opening(LANE, -1),
        lambda: Lane(LANE.payer, LANE.reader, LANE.cache, 1 << 64, 0),
        lambda: Lane(LANE.payer, LANE.reader, LANE.cache, 0, -1),
        lambda: grant(1 << 128),
    ],
)
def test_numbers_that_the_contract_cannot_hold_are_refused(make: Any) -> None:
    with pytest.raises(VoucherInvalid, match="outside"):
        make()


def test_a_grant_covers_its_own_parties_epoch_and_time() -> None:
    given = grant(10).grant
    assert given.covers(SPONSORED)
    assert not given.covers(LANE)
    assert not grant(10, expiry=SPONSORED.expiry - 1).grant.covers(SPONSORED)
    assert not given.covers(Lane(SPONSORED.payer, SPONSORED.reader, SPONSORED.cache, 1, SPONSORED.expiry))


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: good[:64],
        lambda good: good + b"\0",
        lambda good: good[:64] + bytes([good[64] - 27]),
        lambda good: good[:64] + b"\x1d",
        lambda good: good[:32] + (ORDER - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + good[64:],
        lambda good: bytes(32) + good[32:],
        lambda good: good[:32] + bytes(32) + good[64:],
        lambda good: b"\xff" * 32 + good[32:],
        lambda good: b"",
    ],
    ids=["short", "long", "v of 0", "v of 29", "high s", "r of 0", "s of 0", "r beyond", "empty"],
)
def test_malformed_signatures_are_refused_as_the_contract_does(spoil: Any) -> None:
    digest = Voucher(LANE, 5).digest(DOMAIN)
    good = READER.sign_digest(digest)
    assert digest_signer(digest, good) == READER.address
    with pytest.raises(ValueError, match="signature"):
        digest_signer(digest, spoil(good))
