// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Shares} from "../../contracts/libraries/Shares.sol";
import {Test} from "./Cheats.sol";

/// @notice The market's formulas: the parts of a whole are never more than it, whatever the configuration.
contract SharesTest is Test {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant MAX_REWARD_BPS = 9000;

    function test_fuzz_all_misses_and_the_rest_are_the_collateral(uint128 collateral, uint8 misses, uint16 bps)
        external
        pure
    {
        uint256 slashBps = misses == 0 ? within(bps, 0, BPS) : within(bps, 0, BPS / misses);
        uint256 all = Shares.slashed(collateral, slashBps, misses);
        isTrue(all <= collateral, "no more than there is");
        eq(all, Shares.slashed(collateral, slashBps, 1) * misses, "each miss costs the same");
    }

    function test_fuzz_marking_and_repairing_pay_no_more_than_their_share(
        uint128 collateral,
        uint8 misses,
        uint16 slash,
        uint16 validator,
        uint16 bounty
    ) external pure {
        uint256 slashBps = misses == 0 ? 0 : within(slash, 0, BPS / misses);
        uint256 validatorBps = within(validator, 0, BPS);
        uint256 marking = slashBps * misses * validatorBps;
        vm.assume(marking <= MAX_REWARD_BPS * BPS);
        uint256 bountyBps = within(bounty, 0, (MAX_REWARD_BPS * BPS - marking) / BPS);
        uint256 reward = Shares.share(Shares.slashed(collateral, slashBps, 1), validatorBps);
        uint256 paid = reward * misses + Shares.bounty(collateral, bountyBps, 1, 1);
        isTrue(paid <= Shares.share(collateral, MAX_REWARD_BPS), "dropping a slot to repair it oneself is a loss");
    }

    function test_fuzz_a_bond_doubles_up_to_the_collateral(uint128 collateral, uint16 bps, uint8 expired)
        external
        pure
    {
        uint256 bondBps = within(bps, 0, BPS);
        uint256 bond = Shares.bond(collateral, bondBps, expired);
        isTrue(bond <= collateral, "no more than there is");
        uint256 doubled = bondBps * 2 ** (expired < 6 ? expired : 6);
        uint256 wanted = uint256(collateral) * doubled / BPS;
        eq(bond, wanted < collateral ? wanted : collateral, "six doublings");
    }

    function test_fuzz_a_bounty_grows_with_time_to_its_share(uint128 collateral, uint16 bps, uint32 elapsed, uint32 end)
        external
        pure
    {
        uint256 bountyBps = within(bps, 0, BPS);
        uint256 window = within(end, 1, type(uint32).max);
        uint256 bounty = Shares.bounty(collateral, bountyBps, elapsed, window);
        isTrue(bounty <= Shares.bounty(collateral, bountyBps, uint256(elapsed) + 1, window), "never shrinks");
        isTrue(bounty <= Shares.share(collateral, bountyBps), "no more than its share");
        eq(Shares.bounty(collateral, bountyBps, 0, window), 0, "nothing at the start");
        eq(Shares.bounty(collateral, bountyBps, window, window), Shares.share(collateral, bountyBps), "all at the end");
        uint256 half = uint256(collateral) * bountyBps * (window / 2) / (BPS * window);
        eq(Shares.bounty(collateral, bountyBps, window / 2, window), half, "in proportion");
    }

    function test_fuzz_pay_is_what_was_served_and_no_more(uint96 rate, uint32 served, uint32 lost, uint128 claimed)
        external
        pure
    {
        uint256 pay = Shares.unclaimed(rate, served, lost, claimed);
        uint256 earned = uint256(rate) * served;
        uint256 spent = uint256(rate) * lost + claimed;
        eq(pay, earned > spent ? earned - spent : 0, "the difference, or nothing");
    }
}
