// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {MarketConfig} from "../../../contracts/interfaces/IMarketplace.sol";
import {RequestId, RequestState, SlotId, SlotState} from "../../../contracts/libraries/Types.sol";
import {MarketTest} from "../MarketTest.sol";

/// @notice What is known of a slot from what happened to it, never from what the market says.
struct Seat {
    SlotState state;
    /// Reserver or host.
    address host;
    uint64 reservedAt;
    uint64 deadline;
    /// Reservations that expired, in this sale.
    uint64 expired;
    uint64 vacatedAt;
    /// Until when the host that left had agreed to serve; 0 unless it left.
    uint64 departedAt;
    uint256 pot;
    // of the tenure
    uint64 filledAt;
    uint64 fillPeriod;
    uint64 provenAt;
    uint64 provenPeriod;
    uint64 heldUntil;
    /// The request's end when it was reserved: what its host agrees to by filling it.
    uint64 servesUntil;
    uint64 tenures;
    uint256 paid;
    uint64[] missed;
}

/// @notice Seconds that somebody was paid for, or may be.
struct Span {
    uint256 from;
    uint256 until;
}

/// @notice Time that somebody added to a request; that of one funder, one after the other, is one.
struct Piece {
    address funder;
    uint64 from;
    uint64 until;
}

/// @notice What is known of a request from what happened to it.
struct Story {
    address client;
    uint16 slots;
    uint16 maxSlotLoss;
    uint16 repairThreshold;
    uint16 proofProbability;
    uint64 createdAt;
    uint64 expiresAt;
    /// What the client paid for, and what the extensions made of it.
    uint64 firstEnd;
    uint64 endsAt;
    bool started;
    uint64 failedAt;
    uint64 repairOpenedAt;
    bool closed;
    /// How it ended, once that was seen.
    RequestState ended;
    uint256 rate;
    uint256 collateral;
    // money in: by client and funders, by slashes
    uint256 deposited;
    uint256 slashed;
    // money out: pay and refunds of funders, bounties for slots that were left, rewards of validators; bounties and client's shares of pots
    uint256 paid;
    uint256 leftBounties;
    uint256 rewards;
    uint256 potsSpent;
    /// Seconds of slots after `firstEnd` that are served or were, but for the tenures that go on.
    Span[] served;
    Piece[] pieces;
    uint256 refunds;
}

