// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice A lane's struct hash (EIP-712): it names the lane in storage and events.
type LaneId is bytes32;

/// @notice One payer's promise to one cache for the reads of one reader.
struct Lane {
    /// Whose deposit pays: the reader itself, or a sponsor.
    address payer;
    /// Whose key signs openings and vouchers; never a contract's.
    address reader;
    /// Who is paid, and alone redeems.
    address cache;
    /// The payer's account's when the lane was made: a withdrawal voids all lanes of its epoch.
    uint64 epoch;
    /// Time from which nothing is paid any more.
    uint64 expiry;
}

/// @notice What a sponsor lets a reader tie up of its deposit, all lanes of the epoch together.
struct Grant {
    address sponsor;
    address reader;
    uint128 limit;
    uint64 epoch;
    /// No lane under the grant outlives it.
    uint64 expiry;
}

/// @notice A Grant to a lane's reader by its payer, in the lane's epoch.
struct SignedGrant {
    uint128 limit;
    uint64 expiry;
    /// The sponsor's; a sponsor that is a contract says by ERC-1271 what it takes as its own.
    bytes signature;
}

/// @notice The cache has earned `amount` in the lane, all in all: later vouchers replace earlier ones.
struct SignedVoucher {
    Lane lane;
    uint128 amount;
    /// The reader's: r, s (the lower one), v (27 or 28).
    bytes signature;
}

/// @notice A payer's deposit.
struct Account {
    /// What no lane keeps.
    uint128 pool;
    /// What lanes keep.
    uint128 reserved;
    /// Withdrawals so far.
    uint64 epoch;
    /// Time from which the payer may withdraw; 0 while it does not want to.
    uint64 closesAt;
}

/// @notice A lane's books.
struct LaneBooks {
    /// Kept for the lane and not redeemed.
    uint128 reserved;
    /// Paid in the lane.
    uint128 redeemed;
}

/// @notice Why a voucher of a batch is passed over.
enum Refusal {
    None,
    /// The lane is another cache's.
    NotCache,
    /// The payer has withdrawn since.
    OldEpoch,
    Expired,
    /// So much is paid already.
    NothingDue,
    /// Not the reader's signature of this voucher, for this contract on this chain.
    BadSignature,
    /// Neither the lane nor the pool has anything left.
    NothingHeld
}

/// @title PaymentChannels
/// @notice What readers pay caches with. A payer deposits once, for all caches. A part of the deposit is kept for a lane when
/// the lane is opened, so the same money is promised to nobody else; the reader signs cumulative vouchers as it reads, off
/// chain; the cache redeems the last one whenever it likes before the lane's expiry. A payer that wants its money back waits
/// for the challenge, in which caches redeem.
interface IPaymentChannels {
    event Deposited(address indexed payer, address indexed from, uint256 amount);
    event LaneOpened(LaneId indexed id, address indexed payer, address indexed cache, Lane lane, uint256 reserved);
    event Redeemed(
        LaneId indexed id, address indexed payer, address indexed cache, uint256 paid, uint256 redeemed, address to
    );
    event VoucherRefused(LaneId indexed id, Refusal why);
    event Reclaimed(LaneId indexed id, address indexed payer, uint256 amount);
    event Closing(address indexed payer, uint256 closesAt);
    event Withdrawn(address indexed payer, address to, uint256 amount, uint256 nextEpoch);

    error PaymentChannels_ZeroAddress();
    error PaymentChannels_ZeroAmount();
    error PaymentChannels_BadChallenge(uint256 challengeSeconds, uint256 least, uint256 most);
    error PaymentChannels_AmountTooLarge(uint256 amount, uint256 room);
    error PaymentChannels_UnexpectedAmount(uint256 expected, uint256 received);
    error PaymentChannels_NotPayer(address payer, address caller);
    error PaymentChannels_NotReader(address reader);
    error PaymentChannels_NotSponsor(address sponsor);
    error PaymentChannels_Sponsored(address payer, address reader);
    error PaymentChannels_WrongEpoch(uint256 given, uint256 current);
    error PaymentChannels_LaneExpired(uint256 expiry);
    error PaymentChannels_LaneLives(uint256 expiry);
    error PaymentChannels_GrantOutlived(uint256 laneExpiry, uint256 grantExpiry);
    error PaymentChannels_GrantExceeded(uint256 wanted, uint256 limit);
    error PaymentChannels_NothingToReserve(uint256 amount, uint256 held);
    error PaymentChannels_InsufficientPool(uint256 pool, uint256 wanted);
    error PaymentChannels_NothingToReclaim();
    error PaymentChannels_NothingRedeemed(Refusal why);
    error PaymentChannels_NothingToWithdraw();
    error PaymentChannels_Closing(uint256 closesAt);
    error PaymentChannels_NotClosing();
    error PaymentChannels_BadRecipient(address to);

    /// @notice Add `amount` of the caller's tokens to `payer`'s deposit: anybody may.
    function deposit(address payer, uint256 amount) external;

    /// @notice `deposit` after spending the caller's EIP-2612 permit for this contract.
    function depositWithPermit(address payer, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Keep so much of the caller's deposit for `lane` that `amount` of vouchers is sure to be paid, with what was paid
    /// in it already. Again with a higher amount, to keep more. The caller is the lane's payer, the reader whoever it names.
    function openLane(Lane calldata lane, uint128 amount) external;

    /// @notice `openLane` by anybody, for a reader that pays itself and signed Opening(lane, amount).
    function openLaneOf(Lane calldata lane, uint128 amount, bytes calldata readerSignature) external;

    /// @notice `openLane` by anybody, for a reader that signed Opening(lane, amount) and has the payer's grant.
    function openLaneGranted(
        Lane calldata lane,
        uint128 amount,
        bytes calldata readerSignature,
        SignedGrant calldata grant
    ) external;

    /// @notice Pay `to` what the caller's vouchers are worth beyond what is paid: out of what their lanes keep, and, of a
    /// reader that pays itself, out of the rest of its deposit. What is missing stays due. Vouchers worth nothing now
    /// are passed over, each with an event; the call fails if all are.
    function redeem(SignedVoucher[] calldata vouchers, address to) external returns (uint256 paid);

    /// @notice Give what an expired lane keeps back to its payer's pool, and to its reader's grant: anybody may.
    function reclaim(Lane calldata lane) external;

    /// @notice Begin the challenge: from now on no lane of the caller is opened, from its end on the caller may withdraw.
    function close() external;

    /// @notice End the challenge: send all of the caller's deposit to `to`, and begin its next epoch.
    function withdraw(address to) external returns (uint256 amount);

    // --- views ---

    function token() external view returns (IERC20);

    function challengeSeconds() external view returns (uint64);

    function accountOf(address payer) external view returns (Account memory);

    function laneOf(LaneId id) external view returns (LaneBooks memory);

    /// @notice What lanes keep and have paid of `sponsor`'s deposit for `reader`, all in all in `epoch`.
    function grantedTo(address sponsor, address reader, uint64 epoch) external view returns (uint256);

    function idOf(Lane calldata lane) external pure returns (LaneId);

    /// @notice What redeeming a voucher for `amount` would pay now.
    function claimable(Lane calldata lane, uint128 amount) external view returns (uint256);

    /// @notice What a reader signs to have `amount` kept for `lane`.
    function openingDigest(Lane calldata lane, uint128 amount) external view returns (bytes32);

    /// @notice What a reader signs to pay `amount` in `lane`.
    function voucherDigest(Lane calldata lane, uint128 amount) external view returns (bytes32);

    /// @notice What a sponsor signs.
    function grantDigest(Grant memory grant) external view returns (bytes32);
}
