// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Extensions} from "./Extensions.sol";
import {Extension, IExtensions} from "./interfaces/IExtensions.sol";
import {Groth16Proof, IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IMarketplace, MarketConfig, RequestRecord, SlotRecord} from "./interfaces/IMarketplace.sol";
import {IStakeRegistry, StakeConfig} from "./interfaces/IStakeRegistry.sol";
import {Asks} from "./libraries/Asks.sol";
import {Configs} from "./libraries/Configs.sol";
import {Deal, Phase} from "./libraries/Deals.sol";
import {Holders} from "./libraries/Holders.sol";
import {Placement} from "./libraries/Placement.sol";
import {ProofRecord, ProofRecords} from "./libraries/ProofRecord.sol";
import {PublicInputs} from "./libraries/PublicInputs.sol";
import {Shares} from "./libraries/Shares.sol";
import {Slot} from "./libraries/Slots.sol";
import {Ask, AskField, Period, Request, RequestId, RequestState, SlotId, SlotState} from "./libraries/Types.sol";

/// @title Marketplace
/// @notice See IMarketplace. Where a request becomes slots, where slots are sold, proven, lost and repaired.
contract Marketplace is IMarketplace {
    /* CONSTANTS AND IMMUTABLES */

    /// Extensions of a request by different funders; the last place is the client's.
    uint256 internal constant MAX_EXTENSIONS = 16;

    IStakeRegistry public immutable registry;
    IGroth16Verifier public immutable verifier;
    IExtensions public immutable extensions;

    uint256 internal immutable PERIOD_BLOCKS;
    uint256 internal immutable BLOCK_SECONDS;
    uint256 internal immutable PERIOD_SECONDS;
    uint256 internal immutable MARK_BLOCKS;
    uint256 internal immutable SETTLE_SECONDS;
    uint256 internal immutable MAX_MISSES;
    uint256 internal immutable SLASH_BPS;
    uint256 internal immutable VALIDATOR_BPS;
    uint256 internal immutable BOUNTY_BPS;
    uint256 internal immutable BOND_BPS;
    uint256 internal immutable RESERVE_SECONDS;
    uint256 internal immutable REPAIR_WINDOW;
    uint256 internal immutable MIN_TERM_PERIODS;
    uint256 internal immutable MAX_DURATION;
    uint256 internal immutable MIN_EXTENSION;
    uint256 internal immutable STAKE_PER_BYTE;
    address internal immutable SINK;

    /* STORAGE */

    /// Invariants, for every request:
    ///   unspent + what was credited to its hosts = what was paid for it, until it is closed;
    ///   pots = sum of its slots' pots, until it is closed;
    ///   active = number of its slots Filled or Reserved, filled = number Filled;
    ///   vacant = number Lost or Departed, plus those Reserved that were before;
    ///   while Started, repairOpenedAt != 0 only while vacant > 0;
    ///   what its hosts may still earn + what is idle of its extensions <= unspent;
    ///   a terminal request (Cancelled, Failed, Finished) never changes state.
    mapping(RequestId => Deal) internal deals;

    /// Invariants: host != 0 exactly when Reserved or Filled, and then the registry holds collateral - slashed of it locked;
    /// no two slots of a request have the same host.
    mapping(SlotId => Slot) internal slotRecords;

    /// Tags of the holders of later slots, see Holders; those of the first slots are in the deal.
    /// Invariant: the holder of a slot has its tag at the slot's place. A tag outlives its holder, until the next one.
    mapping(RequestId => mapping(uint256 word => uint256)) internal farTags;

    /// Why a proof or a miss does not apply.
    enum Refusal {
        None,
        NotFilled,
        NotHost,
        AfterEnd,
        NotRequired,
        Proven,
        Marked
    }

    /// The period whose misses are being marked.
    struct Marking {
        uint256 period;
        bytes32 seed;
        /// The latest time at which it can have ended.
        uint256 endedBy;
    }

    /* CONSTRUCTION */

    constructor(IStakeRegistry registry_, IGroth16Verifier verifier_, MarketConfig memory c) {
        if (!registry_.isModule(address(this))) revert Marketplace_InvalidConfig("registry");
        if (address(verifier_).code.length == 0) revert Marketplace_InvalidConfig("verifier");
        Configs.check(c);

        registry = registry_;
        verifier = verifier_;
        extensions = new Extensions();
        PERIOD_BLOCKS = c.periodBlocks;
        BLOCK_SECONDS = c.blockSeconds;
        PERIOD_SECONDS = c.periodBlocks * c.blockSeconds;
        MARK_BLOCKS = c.markBlocks;
        SETTLE_SECONDS = c.settleSeconds;
        MAX_MISSES = c.maxMisses;
        SLASH_BPS = c.slashBps;
        VALIDATOR_BPS = c.validatorBps;
        BOUNTY_BPS = c.bountyBps;
        BOND_BPS = c.bondBps;
        RESERVE_SECONDS = c.reserveSeconds;
        REPAIR_WINDOW = c.repairWindow;
        MIN_TERM_PERIODS = c.minTermPeriods;
        MAX_DURATION = c.maxDuration;
        MIN_EXTENSION = c.minExtension;
        StakeConfig memory stake = registry_.config();
        STAKE_PER_BYTE = stake.stakePerByte;
        SINK = stake.sink;
    }

    /* CLIENTS AND FUNDERS */

    /// @inheritdoc IMarketplace
    function requestStorage(Request calldata request) external returns (RequestId id) {
        uint256 price;
        (id, price) = _post(request);
        registry.pull(msg.sender, price);
    }

    /// @inheritdoc IMarketplace
    function requestStorageWithPermit(Request calldata request, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (RequestId id)
    {
        uint256 price;
        (id, price) = _post(request);
        registry.pullWithPermit(msg.sender, price, deadline, v, r, s);
    }

    /// @inheritdoc IMarketplace
    function extendRequest(RequestId id, uint40 extra) external {
        registry.pull(msg.sender, _extend(id, extra));
    }

    /// @inheritdoc IMarketplace
    function extendRequestWithPermit(RequestId id, uint40 extra, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        registry.pullWithPermit(msg.sender, _extend(id, extra), deadline, v, r, s);
    }

    /// @inheritdoc IMarketplace
    function closeRequest(RequestId id) external {
        Deal storage deal = _deal(id);
        if (deal.isLive()) revert Marketplace_NotTerminal(deal.state());
        if (deal.active != 0) revert Marketplace_StillActive(deal.active);
        if (deal.closed) revert Marketplace_AlreadyClosed();

        (uint256 refund, uint256 pots) = (deal.unspent, deal.pots);
        deal.closed = true;
        deal.unspent = 0;
        deal.pots = 0;
        if (deal.extensions != 0) refund -= _refundFunders(id);
        emit RequestClosed(id, deal.client, refund, pots);

        _credit(deal.client, refund + pots);
    }

    /* PROVIDERS */

    /// @inheritdoc IMarketplace
    function reserveSlot(RequestId id, uint16 slotIndex) external {
        Deal storage deal = _deal(id);
        SlotId slotId = _slotId(deal, id, slotIndex);
        Slot storage slot = slotRecords[slotId];
        if (slot.state == SlotState.Reserved) {
            if (block.timestamp < slot.heldUntil(deal)) revert Marketplace_ReservationHeld(slot.heldUntil(deal));
            _forfeit(id, slotIndex, deal, slot);
        }
        (uint256 distance, uint256 threshold) = _placement(msg.sender, id, slotIndex, deal, slot);
        // At the top of the range everyone is eligible, whatever its distance.
        if (distance >= threshold && threshold != type(uint256).max) {
            revert Marketplace_NotEligible(distance, threshold);
        }
        if (Holders.holdsSlot(deal, farTags[id], slotRecords, id, msg.sender)) {
            revert Marketplace_AlreadyHoldsSlot(msg.sender);
        }

        uint256 deadline = block.timestamp + RESERVE_SECONDS;
        if (deal.phase == Phase.Selling) deadline = Math.min(deadline, deal.expiresAt());
        uint16 reservationIndex = slot.reservations;
        slot.host = msg.sender;
        slot.state = SlotState.Reserved;
        slot.heldFor = uint32(deadline - deal.createdAt);
        if (reservationIndex != type(uint16).max) slot.reservations = reservationIndex + 1;
        // Whoever adds time between reservation and fill does not bind its host to it.
        if (slot.isVacant()) slot.servesFor = deal.duration;
        Holders.note(deal, farTags[id], slotIndex, msg.sender);
        ++deal.active;
        uint256 bond = Shares.bond(deal.collateral, BOND_BPS, slot.expired);
        emit SlotReserved(id, slotIndex, msg.sender, deadline, bond, reservationIndex);

        registry.lock(msg.sender, deal.collateral);
    }

    /// @inheritdoc IMarketplace
    function closeReservation(SlotId slotId) external {
        (RequestId id, uint16 slotIndex) = (slotId.requestOf(), slotId.indexOf());
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Reserved) revert Marketplace_NotReserved(slot.state);
        uint256 deadline = slot.heldUntil(deal);

        // A request that failed or finished under a reservation forgives it; one that was cancelled does not.
        if (deal.phase != Phase.Selling && !deal.isLive() && deal.end() < deadline) {
            address provider = _vacate(deal, slot, slot.vacantState());
            emit ReservationReleased(id, slotIndex, provider);
            registry.unlock(provider, deal.collateral);
            return;
        }
        if (block.timestamp < deadline) revert Marketplace_ReservationHeld(deadline);
        _forfeit(id, slotIndex, deal, slot);
    }

    /// @inheritdoc IMarketplace
    function fillSlot(SlotId slotId, Groth16Proof calldata proof) external {
        (RequestId id, uint16 slotIndex) = (slotId.requestOf(), slotId.indexOf());
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Reserved) revert Marketplace_NotReserved(slot.state);
        if (slot.host != msg.sender) revert Marketplace_NotReserver(slot.host, msg.sender);
        if (block.timestamp >= slot.heldUntil(deal)) revert Marketplace_ReservationOver(slot.heldUntil(deal));
        _checkLive(deal);
        bool repair = slot.isVacant();
        if (repair) _checkTerm(deal, slot.servesFor);
        uint256 period = _currentPeriod();
        bytes32 challenge = _challenge(_seed(period), slotId);
        if (!verifier.verifyProof(proof, _publics(challenge, deal, slotIndex))) revert Marketplace_InvalidProof();

        uint256 servedFrom = block.timestamp;
        (uint256 bounty, uint256 toClient) = (0, slot.pot);
        if (repair) (bounty, toClient, servedFrom) = _bounty(deal, slot);
        if (slot.pot != 0) {
            deal.pots -= slot.pot;
            slot.pot = 0;
        }
        _begin(deal, slot, period);
        emit SlotFilled(id, slotIndex, msg.sender, bounty, toClient);
        if (deal.phase == Phase.Selling && deal.filled == deal.slots()) {
            deal.phase = Phase.Started;
            emit RequestStarted(id);
        }

        if (deal.extensions != 0) extensions.commit(id, deal.rate, servedFrom, slot.heldUntil(deal));
        _credit(msg.sender, bounty);
        _credit(deal.client, toClient);
    }

    /// @inheritdoc IMarketplace
    function submitProof(SlotId slotId, Period period, Groth16Proof calldata proof) external {
        uint256 current = _currentPeriod();
        if (Period.unwrap(period) != current) revert Marketplace_WrongPeriod(period, Period.wrap(uint64(current)));
        (Refusal refusal, uint256[3] memory publics) = _noteProof(slotId, current, _seed(current));
        if (refusal != Refusal.None) _refuse(refusal, slotId, period);
        if (!verifier.verifyProof(proof, publics)) revert Marketplace_InvalidProof();
    }

    /// @inheritdoc IMarketplace
    function submitProofs(SlotId[] calldata slotIds, Groth16Proof[] calldata proofs)
        external
        returns (uint256 accepted)
    {
        if (slotIds.length != proofs.length) {
            revert Marketplace_LengthMismatch(slotIds.length, proofs.length);
        }
        uint256 period = _currentPeriod();
        bytes32 seed = _seed(period);
        Groth16Proof[] memory applicable = new Groth16Proof[](proofs.length);
        uint256[3][] memory publics = new uint256[3][](proofs.length);
        for (uint256 i; i < slotIds.length; ++i) {
            (Refusal refusal, uint256[3] memory inputs) = _noteProof(slotIds[i], period, seed);
            if (refusal != Refusal.None) continue;
            (applicable[accepted], publics[accepted]) = (proofs[i], inputs);
            ++accepted;
        }
        if (accepted == 0) revert Marketplace_NothingApplies();
        assembly ("memory-safe") {
            mstore(applicable, accepted)
            mstore(publics, accepted)
        }
        if (!verifier.verifyProofs(applicable, publics)) revert Marketplace_InvalidProof();
    }

    /// @inheritdoc IMarketplace
    function acceptExtension(SlotId slotId, uint40 latest) external {
        RequestId id = slotId.requestOf();
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Filled) revert Marketplace_NotFilled(slot.state);
        if (slot.host != msg.sender) revert Marketplace_NotHost(slot.host, msg.sender);
        _checkLive(deal);
        (uint256 from, uint256 until) = (slot.heldUntil(deal), deal.endsAt());
        if (from == until) revert Marketplace_NothingToAccept();
        // Somebody may have added more since the host decided: it serves no longer than it meant to.
        if (until > latest) revert Marketplace_EndsLater(until, latest);
        if (block.timestamp >= from) revert Marketplace_SlotEnded(from);

        slot.heldFor = deal.duration;
        emit ExtensionAccepted(id, slotId.indexOf(), msg.sender, until);

        extensions.commit(id, deal.rate, from, until);
    }

    /// @inheritdoc IMarketplace
    function claim(SlotId slotId) external {
        Deal storage deal = _deal(slotId.requestOf());
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Filled) revert Marketplace_NotFilled(slot.state);
        uint256 amount = _runningPay(deal, slot);
        if (amount == 0) revert Marketplace_NothingToClaim();

        slot.claimed += uint128(amount);
        deal.unspent -= uint128(amount);
        emit PayClaimed(slotId, slot.host, amount);

        _credit(slot.host, amount);
    }

    /// @inheritdoc IMarketplace
    function settle(SlotId slotId) external {
        (RequestId id, uint16 slotIndex) = (slotId.requestOf(), slotId.indexOf());
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Filled) revert Marketplace_NotFilled(slot.state);
        (uint256 end, uint256 heldUntil) = (slot.end(deal), slot.heldUntil(deal));
        if (block.timestamp < end + SETTLE_SECONDS) revert Marketplace_TooEarly(end + SETTLE_SECONDS);

        uint256 misses = slot.proofs.misses;
        uint256 paid = _unclaimed(deal, slot, end, misses);
        uint256 locked = deal.collateral - Shares.slashed(deal.collateral, SLASH_BPS, misses);
        // It ended and the request did not: its host agreed to no more, and somebody else may take over.
        bool departed = deal.isLive();
        address host = _vacate(deal, slot, departed ? SlotState.Departed : SlotState.Settled);
        --deal.filled;
        deal.unspent -= uint128(paid);
        if (departed) {
            slot.departedAt = uint40(end);
            emit SlotDeparted(id, slotIndex, host, paid);
            _putUpForRepair(id, deal, slot);
        } else {
            emit SlotSettled(id, slotIndex, host, paid);
        }

        if (end != heldUntil) _release(id, deal, end, heldUntil);
        registry.unlock(host, locked);
        _credit(host, paid);
    }

    /* VALIDATORS */

    /// @inheritdoc IMarketplace
    function markProofMissing(SlotId slotId, Period period) external {
        (Refusal refusal, uint256 reward) = _noteMiss(slotId, _marking(period));
        if (refusal != Refusal.None) _refuse(refusal, slotId, period);
        _credit(msg.sender, reward);
    }

    /// @inheritdoc IMarketplace
    function markProofsMissing(SlotId[] calldata slotIds, Period period) external returns (uint256 marked) {
        Marking memory marking = _marking(period);
        uint256 rewards;
        for (uint256 i; i < slotIds.length; ++i) {
            (Refusal refusal, uint256 reward) = _noteMiss(slotIds[i], marking);
            if (refusal != Refusal.None) continue;
            rewards += reward;
            ++marked;
        }
        if (marked == 0) revert Marketplace_NothingApplies();
        _credit(msg.sender, rewards);
    }

    /* VIEWS */

    /// @inheritdoc IMarketplace
    function config() external view returns (MarketConfig memory) {
        return MarketConfig({
            periodBlocks: uint64(PERIOD_BLOCKS),
            blockSeconds: uint64(BLOCK_SECONDS),
            markBlocks: uint64(MARK_BLOCKS),
            settleSeconds: uint64(SETTLE_SECONDS),
            maxMisses: uint16(MAX_MISSES),
            slashBps: uint16(SLASH_BPS),
            validatorBps: uint16(VALIDATOR_BPS),
            bountyBps: uint16(BOUNTY_BPS),
            bondBps: uint16(BOND_BPS),
            reserveSeconds: uint64(RESERVE_SECONDS),
            repairWindow: uint64(REPAIR_WINDOW),
            minTermPeriods: uint64(MIN_TERM_PERIODS),
            maxDuration: uint64(MAX_DURATION),
            minExtension: uint64(MIN_EXTENSION)
        });
    }

    /// @inheritdoc IMarketplace
    function requestOf(RequestId id) external view returns (RequestRecord memory) {
        return _deal(id).record();
    }

    /// @inheritdoc IMarketplace
    function slotOf(SlotId slotId) external view returns (SlotRecord memory) {
        Deal storage deal = _deal(slotId.requestOf());
        return slotRecords[_slotId(deal, slotId.requestOf(), slotId.indexOf())].record(deal);
    }

    /// @inheritdoc IMarketplace
    function currentPeriod() external view returns (Period) {
        return Period.wrap(uint64(_currentPeriod()));
    }

    /// @inheritdoc IMarketplace
    function challengeOf(SlotId slotId, Period period) external view returns (bytes32) {
        return _challenge(_seed(Period.unwrap(period)), slotId);
    }

    /// @inheritdoc IMarketplace
    function isProofRequired(SlotId slotId, Period period) external view returns (bool) {
        Slot storage slot = slotRecords[slotId];
        uint256 number = Period.unwrap(period);
        return slot.state == SlotState.Filled
            && _isRequired(_deal(slotId.requestOf()), slot.proofs.fillPeriod, number, _challenge(_seed(number), slotId));
    }

    /// @inheritdoc IMarketplace
    function claimable(SlotId slotId) external view returns (uint256) {
        Slot storage slot = slotRecords[slotId];
        return slot.state == SlotState.Filled ? _runningPay(_deal(slotId.requestOf()), slot) : 0;
    }

    /// @inheritdoc IMarketplace
    function placementOf(address provider, RequestId id, uint16 slotIndex)
        external
        view
        returns (uint256 distance, uint256 threshold)
    {
        Deal storage deal = _deal(id);
        return _placement(provider, id, slotIndex, deal, slotRecords[_slotId(deal, id, slotIndex)]);
    }

    /* INTERNAL: REQUESTS */

    function _post(Request calldata request) internal returns (RequestId id, uint256 price) {
        Ask calldata ask = request.ask;
        if (request.client != msg.sender) revert Marketplace_NotClient(request.client, msg.sender);
        Asks.check(request, MAX_DURATION, STAKE_PER_BYTE);
        id = RequestId.wrap(keccak256(abi.encode(request)) & ~bytes32(uint256(0xff)));
        Deal storage deal = deals[id];
        if (deal.createdAt != 0) revert Marketplace_RequestExists(id);

        uint256 rate;
        uint256 collateral;
        (rate, collateral, price) = Asks.amounts(ask);
        deal.createdAt = uint40(block.timestamp);
        deal.createdBlock = uint40(block.number);
        deal.expiry = uint32(request.expiry);
        deal.duration = uint32(ask.duration);
        deal.proofProbability = ask.proofProbability;
        deal.dispersal = ask.dispersal;
        deal.lastSlot = uint8(ask.slots - 1);
        deal.maxSlotLoss = uint8(ask.maxSlotLoss);
        deal.repairThreshold = uint8(ask.repairThreshold);
        deal.rate = uint128(rate);
        deal.collateral = uint128(collateral);
        deal.unspent = uint128(price);
        deal.root = request.content.root;
        deal.client = msg.sender;
        emit StorageRequested(id, msg.sender, ask, request.content, deal.expiresAt(), deal.endsAt(), price);
    }

    /// @dev The hosts keep the end they agreed to: until one accepts, nobody is committed to the time that is added.
    function _extend(RequestId id, uint256 extra) internal returns (uint256 price) {
        Deal storage deal = _deal(id);
        RequestState state = deal.state();
        if (state != RequestState.Started) revert Marketplace_NotStarted(state);
        if (extra < MIN_EXTENSION) revert Marketplace_ExtensionTooShort(extra, MIN_EXTENSION);
        uint256 duration = deal.duration + extra;
        if (duration > MAX_DURATION) revert Marketplace_InvalidAsk(AskField.Duration);
        Asks.price(deal.slots(), duration, deal.rate);

        price = deal.slots() * extra * deal.rate;
        uint256 from = deal.endsAt();
        deal.duration = uint32(duration);
        deal.unspent += uint128(price);
        emit RequestExtended(id, msg.sender, from, from + extra, price);
        _openRepair(id, deal);

        uint256 count = extensions.add(id, msg.sender, from, from + extra, price);
        // Strangers must not use up what the client may need.
        if (count > (msg.sender == deal.client ? MAX_EXTENSIONS : MAX_EXTENSIONS - 1)) {
            revert Marketplace_TooManyExtensions(count);
        }
        deal.extensions = uint8(count);
    }

    /// @dev Nobody is committed to [from, until) of a slot any more.
    function _release(RequestId id, Deal storage deal, uint256 from, uint256 until) internal {
        if (deal.extensions != 0) extensions.release(id, deal.rate, from, until);
    }

    /// @dev What nobody served of the time they paid for goes back to the funders of the extensions.
    function _refundFunders(RequestId id) internal returns (uint256 refunded) {
        Extension[] memory all = extensions.extensionsOf(id);
        for (uint256 i; i < all.length; ++i) {
            refunded += all[i].idle;
            emit FunderRefunded(id, all[i].funder, all[i].idle);
            _credit(all[i].funder, all[i].idle);
        }
    }

    function _deal(RequestId id) internal view returns (Deal storage deal) {
        deal = deals[id];
        if (deal.createdAt == 0) revert Marketplace_UnknownRequest(id);
    }

    function _checkLive(Deal storage deal) internal view {
        if (!deal.isLive()) revert Marketplace_RequestEnded(deal.state());
    }

    /// @dev Whether enough is left for a repair to be worth its bounty.
    function _hasTerm(Deal storage deal, uint256 servesFor)
        internal
        view
        returns (bool enough, uint256 left, uint256 needed)
    {
        left = Math.saturatingSub(deal.createdAt + servesFor, block.timestamp);
        needed = Math.max(REPAIR_WINDOW, MIN_TERM_PERIODS * deal.proofProbability * PERIOD_SECONDS);
        enough = left >= needed;
    }

    function _checkTerm(Deal storage deal, uint256 servesFor) internal view {
        (bool enough, uint256 left, uint256 needed) = _hasTerm(deal, servesFor);
        if (!enough) revert Marketplace_TermTooShort(left, needed);
    }

    /* INTERNAL: SALES */

    function _slotId(Deal storage deal, RequestId id, uint16 slotIndex) internal view returns (SlotId) {
        if (slotIndex > deal.lastSlot) revert Marketplace_NoSuchSlot(slotIndex, deal.slots());
        return id.slotId(slotIndex);
    }

    /// @dev When the slot's sale began, the block whose hash seeds it, and how long its window is.
    function _sale(Deal storage deal, Slot storage slot)
        internal
        view
        returns (uint256 start, uint256 seedBlock, uint256 window)
    {
        if (!slot.isVacant()) return (deal.createdAt, deal.createdBlock, deal.expiry / 2);
        if (deal.repairOpenedAt == 0) revert Marketplace_NotForSale();
        return slot.vacatedBlock > deal.repairOpenedBlock
            ? (slot.vacatedAt, slot.vacatedBlock, REPAIR_WINDOW)
            : (deal.repairOpenedAt, deal.repairOpenedBlock, REPAIR_WINDOW);
    }

    function _placement(address provider, RequestId id, uint16 slotIndex, Deal storage deal, Slot storage slot)
        internal
        view
        returns (uint256 distance, uint256 threshold)
    {
        _checkLive(deal);
        if (slot.state == SlotState.Filled || slot.state == SlotState.Settled) {
            revert Marketplace_SlotNotFree(slot.state);
        }
        if (slot.isVacant()) _checkTerm(deal, deal.duration);
        (uint256 start, uint256 seedBlock, uint256 window) = _sale(deal, slot);
        if (block.number <= seedBlock) revert Marketplace_SeedBlockNotReached(seedBlock);
        (bytes32 providerId, uint64 eligibleSince) = registry.placementOf(provider);
        // Ids registered, or given stake, once A0 is known could be picked to lie next to it.
        if (eligibleSince == 0 || eligibleSince >= seedBlock) {
            revert Marketplace_StakedTooLate(eligibleSince, seedBlock);
        }
        bytes32 seed = Blockhash.blockHash(seedBlock);
        // A seed out of reach must not make a slot unsellable.
        if (seed == 0) return (0, type(uint256).max);
        bytes32 a0 = keccak256(abi.encode(seed, id, slotIndex, slot.reservations));
        distance = uint256(providerId ^ a0);
        threshold = Placement.threshold(Placement.steepness(deal.dispersal), block.timestamp - start, window);
    }

    /// @dev Take a reservation that expired back, for a bond; the slot is for sale again, in the same sale.
    function _forfeit(RequestId id, uint16 slotIndex, Deal storage deal, Slot storage slot) internal {
        uint256 collateral = deal.collateral;
        uint256 bond = Shares.bond(collateral, BOND_BPS, slot.expired);
        if (slot.expired != type(uint8).max) ++slot.expired;
        address provider = _vacate(deal, slot, slot.vacantState());
        emit ReservationForfeited(id, slotIndex, provider, bond);

        registry.unlock(provider, collateral - bond);
        registry.slash(provider, bond);
        _credit(SINK, bond);
    }

    /// @dev The reserver is the host from now on, until the end that the request had when it reserved.
    function _begin(Deal storage deal, Slot storage slot, uint256 period) internal {
        slot.state = SlotState.Filled;
        slot.heldFor = slot.isVacant() ? slot.servesFor : deal.duration;
        slot.filledAfter = uint32(block.timestamp - deal.createdAt);
        slot.proofs = ProofRecords.begun(period);
        if (slot.claimed != 0) slot.claimed = 0;
        ++deal.filled;
        if (!slot.isVacant()) return;
        (slot.vacatedAt, slot.vacatedBlock, slot.departedAt, slot.servesFor) = (0, 0, 0, 0);
        if (--deal.vacant == 0) (deal.repairOpenedAt, deal.repairOpenedBlock) = (0, 0);
    }

    /// @dev No state of a tenure or reservation survives it, but for the pot and the sale's counters.
    function _vacate(Deal storage deal, Slot storage slot, SlotState next) internal returns (address host) {
        host = slot.host;
        slot.host = address(0);
        slot.state = next;
        slot.heldFor = 0;
        --deal.active;
    }

    /// @dev What the repair of a vacant slot earns, what the client gets back of its pot, and from when on the repairer is
    /// paid: the bounty for a slot that was left is pay of the time since, that nobody else earned.
    /// It rises until the reservation, not the fill: whoever holds the slot gains nothing by waiting.
    function _bounty(Deal storage deal, Slot storage slot)
        internal
        returns (uint256 bounty, uint256 toClient, uint256 servedFrom)
    {
        (uint256 start,, uint256 window) = _sale(deal, slot);
        uint256 reservedAt = slot.heldUntil(deal) - RESERVE_SECONDS;
        bounty = Shares.bounty(deal.collateral, BOUNTY_BPS, reservedAt - start, window);
        (toClient, servedFrom) = (slot.pot, block.timestamp);
        if (slot.departedAt == 0) {
            bounty = Math.min(bounty, toClient);
            return (bounty, toClient - bounty, servedFrom);
        }
        uint256 rate = deal.rate;
        uint256 idle = rate == 0 ? 0 : Math.min(bounty / rate, reservedAt - slot.departedAt);
        bounty = idle * rate;
        servedFrom -= idle;
        deal.unspent -= uint128(bounty);
    }

    /* INTERNAL: PROOFS */

    function _currentPeriod() internal view returns (uint256) {
        return block.number / PERIOD_BLOCKS;
    }

    /// @dev The hash of the period's first block.
    function _seed(uint256 period) internal view returns (bytes32 seed) {
        seed = Blockhash.blockHash(period * PERIOD_BLOCKS);
        if (seed == 0) revert Marketplace_ChallengeUnknown(Period.wrap(uint64(period)));
    }

    function _challenge(bytes32 seed, SlotId slotId) internal pure returns (bytes32) {
        return keccak256(abi.encode(seed, slotId));
    }

    /// @dev The lottery is exact to one in 2^240; at p = 1 the bound is the whole range, and nothing overflows.
    function _isRequired(Deal storage deal, uint256 fillPeriod, uint256 period, bytes32 challenge)
        internal
        view
        returns (bool)
    {
        return period > fillPeriod && uint256(challenge) <= type(uint256).max / deal.proofProbability;
    }

    function _publics(bytes32 challenge, Deal storage deal, uint16 slotIndex)
        internal
        view
        returns (uint256[3] memory)
    {
        return [PublicInputs.entropy(challenge), deal.root, slotIndex];
    }

    /// @dev Note the caller's proof of a slot for the current period, if it applies, before it is verified: the caller of
    /// this function reverts if it is not valid. Noted first, a slot named twice applies once.
    function _noteProof(SlotId slotId, uint256 period, bytes32 seed)
        internal
        returns (Refusal refusal, uint256[3] memory publics)
    {
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Filled) return (Refusal.NotFilled, publics);
        if (slot.host != msg.sender) return (Refusal.NotHost, publics);
        Deal storage deal = deals[slotId.requestOf()];
        if (block.timestamp >= slot.end(deal)) return (Refusal.AfterEnd, publics);
        ProofRecord memory proofs = slot.proofs;
        bytes32 challenge = _challenge(seed, slotId);
        if (!_isRequired(deal, proofs.fillPeriod, period, challenge)) return (Refusal.NotRequired, publics);
        if (proofs.wasProven(period)) return (Refusal.Proven, publics);

        proofs.addProven(period);
        slot.proofs = proofs;
        emit ProofSubmitted(slotId, Period.wrap(uint64(period)));
        publics = _publics(challenge, deal, slotId.indexOf());
    }

    /// @dev Markable: after the period, for MARK_BLOCKS, if the period was over before the slot's end. The period's last
    /// block is at least BLOCK_SECONDS a block ago, which bounds its time from above.
    function _marking(Period period_) internal view returns (Marking memory) {
        uint256 period = Period.unwrap(period_);
        uint256 first = (period + 1) * PERIOD_BLOCKS;
        if (block.number < first || block.number >= first + MARK_BLOCKS) {
            revert Marketplace_NotMarkableNow(first, first + MARK_BLOCKS);
        }
        uint256 endedBy = Math.saturatingSub(block.timestamp, (block.number - (first - 1)) * BLOCK_SECONDS);
        return Marking(period, _seed(period), endedBy);
    }

    /// @dev Note a miss, if it applies: a share of the collateral leaves the lock, part of it as the caller's reward.
    function _noteMiss(SlotId slotId, Marking memory marking) internal returns (Refusal refusal, uint256 reward) {
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Filled) return (Refusal.NotFilled, 0);
        Deal storage deal = deals[slotId.requestOf()];
        if (marking.endedBy > slot.end(deal)) return (Refusal.AfterEnd, 0);
        ProofRecord memory proofs = slot.proofs;
        if (!_isRequired(deal, proofs.fillPeriod, marking.period, _challenge(marking.seed, slotId))) {
            return (Refusal.NotRequired, 0);
        }
        if (proofs.wasProven(marking.period)) return (Refusal.Proven, 0);
        if (proofs.wasMissed(marking.period)) return (Refusal.Marked, 0);

        uint256 collateral = deal.collateral;
        uint256 slashed = Shares.slashed(collateral, SLASH_BPS, 1);
        reward = Shares.share(slashed, VALIDATOR_BPS);
        proofs.addMissed(marking.period);
        slot.proofs = proofs;
        _addToPot(deal, slot, slashed - reward);
        emit ProofMissed(slotId, Period.wrap(uint64(marking.period)), msg.sender, slashed, reward);
        address host = slot.host;
        uint256 paid;
        if (proofs.misses == MAX_MISSES) {
            uint256 rest = collateral - Shares.slashed(collateral, SLASH_BPS, MAX_MISSES);
            paid = _lose(slotId, deal, slot, rest);
            slashed += rest;
        }

        if (slashed != 0) registry.slash(host, slashed);
        _credit(host, paid);
    }

    /// @dev Say why a proof or a miss does not apply.
    function _refuse(Refusal refusal, SlotId slotId, Period period) internal view {
        Deal storage deal = _deal(slotId.requestOf());
        Slot storage slot = slotRecords[slotId];
        if (refusal == Refusal.NotFilled) revert Marketplace_NotFilled(slot.state);
        if (refusal == Refusal.NotHost) revert Marketplace_NotHost(slot.host, msg.sender);
        if (refusal == Refusal.AfterEnd) revert Marketplace_SlotEnded(slot.end(deal));
        if (refusal == Refusal.NotRequired) revert Marketplace_ProofNotRequired(period);
        if (refusal == Refusal.Proven) revert Marketplace_AlreadyProven(period);
        revert Marketplace_AlreadyMarked(period);
    }

    /// @dev The host missed its last proof: it is owed what it earned, and `rest` of its collateral joins the slot's pot.
    function _lose(SlotId slotId, Deal storage deal, Slot storage slot, uint256 rest) internal returns (uint256 paid) {
        (RequestId id, uint16 slotIndex) = (slotId.requestOf(), slotId.indexOf());
        (uint256 paidUntil, uint256 heldUntil) = (slot.proofs.provenAt, slot.heldUntil(deal));
        paid = _runningPay(deal, slot);
        bool live = deal.isLive();
        bool sold = deal.phase != Phase.Selling;
        address host = _vacate(deal, slot, !live ? SlotState.Settled : sold ? SlotState.Lost : SlotState.Free);
        --deal.filled;
        deal.unspent -= uint128(paid);
        _addToPot(deal, slot, rest);
        emit SlotLost(id, slotIndex, host, paid, rest);
        if (live && sold) _putUpForRepair(id, deal, slot);
        _release(id, deal, paidUntil, heldUntil);
    }

    function _putUpForRepair(RequestId id, Deal storage deal, Slot storage slot) internal {
        slot.vacatedAt = uint40(block.timestamp);
        slot.vacatedBlock = uint40(block.number);
        slot.reservations = 0;
        slot.expired = 0;
        if (++deal.vacant > deal.maxSlotLoss) {
            deal.phase = Phase.Failed;
            deal.failedAfter = uint32(block.timestamp - deal.createdAt);
            emit RequestFailed(id);
            return;
        }
        _openRepair(id, deal);
    }

    /// @dev Open the repair of a started request, if enough slots are vacant and it is not too late for it.
    function _openRepair(RequestId id, Deal storage deal) internal {
        uint256 vacant = deal.vacant;
        if (vacant == 0 || deal.repairOpenedAt != 0) return;
        if (vacant < Math.min(deal.repairThreshold, deal.maxSlotLoss)) return;
        (bool enough,,) = _hasTerm(deal, deal.duration);
        if (!enough) return;
        deal.repairOpenedAt = uint40(block.timestamp);
        deal.repairOpenedBlock = uint40(block.number);
        emit RepairOpened(id);
    }

    /* INTERNAL: MONEY */

    function _addToPot(Deal storage deal, Slot storage slot, uint256 amount) internal {
        slot.pot += uint128(amount);
        deal.pots += uint128(amount);
    }

    /// @dev Earned until `until` at the slot's rate, less a period's pay a miss, less what was claimed.
    function _unclaimed(Deal storage deal, Slot storage slot, uint256 until, uint256 misses)
        internal
        view
        returns (uint256)
    {
        return Shares.unclaimed(deal.rate, until - slot.filledAt(deal), misses * PERIOD_SECONDS, slot.claimed);
    }

    /// @dev Running pay stops at the last accepted proof, and none is accepted after the slot's end.
    function _runningPay(Deal storage deal, Slot storage slot) internal view returns (uint256) {
        return _unclaimed(deal, slot, slot.proofs.provenAt, slot.proofs.missesBeforeProof);
    }

    function _credit(address account, uint256 amount) internal {
        if (amount != 0) registry.credit(account, amount);
    }
}
