"""Contracts whose address follows from their code alone (CREATE2), through the deployer that chains commonly have.

Whoever knows the code and the constructor's arguments knows the address, so nobody has to be told where they are.
"""

from eth_utils.crypto import keccak

from agents.chain.codec import Artefact, checksummed
from agents.chain.sender import Sender
from agents.chain.transactions import Call
from agents.core.errors import ChainLies, WrongChain

DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""Creates what follows the first 32 bytes of its calldata, which are the salt; anvil has it too."""

SALT = bytes(32)


def create2_address(code: bytes) -> str:
    """Where the deployer puts the contract with creation ``code``, arguments included."""
    body = b"\xff" + bytes.fromhex(DEPLOYER[2:]) + SALT + keccak(code)
    return checksummed("0x" + keccak(body)[12:].hex())


async def ensure_contract(sender: Sender, contract: Artefact, *arguments: object) -> str:
    """The address of ``contract``, deployed if it is not there. Raises WrongChain where the chain has no deployer."""
    code = contract.deployment(*arguments)
    address = create2_address(code)
    if await sender.rpc.code(address):
        return address
    if not await sender.rpc.code(DEPLOYER):
        raise WrongChain(
            f"Chain {sender.chain_id} lacks the CREATE2 deployer",
            f"there is no code at {DEPLOYER}",
            "Deploy it first: github.com/Arachnid/deterministic-deployment-proxy.",
        )
    await sender.send(Call(DEPLOYER, SALT + code, f"deploying {contract.name}"), f"create2:{address}")
    if not await sender.rpc.code(address):
        raise ChainLies(f"{contract.name} is not at {address}", "it was deployed just now", "Use another RPC.")
    return address
