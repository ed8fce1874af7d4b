// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SlotRecord} from "../interfaces/IMarketplace.sol";
import {Deal} from "./Deals.sol";
import {ProofRecord} from "./ProofRecord.sol";
import {SlotState} from "./Types.sol";

/// @notice A slot, packed by what changes together.
struct Slot {
    // tenure or reservation; spans in seconds from the request's creation
    address host;
    SlotState state;
    /// End of the reservation or, once filled, of the time the host agreed to serve.
    uint32 heldFor;
    uint32 filledAfter;
    uint16 reservations;
    uint8 expired;
    // proofs
    ProofRecord proofs;
    // money: slashed collateral not yet credited, pay of this tenure that was claimed
    uint128 pot;
    uint128 claimed;
    // since it was lost or left: when and in which block, and until when the host that left had agreed to serve
    uint40 vacatedAt;
    uint40 vacatedBlock;
    uint40 departedAt;
    /// What whoever reserved it since then agreed to: seconds from the request's creation until the end it had then.
    uint32 servesFor;
}

using Slots for Slot global;

/// @notice The questions that time answers about a slot.
library Slots {
    /// @notice When the reservation, or the tenure, ends by itself.
    function heldUntil(Slot storage self, Deal storage deal) internal view returns (uint256) {
        return uint256(deal.createdAt) + self.heldFor;
    }

    /// @notice When duty and pay of a filled slot's host end: with the time it agreed to, or with the request.
    function end(Slot storage self, Deal storage deal) internal view returns (uint256) {
        return Math.min(heldUntil(self, deal), deal.end());
    }

    function filledAt(Slot storage self, Deal storage deal) internal view returns (uint256) {
        return uint256(deal.createdAt) + self.filledAfter;
    }

    /// @notice Whether it was lost or left since the request started, and not filled since.
    function isVacant(Slot storage self) internal view returns (bool) {
        return self.vacatedAt != 0;
    }

    /// @notice What the slot is while nobody holds it.
    function vacantState(Slot storage self) internal view returns (SlotState) {
        if (!isVacant(self)) return SlotState.Free;
        return self.departedAt != 0 ? SlotState.Departed : SlotState.Lost;
    }

    function record(Slot storage self, Deal storage deal) internal view returns (SlotRecord memory) {
        ProofRecord memory proofs = self.proofs;
        return SlotRecord({
            state: self.state,
            host: self.host,
            misses: proofs.misses,
            filledAt: self.filledAfter == 0 ? 0 : uint64(self.filledAt(deal)),
            fillPeriod: proofs.fillPeriod,
            provenAt: proofs.provenAt,
            vacatedAt: self.vacatedAt,
            vacatedBlock: self.vacatedBlock,
            departedAt: self.departedAt,
            heldUntil: self.host == address(0) ? 0 : uint64(self.heldUntil(deal)),
            reservations: self.reservations,
            expired: self.expired,
            pot: self.pot,
            claimed: self.claimed
        });
    }
}
