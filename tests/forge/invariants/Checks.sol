// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Extension} from "../../../contracts/interfaces/IExtensions.sol";
import {RequestRecord, SlotRecord} from "../../../contracts/interfaces/IMarketplace.sol";
import {Provider} from "../../../contracts/interfaces/IStakeRegistry.sol";
import {RequestId, RequestState, SlotState} from "../../../contracts/libraries/Types.sol";
import {Books} from "./Books.sol";
import {Piece, Seat, Story} from "./Ghosts.sol";

/// @title Checks
/// @notice What must hold whatever anybody does.
abstract contract Checks is Books {
    /// Everybody who can have a credit.
    address[] internal accounts;
    /// Tokens sent to the vault without a call of it.
    uint256 internal unasked;

    /// @dev The vault holds what it owes, and what was sent unasked; what it owes are stakes, credits and pools.
    function checkVault() internal view {
        uint256 sum = _checkAccounts();
        uint256 pool;
        for (uint256 i; i < open.length; ++i) {
            RequestRecord memory request = market.requestOf(open[i]);
            pool += request.unspent + request.pots;
        }
        eq(registry.poolOf(address(market)), pool, "pool = unspent + pots of open requests");
        eq(registry.liabilities(), sum + pool, "liabilities = stakes + credits + pool");
        eq(token.balanceOf(address(registry)), sum + pool + unasked, "tokens = liabilities + what was sent unasked");
    }

    /// @dev Every account has the credit and the stake that the rules gave it, and nothing is free and locked at once.
    /// @return sum Of all stakes and credits.
    function _checkAccounts() private view returns (uint256 sum) {
        for (uint256 i; i < accounts.length; ++i) {
            address account = accounts[i];
            uint256 credit = registry.creditOf(account);
            eq(credit, credited[account], "credit");
            Provider memory provider = registry.providerOf(account);
            uint256 stake = uint256(provider.free) + provider.locked;
            eq(provider.locked, locked[account], "locked");
            eq(stake + provider.unbonding, staked[account], "stake");
            isTrue((provider.stakedSince != 0) == (stake >= MIN_STAKE), "staked since");
            sum += credit + stake + provider.unbonding;
        }
    }

    /// @dev What is locked of everybody are the collaterals, less slashes, of the slots they hold.
    function checkLocks() internal view {
        uint256 sum;
        for (uint256 i; i < open.length; ++i) {
            Story storage story = stories[open[i]];
            for (uint256 j; j < story.slots; ++j) {
                Seat storage seat = seatOf(open[i], j);
                if (seat.host != address(0)) sum += lockOf(story, seat);
            }
        }
        for (uint256 i; i < accounts.length; ++i) {
            sum -= locked[accounts[i]];
        }
        eq(sum, 0, "locks = collaterals of held slots");
    }

    /// @dev A request that is over stays as it ended: nothing of it changes once it is closed.
    function checkClosed(RequestId id) internal view {
        Story storage story = stories[id];
        RequestRecord memory request = market.requestOf(id);
        isTrue(request.state == story.ended && request.closed, "a closed request stays as it was");
        eq(request.unspent + request.pots + request.active, 0, "nothing is left in a closed request");
    }

    /// @dev A request's money, counts and slots are what its history makes them.
    function checkRequest(RequestId id) internal {
        Story storage story = stories[id];
        RequestRecord memory request = market.requestOf(id);
        isTrue(request.state == stateOf(story), "state");
        if (story.ended != RequestState.None) isTrue(request.state == story.ended, "a terminal request stays so");
        else if (!isLive(story)) story.ended = request.state;
        eq(request.endsAt, story.endsAt, "end");
        eq(request.failedAt, story.failedAt, "failed at");
        eq(request.repairOpenedAt, story.repairOpenedAt, "repair opened at");
        if (story.repairOpenedAt != 0) isTrue(request.vacant != 0, "a repair of what is vacant");
        if (isLive(story)) isTrue(request.vacant <= story.maxSlotLoss, "no more lost than it survives");
        eq(request.unspent, story.deposited - story.paid - story.leftBounties, "unspent = deposits - pay - bounties");
        eq(request.pots, story.slashed - story.rewards - story.potsSpent, "pots = slashes - rewards - spent");

        uint256 committed = _checkSlots(id, story, request);
        isTrue(request.unspent >= committed + _checkExtensions(id, story), "unspent >= what may be earned + idle");
    }

    /// @return committed What the hosts may still earn.
    function _checkSlots(RequestId id, Story storage story, RequestRecord memory request)
        private
        view
        returns (uint256 committed)
    {
        uint256 pots;
        address[] memory holders = new address[](story.slots);
        for (uint256 i; i < story.slots; ++i) {
            SlotRecord memory slot = market.slotOf(id.slotId(uint16(i)));
            Seat storage seat = seatOf(id, i);
            _checkSlot(seat, slot);
            pots += slot.pot;
            if (slot.vacatedAt != 0) --request.vacant;
            if (slot.state == SlotState.Filled) {
                --request.filled;
                committed += story.rate * (endOf(story, seat) - seat.filledAt) - seat.paid;
            }
            if (slot.host == address(0)) continue;
            --request.active;
            holders[i] = slot.host;
            for (uint256 other; other < i; ++other) {
                isTrue(holders[other] != slot.host, "one slot a provider");
            }
        }
        eq(request.pots, pots, "pots = sum of slots' pots");
        eq(request.filled, 0, "filled");
        eq(request.active, 0, "active");
        eq(request.vacant, 0, "vacant");
    }

    function _checkSlot(Seat storage seat, SlotRecord memory slot) private view {
        isTrue(slot.state == seat.state, "slot's state");
        eq(slot.host, seat.host, "slot's host");
        isTrue(
            (slot.host != address(0)) == (slot.state == SlotState.Filled || slot.state == SlotState.Reserved),
            "a host exactly when reserved or filled"
        );
        eq(slot.pot, seat.pot, "slot's pot");
        eq(slot.vacatedAt, seat.vacatedAt, "vacated at");
        eq(slot.departedAt, seat.departedAt, "departed at");
        eq(slot.expired, seat.expired, "expired reservations");
        if (slot.state == SlotState.Reserved) eq(slot.heldUntil, seat.deadline, "deadline");
        if (slot.state != SlotState.Filled) return;
        eq(slot.heldUntil, seat.heldUntil, "held until");
        eq(slot.misses, seat.missed.length, "misses");
        eq(slot.filledAt, seat.filledAt, "filled at");
        eq(slot.provenAt, seat.provenAt, "proven at");
        eq(slot.claimed, seat.paid, "claimed");
        isTrue(slot.misses < rules.maxMisses, "a host that missed too much is out");
    }

    /// @return idle Of all extensions: pay that nobody is committed to earn.
    function _checkExtensions(RequestId id, Story storage story) private view returns (uint256 idle) {
        Extension[] memory all = market.extensions().extensionsOf(id);
        eq(all.length, story.pieces.length, "extensions");
        uint256 from = story.firstEnd;
        for (uint256 i; i < all.length; ++i) {
            Piece storage piece = story.pieces[i];
            eq(all[i].funder, piece.funder, "funder");
            eq(all[i].start, from, "each begins where the one before ends");
            eq(all[i].until, piece.until, "until");
            eq(all[i].idle, idleOf(id, piece.from, piece.until), "idle pay of an extension");
            isTrue(all[i].idle <= story.slots * (all[i].until - all[i].start) * story.rate, "idle <= price");
            idle += all[i].idle;
            from = all[i].until;
        }
        eq(from, story.endsAt, "extensions reach the end");
    }
}
