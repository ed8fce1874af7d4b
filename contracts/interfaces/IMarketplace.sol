// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IExtensions} from "./IExtensions.sol";
import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";
import {IStakeRegistry} from "./IStakeRegistry.sol";
import {
    Amount,
    Ask,
    AskField,
    Content,
    Period,
    Request,
    RequestId,
    RequestState,
    SlotId,
    SlotState
} from "../libraries/Types.sol";

/// @notice Everything that is fixed when the market is deployed. Shares are in basis points.
struct MarketConfig {
    /// Blocks in a proof period.
    uint64 periodBlocks;
    /// A lower bound of the seconds between two blocks.
    uint64 blockSeconds;
    /// Blocks after a period in which its misses can be marked.
    uint64 markBlocks;
    /// Seconds between the end of a slot and its settlement, so that the last misses can be marked first.
    uint64 settleSeconds;
    /// Misses that cost a host its slot: 1 .. 255.
    uint16 maxMisses;
    /// Share of the collateral that one miss costs.
    uint16 slashBps;
    /// Share of a slash that goes to whoever marked the miss.
    uint16 validatorBps;
    /// Share of the collateral that a repair pays at most.
    uint16 bountyBps;
    /// Share of the collateral forfeited by the first reservation that expires.
    uint16 bondBps;
    /// Seconds a reservation holds.
    uint64 reserveSeconds;
    /// Seconds over which a repair sale opens to everyone.
    uint64 repairWindow;
    /// Expected proofs that must remain for a repair to open, reserve or fill.
    uint64 minTermPeriods;
    /// Longest duration of a request in seconds, extensions included.
    uint64 maxDuration;
    /// Shortest extension in seconds: at least a period, long enough to be worth a host's opting in.
    uint64 minExtension;
}

/// @notice A request as the chain keeps it.
struct RequestRecord {
    RequestState state;
    address client;
    uint16 slots;
    uint16 maxSlotLoss;
    uint16 repairThreshold;
    uint16 proofProbability;
    uint16 filled;
    /// Slots lost or left and not filled again, reserved ones included.
    uint16 vacant;
    /// Slots that are filled or reserved.
    uint16 active;
    bool closed;
    uint64 createdAt;
    uint64 createdBlock;
    uint64 expiresAt;
    uint64 endsAt;
    /// 0 unless failed.
    uint64 failedAt;
    /// 0 while no repair is open; of a request that is over, what it was then.
    uint64 repairOpenedAt;
    uint64 repairOpenedBlock;
    /// Base units a second a slot earns.
    uint256 rate;
    /// Base units a host locks for a slot.
    uint256 collateral;
    uint256 root;
    /// What was paid for the request and not yet credited to hosts.
    uint256 unspent;
    /// Slashed collateral not yet credited, over all slots.
    uint256 pots;
}

/// @notice A slot as the chain keeps it.
struct SlotRecord {
    SlotState state;
    /// The host when filled, the reserver when reserved, else zero.
    address host;
    uint16 misses;
    uint64 filledAt;
    uint64 fillPeriod;
    uint64 provenAt;
    /// 0 unless lost or left since the request started.
    uint64 vacatedAt;
    uint64 vacatedBlock;
    /// Until when the host that left had agreed to serve; 0 unless the slot was left.
    uint64 departedAt;
    /// When reserved, the reservation's deadline; when filled, until when the host agreed to serve; else 0.
    uint64 heldUntil;
    /// Reservations of this slot in this sale; the next one has this index.
    uint16 reservations;
    /// How many of them expired.
    uint16 expired;
    /// Slashed collateral; once the request is closed, what it was then.
    uint256 pot;
    uint256 claimed;
}

