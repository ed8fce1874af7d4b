// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PaymentChannels} from "../../../../contracts/PaymentChannels.sol";
import {TestToken} from "../../../../contracts/TestToken.sol";
import {
    Account,
    Grant,
    Lane,
    LaneBooks,
    LaneId,
    SignedGrant,
    SignedVoucher
} from "../../../../contracts/interfaces/IPaymentChannels.sol";
import {Histories} from "../../Histories.sol";

/// @notice What is known of a payer from what happened, never from what the contract says.
struct Purse {
    uint256 deposited;
    /// Paid to caches or withdrawn.
    uint256 left;
    uint256 epoch;
    uint256 closesAt;
}

/// @notice What is known of a lane.
struct Story {
    Lane lane;
    /// All that was ever kept for it.
    uint256 kept;
    uint256 paid;
    uint256 paidFromPool;
    uint256 givenBack;
    /// The highest amount its reader signed a voucher for.
    uint256 signed;
}

/// @notice Who takes part, what they know, and that the contract knows the same.
abstract contract Ledger is Histories {
    uint64 internal constant CHALLENGE = 1 days;
    uint256 internal constant PEOPLE = 4;
    uint256 internal constant CACHES = 3;
    uint256 internal constant MANY = 1 << 127;

    TestToken internal token;
    PaymentChannels internal channels;

    /// Readers and payers: each has a key.
    address[] internal people;
    mapping(address person => uint256) internal keyOf;
    address[] internal caches;

    mapping(address payer => Purse) internal purses;
    Story[] internal stories;
    mapping(LaneId id => uint256) internal placeOf;
    /// The highest limit of a grant anybody was shown, by sponsor, reader and epoch.
    mapping(address => mapping(address => mapping(uint256 => uint256))) internal limits;
    mapping(address => mapping(address => mapping(uint256 => bool))) internal byHand;
    mapping(address cache => uint256) internal earned;

    mapping(bytes32 what => uint256) internal done;

    error NotRefused(string what);
    error NotTaken(string what, bytes reason);

    function setUp() public {
        vm.warp(1_000_000);
        token = new TestToken(type(uint256).max);
        channels = new PaymentChannels(token, CHALLENGE);
        for (uint256 i; i < PEOPLE; ++i) {
            address person = vm.addr(0xA11CE + i);
            keyOf[person] = 0xA11CE + i;
            people.push(person);
            token.transfer(person, 1 << 250);
            vm.prank(person);
            token.approve(address(channels), type(uint256).max);
        }
        for (uint160 i; i < CACHES; ++i) {
            caches.push(address(0xCAC4E0 + i));
        }
    }

    modifier acts(uint256 seed) {
        _begin(seed);
        _;
    }

    /// @dev Mostly small, so that things run out; at times as large as they come.
    function amount_() internal returns (uint256) {
        return oneIn(20) ? draw(MANY, type(uint128).max) : draw(1, 1000);
    }

    // --- what is known ---

    function now_() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function heldOf(Story storage story) internal view returns (uint256) {
        return story.kept - (story.paid - story.paidFromPool) - story.givenBack;
    }

    function lives(Story storage story) internal view returns (bool) {
        return story.lane.epoch == purses[story.lane.payer].epoch && now_() < story.lane.expiry;
    }

    function keptOf(address payer) internal view returns (uint256 kept) {
        for (uint256 i; i < stories.length; ++i) {
            Story storage story = stories[i];
            if (story.lane.payer == payer && story.lane.epoch == purses[payer].epoch) kept += heldOf(story);
        }
    }

    function poolOf(address payer) internal view returns (uint256) {
        return purses[payer].deposited - purses[payer].left - keptOf(payer);
    }

    function usedOf(address sponsor, address reader, uint256 epoch) internal view returns (uint256 used) {
        for (uint256 i; i < stories.length; ++i) {
            Lane storage lane = stories[i].lane;
            if (lane.payer == sponsor && lane.reader == reader && lane.epoch == epoch) {
                used += stories[i].kept - stories[i].givenBack;
            }
        }
    }

    function storyOf(Lane memory lane) internal returns (Story storage) {
        LaneId id = channels.idOf(lane);
        if (placeOf[id] == 0) {
            stories.push();
            placeOf[id] = stories.length;
            stories[stories.length - 1].lane = lane;
        }
        return stories[placeOf[id] - 1];
    }

    // --- signing ---

    function signedBy(address person, bytes32 digest) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[person], digest);
        return abi.encodePacked(r, s, v);
    }

    function voucherOf(Lane memory lane, uint256 amount) internal view returns (SignedVoucher memory) {
        bytes32 digest = channels.voucherDigest(lane, uint128(amount));
        return SignedVoucher(lane, uint128(amount), signedBy(lane.reader, digest));
    }

    function openingOf(Lane memory lane, uint256 amount) internal view returns (bytes memory) {
        return signedBy(lane.reader, channels.openingDigest(lane, uint128(amount)));
    }

    function grantOf(Lane memory lane, uint256 limit) internal view returns (SignedGrant memory) {
        Grant memory grant = Grant(lane.payer, lane.reader, uint128(limit), lane.epoch, lane.expiry);
        return SignedGrant(uint128(limit), lane.expiry, signedBy(lane.payer, channels.grantDigest(grant)));
    }

    // --- calling ---

    function must(address who, bytes memory data, string memory what) internal {
        vm.prank(who);
        (bool taken, bytes memory reason) = address(channels).call(data);
        if (!taken) revert NotTaken(what, reason);
        ++done[keccak256(bytes(what))];
    }

    function mustNot(address who, bytes memory data, string memory what) internal {
        vm.prank(who);
        (bool taken,) = address(channels).call(data);
        if (taken) revert NotRefused(what);
        ++refused;
    }

    /// @dev Taken exactly if it is `due`.
    function attempt(address who, bytes memory data, bool due, string memory what) internal {
        if (due) must(who, data, what);
        else mustNot(who, data, what);
    }

    // --- the books ---

    function checkBooks() internal view {
        uint256 owed;
        for (uint256 i; i < PEOPLE; ++i) {
            Account memory account = channels.accountOf(people[i]);
            Purse storage purse = purses[people[i]];
            eq(account.pool, poolOf(people[i]), "pool");
            eq(account.reserved, keptOf(people[i]), "reserved = sum of its lanes'");
            eq(account.epoch, purse.epoch, "epoch");
            eq(account.closesAt, purse.closesAt, "closes at");
            owed += uint256(account.pool) + account.reserved;
        }
        eq(token.balanceOf(address(channels)), owed, "token balance = liabilities");
    }

    function checkLanes() internal view {
        uint256[CACHES] memory paid;
        for (uint256 i; i < stories.length; ++i) {
            Story storage story = stories[i];
            LaneBooks memory lane = channels.laneOf(channels.idOf(story.lane));
            eq(lane.reserved, heldOf(story), "kept for the lane");
            eq(lane.redeemed, story.paid, "paid in the lane");
            isTrue(story.paid <= story.signed, "nobody is paid more than was signed");
            for (uint256 j; j < CACHES; ++j) {
                if (story.lane.cache == caches[j]) paid[j] += story.paid;
            }
        }
        for (uint256 j; j < CACHES; ++j) {
            eq(token.balanceOf(caches[j]), paid[j], "caches hold what their lanes paid");
            eq(earned[caches[j]], paid[j], "and were told so");
        }
    }

    function checkGrants() internal view {
        for (uint256 i; i < stories.length; ++i) {
            Lane storage lane = stories[i].lane;
            if (lane.payer == lane.reader) continue;
            uint256 used = channels.grantedTo(lane.payer, lane.reader, lane.epoch);
            eq(used, usedOf(lane.payer, lane.reader, lane.epoch), "granted = kept and paid");
            // What a sponsor opens by itself needs no grant.
            if (byHand[lane.payer][lane.reader][lane.epoch]) continue;
            isTrue(used <= limits[lane.payer][lane.reader][lane.epoch], "within the highest grant");
        }
    }
}
