"""What a refusal says: enums by name, and what to do about it."""

from eth_abi.abi import encode

from agents.chain.codec import artefact
from agents.chain.reverts import decode_revert, refusal
from agents.core.market.types import AskField, SlotState

ERRORS = {kind.name: kind for kind in artefact("Marketplace").errors.values()}


def reverted(name: str, types: list[str], values: list[object]) -> bytes:
    return ERRORS[name].selector + encode(types, values)


def test_an_enum_is_told_by_its_name() -> None:
    data = reverted("Marketplace_InvalidAsk", ["uint8"], [AskField.REPAIR_THRESHOLD])
    assert decode_revert(data) == ("Marketplace_InvalidAsk", {"field": AskField.REPAIR_THRESHOLD})
    assert "Marketplace_InvalidAsk (field repair_threshold)" in str(refusal("requestStorage", data))
    _, arguments = decode_revert(reverted("Marketplace_NotFilled", ["uint8"], [4]))
    assert arguments["state"] is SlotState.DEPARTED
    # A member that this version does not know is a number still.
    later = reverted("Marketplace_InvalidAsk", ["uint8"], [99])
    assert decode_revert(later) == ("Marketplace_InvalidAsk", {"field": 99})


def test_what_to_do_about_an_extension_that_is_too_short() -> None:
    data = reverted("Marketplace_ExtensionTooShort", ["uint256", "uint256"], [5, 60])
    told = str(refusal("extendRequest", data))
    assert "extra 5, minimum 60" in told and "Extend by more" in told


def test_the_books_of_extensions_have_errors_of_their_own() -> None:
    (kind,) = artefact("Extensions").errors.values()
    name, _ = decode_revert(kind.selector + bytes(32))
    assert name == "Extensions_NotMarket"