/// @title Marketplace
/// @notice Storage requests, the sale of their slots, proofs of storage, slashing and lazy repair.
interface IMarketplace {
    event StorageRequested(
        RequestId indexed requestId,
        address indexed client,
        Ask ask,
        Content content,
        uint256 expiresAt,
        uint256 endsAt,
        uint256 deposit
    );
    event SlotReserved(
        RequestId indexed requestId,
        uint16 slotIndex,
        address indexed provider,
        uint256 deadline,
        uint256 bond,
        uint256 reservationIndex
    );
    event ReservationForfeited(RequestId indexed requestId, uint16 slotIndex, address indexed provider, uint256 bond);
    event ReservationReleased(RequestId indexed requestId, uint16 slotIndex, address indexed provider);
    event SlotFilled(
        RequestId indexed requestId, uint16 slotIndex, address indexed host, uint256 bounty, uint256 toClient
    );
    event RequestStarted(RequestId indexed requestId);
    event ProofSubmitted(SlotId indexed slotId, Period period);
    event ProofMissed(SlotId indexed slotId, Period period, address indexed validator, uint256 slashed, uint256 reward);
    event SlotLost(RequestId indexed requestId, uint16 slotIndex, address indexed host, uint256 paid, uint256 slashed);
    event RepairOpened(RequestId indexed requestId);
    event RequestFailed(RequestId indexed requestId);
    event PayClaimed(SlotId indexed slotId, address indexed host, uint256 amount);
    event SlotSettled(RequestId indexed requestId, uint16 slotIndex, address indexed host, uint256 paid);
    event SlotDeparted(RequestId indexed requestId, uint16 slotIndex, address indexed host, uint256 paid);
    event RequestExtended(
        RequestId indexed requestId, address indexed funder, uint256 from, uint256 until, uint256 price
    );
    event ExtensionAccepted(RequestId indexed requestId, uint16 slotIndex, address indexed host, uint256 heldUntil);
    event FunderRefunded(RequestId indexed requestId, address indexed funder, uint256 amount);
    event RequestClosed(RequestId indexed requestId, address indexed client, uint256 refund, uint256 pots);

    error Marketplace_InvalidConfig(string field);
    error Marketplace_NotClient(address client, address caller);
    error Marketplace_InvalidAsk(AskField field);
    error Marketplace_AmountTooLarge(Amount amount);
    error Marketplace_RequestExists(RequestId id);
    error Marketplace_UnknownRequest(RequestId id);
    error Marketplace_NoSuchSlot(uint16 slotIndex, uint16 slots);
    error Marketplace_SlotNotFree(SlotState state);
    error Marketplace_ReservationHeld(uint256 deadline);
    error Marketplace_AlreadyHoldsSlot(address provider);
    error Marketplace_RequestEnded(RequestState state);
    error Marketplace_NotForSale();
    error Marketplace_TermTooShort(uint256 left, uint256 needed);
    error Marketplace_SeedBlockNotReached(uint256 seedBlock);
    error Marketplace_StakedTooLate(uint256 eligibleSince, uint256 seedBlock);
    error Marketplace_NotEligible(uint256 distance, uint256 threshold);
    error Marketplace_NotReserved(SlotState state);
    error Marketplace_NotReserver(address reserver, address caller);
    error Marketplace_ReservationOver(uint256 deadline);
    error Marketplace_NotFilled(SlotState state);
    error Marketplace_NotHost(address host, address caller);
    error Marketplace_WrongPeriod(Period period, Period current);
    error Marketplace_ChallengeUnknown(Period period);
    error Marketplace_ProofNotRequired(Period period);
    error Marketplace_AlreadyProven(Period period);
    error Marketplace_AlreadyMarked(Period period);
    error Marketplace_InvalidProof();
    error Marketplace_NotMarkableNow(uint256 fromBlock, uint256 beforeBlock);
    error Marketplace_SlotEnded(uint256 end);
    error Marketplace_LengthMismatch(uint256 slots, uint256 proofs);
    error Marketplace_NothingApplies();
    error Marketplace_NotStarted(RequestState state);
    error Marketplace_ExtensionTooShort(uint256 extra, uint256 minimum);
    error Marketplace_TooManyExtensions(uint256 count);
    error Marketplace_NothingToAccept();
    error Marketplace_EndsLater(uint256 end, uint256 latest);
    error Marketplace_NothingToClaim();
    error Marketplace_TooEarly(uint256 notBefore);
    error Marketplace_StillActive(uint16 active);
    error Marketplace_NotTerminal(RequestState state);
    error Marketplace_AlreadyClosed();

    // --- clients and funders ---

    /// @notice Post a request and pay its whole price: slots * duration * pricePerBytePerSecond * slotSize.
    function requestStorage(Request calldata request) external returns (RequestId);

