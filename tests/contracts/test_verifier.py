"""The generated verifier on a chain, with real proofs: it is the artefact's, and it accepts what it should and no more."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from ape.contracts import ContractContainer
from eth_utils.crypto import keccak
from ethpm_types import ContractType
from web3.exceptions import ContractLogicError, Web3RPCError

from agents.artefacts.files import FOLDER
from agents.core.market.types import Content, SlotState
from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.core.proofs.profiles import PROFILES, Profile, profile_named
from agents.core.proofs.proof import Groth16Proof, public_inputs
from agents.core.proofs.sampling import entropy_of
from agents.proving.prover import prover_for
from agents.proving.verifier import contract_name
from tests.circuits.slots import Slot, inputs_for, slot_of
from tests.contracts.ground import Ground

DEVNET = profile_named("devnet")
INDEX = 1


def artefact(name: str) -> dict[str, Any]:
    """A shipped contract."""
    found: dict[str, Any] = json.loads((FOLDER / "contracts" / f"{name}.json").read_text())
    return found


def deployed_from_artefact(owner: Any, name: str) -> Any:
    """The shipped bytecode itself, not ape's compilation of the source."""
    made = artefact(name)
    kind = ContractType.model_validate(
        {"abi": made["abi"], "contractName": name, "deploymentBytecode": {"bytecode": made["bytecode"]}}
    )
    return owner.deploy(ContractContainer(kind))


def prove(slot: Slot, challenge: bytes) -> Groth16Proof:
    """A real proof of ``slot`` under ``challenge``."""

    async def run() -> Groth16Proof:
        prover = prover_for(slot.profile)
        try:
            return await prover.prove(inputs_for(slot, entropy_of(challenge)))
        finally:
            await prover.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def slot() -> Slot:
    """Slot 1 of three."""
    return slot_of(DEVNET, index=INDEX, slots=3, blocks=2)


@pytest.mark.parametrize("name", map(contract_name, PROFILES))
def test_the_code_on_the_chain_is_the_artefacts(accounts: Any, chain: Any, name: str) -> None:
    verifier = deployed_from_artefact(accounts[0], name)
    code = bytes(chain.provider.get_code(verifier.address))
    assert keccak(code) == keccak(bytes.fromhex(artefact(name)["deployedBytecode"][2:]))


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_each_profiles_verifier_takes_its_proofs_alone(accounts: Any, profile: Profile) -> None:
    verifier = deployed_from_artefact(accounts[0], contract_name(profile.name))
    slot, challenge = slot_of(profile, index=INDEX, slots=3, blocks=2), bytes(range(32))
    proof = prove(slot, challenge).as_abi()
    root = slot.facts.dataset_root
    assert verifier.verifyProof(proof, public_inputs(challenge, root, INDEX))
    assert not verifier.verifyProof(proof, public_inputs(challenge, root, INDEX + 1))
    for other in PROFILES.keys() - {profile.name}:
        stranger = deployed_from_artefact(accounts[0], contract_name(other))
        assert not stranger.verifyProof(proof, public_inputs(challenge, root, INDEX))


def test_a_market_with_the_generated_verifier_takes_real_proofs_of_the_right_slot_only(
    contracts: Any, accounts: Any, chain: Any, slot: Slot
) -> None:
    verifier = deployed_from_artefact(accounts[0], "DevnetVerifier")
    ground = Ground.deploy(contracts, accounts, chain, verifier)
    market, (host, other, *_) = ground.market, ground.hosts
    id = ground.on_sale(content=Content(b"\0" * 32, slot.facts.dataset_root))
    own = ground.reserved(id, INDEX, host)
    neighbour = ground.reserved(id, 0, other)
    ground.new_period()
    challenge = bytes(market.challengeOf(own, ground.period, block_id="pending"))
    proof = prove(slot, challenge)

    wrong_sum = replace(proof, c=proof.a)
    for bad in (wrong_sum, replace(proof, a=(proof.a[0], BASE_ORDER - proof.a[1]))):
        ground.refused(market.Marketplace_InvalidProof, market.fillSlot, own, bad.as_abi(), by=host)
    ground.refused(market.Marketplace_InvalidProof, market.fillSlot, neighbour, proof.as_abi(), by=other)
    market.fillSlot(own, proof.as_abi(), sender=host)
    assert ground.slot(own).state == SlotState.FILLED
    period = ground.new_period()
    ground.refused(market.Marketplace_InvalidProof, market.submitProof, own, period, proof.as_abi(), by=host)
    again = prove(slot, bytes(market.challengeOf(own, period, block_id="pending")))
    market.submitProof(own, period, again.as_abi(), sender=host)
    assert ground.slot(own).provenAt == ground.now
    ground.assert_books()

    publics = public_inputs(challenge, slot.facts.dataset_root, INDEX)
    assert verifier.verifyProof(proof.as_abi(), publics)
    for at in range(3):
        for other_value in (publics[at] + 1, publics[at] + SCALAR_ORDER):
            changed = [other_value if at == place else value for place, value in enumerate(publics)]
            assert not verifier.verifyProof(proof.as_abi(), changed)
    above = replace(proof, a=(proof.a[0] + BASE_ORDER, proof.a[1]))
    assert not verifier.verifyProof(above.as_abi(), publics)
    off_the_curve = replace(proof, a=(proof.a[0], (proof.a[1] + 1) % BASE_ORDER))
    assert not verifier.verifyProof(off_the_curve.as_abi(), publics)
    # Short of gas it must not say that a good proof is bad.
    call = {"to": verifier.address, "data": verifier.verifyProof.encode_input(proof.as_abi(), publics)}
    answers = {limit: answer(chain, call, limit) for limit in range(40_000, 400_000, 10_000)}
    assert set(answers.values()) == {"true", "reverts"}
    assert answers[390_000] == "true"


def answer(chain: Any, call: dict[str, Any], gas: int) -> str:
    """What a call of a view with ``gas`` comes to."""
    try:
        return "true" if int.from_bytes(chain.provider.web3.eth.call({**call, "gas": gas}, "latest")) else "false"
    except (Web3RPCError, ContractLogicError):
        return "reverts"
