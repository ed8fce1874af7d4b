"""The typed data of paid reads by eth_account's EIP-712, which shares no code with ours, and the vectors made with it.

``python -m tests.core.channels.oracle > tests/vectors/channels.json`` writes them again.
"""

import json
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from agents.core.channels.lanes import Domain, Grant, Lane

VECTORS = Path(__file__).parents[2] / "vectors" / "channels.json"

LANE = [("address", "payer"), ("address", "reader"), ("address", "cache"), ("uint64", "epoch"), ("uint64", "expiry")]
FIELDS = {
    "Lane": LANE,
    "Voucher": [("Lane", "lane"), ("uint128", "amount")],
    "Opening": [("Lane", "lane"), ("uint128", "amount")],
    "Grant": [
        ("address", "sponsor"), ("address", "reader"), ("uint128", "limit"), ("uint64", "epoch"), ("uint64", "expiry"),
    ],
}  # fmt: skip


def typed(kind: str, message: dict[str, Any], domain: Domain) -> Any:
    """What eth_account signs."""
    names = {"Lane", kind} if kind in ("Voucher", "Opening") else {kind}
    types = {name: [{"name": field, "type": of} for of, field in FIELDS[name]] for name in sorted(names)}
    about = {
        "name": "Holdfast PaymentChannels", "version": "1", "chainId": domain.chain_id,
        "verifyingContract": domain.contract,
    }  # fmt: skip
    return encode_typed_data(about, types, message)


def digest(kind: str, message: dict[str, Any], domain: Domain) -> bytes:
    """The 32 bytes eth_account signs."""
    found = typed(kind, message, domain)
    return bytes(keccak(b"\x19" + found.version + found.header + found.body))


def lane_message(lane: Lane) -> dict[str, Any]:
    return dict(zip(("payer", "reader", "cache", "epoch", "expiry"), lane.as_abi(), strict=True))


def grant_message(grant: Grant) -> dict[str, Any]:
    return dict(zip(("sponsor", "reader", "limit", "epoch", "expiry"), grant.as_abi(), strict=True))


def vectors() -> dict[str, Any]:
    """Two domains, lanes with and without a sponsor, amounts at the ends of their types."""
    sponsor, reader = (Account.from_key(keccak(text=f"holdfast vector {who}")) for who in ("sponsor", "reader"))
    cache = Account.from_key(keccak(text="holdfast vector cache")).address
    domains = [
        Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        Domain(1, "0xCfEB869F69431e42cdB54A4F4f105C19C080A601"),
    ]
    lanes = [
        Lane(reader.address, reader.address, cache, 0, 2_000_000_000),
        Lane(sponsor.address, reader.address, cache, 3, 2_000_000_000),
        Lane(reader.address, reader.address, cache, 2**64 - 1, 2**64 - 1),
    ]
    grants = [
        Grant(sponsor.address, reader.address, 10**21, 3, 2_000_000_000),
        Grant(sponsor.address, reader.address, 2**128 - 1, 2**64 - 1, 2**64 - 1),
    ]
    cases: list[dict[str, Any]] = []
    for domain in domains:
        for kind in ("Voucher", "Opening"):
            for lane, amount in zip(lanes, (1, 10**18 + 7, 2**128 - 1), strict=True):
                message = {"lane": lane_message(lane), "amount": amount}
                cases.append(_case(kind, message, domain, reader))
        cases += [_case("Grant", grant_message(grant), domain, sponsor) for grant in grants]
    return {
        "about": "EIP-712 typed data of PaymentChannels, made with eth_account: what is signed, its digest, the lane's "
        "struct hash (its id on chain), and the signature by the key named. Numbers are decimal strings.",
        "keys": {"sponsor": "0x" + bytes(sponsor.key).hex(), "reader": "0x" + bytes(reader.key).hex()},
        "cases": cases,
    }


def _case(kind: str, message: dict[str, Any], domain: Domain, signer: Any) -> dict[str, Any]:
    case = {
        "kind": kind,
        "chainId": domain.chain_id,
        "contract": domain.contract,
        "message": message,
        "signer": signer.address,
        "digest": "0x" + digest(kind, message, domain).hex(),
        "signature": "0x" + bytes(signer.sign_message(typed(kind, message, domain)).signature).hex(),
    }
    if "lane" in message:
        case["laneId"] = "0x" + bytes(typed("Lane", message["lane"], domain).body).hex()
    return _as_text(case)


def _as_text(value: Any) -> Any:
    """Numbers as strings: they do not fit JSON's."""
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    return str(value) if type(value) is int else value


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1))
