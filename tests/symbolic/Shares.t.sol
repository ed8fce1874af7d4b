// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Shares} from "../../contracts/libraries/Shares.sol";

/// @notice Proven by halmos, for all amounts and shares that the market accepts: nothing overflows, the parts of a whole add
/// up to it, and none is more than it. What solvers do not answer about bonds, bounties and pay is fuzzed in tests/forge.
contract SharesProofs {
    uint256 internal constant BPS = 10_000;

    function check_a_share_is_no_more_than_the_whole(uint128 amount, uint16 bps) external pure {
        if (bps > BPS) return;
        assert(Shares.share(amount, bps) <= amount);
    }

    function check_the_whole_is_all_of_itself(uint128 amount) external pure {
        assert(Shares.share(amount, BPS) == amount);
    }

    /// What a miss costs its host is what its validator and the slot's pot get, to the last unit.
    function check_a_miss_pays_what_it_costs(uint128 collateral, uint16 slashBps, uint16 validatorBps) external pure {
        if (slashBps > BPS || validatorBps > BPS) return;
        uint256 slashed = Shares.slashed(collateral, slashBps, 1);
        uint256 reward = Shares.share(slashed, validatorBps);
        uint256 toPot = slashed - reward;
        assert(reward + toPot == slashed && slashed <= collateral);
    }
}
