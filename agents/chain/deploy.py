"""One market on one chain: deploying its contracts, and knowing them again by an address."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources

from eth_utils.crypto import keccak

from agents.chain.codec import Artefact, artefact, checksummed
from agents.chain.contracts import Market, Registry
from agents.chain.rpc import Rpc, RpcError, quantity
from agents.chain.sender import Sender
from agents.chain.transactions import Call
from agents.core.errors import ChainLies, Misuse, Refused, WrongChain
from agents.core.market.types import DEV_CHAIN_IDS, MarketConfig, StakeConfig
from agents.core.units import TOKEN

SUPPLY = 10**9 * TOKEN
"""Base units of test token, all the deployer's."""

DEV_SINK = "0x000000000000000000000000000000000000dEaD"

DEV_STAKE = StakeConfig(min_stake=100 * TOKEN, stake_per_byte=1, unbonding_seconds=60, sink=DEV_SINK)
"""Stake rules of a devnet."""

DEV_MARKET = MarketConfig(
    period_blocks=30,
    block_seconds=1,
    mark_blocks=60,
    settle_seconds=180,
    max_misses=3,
    slash_bps=2000,
    validator_bps=1000,
    bounty_bps=5000,
    bond_bps=500,
    reserve_seconds=120,
    repair_window=60,
    min_term_periods=2,
    max_duration=30 * 86_400,
    min_extension=60,
)
"""Market rules of a devnet with one-second blocks."""


@dataclass(frozen=True)
class Deployment:
    """The contracts of one market; ``profile`` is the circuit's, empty if the verifier is none of the shipped ones."""

    chain_id: int
    token: str
    registry: str
    marketplace: str
    verifier: str
    profile: str
    block: int
    """No event of the market is older than this block."""

    @property
    def reference(self) -> str:
        """``eip155:<chain id>:<marketplace>``, the market's name for users."""
        return f"eip155:{self.chain_id}:{self.marketplace}"

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=2)


def deployment_from_json(text: str) -> Deployment:
    """The deployment in what :meth:`Deployment.to_json` made."""
    return Deployment(**json.loads(text))


def parse_reference(text: str) -> tuple[int, str]:
    """Chain id and marketplace address in ``eip155:<chain id>:<address>``. Raises Misuse."""
    found = re.fullmatch(r"eip155:(\d{1,18}):(0x[0-9a-fA-F]{40})", text.strip())
    if found is None:
        raise Misuse(
            f"{text!r} names no market", "a market is eip155:<chain id>:<address>", "Copy it from `agent devnet`."
        )
    address = found.group(2)
    if address not in (address.lower(), checksummed(address.lower())):
        raise Misuse(f"{text!r} has a typo", "the address does not match its checksum", "Copy it again.")
    return int(found.group(1)), checksummed(address.lower())


def verifiers() -> Mapping[str, str]:
    """Names of the shipped verifier contracts by circuit profile."""
    places = resources.files("agents") / "artefacts" / "contracts"
    names = [place.name.removesuffix(".json") for place in places.iterdir() if place.name.endswith("Verifier.json")]
    return {name.removesuffix("Verifier").lower(): name for name in names}


def create_address(sender: str, nonce: int) -> str:
    """Address of the contract that ``sender`` creates with transaction ``nonce``."""
    digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    count = digits if 0 < nonce < 0x80 else bytes([0x80 + len(digits)]) + digits
    body = b"\x94" + bytes.fromhex(sender[2:]) + count
    return checksummed("0x" + keccak(bytes([0xC0 + len(body)]) + body)[12:].hex())


async def deploy(
    sender: Sender,
    *,
    profile: str = "devnet",
    verifier: Artefact | None = None,
    insecure: bool = True,
    stake: StakeConfig = DEV_STAKE,
    market: MarketConfig = DEV_MARKET,
) -> Deployment:
    """Deploy verifier, token, registry and marketplace from the sender's account, which nothing else may use meanwhile.

    ``verifier`` is by default the shipped one of ``profile``; ``insecure`` says that its key is the development key.
    Raises Refused off the development chains then, and ChainLies if the code that ends up on the chain is not the
    artefact's.
    """
    if insecure and sender.chain_id not in DEV_CHAIN_IDS:
        raise Refused(
            f"The development verifier is not deployed on chain {sender.chain_id}",
            "its proving key is insecure: anyone can forge proofs for it",
            "Deploy a verifier made from a ceremony's key.",
        )
    shipped = verifier or _shipped_verifier(profile)
    checker, first = await _create(sender, shipped)
    await _require_code(sender.rpc, checker, shipped)
    token, _ = await _create(sender, artefact("TestToken"), SUPPLY)
    nonce = quantity(await sender.rpc.call("eth_getTransactionCount", sender.address, "latest"))
    predicted = create_address(sender.address, nonce + 1)
    registry, _ = await _create(sender, artefact("StakeRegistry"), token, stake, [predicted])
    marketplace, _ = await _create(sender, artefact("Marketplace"), registry, checker, market)
    if marketplace != predicted:
        raise Refused(
            f"The marketplace is at {marketplace}, not at {predicted}",
            "another transaction of the deployer came between, and the registry's modules are fixed",
            "Deploy again from an account that does nothing else.",
        )
    return Deployment(sender.chain_id, token, registry, marketplace, checker, profile, first)


async def discover(rpc: Rpc, reference: str) -> Deployment:
    """The market called ``reference``, as its contracts tell. Raises Misuse, WrongChain, ChainUnavailable."""
    chain_id, address = parse_reference(reference)
    await rpc.require_chain(chain_id)
    market = Market(rpc, address)
    try:
        registry = await market.registry()
        checker = await market.verifier()
        token = await Registry(rpc, registry).token()
    except (Refused, ChainLies):
        raise WrongChain(
            f"There is no market at {address}", "another contract is there", "Check HOLDFAST_MARKET."
        ) from None
    return Deployment(
        chain_id, token, registry, address, checker, await _profile_at(rpc, checker), await _birth(rpc, registry)
    )


def _shipped_verifier(profile: str) -> Artefact:
    name = verifiers().get(profile)
    if name is None:
        raise Misuse(f"There is no verifier for profile {profile!r}", f"known: {', '.join(verifiers())}", "")
    return artefact(name)


async def _create(sender: Sender, contract: Artefact, *arguments: object) -> tuple[str, int]:
    code = contract.deployment(*arguments)
    receipt = await sender.send(Call("", code, f"deploying {contract.name}"), f"deploy:{keccak(code).hex()}")
    if receipt.contract is None:
        raise ChainLies(f"The receipt of {contract.name} names no contract", "", "Use another RPC.")
    return receipt.contract, receipt.block_number


async def _require_code(rpc: Rpc, address: str, contract: Artefact) -> None:
    if keccak(await rpc.code(address)) != keccak(contract.runtime):
        raise ChainLies(f"The code at {address} is not {contract.name}'s", "its hash differs", "Use another RPC.")


async def _profile_at(rpc: Rpc, address: str) -> str:
    code = await rpc.code(address)
    return next((profile for profile, name in verifiers().items() if artefact(name).runtime == code), "")


async def _birth(rpc: Rpc, address: str) -> int:
    """The block that created the contract at ``address``; 0 where the endpoint keeps no old state to search."""
    low, high = 0, await rpc.block_number()
    try:
        while low < high:
            middle = (low + high) // 2
            born = await rpc.call("eth_getCode", address, hex(middle)) != "0x"
            low, high = (low, middle) if born else (middle + 1, high)
    except RpcError:
        return 0
    return low
