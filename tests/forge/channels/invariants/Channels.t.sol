// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Lane, SignedVoucher} from "../../../../contracts/interfaces/IPaymentChannels.sol";
import {Ledger, Purse, Story} from "./Ledger.sol";

/// @notice Histories of payers, readers, sponsors, caches and thieves: whatever is due is paid, and nothing else is.
contract ChannelInvariants is Ledger {
    uint256 internal constant STEPS = 1200;
    uint256 internal constant LATEST = 10;

    function invariant_books() external view override {
        checkBooks();
        checkLanes();
        checkGrants();
    }

    /// @dev Histories are of no use if they never get far.
    function test_histories_get_everywhere() external {
        _history(STEPS);
        string[9] memory all = [
            "deposit",
            "open",
            "open by signature",
            "open by grant",
            "redeem",
            "redeem a batch",
            "reclaim",
            "close",
            "withdraw"
        ];
        for (uint256 i; i < all.length; ++i) {
            isTrue(done[keccak256(bytes(all[i]))] > 5, string.concat("hardly ever done: ", all[i]));
        }
        isTrue(refused > STEPS / 4, "thieves try");
        isTrue(idle < STEPS / 3, string.concat("idle steps: ", Strings.toString(idle)));
    }

    function _moves() internal pure override returns (bytes4[] memory moves) {
        bytes4[14] memory all = [
            this.anybodyDeposits.selector,
            this.laneOpens.selector,
            this.laneOpens.selector,
            this.laneOpens.selector,
            this.readerSigns.selector,
            this.readerSigns.selector,
            this.cacheRedeems.selector,
            this.cacheRedeems.selector,
            this.cacheRedeemsMany.selector,
            this.thiefForges.selector,
            this.anybodyReclaims.selector,
            this.payerCloses.selector,
            this.payerWithdraws.selector,
            this.timePasses.selector
        ];
        moves = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            moves[i] = all[i];
        }
    }

    // --- steps ---

    function anybodyDeposits(uint256 seed) external acts(seed) {
        address payer = oneOf(people);
        Purse storage purse = purses[payer];
        uint256 amount = amount_();
        bool due = purse.closesAt == 0 && purse.deposited - purse.left + amount <= type(uint128).max;
        attempt(oneOf(people), abi.encodeCall(channels.deposit, (payer, amount)), due, "deposit");
        if (due) purse.deposited += amount;
    }

    /// @dev A new lane, or more for an old one; by its payer, or by anybody with what was signed.
    function laneOpens(uint256 seed) external acts(seed) {
        Story storage story = _someLane();
        Lane memory lane = story.lane;
        uint256 amount = oneIn(10) ? amount_() : draw(1, poolOf(lane.payer) + story.kept + 5);
        amount = Math.min(amount, type(uint128).max);
        uint256 held = heldOf(story) + story.paid;
        bool due =
            lives(story) && purses[lane.payer].closesAt == 0 && amount > held && amount - held <= poolOf(lane.payer);
        if (oneIn(3)) {
            attempt(lane.payer, abi.encodeCall(channels.openLane, (lane, uint128(amount))), due, "open");
            if (due) byHand[lane.payer][lane.reader][lane.epoch] = true;
        } else if (lane.payer == lane.reader) {
            bytes memory call = abi.encodeCall(channels.openLaneOf, (lane, uint128(amount), openingOf(lane, amount)));
            attempt(oneOf(people), call, due, "open by signature");
        } else {
            due = _opensGranted(lane, amount, held, due);
        }
        if (due) story.kept += amount - held;
    }

    /// @return Whether it was opened.
    function _opensGranted(Lane memory lane, uint256 amount, uint256 held, bool due) private returns (bool) {
        uint256 used = usedOf(lane.payer, lane.reader, lane.epoch);
        uint256 limit = oneIn(2) ? draw(1, 2000) : type(uint128).max;
        bytes memory opening = openingOf(lane, amount);
        bytes memory call =
            abi.encodeCall(channels.openLaneGranted, (lane, uint128(amount), opening, grantOf(lane, limit)));
        due = due && used + amount - held <= limit;
        attempt(oneOf(people), call, due, "open by grant");
        uint256 highest = limits[lane.payer][lane.reader][lane.epoch];
        if (due) limits[lane.payer][lane.reader][lane.epoch] = Math.max(highest, limit);
        return due;
    }

    function readerSigns(uint256 seed) external acts(seed) {
        if (stories.length == 0) return _nothingToDo();
        Story storage story = _anyLane();
        story.signed = Math.min(story.signed + amount_(), type(uint128).max);
    }

    /// @dev One voucher, the last or an earlier one: the lower of what was signed and what is held is paid, at once.
    function cacheRedeems(uint256 seed) external acts(seed) {
        if (stories.length == 0) return _nothingToDo();
        Story storage story = _find(_isRedeemable);
        uint256 amount = oneIn(3) ? draw(0, story.signed) : story.signed;
        uint256 due = _due(story, amount);
        uint256 sure = lives(story) ? Math.min(amount, story.paid + heldOf(story)) : 0;
        isTrue(story.paid + due >= sure, "at least the lower of signed and kept");
        Lane memory lane = story.lane;
        eq(channels.claimable(lane, uint128(amount)), due, "claimable");
        bytes memory call = abi.encodeCall(channels.redeem, (_one(voucherOf(lane, amount)), lane.cache));
        uint256 before = token.balanceOf(lane.cache);
        attempt(lane.cache, call, due != 0, "redeem");
        eq(token.balanceOf(lane.cache) - before, due, "what is due");
        _pay(story, due);
    }

    /// @dev Good vouchers, worthless ones and forged ones, of one cache or of several, some twice.
    function cacheRedeemsMany(uint256 seed) external acts(seed) {
        if (stories.length == 0) return _nothingToDo();
        address cache = _find(_isRedeemable).lane.cache;
        SignedVoucher[] memory vouchers = new SignedVoucher[](draw(1, 8));
        uint256 sum;
        for (uint256 i; i < vouchers.length; ++i) {
            Story storage story = _anyLane();
            if (i == 0) story = _find(_isRedeemable);
            uint256 amount = oneIn(3) ? draw(0, story.signed) : story.signed;
            vouchers[i] = voucherOf(story.lane, amount);
            bool spoilt = oneIn(6);
            if (spoilt) vouchers[i].signature = signedBy(story.lane.reader, bytes32(draw(1, type(uint256).max)));
            if (spoilt || story.lane.cache != cache) continue;
            uint256 due = _due(story, amount);
            _pay(story, due);
            sum += due;
        }
        uint256 before = token.balanceOf(cache);
        attempt(cache, abi.encodeCall(channels.redeem, (vouchers, cache)), sum != 0, "redeem a batch");
        eq(token.balanceOf(cache) - before, sum, "the sum of what is due");
    }

    /// @dev More than was signed, by another signer, by another cache, of another lane, into another contract's domain.
    function thiefForges(uint256 seed) external acts(seed) {
        if (stories.length == 0) return _nothingToDo();
        Story storage story = _anyLane();
        Lane memory lane = story.lane;
        SignedVoucher memory voucher = voucherOf(lane, story.signed);
        voucher.amount = uint128(draw(story.signed + 1, uint256(type(uint128).max) + 1));
        if (voucher.amount != 0) _steals(lane.cache, voucher, "more than was signed");
        uint256 amount = Math.min(story.paid + 1, type(uint128).max);
        address forger = oneOf(people);
        voucher = voucherOf(lane, amount);
        voucher.signature = signedBy(forger, channels.voucherDigest(lane, uint128(amount)));
        if (forger != lane.reader) _steals(lane.cache, voucher, "another signer");
        voucher = voucherOf(lane, amount);
        _steals(oneOf(people), voucher, "another cache");
        voucher.lane.expiry += 1;
        _steals(lane.cache, voucher, "another lane");
        voucher = voucherOf(lane, amount);
        voucher.signature = openingOf(lane, amount);
        _steals(lane.cache, voucher, "an opening");
        address thief = oneOf(people);
        if (thief != lane.payer) {
            mustNot(thief, abi.encodeCall(channels.openLane, (lane, type(uint128).max)), "another's deposit");
        }
    }

    function anybodyReclaims(uint256 seed) external acts(seed) {
        if (stories.length == 0) return _nothingToDo();
        Story storage story = oneIn(3) ? _anyLane() : _find(_isReclaimable);
        bool due = _isReclaimable(story);
        attempt(oneOf(people), abi.encodeCall(channels.reclaim, (story.lane)), due, "reclaim");
        if (due) story.givenBack += heldOf(story);
    }

    function payerCloses(uint256 seed) external acts(seed) {
        if (!oneIn(4)) return _nothingToDo();
        address payer = oneOf(people);
        Purse storage purse = purses[payer];
        bool due = purse.closesAt == 0 && purse.deposited != purse.left;
        attempt(payer, abi.encodeCall(channels.close, ()), due, "close");
        if (due) purse.closesAt = now_() + CHALLENGE;
    }

    function payerWithdraws(uint256 seed) external acts(seed) {
        _withdraw(oneOf(people));
    }

    function timePasses(uint256 seed) external acts(seed) {
        vm.warp(now_() + (oneIn(3) ? draw(1, 1 days) : draw(1, 1 hours)));
    }

    // --- what the steps are made of ---

    function _withdraw(address payer) private {
        Purse storage purse = purses[payer];
        bool due = purse.closesAt != 0 && now_() >= purse.closesAt;
        uint256 before = token.balanceOf(payer);
        attempt(payer, abi.encodeCall(channels.withdraw, (payer)), due, "withdraw");
        if (!due) return;
        eq(token.balanceOf(payer) - before, purse.deposited - purse.left, "all that is left");
        purse.left = purse.deposited;
        purse.closesAt = 0;
        ++purse.epoch;
    }

    function _due(Story storage story, uint256 amount) private view returns (uint256) {
        if (!lives(story) || amount <= story.paid) return 0;
        uint256 pool = story.lane.payer == story.lane.reader ? poolOf(story.lane.payer) : 0;
        return Math.min(amount - story.paid, heldOf(story) + pool);
    }

    function _pay(Story storage story, uint256 amount) private {
        story.paidFromPool += Math.saturatingSub(amount, heldOf(story));
        story.paid += amount;
        purses[story.lane.payer].left += amount;
        earned[story.lane.cache] += amount;
    }

    function _steals(address thief, SignedVoucher memory voucher, string memory what) private {
        mustNot(thief, abi.encodeCall(channels.redeem, (_one(voucher), thief)), what);
    }

    function _someLane() private returns (Story storage) {
        if (stories.length != 0 && !oneIn(4)) return _anyLane();
        address reader = oneOf(people);
        address payer = oneIn(2) ? reader : oneOf(people);
        uint64 expiry = uint64(now_() + (oneIn(2) ? draw(1, 2 days) : draw(10 days, 100 days)));
        return storyOf(Lane(payer, reader, oneOf(caches), uint64(purses[payer].epoch), expiry));
    }

    /// @dev Mostly one of the latest: old ones are over.
    function _anyLane() private returns (Story storage) {
        uint256 count = stories.length;
        return stories[count > LATEST && !oneIn(8) ? draw(count - LATEST, count - 1) : draw(0, count - 1)];
    }

    /// @dev A lane that fits, if there is one, or else any: all are asked, from a random one on.
    function _find(function(Story storage) internal view returns (bool) fits) private returns (Story storage) {
        uint256 first = draw(0, stories.length - 1);
        for (uint256 i; i < stories.length; ++i) {
            Story storage story = stories[(first + i) % stories.length];
            if (fits(story)) return story;
        }
        return stories[first];
    }

    function _isRedeemable(Story storage story) private view returns (bool) {
        return story.signed > story.paid && lives(story);
    }

    function _isReclaimable(Story storage story) private view returns (bool) {
        Lane storage lane = story.lane;
        return now_() >= lane.expiry && lane.epoch == purses[lane.payer].epoch && heldOf(story) != 0;
    }

    function _one(SignedVoucher memory voucher) private pure returns (SignedVoucher[] memory vouchers) {
        vouchers = new SignedVoucher[](1);
        vouchers[0] = voucher;
    }

    function _nothingToDo() private {
        ++idle;
    }

    /// @dev Every payer gets the rest out, and nothing is left behind.
    function _finish() internal override {
        for (uint256 i; i < PEOPLE; ++i) {
            Purse storage purse = purses[people[i]];
            if (purse.closesAt != 0 || purse.deposited == purse.left) continue;
            must(people[i], abi.encodeCall(channels.close, ()), "close");
            purse.closesAt = now_() + CHALLENGE;
        }
        vm.warp(now_() + CHALLENGE);
        for (uint256 i; i < PEOPLE; ++i) {
            if (purses[people[i]].closesAt != 0) _withdraw(people[i]);
        }
        checkBooks();
        eq(token.balanceOf(address(channels)), 0, "nothing is left");
    }
}
