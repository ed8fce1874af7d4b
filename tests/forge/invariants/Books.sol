// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace} from "../../../contracts/interfaces/IMarketplace.sol";
import {Ask, Content, Period, RequestId, RequestState, SlotId, SlotState} from "../../../contracts/libraries/Types.sol";
import {Vm} from "../Cheats.sol";
import {Ghosts, Piece, Seat, Span, Story} from "./Ghosts.sol";

/// @title Books
/// @notice Keeps the ghosts from what the market tells in events. Each event must be due by the rules, and its amounts
/// what they say.
abstract contract Books is Ghosts {
    /// How often each event was seen.
    mapping(bytes32 topic => uint256) internal seen;

    /// @dev Read what happened since the last time.
    function _digest() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            ++seen[logs[i].topics[0]];
            if (logs[i].emitter == address(market)) _read(logs[i]);
        }
    }

    function _read(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        SlotId slotId = SlotId.wrap(log.topics[1]);
        RequestId id = slotId.requestOf();
        if (kind == IMarketplace.StorageRequested.selector) return _onRequested(id, log);
        Story storage story = stories[id];
        isTrue(story.createdAt != 0 && !story.closed, "an event of a request that is open");

        if (kind == IMarketplace.ProofSubmitted.selector) return _onProof(slotId, story, log);
        if (kind == IMarketplace.ProofMissed.selector) return _onMiss(slotId, story, log);
        if (kind == IMarketplace.PayClaimed.selector) return _onClaim(slotId, story, log);
        if (kind == IMarketplace.RequestStarted.selector) return _onStarted(id, story);
        if (kind == IMarketplace.RequestFailed.selector) return _onFailed(id, story);
        if (kind == IMarketplace.RepairOpened.selector) return _onRepair(id, story);
        if (kind == IMarketplace.RequestExtended.selector) return _onExtended(story, log);
        if (kind == IMarketplace.FunderRefunded.selector) return _onRefund(id, story, log);
        if (kind == IMarketplace.RequestClosed.selector) return _onClosed(id, story, log);

        // All others begin with the slot's index and name its holder.
        uint16 index = abi.decode(log.data, (uint16));
        Seat storage seat = seatOf(id, index);
        address who = address(uint160(uint256(log.topics[2])));
        isTrue(index < story.slots, "a slot of the request");
        if (kind == IMarketplace.SlotReserved.selector) return _onReserved(story, seat, who, log);
        eq(who, seat.host, "who holds the slot");
        if (kind == IMarketplace.SlotFilled.selector) return _onFilled(id, story, seat, log);
        if (kind == IMarketplace.ReservationForfeited.selector) return _onForfeited(story, seat, log);
        if (kind == IMarketplace.ReservationReleased.selector) return _onReleased(story, seat);
        if (kind == IMarketplace.SlotLost.selector) return _onLost(story, seat, log);
        if (kind == IMarketplace.SlotSettled.selector) return _onSettled(story, seat, log);
        if (kind == IMarketplace.SlotDeparted.selector) return _onDeparted(story, seat, log);
        if (kind == IMarketplace.ExtensionAccepted.selector) return _onAccepted(story, seat, log);
        revert NotTrue("an event of the market that nobody knows");
    }

    // --- requests ---

    function _onRequested(RequestId id, Vm.Log memory log) private {
        Story storage story = stories[id];
        eq(story.createdAt, 0, "a new request");
        (Ask memory ask,, uint256 expiresAt, uint256 endsAt, uint256 deposit) =
            abi.decode(log.data, (Ask, Content, uint256, uint256, uint256));
        story.client = address(uint160(uint256(log.topics[2])));
        (story.slots, story.maxSlotLoss) = (ask.slots, ask.maxSlotLoss);
        (story.repairThreshold, story.proofProbability) = (ask.repairThreshold, ask.proofProbability);
        story.createdAt = uint64(now_());
        story.expiresAt = uint64(expiresAt);
        story.firstEnd = story.endsAt = uint64(now_() + ask.duration);
        story.rate = uint256(ask.pricePerBytePerSecond) * ask.slotSize;
        story.collateral = uint256(ask.collateralPerByte) * ask.slotSize;
        story.deposited = uint256(ask.slots) * ask.duration * story.rate;
        eq(deposit, story.deposited, "price");
        eq(endsAt, story.endsAt, "end");
        open.push(id);
    }

    function _onStarted(RequestId id, Story storage story) private {
        isTrue(stateOf(story) == RequestState.New, "starts once, in time");
        for (uint256 i; i < story.slots; ++i) {
            isTrue(seatOf(id, i).state == SlotState.Filled, "starts when all are filled");
        }
        story.started = true;
    }

    function _onFailed(RequestId id, Story storage story) private {
        isTrue(stateOf(story) == RequestState.Started, "fails once, in time");
        eq(vacantOf(id, story), story.maxSlotLoss + 1, "vacant at failure");
        story.failedAt = uint64(now_());
    }

    function _onRepair(RequestId id, Story storage story) private {
        isTrue(stateOf(story) == RequestState.Started && story.repairOpenedAt == 0, "opens once");
        uint256 vacant = vacantOf(id, story);
        isTrue(vacant != 0 && vacant <= story.maxSlotLoss && vacant >= story.repairThreshold, "enough are vacant");
        isTrue(hasTerm(story), "enough is left");
        story.repairOpenedAt = uint64(now_());
    }

    function _onExtended(Story storage story, Vm.Log memory log) private {
        isTrue(stateOf(story) == RequestState.Started, "extended while started");
        (uint256 from, uint256 until, uint256 price) = abi.decode(log.data, (uint256, uint256, uint256));
        eq(from, story.endsAt, "from the end on");
        eq(price, story.slots * (until - from) * story.rate, "price of an extension");
        isTrue(until >= from + rules.minExtension && until <= story.createdAt + rules.maxDuration, "duration");
        story.endsAt = uint64(until);
        story.deposited += price;
        address funder = address(uint160(uint256(log.topics[2])));
        uint256 count = story.pieces.length;
        if (count != 0 && story.pieces[count - 1].funder == funder) story.pieces[count - 1].until = uint64(until);
        else story.pieces.push(Piece(funder, uint64(from), uint64(until)));
    }

    function _onRefund(RequestId id, Story storage story, Vm.Log memory log) private {
        Piece storage piece = story.pieces[story.refunds++];
        uint256 amount = abi.decode(log.data, (uint256));
        eq(address(uint160(uint256(log.topics[2]))), piece.funder, "refunds whoever paid");
        eq(amount, idleOf(id, piece.from, piece.until), "refund: what nobody serves of what was paid");
        credited[piece.funder] += amount;
        story.paid += amount;
    }

    function _onClosed(RequestId id, Story storage story, Vm.Log memory log) private {
        isTrue(!isLive(story), "closed when over");
        uint256 pots;
        for (uint256 i; i < story.slots; ++i) {
            Seat storage seat = seatOf(id, i);
            isTrue(seat.host == address(0), "closed when nobody holds a slot");
            pots += seat.pot;
            seat.pot = 0;
        }
        (uint256 refund, uint256 potsTold) = abi.decode(log.data, (uint256, uint256));
        eq(story.refunds, story.pieces.length, "every funder is refunded");
        eq(potsTold, pots, "pots of a closed request");
        eq(refund, story.deposited - story.paid - story.leftBounties, "refund: all that nobody else was paid");
        eq(pots, story.slashed - story.rewards - story.potsSpent, "pots: all that was slashed and not paid");
        credited[story.client] += refund + pots;
        (story.closed, story.ended) = (true, stateOf(story));
        _remove(id);
        shut.push(id);
    }

    function _remove(RequestId id) private {
        for (uint256 i; i < open.length; ++i) {
            if (!same(open[i], id)) continue;
            open[i] = open[open.length - 1];
            open.pop();
            return;
        }
    }

    // --- reservations ---

    function _onReserved(Story storage story, Seat storage seat, address who, Vm.Log memory log) private {
        isTrue(isLive(story) && seat.state == vacantState(seat) && seat.host == address(0), "reserved when for sale");
        isTrue(seat.vacatedAt == 0 || (story.repairOpenedAt != 0 && hasTerm(story)), "reserved in a repair");
        (, uint256 deadline, uint256 bond,) = abi.decode(log.data, (uint16, uint256, uint256, uint256));
        seat.state = SlotState.Reserved;
        seat.host = who;
        seat.reservedAt = uint64(now_());
        seat.servesUntil = story.endsAt;
        seat.deadline = uint64(now_() + rules.reserveSeconds);
        if (!story.started && story.expiresAt < seat.deadline) seat.deadline = story.expiresAt;
        eq(deadline, seat.deadline, "deadline");
        eq(bond, bondOf(story, seat), "bond");
        locked[who] += story.collateral;
    }

    function _onForfeited(Story storage story, Seat storage seat, Vm.Log memory log) private {
        isTrue(seat.state == SlotState.Reserved && now_() >= seat.deadline, "forfeited when expired");
        isTrue(!isForgiven(story, seat), "not forfeited when the request ended under it");
        (, uint256 bond) = abi.decode(log.data, (uint16, uint256));
        eq(bond, bondOf(story, seat), "bond forfeited");
        staked[seat.host] -= bond;
        credited[sink] += bond;
        ++seat.expired;
        _leave(seat, story.collateral, vacantState(seat));
    }

    function _onReleased(Story storage story, Seat storage seat) private {
        isTrue(seat.state == SlotState.Reserved && isForgiven(story, seat), "forgiven when the request ended");
        _leave(seat, story.collateral, vacantState(seat));
    }

    /// @dev Nobody holds the slot any more, and what was locked for it is not.
    function _leave(Seat storage seat, uint256 lock, SlotState next) private {
        locked[seat.host] -= lock;
        seat.host = address(0);
        seat.state = next;
    }

    // --- tenures ---

    function _onFilled(RequestId id, Story storage story, Seat storage seat, Vm.Log memory log) private {
        isTrue(seat.state == SlotState.Reserved && now_() < seat.deadline && isLive(story), "filled in time");
        bool repaired = seat.vacatedAt != 0;
        _payFill(story, seat, log);
        seat.state = SlotState.Filled;
        seat.pot = 0;
        seat.paid = 0;
        seat.vacatedAt = 0;
        seat.departedAt = 0;
        seat.filledAt = seat.provenAt = uint64(now_());
        seat.fillPeriod = seat.provenPeriod = uint64(periodNow());
        isTrue(!repaired || hasTerm(story, seat.servesUntil), "filled for long enough");
        seat.heldUntil = seat.servesUntil;
        ++seat.tenures;
        delete seat.missed;
        if (repaired && vacantOf(id, story) == 0) story.repairOpenedAt = 0;
    }

    /// @dev The bounty of a repair, and what the client gets back of the pot.
    function _payFill(Story storage story, Seat storage seat, Vm.Log memory log) private {
        (, uint256 bounty, uint256 toClient) = abi.decode(log.data, (uint16, uint256, uint256));
        (uint256 due, uint256 idle) = (0, 0);
        if (seat.vacatedAt != 0) (due, idle) = bountyOf(story, seat);
        eq(bounty, due, "bounty");
        eq(toClient, seat.departedAt != 0 ? seat.pot : seat.pot - bounty, "rest of the pot");
        if (seat.departedAt != 0) story.leftBounties += bounty;
        if (idle != 0) story.served.push(Span(now_() - idle, now_()));
        story.potsSpent += seat.pot;
        credited[seat.host] += bounty;
        credited[story.client] += toClient;
    }

    function _onProof(SlotId slotId, Story storage story, Vm.Log memory log) private {
        Seat storage seat = seats[slotId];
        uint256 period = Period.unwrap(abi.decode(log.data, (Period)));
        eq(period, periodNow(), "proof of the current period");
        isTrue(seat.state == SlotState.Filled && period > seat.fillPeriod, "proof of a slot that has to be proven");
        isTrue(now_() < endOf(story, seat), "proof before the end");
        isTrue(!proven[proofKey(slotId, period)], "one proof a period");
        proven[proofKey(slotId, period)] = true;
        (seat.provenAt, seat.provenPeriod) = (uint64(now_()), uint64(period));
    }

    function _onMiss(SlotId slotId, Story storage story, Vm.Log memory log) private {
        Seat storage seat = seats[slotId];
        (Period period_, uint256 slashed, uint256 reward) = abi.decode(log.data, (Period, uint256, uint256));
        uint256 period = Period.unwrap(period_);
        isTrue(seat.state == SlotState.Filled && period > seat.fillPeriod, "a miss of a filled slot");
        isTrue(!proven[proofKey(slotId, period)] && !wasMissed(seat, period), "a miss of what was not proven, once");
        isTrue(block.number >= (period + 1) * rules.periodBlocks, "a miss of what is over");
        eq(slashed, slashOf(story), "slash");
        eq(reward, slashed * rules.validatorBps / BPS, "reward");
        seat.missed.push(uint64(period));
        isTrue(seat.missed.length <= rules.maxMisses, "misses");
        story.slashed += slashed;
        story.rewards += reward;
        seat.pot += slashed - reward;
        staked[seat.host] -= slashed;
        locked[seat.host] -= slashed;
        credited[address(uint160(uint256(log.topics[2])))] += reward;
    }

    function _onClaim(SlotId slotId, Story storage story, Vm.Log memory log) private {
        Seat storage seat = seats[slotId];
        isTrue(seat.state == SlotState.Filled, "pay of a filled slot");
        uint256 amount = abi.decode(log.data, (uint256));
        isTrue(amount != 0, "pay that is some");
        _pay(story, seat, amount, owedRunning(story, seat));
    }

    function _onAccepted(Story storage story, Seat storage seat, Vm.Log memory log) private {
        (, uint256 until) = abi.decode(log.data, (uint16, uint256));
        isTrue(seat.state == SlotState.Filled && isLive(story) && now_() < seat.heldUntil, "accepted in time");
        eq(until, story.endsAt, "accepted until the end");
        isTrue(until > seat.heldUntil, "accepted what is more");
        seat.heldUntil = uint64(until);
    }

    function _onLost(Story storage story, Seat storage seat, Vm.Log memory log) private {
        (, uint256 paid, uint256 rest) = abi.decode(log.data, (uint16, uint256, uint256));
        isTrue(seat.state == SlotState.Filled, "lost when filled");
        eq(seat.missed.length, rules.maxMisses, "lost at the last miss");
        eq(rest, lockOf(story, seat), "the rest of the lock");
        _pay(story, seat, paid, owedRunning(story, seat));
        _serve(story, seat, paidUntil(story, seat));
        story.slashed += rest;
        seat.pot += rest;
        staked[seat.host] -= rest;
        bool lost = isLive(story) && story.started;
        if (lost) _vacate(seat, 0);
        _leave(seat, rest, !isLive(story) ? SlotState.Settled : lost ? SlotState.Lost : SlotState.Free);
    }

    function _onSettled(Story storage story, Seat storage seat, Vm.Log memory log) private {
        isTrue(!isLive(story), "settled when over");
        _settle(story, seat, log, SlotState.Settled);
    }

    function _onDeparted(Story storage story, Seat storage seat, Vm.Log memory log) private {
        isTrue(isLive(story) && seat.heldUntil < story.endsAt, "left what goes on");
        _vacate(seat, seat.heldUntil);
        _settle(story, seat, log, SlotState.Departed);
    }

    function _settle(Story storage story, Seat storage seat, Vm.Log memory log, SlotState next) private {
        (, uint256 paid) = abi.decode(log.data, (uint16, uint256));
        uint256 end = endOf(story, seat);
        isTrue(seat.state == SlotState.Filled && now_() >= end + rules.settleSeconds, "settled in time");
        _pay(story, seat, paid, owed(story, seat, end, seat.missed.length));
        _serve(story, seat, end);
        _leave(seat, lockOf(story, seat), next);
    }

    function _pay(Story storage story, Seat storage seat, uint256 amount, uint256 due) private {
        eq(amount, due, "pay");
        seat.paid += amount;
        story.paid += amount;
        isTrue(seat.paid <= story.rate * (endOf(story, seat) - seat.filledAt), "nobody is paid twice");
        credited[seat.host] += amount;
    }

    function _serve(Story storage story, Seat storage seat, uint256 until) private {
        if (until > story.firstEnd) story.served.push(Span(seat.filledAt, until));
    }

    /// @dev A new sale begins.
    function _vacate(Seat storage seat, uint64 departedAt) private {
        (seat.vacatedAt, seat.departedAt, seat.expired) = (uint64(now_()), departedAt, 0);
    }

    function vacantOf(RequestId id, Story storage story) internal view returns (uint256 vacant) {
        for (uint256 i; i < story.slots; ++i) {
            if (seatOf(id, i).vacatedAt != 0) ++vacant;
        }
    }

    function same(RequestId a, RequestId b) internal pure returns (bool) {
        return RequestId.unwrap(a) == RequestId.unwrap(b);
    }
}
