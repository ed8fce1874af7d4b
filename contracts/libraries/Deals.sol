// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RequestRecord} from "../interfaces/IMarketplace.sol";
import {RequestState} from "./Types.sol";

/// @notice What happened to a request, but for the passing of time.
enum Phase {
    Selling,
    Started,
    Failed
}

/// @notice A request, packed by what changes together.
struct Deal {
    // when, and the terms; spans in seconds from createdAt
    uint40 createdAt;
    uint40 createdBlock;
    uint32 expiry;
    uint32 duration;
    uint32 failedAfter;
    uint16 proofProbability;
    uint16 dispersal;
    uint8 lastSlot;
    uint8 maxSlotLoss;
    uint8 repairThreshold;
    uint8 extensions;
    Phase phase;
    bool closed;
    // how many now, the repair, and tags of the first slots' holders
    uint16 filled;
    uint16 vacant;
    uint16 active;
    uint40 repairOpenedAt;
    uint40 repairOpenedBlock;
    uint128 tags;
    // money of a slot: pay a second, collateral
    uint128 rate;
    uint128 collateral;
    // money of all slots: deposits not yet credited, slashed collateral not yet credited
    uint128 unspent;
    uint128 pots;
    // content
    uint256 root;
    // who
    address client;
}

using Deals for Deal global;

/// @notice The questions that time answers about a request.
library Deals {
    function slots(Deal storage self) internal view returns (uint16) {
        return uint16(self.lastSlot) + 1;
    }

    function expiresAt(Deal storage self) internal view returns (uint256) {
        return uint256(self.createdAt) + self.expiry;
    }

    function endsAt(Deal storage self) internal view returns (uint256) {
        return uint256(self.createdAt) + self.duration;
    }

    function state(Deal storage self) internal view returns (RequestState) {
        Phase phase = self.phase;
        if (phase == Phase.Failed) return RequestState.Failed;
        if (phase == Phase.Started) {
            return block.timestamp < endsAt(self) ? RequestState.Started : RequestState.Finished;
        }
        return block.timestamp < expiresAt(self) ? RequestState.New : RequestState.Cancelled;
    }

    function isLive(Deal storage self) internal view returns (bool) {
        RequestState now_ = state(self);
        return now_ == RequestState.New || now_ == RequestState.Started;
    }

    /// @notice When the request ended or, while it lives, will end at the latest.
    function end(Deal storage self) internal view returns (uint256) {
        if (self.phase == Phase.Failed) return uint256(self.createdAt) + self.failedAfter;
        return state(self) == RequestState.Cancelled ? expiresAt(self) : endsAt(self);
    }

    function record(Deal storage self) internal view returns (RequestRecord memory) {
        return RequestRecord({
            state: self.state(),
            client: self.client,
            slots: self.slots(),
            maxSlotLoss: self.maxSlotLoss,
            repairThreshold: self.repairThreshold,
            proofProbability: self.proofProbability,
            filled: self.filled,
            vacant: self.vacant,
            active: self.active,
            closed: self.closed,
            createdAt: self.createdAt,
            createdBlock: self.createdBlock,
            expiresAt: uint64(self.expiresAt()),
            endsAt: uint64(self.endsAt()),
            failedAt: self.phase == Phase.Failed ? uint64(self.end()) : 0,
            repairOpenedAt: self.repairOpenedAt,
            repairOpenedBlock: self.repairOpenedBlock,
            rate: self.rate,
            collateral: self.collateral,
            root: self.root,
            unspent: self.unspent,
            pots: self.pots
        });
    }
}
