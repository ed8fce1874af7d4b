// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";
import {IStakeRegistry} from "./IStakeRegistry.sol";
import {Ask, Content, Period, Request, RequestId, RequestState, SlotId, SlotState} from "../libraries/Types.sol";

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
    /// Longest duration of a request in seconds.
    uint64 maxDuration;
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
    /// Slots lost and not filled again, reserved ones included.
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
    /// 0 while no repair is open.
    uint64 repairOpenedAt;
    uint64 repairOpenedBlock;
    /// Base units a second a slot earns.
    uint256 rate;
    /// Base units a host locks for a slot.
    uint256 collateral;
    uint256 root;
    /// Deposit not yet credited to hosts.
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
    /// 0 unless lost since the request started.
    uint64 vacatedAt;
    uint64 vacatedBlock;
    /// End of the reservation.
    uint64 deadline;
    /// Reservations of this slot in this sale; the next one has this index.
    uint16 reservations;
    /// How many of them expired.
    uint16 expired;
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
    event RequestClosed(RequestId indexed requestId, address indexed client, uint256 refund, uint256 pots);

    error Marketplace_InvalidConfig(string field);
    error Marketplace_NotClient(address client, address caller);
    error Marketplace_InvalidAsk(string field);
    error Marketplace_AmountTooLarge(string amount);
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
    error Marketplace_PeriodAfterEnd(Period period);
    error Marketplace_NothingToClaim();
    error Marketplace_TooEarly(uint256 notBefore);
    error Marketplace_StillActive(uint16 active);
    error Marketplace_NotTerminal(RequestState state);
    error Marketplace_AlreadyClosed();

    // --- clients ---

    /// @notice Post a request and pay its whole price: slots * duration * pricePerBytePerSecond * slotSize.
    function requestStorage(Request calldata request) external returns (RequestId);

    /// @notice The same, spending an EIP-2612 permit of the caller for the registry.
    function requestStorageWithPermit(Request calldata request, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (RequestId);

    /// @notice Credit the client with what is left of a terminal request: unspent deposit and pots.
    function closeRequest(RequestId id) external;

    // --- providers ---

    /// @notice Reserve a slot, locking its whole collateral; an expired reservation of it is closed first.
    function reserveSlot(RequestId id, uint16 slotIndex) external;

    /// @notice Close a reservation that expired, or that a failed or finished request made pointless.
    function closeReservation(SlotId id) external;

    /// @notice Fill a slot the caller reserved, proving it for the current period.
    /// @dev A repair earns min(pot, bountyBps of the collateral * t), t the share of the sale's window that had passed at the
    /// reservation, not at the fill: whoever holds the slot exclusively gains nothing by waiting. The client is credited
    /// the rest of the pot.
    function fillSlot(SlotId id, Groth16Proof calldata proof) external;

    /// @notice Prove a slot for `period`, which must be the current one and required.
    function submitProof(SlotId id, Period period, Groth16Proof calldata proof) external;

    /// @notice Credit a host with what it earned up to its last accepted proof.
    function claim(SlotId id) external;

    /// @notice Pay and release the host of a slot whose request ended SETTLE_SECONDS ago.
    function settle(SlotId id) external;

    // --- validators ---

    /// @notice Mark that a required proof of `period` was not submitted; the caller earns a share of the slash.
    function markProofMissing(SlotId id, Period period) external;

    // --- views ---

    function registry() external view returns (IStakeRegistry);

    function verifier() external view returns (IGroth16Verifier);

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