/// @title Ghosts
/// @notice The rules of the market once more, over what is known, to compare with what it does.
abstract contract Ghosts is MarketTest {
    uint256 internal constant BPS = 10_000;

    /// The market's configuration: asked for often, so it is kept.
    MarketConfig internal rules;

    mapping(RequestId => Story) internal stories;
    mapping(SlotId => Seat) internal seats;
    /// Requests posted and not closed, and those closed.
    RequestId[] internal open;
    RequestId[] internal shut;

    /// What an account should be able to withdraw, what a provider should have at stake in all, and locked of that.
    mapping(address => uint256) internal credited;
    mapping(address => uint256) internal staked;
    mapping(address => uint256) internal locked;
    /// Whether (slot, tenure, period) was proven.
    mapping(bytes32 => bool) internal proven;

    function now_() internal view returns (uint256) {
        return block.timestamp;
    }

    function periodNow() internal view returns (uint256) {
        return block.number / rules.periodBlocks;
    }

    function periodSeconds() internal view returns (uint256) {
        return rules.periodBlocks * rules.blockSeconds;
    }

    function seatOf(RequestId id, uint256 index) internal view returns (Seat storage) {
        return seats[id.slotId(uint16(index))];
    }

    // --- states ---

    function stateOf(Story storage story) internal view returns (RequestState) {
        if (story.failedAt != 0) return RequestState.Failed;
        if (story.started) return now_() < story.endsAt ? RequestState.Started : RequestState.Finished;
        return now_() < story.expiresAt ? RequestState.New : RequestState.Cancelled;
    }

    function isLive(Story storage story) internal view returns (bool) {
        RequestState state = stateOf(story);
        return state == RequestState.New || state == RequestState.Started;
    }

    function endOf(Story storage story) internal view returns (uint256) {
        if (story.failedAt != 0) return story.failedAt;
        return stateOf(story) == RequestState.Cancelled ? story.expiresAt : story.endsAt;
    }

    function endOf(Story storage story, Seat storage seat) internal view returns (uint256) {
        return Math.min(seat.heldUntil, endOf(story));
    }

    function vacantState(Seat storage seat) internal view returns (SlotState) {
        if (seat.vacatedAt == 0) return SlotState.Free;
        return seat.departedAt == 0 ? SlotState.Lost : SlotState.Departed;
    }

    function hasTerm(Story storage story) internal view returns (bool) {
        return hasTerm(story, story.endsAt);
    }

    function hasTerm(Story storage story, uint256 end) internal view returns (bool) {
        uint256 needed = Math.max(rules.repairWindow, rules.minTermPeriods * story.proofProbability * periodSeconds());
        return now_() + needed <= end;
    }

    /// @dev The part of a request's end that a reservation's fate hangs on: one that failed or finished forgives it.
    function isForgiven(Story storage story, Seat storage seat) internal view returns (bool) {
        RequestState state = stateOf(story);
        return (state == RequestState.Failed || state == RequestState.Finished) && endOf(story) < seat.deadline;
    }

    // --- proofs ---

    function proofKey(SlotId slotId, uint256 period) internal view returns (bytes32) {
        return keccak256(abi.encode(slotId, seats[slotId].tenures, period));
    }

    function wasMissed(Seat storage seat, uint256 period) internal view returns (bool) {
        for (uint256 i; i < seat.missed.length; ++i) {
            if (seat.missed[i] == period) return true;
        }
        return false;
    }

    // --- amounts ---

    function slashOf(Story storage story) internal view returns (uint256) {
        return story.collateral * rules.slashBps / BPS;
    }

    /// @dev What is locked for a slot.
    function lockOf(Story storage story, Seat storage seat) internal view returns (uint256) {
        return story.collateral - (seat.state == SlotState.Filled ? slashOf(story) * seat.missed.length : 0);
    }

    function bondOf(Story storage story, Seat storage seat) internal view returns (uint256) {
        uint256 bps = rules.bondBps * 2 ** Math.min(seat.expired, 6);
        return Math.min(story.collateral, story.collateral * bps / BPS);
    }

    /// @dev What a tenure earned until `until`, `misses` of whose periods were missed, and was not paid.
    function owed(Story storage story, Seat storage seat, uint256 until, uint256 misses)
        internal
        view
        returns (uint256)
    {
        uint256 earned = story.rate * (until - seat.filledAt);
        return Math.saturatingSub(earned, misses * story.rate * periodSeconds() + seat.paid);
    }

    /// @dev Until its last proof; periods missed before it cost pay.
    function owedRunning(Story storage story, Seat storage seat) internal view returns (uint256) {
        uint256 misses;
        for (uint256 i; i < seat.missed.length; ++i) {
            if (seat.missed[i] < seat.provenPeriod) ++misses;
        }
        return owed(story, seat, paidUntil(story, seat), misses);
    }

    function paidUntil(Story storage story, Seat storage seat) internal view returns (uint256) {
        return Math.min(seat.provenAt, endOf(story, seat));
    }

    /// @dev What a repair earns, and how many seconds of pay of the time since a host left are in it.
    function bountyOf(Story storage story, Seat storage seat) internal view returns (uint256 bounty, uint256 idle) {
        uint256 waited = seat.reservedAt - Math.max(story.repairOpenedAt, seat.vacatedAt);
        uint256 window = rules.repairWindow;
        bounty = story.collateral * rules.bountyBps * Math.min(waited, window) / (BPS * window);
        if (seat.departedAt == 0) return (Math.min(bounty, seat.pot), 0);
        idle = story.rate == 0 ? 0 : Math.min(bounty / story.rate, seat.reservedAt - seat.departedAt);
        return (idle * story.rate, idle);
    }

    /// @dev Pay for [from, until) that nobody was paid for nor may be, over all slots.
    function idleOf(RequestId id, uint256 from, uint256 until) internal view returns (uint256) {
        Story storage story = stories[id];
        uint256 served;
        for (uint256 i; i < story.served.length; ++i) {
            served += overlap(story.served[i].from, story.served[i].until, from, until);
        }
        for (uint256 i; i < story.slots; ++i) {
            Seat storage seat = seatOf(id, i);
            if (seat.state == SlotState.Filled) served += overlap(seat.filledAt, seat.heldUntil, from, until);
        }
        return story.rate * (story.slots * (until - from) - served);
    }

    function overlap(uint256 a, uint256 b, uint256 from, uint256 until) internal pure returns (uint256) {
        return Math.saturatingSub(Math.min(b, until), Math.max(a, from));
    }
}
