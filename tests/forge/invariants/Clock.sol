// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RequestId, SlotState} from "../../../contracts/libraries/Types.sol";
import {Seat, Story} from "./Ghosts.sol";
import {Hosts} from "./Hosts.sol";

/// @title Clock
/// @notice Time passes, by blocks.
abstract contract Clock is Hosts {
    function timePasses(uint256 seed) external acts(seed) {
        uint256 pace = draw(0, 19);
        if (pace < 10) advance(draw(1, 8));
        else if (pace < 13) nextPeriod();
        else if (pace < 15) advance(draw(8, 60));
        else if (pace < 19) _toMoment();
        else if (oneIn(20)) advance(oneIn(4) ? draw(8100, 8300) : draw(100, 900));
        // Blocks may take longer than they do at least.
        if (oneIn(6)) vm.warp(now_() + draw(1, 40));
    }

    /// @dev To when something begins or ends, or a second before or after: comparisons are there to be met.
    function _toMoment() private {
        if (open.length == 0) return advance(1);
        RequestId id = open[draw(0, open.length - 1)];
        Story storage story = stories[id];
        Seat storage seat = seatOf(id, draw(0, story.slots - 1));
        uint256 kind = draw(0, 3);
        uint256 moment = story.started ? story.endsAt : story.expiresAt;
        if (seat.state == SlotState.Reserved) moment = seat.deadline;
        else if (seat.state == SlotState.Filled && kind < 2) moment = endOf(story, seat) + rules.settleSeconds;
        else if (seat.state == SlotState.Filled && kind == 2) moment = seat.heldUntil;
        moment = moment + draw(0, 2) - 1;
        if (moment <= now_()) return advance(1);
        // Most of the time it is too far away to be worth the wait.
        if (moment > now_() + 1 hours && !oneIn(3)) return advance(draw(1, 30));
        // Or everybody goes on proving meanwhile.
        if (oneIn(2)) {
            uint256 periods = (moment - now_()) / periodSeconds();
            if (periods > 1) _serve(periods > 12 ? 12 : periods - 1, address(0));
            if (moment <= now_()) return;
        }
        vm.roll(vm.getBlockNumber() + (moment - now_() + BLOCK_SECONDS - 1) / BLOCK_SECONDS);
        vm.warp(moment);
    }
}
