"""The generated verifier on a chain, with real proofs: it is the artefact's, and it accepts what it should and no more."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ape.contracts import ContractContainer
from eth_utils.crypto import keccak
from ethpm_types import ContractType
from web3.exceptions import ContractLogicError, Web3RPCError

from agents.artefacts.files import FOLDER
from agents.core.market.types import Content, SlotState
from agents.core.proofs.curve import add_g1
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


def prove(slot: Slot, *challenges: bytes) -> list[Groth16Proof]:
    """A real proof of ``slot`` under each of the challenges."""

    async def run() -> list[Groth16Proof]:
        prover = prover_for(slot.profile)
        try:
            return [await prover.prove(inputs_for(slot, entropy_of(challenge))) for challenge in challenges]
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
    (found,) = prove(slot, challenge)
    proof = found.as_abi()
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
    (proof,) = prove(slot, challenge)

    wrong_sum = replace(proof, c=proof.a)
    for bad in (wrong_sum, replace(proof, a=(proof.a[0], BASE_ORDER - proof.a[1]))):
        ground.refused(market.Marketplace_InvalidProof, market.fillSlot, own, bad.as_abi(), by=host)
    ground.refused(market.Marketplace_InvalidProof, market.fillSlot, neighbour, proof.as_abi(), by=other)
    market.fillSlot(own, proof.as_abi(), sender=host)
    assert ground.slot(own).state == SlotState.FILLED
    period = ground.new_period()
    ground.refused(market.Marketplace_InvalidProof, market.submitProof, own, period, proof.as_abi(), by=host)
    (again,) = prove(slot, bytes(market.challengeOf(own, period, block_id="pending")))
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


@dataclass(frozen=True)
class Batch:
    """Proofs and the public inputs of each."""

    proofs: tuple[Groth16Proof, ...]
    publics: tuple[tuple[int, int, int], ...]

    def accepted_by(self, verifier: Any) -> bool:
        return bool(verifier.verifyProofs([proof.as_abi() for proof in self.proofs], self.publics))

    def first(self, count: int) -> Batch:
        """A part of the batch; past its end it begins again."""
        places = [i % len(self.proofs) for i in range(count)]
        return Batch(tuple(self.proofs[i] for i in places), tuple(self.publics[i] for i in places))

    def changed(self, place: int, **parts: Any) -> Batch:
        """With other points in the proof at ``place``."""
        proofs = list(self.proofs)
        proofs[place] = replace(proofs[place], **parts)
        return replace(self, proofs=tuple(proofs))

    def asking(self, place: int, *publics: int) -> Batch:
        """With other public inputs for the proof at ``place``."""
        return replace(self, publics=(*self.publics[:place], publics, *self.publics[place + 1 :]))


@pytest.fixture(scope="module")
def batch(slot: Slot) -> Batch:
    """Four real proofs of one slot, of as many challenges, twice over."""
    challenges = [keccak(bytes([i])) for i in range(4)]
    publics = tuple(public_inputs(challenge, slot.facts.dataset_root, INDEX) for challenge in challenges)
    return Batch(tuple(prove(slot, *challenges)), publics).first(8)


def test_batches_of_real_proofs_pass_and_one_bad_proof_spoils_them(accounts: Any, slot: Slot, batch: Batch) -> None:
    verifier = deployed_from_artefact(accounts[0], contract_name("devnet"))
    for count in (1, 2, 8, 32):
        assert batch.first(count).accepted_by(verifier)
    assert not batch.first(0).accepted_by(verifier)
    root = slot.facts.dataset_root
    for place, (proof, (entropy, *_)) in enumerate(zip(batch.proofs, batch.publics, strict=True)):
        (x, y), other = proof.c, batch.proofs[place - 1]
        for bad in (
            batch.changed(place, c=(x, BASE_ORDER - y)),
            batch.changed(place, a=other.a),
            batch.changed(place, b=other.b),
            batch.changed(place, c=other.c).changed(place - 1, c=proof.c),
            batch.asking(place, entropy, root, INDEX + 1),
            batch.asking(place, entropy + SCALAR_ORDER, root, INDEX),
        ):
            assert not bad.accepted_by(verifier)


def test_errors_of_real_proofs_that_add_up_to_nothing_do_not_pass(accounts: Any, batch: Batch) -> None:
    verifier = deployed_from_artefact(accounts[0], contract_name("devnet"))
    for other in range(1, 8):
        shifted = add_g1(batch.proofs[0].c, (1, 2)), add_g1(batch.proofs[other].c, (1, BASE_ORDER - 2))
        assert not batch.changed(0, c=shifted[0]).changed(other, c=shifted[1]).accepted_by(verifier)


def test_another_circuits_verifier_takes_no_batch(accounts: Any, batch: Batch) -> None:
    for name in PROFILES.keys() - {"devnet"}:
        assert not batch.accepted_by(deployed_from_artefact(accounts[0], contract_name(name)))


def test_a_batch_short_of_gas_is_never_called_bad(accounts: Any, chain: Any, batch: Batch) -> None:
    verifier = deployed_from_artefact(accounts[0], contract_name("devnet"))
    data = verifier.verifyProofs.encode_input([proof.as_abi() for proof in batch.proofs], batch.publics)
    call = {"to": verifier.address, "data": data}
    answers = {limit: answer(chain, call, limit) for limit in range(60_000, 760_000, 20_000)}
    assert set(answers.values()) == {"true", "reverts"}
    assert answers[740_000] == "true"
    assert answers[500_000] == "reverts"


def answer(chain: Any, call: dict[str, Any], gas: int) -> str:
    """What a call of a view with ``gas`` comes to."""
    try:
        return "true" if int.from_bytes(chain.provider.web3.eth.call({**call, "gas": gas}, "latest")) else "false"
    except (Web3RPCError, ContractLogicError):
        return "reverts"
