"""What a revert says, in words, with what to do next."""

from enum import IntEnum
from typing import Any

from eth_abi import abi as eth_abi
from eth_abi.exceptions import DecodingError

from agents.chain.codec import artefact
from agents.chain.rpc import RpcError
from agents.core.errors import HoldfastError, NotEnoughTokens, Refused, ToolMissing
from agents.core.units import format_amount

CONTRACTS = ("Marketplace", "StakeRegistry", "TestToken", "Extensions", "PaymentChannels", "CacheDirectory")

ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")

ADVICE = {
    "StakeRegistry_NotRegistered": "Register and stake first: `agent provider --stake`.",
    "StakeRegistry_AlreadyRegistered": "Nothing to do: one registration lasts for ever.",
    "StakeRegistry_InsufficientFreeStake": "Deposit more stake: `agent provider --stake AMOUNT`.",
    "StakeRegistry_BelowMinimumWhileLocked": "Unstake less, or wait until the slots held are settled.",
    "StakeRegistry_StillUnbonding": "Wait until the unbonding delay has passed.",
    "StakeRegistry_NothingToWithdraw": "Nothing is owed to this account yet.",
    "Marketplace_NotEligible": "Wait: the placement window widens until everyone is eligible.",
    "Marketplace_SlotNotFree": "Another provider was first; take another slot.",
    "Marketplace_ReservationHeld": "Another provider holds the reservation; take another slot.",
    "Marketplace_ExtensionTooShort": "Extend by more at once.",
    "Marketplace_TooManyExtensions": "Only the client can extend it further, or whoever did so last.",
    "Marketplace_NotStarted": "Only a request that has started and not ended can be extended.",
    "Marketplace_NothingToAccept": "Nothing to do: the slot's end is the request's already.",
    "Marketplace_EndsLater": "Somebody extended it once more: look at its new end, and accept that one if it suits.",
    "Marketplace_SlotEnded": "The slot's host has served the time it agreed to; settle the slot.",
    "PaymentChannels_InsufficientPool": "Deposit more, or keep less for this cache.",
    "PaymentChannels_NothingToReserve": "Nothing to do: the lane keeps that much already.",
    "PaymentChannels_GrantExceeded": "Ask the sponsor for a grant with a higher limit.",
    "PaymentChannels_Closing": "Wait for the end of the challenge, then withdraw.",
    "PaymentChannels_NotClosing": "Close the deposit first, then wait for the end of the challenge.",
    "PaymentChannels_LaneExpired": "Open another lane with a later expiry.",
    "PaymentChannels_WrongEpoch": "The payer has withdrawn since: make a lane of its present epoch.",
    "Marketplace_NothingApplies": "Nothing to do: all of it was done already, or does not apply any more.",
}
"""What to do about an error, where there is more to say than its name does."""


class Reverted(Refused):
    """The contracts refused a call: ``name`` is the custom error's name, ``args_by_name`` what it carries."""

    def __init__(self, call: str, name: str, args_by_name: dict[str, Any] | None = None) -> None:
        self.call = call
        self.name = name
        self.args_by_name = args_by_name or {}
        carried = ", ".join(f"{key} {_shown(value)}" for key, value in self.args_by_name.items())
        why = f"{name} ({carried})" if carried else name
        super().__init__(f"{call} was refused", why, ADVICE.get(name, ""))


def _shown(value: Any) -> str:
    if isinstance(value, IntEnum):
        return value.name.lower()
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def decode_revert(data: bytes) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the error in revert ``data``; ``("no reason", {})`` if it is empty."""
    if not data:
        return "no reason", {}
    selector, rest = data[:4], data[4:]
    try:
        if selector == ERROR_STRING:
            return str(eth_abi.decode(["string"], rest)[0]), {}
        if selector == PANIC:
            return f"Panic({eth_abi.decode(['uint256'], rest)[0]:#x})", {}
    except DecodingError:
        return f"unknown error 0x{data.hex()[:72]}", {}
    for contract in CONTRACTS:
        try:
            kind = artefact(contract).errors.get(selector)
        except ToolMissing:
            continue
        if kind is not None:
            return kind.name, kind.decode(rest)
    return f"unknown error 0x{data.hex()[:72]}", {}


def revert_of(call: str, error: RpcError) -> HoldfastError:
    """The error to raise for ``call`` that an estimate or eth_call refused with ``error``."""
    if not error.data and "revert" not in error.message.lower():
        return error
    return refusal(call, error.data)


def refusal(call: str, data: bytes) -> HoldfastError:
    """The error to raise for ``call`` that reverted with ``data``."""
    name, arguments = decode_revert(data)
    if name in ("ERC20InsufficientBalance", "ERC20InsufficientAllowance"):
        have = arguments.get("balance", arguments.get("allowance", 0))
        return NotEnoughTokens(
            f"{call} needs {format_amount(arguments['needed'])}",
            f"the account {'holds' if 'balance' in arguments else 'allows'} {format_amount(have)}",
            "Get more tokens, or spend less.",
        )
    return Reverted(call, name, arguments)
