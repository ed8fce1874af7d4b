// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Period, RequestId, SlotId, SlotState} from "../../../contracts/libraries/Types.sol";
import {Clients} from "./Clients.sol";
import {Seat, Story} from "./Ghosts.sol";
import {Hosts} from "./Hosts.sol";

/// @title Validators
/// @notice They mark what was missed; anybody cleans up what is over.
abstract contract Validators is Clients, Hosts {
    /// The period that is looked at, for `_find`.
    uint256 private marking;

    function validatorMarks(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _findMarkable();
        if (!found) return _nothingToDo();
        _must(
            Kind.Mark,
            oneOf(validators),
            address(market),
            abi.encodeCall(market.markProofMissing, (id.slotId(index), Period.wrap(uint64(marking))))
        );
    }

    function validatorMarksBatch(uint256 seed) external acts(seed) {
        _findMarkable();
        _markBatch();
    }

    /// @dev All that can be marked, the oldest first.
    function validatorSweeps(uint256 seed) external acts(seed) {
        uint256 last = periodNow();
        for (marking = (block.number - rules.markBlocks) / rules.periodBlocks; marking < last; ++marking) {
            _markBatch();
        }
    }

    /// @dev Every slot there is, some twice: the validator is told how many of them there was a miss of.
    function _markBatch() private {
        SlotId[] memory ids = _everySlot();
        bytes memory data = abi.encodeCall(market.markProofsMissing, (ids, Period.wrap(uint64(marking))));
        address who = oneOf(validators);
        uint256 due;
        for (uint256 i; i < open.length; ++i) {
            uint256 slots = stories[open[i]].slots;
            for (uint16 j; j < slots; ++j) {
                if (_isMarkable(open[i], j)) ++due;
            }
        }
        if (due == 0) return _mustNot(who, address(market), data);
        bytes memory answer = _must(Kind.MarkBatch, who, address(market), data);
        eq(abi.decode(answer, (uint256)), due, "marked of a batch");
        if (oneIn(4)) _mustNot(who, address(market), data);
    }

    /// @dev In one of the periods that can be marked now, or in the last.
    function _findMarkable() private returns (bool found, RequestId id, uint16 index) {
        uint256 last = periodNow() - 1;
        uint256 first = (block.number - rules.markBlocks) / rules.periodBlocks;
        marking = draw(first, last);
        (found, id, index) = _find(_isMarkable);
        if (found) return (found, id, index);
        marking = last;
        return _find(_isMarkable);
    }

    function _isMarkable(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        if (seat.state != SlotState.Filled || marking <= seat.fillPeriod) return false;
        SlotId slotId = id.slotId(index);
        if (proven[proofKey(slotId, marking)] || wasMissed(seat, marking)) return false;
        (uint256 number, uint256 first) = (block.number, (marking + 1) * rules.periodBlocks);
        if (number < first || number >= first + rules.markBlocks) return false;
        // The period was over before the slot's end for sure.
        if (now_() - (number - (first - 1)) * rules.blockSeconds > endOf(story, seat)) return false;
        return _isRequired(story, seat, slotId, marking);
    }

    // --- what is over ---

    function strangerSettles(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isSettleable);
        if (!found) return _closeReservation();
        bool all = oneIn(2);
        do {
            _must(Kind.Settle, stranger, address(market), abi.encodeCall(market.settle, (id.slotId(index))));
            (found, id, index) = _find(_isSettleable);
        } while (all && found);
    }

    function strangerCloses(uint256 seed) external acts(seed) {
        if (oneIn(2)) _close();
        else _closeReservation();
    }

    function _closeReservation() internal {
        (bool found, RequestId id, uint16 index) = _find(_isReservationOver);
        if (!found) return _nothingToDo();
        _must(
            Kind.CloseReservation,
            stranger,
            address(market),
            abi.encodeCall(market.closeReservation, (id.slotId(index)))
        );
    }

    function _isSettleable(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        return seat.state == SlotState.Filled && now_() >= endOf(story, seat) + rules.settleSeconds;
    }

    function _isReservationOver(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        return seat.state == SlotState.Reserved && (now_() >= seat.deadline || isForgiven(story, seat));
    }
}
