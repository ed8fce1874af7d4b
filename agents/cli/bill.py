"""What an order would cost, shown: `agent client store --dry-run`."""

import asyncio
from typing import TYPE_CHECKING, Any

from agents.cli import output
from agents.core import units
from agents.runtime.settings import Parameters, Place, StoreOrder

if TYPE_CHECKING:
    from agents.runtime.billing import Bill


def show_bill(place: Place, order: StoreOrder, json: bool) -> None:
    """Ask what ``order`` costs, and print it."""
    from agents.runtime import billing

    bill = asyncio.run(billing.bill(place, order))
    output.Output(json).result(_facts(bill), lambda: _show(bill))


def parameter_facts(parameters: Parameters) -> dict[str, Any]:
    """What was asked for, as data."""
    return {
        "dataSlots": parameters.slots,
        "paritySlots": parameters.parity,
        "repairThreshold": parameters.repair_threshold,
        "proofProbability": parameters.proof_probability,
        "price": str(parameters.price),
    }


def warn(text: str) -> None:
    """Say what may go wrong."""
    output.note(f"warning: {text}")


def _facts(bill: "Bill") -> dict[str, Any]:
    return {
        "parameters": parameter_facts(bill.parameters),
        "price": str(bill.price),
        "slots": bill.slots,
        "slotSize": bill.slot_bytes,
        "fileSize": bill.file_bytes,
        "storedSize": bill.stored_bytes,
        "expansion": round(bill.expansion, 3),
        "collateral": str(bill.collateral),
        "gas": str(bill.wei),
        "balance": str(bill.balance),
        "allowance": str(bill.allowance),
        "ether": str(bill.ether),
        "hosts": bill.hosts,
        "warnings": _warnings(bill),
    }


def _warnings(bill: "Bill") -> list[str]:
    from agents.runtime import pricing

    few = pricing.few_hosts(bill.hosts, bill.slots)
    found = [few] if few else []
    if bill.balance < bill.price:
        lacking = units.format_amount(bill.price - bill.balance)
        found.append(f"The account lacks {lacking}: fund it first.")
    if bill.ether < bill.wei:
        found.append(f"The account has {bill.ether / 1e18:.6f} ETH: too little for the gas.")
    return found


def _show(bill: "Bill") -> None:
    output.line(f"price       {units.format_amount(bill.price)}")
    output.line(f"slots       {bill.slots} of {units.format_size(bill.slot_bytes)}")
    sizes = f"{units.format_size(bill.stored_bytes)} for {units.format_size(bill.file_bytes)}"
    output.line(f"stored      {sizes}, {bill.expansion:.2f} times the file")
    output.line(f"collateral  {units.format_amount(bill.collateral)} locked by each host")
    output.line(f"gas         about {bill.wei / 1e18:.6f} ETH of {bill.ether / 1e18:.6f}")
    output.line(f"balance     {units.format_amount(bill.balance)}")
    output.line(f"allowance   {units.format_amount(bill.allowance)}")
    output.line(f"hosts       {bill.hosts} could take a slot")
    for warning in _warnings(bill):
        warn(warning)
