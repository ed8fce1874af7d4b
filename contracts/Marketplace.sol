// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Groth16Proof, IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IMarketplace, MarketConfig, RequestRecord, SlotRecord} from "./interfaces/IMarketplace.sol";
import {IStakeRegistry, StakeConfig} from "./interfaces/IStakeRegistry.sol";
import {HolderTags} from "./libraries/HolderTags.sol";
import {Placement} from "./libraries/Placement.sol";
import {ProofHistory} from "./libraries/ProofHistory.sol";
import {PublicInputs} from "./libraries/PublicInputs.sol";
import {Ask, Period, Request, RequestId, RequestState, SlotId, SlotState} from "./libraries/Types.sol";

/// @title Marketplace
/// @notice See IMarketplace. Where a request becomes slots, where slots are sold, proven, lost and repaired.
contract Marketplace is IMarketplace {
    using HolderTags for uint256;

    /* CONSTANTS AND IMMUTABLES */

    uint256 internal constant BPS = 10_000;

    /// Order of the BN254 scalar field: dataset roots are below it.
    uint256 internal constant SCALAR_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// Block hashes that EIP-2935 keeps.
    uint256 internal constant HASHED_BLOCKS = 8191;

    /// Periods of which a slot remembers the proofs while their misses can be marked.
    uint256 internal constant MARKABLE_PERIODS = 32;

    /// The share of the collateral that marking and repairing may pay in all: what is left makes dropping a slot to
    /// repair it oneself a loss.
    uint256 internal constant MAX_REWARD_BPS = 9000;

    /// A bond doubles with each expired reservation of a sale, this many times.
    uint256 internal constant MAX_BOND_DOUBLINGS = 6;

    /// Holders' tags in the deal itself, and in each further word.
    uint256 internal constant NEAR_TAGS = 14;
    uint256 internal constant FAR_TAGS = 32;

    IStakeRegistry public immutable registry;
    IGroth16Verifier public immutable verifier;

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
    uint256 internal immutable STAKE_PER_BYTE;
    address internal immutable SINK;

    /* STORAGE */

    /// What happened to a request, but for the passing of time.
    enum Phase {
        Selling,
        Started,
        Failed
    }

    /// A word each, so that a reservation touches three of them: when, how many now, and the collateral.
    struct Deal {
        // when; spans in seconds from createdAt
        uint40 createdAt;
        uint40 createdBlock;
        uint32 expiry;
        uint32 duration;
        uint32 failedAfter;
        int64 steepness;
        Phase phase;
        uint8 lastSlot;
        // how many now, and the repair
        uint16 proofProbability;
        uint16 filled;
        uint16 vacant;
        uint16 active;
        uint40 repairOpenedAt;
        uint40 repairOpenedBlock;
        uint112 tags;
        // money
        uint128 rate;
        uint128 collateral;
        uint128 unspent;
        uint128 pots;
        // content
        uint256 root;
        // who
        address client;
        uint16 maxSlotLoss;
        uint16 repairThreshold;
        bool closed;
    }

    struct Slot {
        // tenure or reservation
        address host;
        SlotState state;
        uint8 misses;
        /// Misses of periods that ended before the last accepted proof: those its running pay is cut by.
        uint8 missesBeforeProof;
        uint40 deadline;
        uint16 reservations;
        uint16 expired;
        // when
        uint40 filledAt;
        uint64 fillPeriod;
        uint40 vacatedAt;
        uint40 vacatedBlock;
        ProofHistory history;
        // money
        uint128 pot;
        uint128 claimed;
    }

    /// Invariants, for every request:
    ///   unspent + what was credited to its hosts = its deposit, until it is closed;
    ///   pots = sum of its slots' pots, until it is closed;
    ///   active = number of its slots Filled or Reserved, filled = number Filled;
    ///   vacant = number Lost, plus those Reserved that were Lost before;
    ///   repairOpenedAt != 0 only while Started and vacant > 0;
    ///   a terminal request (Cancelled, Failed, Finished) never changes state.
    mapping(RequestId => Deal) internal deals;

    /// Invariants: host != 0 exactly when Reserved or Filled, and then the registry holds collateral - slashed of it locked;
    /// no two slots of a request have the same host.
    mapping(SlotId => Slot) internal slotRecords;

    /// Tags of the holders of slots NEAR_TAGS and later, FAR_TAGS a word; those of the first slots are in the deal.
    /// Invariant: the holder of a slot has its tag at the slot's place. A tag outlives its holder, until the next one.
    mapping(RequestId => mapping(uint256 word => uint256)) internal farTags;

    /* CONSTRUCTION */

    constructor(IStakeRegistry registry_, IGroth16Verifier verifier_, MarketConfig memory c) {
        if (!registry_.isModule(address(this))) revert Marketplace_InvalidConfig("registry");
        if (address(verifier_).code.length == 0) revert Marketplace_InvalidConfig("verifier");
        // A period's challenge is known from its second block on.
        if (c.periodBlocks < 2 || c.periodBlocks > HASHED_BLOCKS) revert Marketplace_InvalidConfig("periodBlocks");
        if (
            c.markBlocks == 0 || c.markBlocks > HASHED_BLOCKS - c.periodBlocks
                || Math.ceilDiv(c.markBlocks, c.periodBlocks) > MARKABLE_PERIODS
        ) revert Marketplace_InvalidConfig("markBlocks");
        if (c.blockSeconds == 0 || c.blockSeconds > type(uint32).max) revert Marketplace_InvalidConfig("blockSeconds");
        // Every miss must have been markable before anything is settled.
        if (
            c.settleSeconds < 2 * (c.periodBlocks + c.markBlocks) * c.blockSeconds || c.settleSeconds > type(uint48).max
        ) revert Marketplace_InvalidConfig("settleSeconds");
        if (c.maxMisses == 0 || c.maxMisses > type(uint8).max) revert Marketplace_InvalidConfig("maxMisses");
        uint256 slashable = uint256(c.maxMisses) * c.slashBps;
        if (slashable > BPS) revert Marketplace_InvalidConfig("slashBps");
        if (c.validatorBps > BPS) revert Marketplace_InvalidConfig("validatorBps");
        if (slashable * c.validatorBps + c.bountyBps * BPS > MAX_REWARD_BPS * BPS) {
            revert Marketplace_InvalidConfig("bountyBps");
        }
        if (c.bondBps > BPS) revert Marketplace_InvalidConfig("bondBps");
        if (c.reserveSeconds == 0 || c.reserveSeconds > type(uint32).max) {
            revert Marketplace_InvalidConfig("reserveSeconds");
        }
        if (c.repairWindow == 0 || c.repairWindow > type(uint32).max) revert Marketplace_InvalidConfig("repairWindow");
        if (c.minTermPeriods > type(uint32).max) revert Marketplace_InvalidConfig("minTermPeriods");
        if (c.maxDuration < 2 || c.maxDuration > type(uint32).max) revert Marketplace_InvalidConfig("maxDuration");

        registry = registry_;
        verifier = verifier_;
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
        StakeConfig memory stake = registry_.config();
        STAKE_PER_BYTE = stake.stakePerByte;
        SINK = stake.sink;
    }

    /* CLIENTS */

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
    function closeRequest(RequestId id) external {
        Deal storage deal = _deal(id);
        RequestState state = _state(deal);
        if (!_isTerminal(state)) revert Marketplace_NotTerminal(state);
        if (deal.active != 0) revert Marketplace_StillActive(deal.active);
        if (deal.closed) revert Marketplace_AlreadyClosed();

        (uint256 refund, uint256 pots) = (deal.unspent, deal.pots);
        deal.closed = true;
        deal.unspent = 0;
        deal.pots = 0;
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
            if (block.timestamp < slot.deadline) revert Marketplace_ReservationHeld(slot.deadline);
            _forfeit(id, slotIndex, deal, slot);
        }
        (uint256 distance, uint256 threshold) = _placement(msg.sender, id, slotIndex, deal, slot);
        // At the top of the range everyone is eligible, whatever its distance.
        if (distance >= threshold && threshold != type(uint256).max) {
            revert Marketplace_NotEligible(distance, threshold);
        }
        if (_holdsSlot(msg.sender, id, deal)) revert Marketplace_AlreadyHoldsSlot(msg.sender);

        uint256 deadline = block.timestamp + RESERVE_SECONDS;
        if (deal.phase == Phase.Selling) deadline = Math.min(deadline, _expiresAt(deal));
        uint16 reservationIndex = slot.reservations;
        slot.host = msg.sender;
        slot.state = SlotState.Reserved;
        slot.deadline = uint40(deadline);
        slot.reservations = _increased(reservationIndex);
        _setTag(id, slotIndex, deal, HolderTags.tagOf(msg.sender));
        ++deal.active;
        emit SlotReserved(id, slotIndex, msg.sender, deadline, _bond(deal.collateral, slot.expired), reservationIndex);

        registry.lock(msg.sender, deal.collateral);
    }

    /// @inheritdoc IMarketplace
    function closeReservation(SlotId slotId) external {
        (RequestId id, uint16 slotIndex) = (slotId.requestOf(), slotId.indexOf());
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Reserved) revert Marketplace_NotReserved(slot.state);

        // A request that failed or finished under a reservation forgives it; one that was cancelled does not.
        if (deal.phase != Phase.Selling && _isTerminal(_state(deal)) && _end(deal) < slot.deadline) {
            address provider = _vacateReservation(deal, slot);
            emit ReservationReleased(id, slotIndex, provider);
            registry.unlock(provider, deal.collateral);
            return;
        }
        if (block.timestamp < slot.deadline) revert Marketplace_ReservationHeld(slot.deadline);
        _forfeit(id, slotIndex, deal, slot);
    }

    /// @inheritdoc IMarketplace
    function fillSlot(SlotId slotId, Groth16Proof calldata proof) external {
        (RequestId id, uint16 slotIndex) = (slotId.requestOf(), slotId.indexOf());
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Reserved) revert Marketplace_NotReserved(slot.state);
        if (slot.host != msg.sender) revert Marketplace_NotReserver(slot.host, msg.sender);
        if (block.timestamp >= slot.deadline) revert Marketplace_ReservationOver(slot.deadline);
        _checkLive(deal);
        bool repair = slot.vacatedAt != 0;
        if (repair) _checkTerm(deal);
        uint64 period = _currentPeriod();
        _checkProof(_challenge(slotId, period), deal.root, slotIndex, proof);

        (uint256 bounty, uint256 toClient) = _takePot(deal, slot, repair);
        slot.state = SlotState.Filled;
        slot.misses = 0;
        slot.missesBeforeProof = 0;
        slot.filledAt = uint40(block.timestamp);
        slot.fillPeriod = period;
        slot.vacatedAt = 0;
        slot.vacatedBlock = 0;
        slot.claimed = 0;
        slot.history = ProofHistory(period, 0, 0, uint64(block.timestamp));
        ++deal.filled;
        if (repair && --deal.vacant == 0) (deal.repairOpenedAt, deal.repairOpenedBlock) = (0, 0);
        emit SlotFilled(id, slotIndex, msg.sender, bounty, toClient);
        if (deal.phase == Phase.Selling && deal.filled == _slots(deal)) {
            deal.phase = Phase.Started;
            emit RequestStarted(id);
        }

        _credit(msg.sender, bounty);
        _credit(deal.client, toClient);
    }

    /// @inheritdoc IMarketplace
    function submitProof(SlotId slotId, Period period_, Groth16Proof calldata proof) external {
        Deal storage deal = _deal(slotId.requestOf());
        Slot storage slot = slotRecords[slotId];
        uint64 period = Period.unwrap(period_);
        if (slot.state != SlotState.Filled) revert Marketplace_NotFilled(slot.state);
        if (slot.host != msg.sender) revert Marketplace_NotHost(slot.host, msg.sender);
        if (block.timestamp >= _end(deal)) revert Marketplace_RequestEnded(_state(deal));
        if (period != _currentPeriod()) revert Marketplace_WrongPeriod(period_, Period.wrap(_currentPeriod()));
        bytes32 challenge = _challenge(slotId, period);
        if (!_isRequired(deal, slot, period, challenge)) revert Marketplace_ProofNotRequired(period_);
        ProofHistory memory history = slot.history;
        if (history.wasProven(period)) revert Marketplace_AlreadyProven(period_);
        _checkProof(challenge, deal.root, slotId.indexOf(), proof);

        history.addProven(period);
        history.provenAt = uint64(block.timestamp);
        slot.history = history;
        // Every miss marked so far is of a period that ended before this one began.
        if (slot.missesBeforeProof != slot.misses) slot.missesBeforeProof = slot.misses;
        emit ProofSubmitted(slotId, period_);
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
        RequestId id = slotId.requestOf();
        Deal storage deal = _deal(id);
        Slot storage slot = slotRecords[slotId];
        if (slot.state != SlotState.Filled) revert Marketplace_NotFilled(slot.state);
        uint256 end = _end(deal);
        if (block.timestamp < end + SETTLE_SECONDS) revert Marketplace_TooEarly(end + SETTLE_SECONDS);

        address host = slot.host;
        uint256 paid = _unclaimed(deal, slot, end, slot.misses);
        uint256 locked = deal.collateral - _slashed(deal.collateral, slot.misses);
        _vacate(deal, slot, SlotState.Settled);
        --deal.filled;
        deal.unspent -= uint128(paid);
        emit SlotSettled(id, slotId.indexOf(), host, paid);

        registry.unlock(host, locked);
        _credit(host, paid);
    }

    /* VALIDATORS */

    /// @inheritdoc IMarketplace
    function markProofMissing(SlotId slotId, Period period_) external {
        Deal storage deal = _deal(slotId.requestOf());
        Slot storage slot = slotRecords[slotId];
        uint64 period = Period.unwrap(period_);
        if (slot.state != SlotState.Filled) revert Marketplace_NotFilled(slot.state);
        _checkMarkable(deal, period);
        if (!_isRequired(deal, slot, period, _challenge(slotId, period))) {
            revert Marketplace_ProofNotRequired(period_);
        }
        ProofHistory memory history = slot.history;
        if (history.wasProven(period)) revert Marketplace_AlreadyProven(period_);
        if (history.wasMissed(period)) revert Marketplace_AlreadyMarked(period_);

        uint256 slashed = _slashed(deal.collateral, 1);
        uint256 reward = slashed * VALIDATOR_BPS / BPS;
        if (history.provenAfter(period)) ++slot.missesBeforeProof;
        history.addMissed(period);
        slot.history = history;
        uint256 misses = ++slot.misses;
        _addToPot(deal, slot, slashed - reward);
        emit ProofMissed(slotId, period_, msg.sender, slashed, reward);
        address host = slot.host;
        uint256 paid;
        if (misses == MAX_MISSES) {
            uint256 rest = deal.collateral - _slashed(deal.collateral, misses);
            paid = _lose(slotId, deal, slot, rest);
            slashed += rest;
        }

        if (slashed != 0) registry.slash(host, slashed);
        _credit(msg.sender, reward);
        _credit(host, paid);
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
            maxDuration: uint64(MAX_DURATION)
        });
    }

    /// @inheritdoc IMarketplace
    function requestOf(RequestId id) external view returns (RequestRecord memory) {
        Deal storage deal = _deal(id);
        return RequestRecord({
            state: _state(deal),
            client: deal.client,
            slots: _slots(deal),
            maxSlotLoss: deal.maxSlotLoss,
            repairThreshold: deal.repairThreshold,
            proofProbability: deal.proofProbability,
            filled: deal.filled,
            vacant: deal.vacant,
            active: deal.active,
            closed: deal.closed,
            createdAt: deal.createdAt,
            createdBlock: deal.createdBlock,
            expiresAt: uint64(_expiresAt(deal)),
            endsAt: uint64(_endsAt(deal)),
            failedAt: deal.phase == Phase.Failed ? uint64(_end(deal)) : 0,
            repairOpenedAt: deal.repairOpenedAt,
            repairOpenedBlock: deal.repairOpenedBlock,
            rate: deal.rate,
            collateral: deal.collateral,
            root: deal.root,
            unspent: deal.unspent,
            pots: deal.pots
        });
    }

    /// @inheritdoc IMarketplace
    function slotOf(SlotId slotId) external view returns (SlotRecord memory) {
        _slotId(_deal(slotId.requestOf()), slotId.requestOf(), slotId.indexOf());
        Slot storage slot = slotRecords[slotId];
        return SlotRecord({
            state: slot.state,
            host: slot.host,
            misses: slot.misses,
            filledAt: slot.filledAt,
            fillPeriod: slot.fillPeriod,
            provenAt: slot.history.provenAt,
            vacatedAt: slot.vacatedAt,
            vacatedBlock: slot.vacatedBlock,
            deadline: slot.deadline,
            reservations: slot.reservations,
            expired: slot.expired,
            pot: slot.pot,
            claimed: slot.claimed
        });
    }

    /// @inheritdoc IMarketplace
    function currentPeriod() external view returns (Period) {
        return Period.wrap(_currentPeriod());
    }

    /// @inheritdoc IMarketplace
    function challengeOf(SlotId slotId, Period period) external view returns (bytes32) {
        return _challenge(slotId, Period.unwrap(period));
    }

    /// @inheritdoc IMarketplace
    function isProofRequired(SlotId slotId, Period period_) external view returns (bool) {
        Slot storage slot = slotRecords[slotId];
        uint64 period = Period.unwrap(period_);
        return slot.state == SlotState.Filled
            && _isRequired(_deal(slotId.requestOf()), slot, period, _challenge(slotId, period));
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
        _checkAsk(ask);
        if (request.content.root == 0 || request.content.root >= SCALAR_ORDER) revert Marketplace_InvalidAsk("root");
        if (request.expiry == 0 || request.expiry >= ask.duration) revert Marketplace_InvalidAsk("expiry");
        id = RequestId.wrap(keccak256(abi.encode(request)) & ~bytes32(uint256(0xff)));
        Deal storage deal = deals[id];
        if (deal.createdAt != 0) revert Marketplace_RequestExists(id);

        // Bounded products: every later sum of pay, slashes and pots of the request fits 128 bits.
        uint256 rate = uint256(ask.pricePerBytePerSecond) * ask.slotSize;
        uint256 collateral = uint256(ask.collateralPerByte) * ask.slotSize;
        if (rate > type(uint128).max) revert Marketplace_AmountTooLarge("rate");
        price = ask.slots * uint256(ask.duration) * rate;
        if (price > type(uint128).max) revert Marketplace_AmountTooLarge("price");
        if (collateral > type(uint128).max / ask.slots) revert Marketplace_AmountTooLarge("collateral");

        deal.createdAt = uint40(block.timestamp);
        deal.createdBlock = uint40(block.number);
        deal.expiry = uint32(request.expiry);
        deal.duration = uint32(ask.duration);
        deal.steepness = int64(Placement.steepness(ask.dispersal));
        deal.lastSlot = uint8(ask.slots - 1);
        deal.proofProbability = ask.proofProbability;
        deal.rate = uint128(rate);
        deal.collateral = uint128(collateral);
        deal.unspent = uint128(price);
        deal.root = request.content.root;
        deal.client = msg.sender;
        deal.maxSlotLoss = ask.maxSlotLoss;
        deal.repairThreshold = ask.repairThreshold;
        emit StorageRequested(id, msg.sender, ask, request.content, _expiresAt(deal), _endsAt(deal), price);
    }

    function _checkAsk(Ask calldata ask) internal view {
        if (ask.slots == 0 || ask.slots > 256) revert Marketplace_InvalidAsk("slots");
        if (ask.maxSlotLoss >= ask.slots) revert Marketplace_InvalidAsk("maxSlotLoss");
        if (ask.repairThreshold == 0 || ask.repairThreshold > Math.max(1, ask.maxSlotLoss)) {
            revert Marketplace_InvalidAsk("repairThreshold");
        }
        if (ask.slotSize == 0) revert Marketplace_InvalidAsk("slotSize");
        if (ask.duration > MAX_DURATION) revert Marketplace_InvalidAsk("duration");
        if (ask.proofProbability == 0) revert Marketplace_InvalidAsk("proofProbability");
        if (ask.dispersal < 100 || ask.dispersal > 9900) revert Marketplace_InvalidAsk("dispersal");
        if (ask.collateralPerByte < STAKE_PER_BYTE) revert Marketplace_InvalidAsk("collateralPerByte");
    }

    function _deal(RequestId id) internal view returns (Deal storage deal) {
        deal = deals[id];
        if (deal.createdAt == 0) revert Marketplace_UnknownRequest(id);
    }

    function _slots(Deal storage deal) internal view returns (uint16) {
        return uint16(deal.lastSlot) + 1;
    }

    function _expiresAt(Deal storage deal) internal view returns (uint256) {
        return uint256(deal.createdAt) + deal.expiry;
    }

    function _endsAt(Deal storage deal) internal view returns (uint256) {
        return uint256(deal.createdAt) + deal.duration;
    }

    function _state(Deal storage deal) internal view returns (RequestState) {
        Phase phase = deal.phase;
        if (phase == Phase.Failed) return RequestState.Failed;
        if (phase == Phase.Started) {
            return block.timestamp < _endsAt(deal) ? RequestState.Started : RequestState.Finished;
        }
        return block.timestamp < _expiresAt(deal) ? RequestState.New : RequestState.Cancelled;
    }

    function _isTerminal(RequestState state) internal pure returns (bool) {
        return state != RequestState.New && state != RequestState.Started;
    }

    function _checkLive(Deal storage deal) internal view {
        RequestState state = _state(deal);
        if (_isTerminal(state)) revert Marketplace_RequestEnded(state);
    }

    /// @dev When the request ended or, while it lives, will end at the latest.
    function _end(Deal storage deal) internal view returns (uint256) {
        if (deal.phase == Phase.Failed) return uint256(deal.createdAt) + deal.failedAfter;
        return _state(deal) == RequestState.Cancelled ? _expiresAt(deal) : _endsAt(deal);
    }

    function _hasTerm(Deal storage deal) internal view returns (bool enough, uint256 left, uint256 needed) {
        left = Math.saturatingSub(_endsAt(deal), block.timestamp);
        needed = Math.max(REPAIR_WINDOW, MIN_TERM_PERIODS * deal.proofProbability * PERIOD_SECONDS);
        enough = left >= needed;
    }

    function _checkTerm(Deal storage deal) internal view {
        (bool enough, uint256 left, uint256 needed) = _hasTerm(deal);
        if (!enough) revert Marketplace_TermTooShort(left, needed);
    }

    /* INTERNAL: SALES */

    function _slotId(Deal storage deal, RequestId id, uint16 slotIndex) internal view returns (SlotId) {
        if (slotIndex > deal.lastSlot) revert Marketplace_NoSuchSlot(slotIndex, _slots(deal));
        return id.slotId(slotIndex);
    }

    /// @dev When the slot's sale began, the block whose hash seeds it, and how long its window is.
    function _sale(Deal storage deal, Slot storage slot)
        internal
        view
        returns (uint256 start, uint256 seedBlock, uint256 window)
    {
        if (slot.vacatedAt == 0) return (deal.createdAt, deal.createdBlock, deal.expiry / 2);
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
        if (slot.vacatedAt != 0) _checkTerm(deal);
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
        threshold = Placement.threshold(deal.steepness, block.timestamp - start, window);
    }

    function _bond(uint256 collateral, uint256 expired) internal view returns (uint256) {
        return Math.min(collateral, collateral * BOND_BPS * 2 ** Math.min(expired, MAX_BOND_DOUBLINGS) / BPS);
    }

    function _holdsSlot(address provider, RequestId id, Deal storage deal) internal view returns (bool) {
        uint8 tag = HolderTags.tagOf(provider);
        if (_isAmong(provider, id, deal.tags, tag, 0)) return true;
        uint256 slots = _slots(deal);
        for (uint256 first = NEAR_TAGS; first < slots; first += FAR_TAGS) {
            if (_isAmong(provider, id, farTags[id][(first - NEAR_TAGS) / FAR_TAGS], tag, first)) return true;
        }
        return false;
    }

    /// @dev Whether `provider` holds one of the slots from `first` on whose tags are `tags`.
    function _isAmong(address provider, RequestId id, uint256 tags, uint8 tag, uint256 first)
        internal
        view
        returns (bool)
    {
        if (!tags.has(tag)) return false;
        for (uint256 place; place < FAR_TAGS; ++place) {
            if (tags.tagAt(place) == tag && slotRecords[id.slotId(uint16(first + place))].host == provider) {
                return true;
            }
        }
        return false;
    }

    function _setTag(RequestId id, uint256 slotIndex, Deal storage deal, uint8 tag) internal {
        if (slotIndex < NEAR_TAGS) {
            deal.tags = uint112(uint256(deal.tags).replaced(slotIndex, tag));
            return;
        }
        (uint256 word, uint256 place) = ((slotIndex - NEAR_TAGS) / FAR_TAGS, (slotIndex - NEAR_TAGS) % FAR_TAGS);
        farTags[id][word] = farTags[id][word].replaced(place, tag);
    }

    /// @dev Take a reservation back; the slot is for sale again, in the same sale.
    function _vacateReservation(Deal storage deal, Slot storage slot) internal returns (address provider) {
        provider = slot.host;
        _vacate(deal, slot, slot.vacatedAt == 0 ? SlotState.Free : SlotState.Lost);
    }

    function _forfeit(RequestId id, uint16 slotIndex, Deal storage deal, Slot storage slot) internal {
        uint256 collateral = deal.collateral;
        uint256 bond = _bond(collateral, slot.expired);
        slot.expired = _increased(slot.expired);
        address provider = _vacateReservation(deal, slot);
        emit ReservationForfeited(id, slotIndex, provider, bond);

        registry.unlock(provider, collateral - bond);
        registry.slash(provider, bond);
        _credit(SINK, bond);
    }

    function _increased(uint16 count) internal pure returns (uint16) {
        return count == type(uint16).max ? count : count + 1;
    }

    /// @dev No state of a tenure or reservation survives it, but for the pot and the sale's counters.
    function _vacate(Deal storage deal, Slot storage slot, SlotState next) internal {
        slot.host = address(0);
        slot.state = next;
        slot.deadline = 0;
        --deal.active;
    }

    function _addToPot(Deal storage deal, Slot storage slot, uint256 amount) internal {
        slot.pot += uint128(amount);
        deal.pots += uint128(amount);
    }

    /// @dev A filled slot's pot: what the repairer earns of it, and what the client gets back.
    /// The bounty rises until the reservation, not the fill: whoever holds the slot gains nothing by waiting.
    function _takePot(Deal storage deal, Slot storage slot, bool repair)
        internal
        returns (uint256 bounty, uint256 toClient)
    {
        uint256 pot = slot.pot;
        if (pot == 0) return (0, 0);
        if (repair) {
            (uint256 start,, uint256 window) = _sale(deal, slot);
            uint256 elapsed = Math.min(slot.deadline - RESERVE_SECONDS - start, window);
            bounty = Math.min(pot, deal.collateral * BOUNTY_BPS * elapsed / (BPS * window));
        }
        toClient = pot - bounty;
        slot.pot = 0;
        deal.pots -= uint128(pot);
    }

    /* INTERNAL: PROOFS */

    function _currentPeriod() internal view returns (uint64) {
        return uint64(block.number / PERIOD_BLOCKS);
    }

    function _challenge(SlotId slotId, uint64 period) internal view returns (bytes32) {
        bytes32 seed = Blockhash.blockHash(uint256(period) * PERIOD_BLOCKS);
        if (seed == 0) revert Marketplace_ChallengeUnknown(Period.wrap(period));
        return keccak256(abi.encode(seed, slotId));
    }

    /// @dev The lottery is exact to one in 2^240; at p = 1 the bound is the whole range, and nothing overflows.
    function _isRequired(Deal storage deal, Slot storage slot, uint64 period, bytes32 challenge)
        internal
        view
        returns (bool)
    {
        return period > slot.fillPeriod && uint256(challenge) <= type(uint256).max / deal.proofProbability;
    }

    function _checkProof(bytes32 challenge, uint256 root, uint16 slotIndex, Groth16Proof calldata proof) internal view {
        if (!verifier.verifyProof(proof, [PublicInputs.entropy(challenge), root, slotIndex])) {
            revert Marketplace_InvalidProof();
        }
    }

    /// @dev Markable: after the period, for MARK_BLOCKS, if the period was over before the slot's end. The period's last
    /// block is at least BLOCK_SECONDS a block ago, which bounds its time from above.
    function _checkMarkable(Deal storage deal, uint64 period) internal view {
        uint256 first = (uint256(period) + 1) * PERIOD_BLOCKS;
        if (block.number < first || block.number >= first + MARK_BLOCKS) {
            revert Marketplace_NotMarkableNow(first, first + MARK_BLOCKS);
        }
        if (block.timestamp > _end(deal) + (block.number - (first - 1)) * BLOCK_SECONDS) {
            revert Marketplace_PeriodAfterEnd(Period.wrap(period));
        }
    }

    /// @dev The host missed its last proof: it is owed what it earned, and `rest` of its collateral joins the slot's pot.
    function _lose(SlotId slotId, Deal storage deal, Slot storage slot, uint256 rest) internal returns (uint256 paid) {
        RequestId id = slotId.requestOf();
        address host = slot.host;
        paid = _runningPay(deal, slot);
        bool live = !_isTerminal(_state(deal));
        bool sold = deal.phase != Phase.Selling;
        _vacate(deal, slot, !live ? SlotState.Settled : sold ? SlotState.Lost : SlotState.Free);
        --deal.filled;
        deal.unspent -= uint128(paid);
        _addToPot(deal, slot, rest);
        emit SlotLost(id, slotId.indexOf(), host, paid, rest);
        if (live && sold) _putUpForRepair(id, deal, slot);
    }

    function _putUpForRepair(RequestId id, Deal storage deal, Slot storage slot) internal {
        slot.vacatedAt = uint40(block.timestamp);
        slot.vacatedBlock = uint40(block.number);
        slot.reservations = 0;
        slot.expired = 0;
        uint256 vacant = ++deal.vacant;
        if (vacant > deal.maxSlotLoss) {
            deal.phase = Phase.Failed;
            deal.failedAfter = uint32(block.timestamp - deal.createdAt);
            emit RequestFailed(id);
            return;
        }
        if (deal.repairOpenedAt != 0 || vacant < Math.min(deal.repairThreshold, deal.maxSlotLoss)) return;
        (bool enough,,) = _hasTerm(deal);
        if (!enough) return;
        deal.repairOpenedAt = uint40(block.timestamp);
        deal.repairOpenedBlock = uint40(block.number);
        emit RepairOpened(id);
    }

    /* INTERNAL: MONEY */

    /// @dev What `misses` misses cost: always a share of the original collateral, never of what is left of it.
    function _slashed(uint256 collateral, uint256 misses) internal view returns (uint256) {
        return collateral * SLASH_BPS / BPS * misses;
    }

    /// @dev Earned until `until` at the slot's rate, less a period's pay a miss, less what was claimed.
    function _unclaimed(Deal storage deal, Slot storage slot, uint256 until, uint256 misses)
        internal
        view
        returns (uint256)
    {
        uint256 gross = deal.rate * (until - slot.filledAt);
        uint256 lost = slot.claimed + misses * deal.rate * PERIOD_SECONDS;
        return gross > lost ? gross - lost : 0;
    }

    /// @dev Running pay stops at the last accepted proof.
    function _runningPay(Deal storage deal, Slot storage slot) internal view returns (uint256) {
        uint256 until = Math.min(slot.history.provenAt, _end(deal));
        return _unclaimed(deal, slot, until, slot.missesBeforeProof);
    }

    function _credit(address account, uint256 amount) internal {
        if (amount != 0) registry.credit(account, amount);
    }
}
