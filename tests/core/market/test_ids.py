"""Ids, positions, challenges and the lottery against the vectors that the contracts' tests read too."""

import json
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agents.core.market.periods import LOTTERY, challenge, required
from agents.core.market.placement import position
from agents.core.market.types import Ask, Content, Request, request_id_of, slot_id, slot_index_of
from agents.core.proofs.sampling import entropy_of

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "market_ids.json").read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def vector_request() -> Request:
    posted = VECTORS["request"]
    content = Content(unhex(posted["content"]["cid"]), int(posted["content"]["root"], 16))
    ask = Ask(*(int(value) for value in posted["ask"].values()))
    return Request(posted["client"], ask, content, posted["expiry"], unhex(posted["nonce"]))


def test_request_and_slot_ids() -> None:
    request = vector_request()
    assert request.id == unhex(VECTORS["requestId"])
    found = [slot_id(request.id, index) for index in VECTORS["slotIndices"]]
    assert found == [unhex(text) for text in VECTORS["slotIds"]]
    assert [(request_id_of(slot), slot_index_of(slot)) for slot in found] == [
        (request.id, index) for index in VECTORS["slotIndices"]
    ]


def test_provider_id() -> None:
    packed = encode(["address", "bytes32"], [VECTORS["provider"], unhex(VECTORS["registrationHash"])])
    assert keccak(packed) == unhex(VECTORS["providerId"])


def test_positions_of_reservations() -> None:
    seed, request_id = unhex(VECTORS["seed"]), unhex(VECTORS["requestId"])
    found = [position(seed, request_id, 4, count) for count in VECTORS["reservationIndices"]]
    assert found == [int(text, 16) for text in VECTORS["a0s"]]


def test_challenge_entropy_and_lottery() -> None:
    drawn = challenge(unhex(VECTORS["seed"]), unhex(VECTORS["slotIds"][2]))
    assert drawn == unhex(VECTORS["challenge"])
    assert entropy_of(drawn) == int(VECTORS["entropy"], 16)
    assert [required(drawn, chance) for chance in VECTORS["probabilities"]] == VECTORS["required"]
    for chance, bound in zip(VECTORS["probabilities"], VECTORS["lotteryBounds"], strict=True):
        assert LOTTERY // chance == int(bound, 16)
        assert required(int(bound, 16).to_bytes(32, "big"), chance)
        if chance > 1:
            assert not required((int(bound, 16) + 1).to_bytes(32, "big"), chance)