    /// @notice The same, spending an EIP-2612 permit of the caller for the registry.
    function requestStorageWithPermit(Request calldata request, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (RequestId);

    /// @notice Add `extra` seconds, at least `minExtension`, to a started request and pay for them: anybody may. Each slot's
    /// host keeps the end it agreed to, until it accepts the new one.
    /// @dev A repair that was too late before may open. Of what nobody serves of that time the caller is credited when
    /// the request is closed.
    function extendRequest(RequestId id, uint40 extra) external;

    /// @notice The same, spending an EIP-2612 permit of the caller for the registry.
    function extendRequestWithPermit(RequestId id, uint40 extra, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;

    /// @notice Credit what is left of a terminal request: to the funders of its extensions what nobody served of the time
    /// they paid for, to the client the rest and the pots.
    function closeRequest(RequestId id) external;

    // --- providers ---

    /// @notice Reserve a slot, locking its whole collateral; an expired reservation of it is closed first.
    function reserveSlot(RequestId id, uint16 slotIndex) external;

    /// @notice Close a reservation that expired, or that a failed or finished request made pointless.
    function closeReservation(SlotId id) external;

    /// @notice Fill a slot the caller reserved, proving it for the current period. The host agrees to serve until the end
    /// that the request had at the reservation.
    /// @dev The repair of a lost slot earns min(pot, b), that of a slot its host left min(pay of the time since, b) out of
    /// the request's unspent pay, in whole seconds of pay; b = bountyBps of the collateral * t, t the share of the sale's
    /// window that had passed at the reservation, not at the fill: whoever holds the slot exclusively gains nothing by
    /// waiting. The client is credited the rest of the pot.
    function fillSlot(SlotId id, Groth16Proof calldata proof) external;

    /// @notice Prove a slot for `period`, which must be the current one and required.
    function submitProof(SlotId id, Period period, Groth16Proof calldata proof) external;

    /// @notice Prove slots of the caller for the current period, all with one check. Entries that do not apply (not
    /// filled, not the caller's, ended, not required, proven, named before) are skipped.
    /// @dev Reverts if none applies, and if any proof that applies is invalid; it does not tell which.
    /// @return accepted How many applied.
    function submitProofs(SlotId[] calldata ids, Groth16Proof[] calldata proofs) external returns (uint256 accepted);

    /// @notice Agree to serve a slot of the caller until the request's present end, which is at `latest` at the latest.
    function acceptExtension(SlotId id, uint40 latest) external;

    /// @notice Credit a host with what it earned up to its last accepted proof.
    function claim(SlotId id) external;

    /// @notice Pay and release the host of a slot that ended SETTLE_SECONDS ago, with its request or before it; in a request
    /// that lives on the slot is vacant then.
    function settle(SlotId id) external;

    // --- validators ---

    /// @notice Mark that a required proof of `period` was not submitted; the caller earns a share of the slash.
    function markProofMissing(SlotId id, Period period) external;

    /// @notice Mark every slot of which the required proof of `period` was not submitted; others are skipped.
    /// @dev Reverts if none applies.
    /// @return marked How many applied.
    function markProofsMissing(SlotId[] calldata ids, Period period) external returns (uint256 marked);

    // --- views ---

    function registry() external view returns (IStakeRegistry);

    function verifier() external view returns (IGroth16Verifier);

    /// @notice The books of who paid for which added time.
    function extensions() external view returns (IExtensions);

    function config() external view returns (MarketConfig memory);

    function requestOf(RequestId id) external view returns (RequestRecord memory);

    function slotOf(SlotId id) external view returns (SlotRecord memory);

    function currentPeriod() external view returns (Period);

    /// @notice keccak256(block hash of the period's first block, slot id); reverts while that block is unknown.
    function challengeOf(SlotId id, Period period) external view returns (bytes32);

    function isProofRequired(SlotId id, Period period) external view returns (bool);

    function claimable(SlotId id) external view returns (uint256);

    /// @notice XOR distance of `provider` from the slot's next reservation and the distance below which it is eligible
    /// in this block; reverts as `reserveSlot` would for any other reason to refuse placement.
    function placementOf(address provider, RequestId id, uint16 slotIndex)
        external
        view
        returns (uint256 distance, uint256 threshold);
}
