// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {
    Account,
    Grant,
    IPaymentChannels,
    Lane,
    LaneBooks,
    LaneId,
    Refusal,
    SignedGrant,
    SignedVoucher
} from "./interfaces/IPaymentChannels.sol";
import {Lanes} from "./libraries/Lanes.sol";

/// @title PaymentChannels
/// @notice See IPaymentChannels. It knows the token alone: no market, no owner.
contract PaymentChannels is IPaymentChannels, EIP712, ReentrancyGuardTransient {
    using Lanes for Lane;
    using Lanes for LaneId;
    using Lanes for Grant;
    using SafeERC20 for IERC20;

    uint64 internal constant MIN_CHALLENGE_SECONDS = 1 minutes;
    uint64 internal constant MAX_CHALLENGE_SECONDS = 30 days;

    /* IMMUTABLES */

    IERC20 public immutable token;
    uint64 public immutable challengeSeconds;

    /* STORAGE */

    /// Invariant: for each payer, reserved = sum of the reserved of its lanes of its epoch.
    /// Invariant: sum over payers of (pool + reserved) <= token.balanceOf(this), with equality unless somebody sends
    ///            tokens unasked.
    mapping(address payer => Account) internal accounts;

    /// Invariant: redeemed never falls, and is at most the highest amount the reader signed in a voucher.
    /// Invariant: reserved + redeemed is at most the highest amount opened or signed: it fits 128 bits.
    mapping(LaneId id => LaneBooks) internal lanes;

    /// Invariant: = sum of (reserved + redeemed) of the sponsor's lanes for the reader in the epoch; what others than the
    ///            sponsor open keeps it at most at the limit they show.
    mapping(address sponsor => mapping(address reader => mapping(uint64 epoch => uint256))) public grantedTo;

    /* CONSTRUCTION */

    constructor(IERC20 token_, uint64 challengeSeconds_) EIP712("Holdfast PaymentChannels", "1") {
        if (address(token_) == address(0)) revert PaymentChannels_ZeroAddress();
        if (challengeSeconds_ < MIN_CHALLENGE_SECONDS || challengeSeconds_ > MAX_CHALLENGE_SECONDS) {
            revert PaymentChannels_BadChallenge(challengeSeconds_, MIN_CHALLENGE_SECONDS, MAX_CHALLENGE_SECONDS);
        }
        token = token_;
        challengeSeconds = challengeSeconds_;
    }

    /* DEPOSITS */

    /// @inheritdoc IPaymentChannels
    function deposit(address payer, uint256 amount) public nonReentrant {
        if (payer == address(0)) revert PaymentChannels_ZeroAddress();
        if (amount == 0) revert PaymentChannels_ZeroAmount();
        Account storage account = accounts[payer];
        if (account.closesAt != 0) revert PaymentChannels_Closing(account.closesAt);

        // A whole deposit fits 128 bits: no later move between its parts can overflow.
        uint256 room = type(uint128).max - (uint256(account.pool) + account.reserved);
        if (amount > room) revert PaymentChannels_AmountTooLarge(amount, room);

        account.pool += uint128(amount);
        emit Deposited(payer, msg.sender, amount);

        _receive(amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithPermit(address payer, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        // A permit may have been spent by a front-runner: then the allowance is there already, and the transfer decides.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        deposit(payer, amount);
    }

    /* LANES */

    /// @inheritdoc IPaymentChannels
    function openLane(Lane calldata lane, uint128 amount) external {
        if (msg.sender != lane.payer) revert PaymentChannels_NotPayer(lane.payer, msg.sender);
        _open(lane, amount, type(uint256).max);
    }

    /// @inheritdoc IPaymentChannels
    function openLaneOf(Lane calldata lane, uint128 amount, bytes calldata readerSignature) external {
        if (lane.payer != lane.reader) revert PaymentChannels_Sponsored(lane.payer, lane.reader);
        _checkOpening(lane, amount, readerSignature);
        _open(lane, amount, type(uint256).max);
    }

    /// @inheritdoc IPaymentChannels
    function openLaneGranted(
        Lane calldata lane,
        uint128 amount,
        bytes calldata readerSignature,
        SignedGrant calldata grant
    ) external {
        _checkOpening(lane, amount, readerSignature);
        _checkGrant(lane, grant);
        _open(lane, amount, grant.limit);
    }

    /// @inheritdoc IPaymentChannels
    function redeem(SignedVoucher[] calldata vouchers, address to) external nonReentrant returns (uint256 paid) {
        _checkRecipient(to);
        Refusal why;
        for (uint256 i; i < vouchers.length; ++i) {
            LaneId id = vouchers[i].lane.id();
            (Refusal refusal, uint256 amount) = _redeem(vouchers[i], id, to);
            paid += amount;
            if (refusal != Refusal.None) {
                why = refusal;
                emit VoucherRefused(id, refusal);
            }
        }
        if (paid == 0) revert PaymentChannels_NothingRedeemed(why);

        token.safeTransfer(to, paid);
    }

    /// @inheritdoc IPaymentChannels
    function reclaim(Lane calldata lane) external {
        if (block.timestamp < lane.expiry) revert PaymentChannels_LaneLives(lane.expiry);
        Account storage account = accounts[lane.payer];
        if (lane.epoch != account.epoch) revert PaymentChannels_WrongEpoch(lane.epoch, account.epoch);
        LaneId id = lane.id();
        uint128 amount = lanes[id].reserved;
        if (amount == 0) revert PaymentChannels_NothingToReclaim();

        lanes[id].reserved = 0;
        account.reserved -= amount;
        account.pool += amount;
        if (lane.payer != lane.reader) grantedTo[lane.payer][lane.reader][lane.epoch] -= amount;

        emit Reclaimed(id, lane.payer, amount);
    }

    /* CLOSING */

    /// @inheritdoc IPaymentChannels
    function close() external {
        Account storage account = accounts[msg.sender];
        if (account.closesAt != 0) revert PaymentChannels_Closing(account.closesAt);
        if (account.pool == 0 && account.reserved == 0) revert PaymentChannels_NothingToWithdraw();

        uint64 closesAt = uint64(block.timestamp) + challengeSeconds;
        account.closesAt = closesAt;

        emit Closing(msg.sender, closesAt);
    }

    /// @inheritdoc IPaymentChannels
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        _checkRecipient(to);
        Account storage account = accounts[msg.sender];
        if (account.closesAt == 0) revert PaymentChannels_NotClosing();
        if (block.timestamp < account.closesAt) revert PaymentChannels_Closing(account.closesAt);

        amount = uint256(account.pool) + account.reserved;
        uint64 nextEpoch = account.epoch + 1;
        // Lanes and grants of the epoch stay as they are: they are of no account any more.
        accounts[msg.sender] = Account(0, 0, nextEpoch, 0);
        emit Withdrawn(msg.sender, to, amount, nextEpoch);

        if (amount != 0) token.safeTransfer(to, amount);
    }

    /* VIEWS */

    /// @inheritdoc IPaymentChannels
    function accountOf(address payer) external view returns (Account memory) {
        return accounts[payer];
    }

    /// @inheritdoc IPaymentChannels
    function laneOf(LaneId id) external view returns (LaneBooks memory) {
        return lanes[id];
    }

    /// @inheritdoc IPaymentChannels
    function idOf(Lane calldata lane) external pure returns (LaneId) {
        return lane.id();
    }

    /// @inheritdoc IPaymentChannels
    function claimable(Lane calldata lane, uint128 amount) external view returns (uint256) {
        Account storage account = accounts[lane.payer];
        LaneBooks storage books = lanes[lane.id()];
        if (lane.epoch != account.epoch || block.timestamp >= lane.expiry || amount <= books.redeemed) return 0;
        (uint128 fromLane, uint128 fromPool) = _sources(lane, account, books, amount);
        return uint256(fromLane) + fromPool;
    }

    /// @inheritdoc IPaymentChannels
    function openingDigest(Lane calldata lane, uint128 amount) public view returns (bytes32) {
        return _hashTypedDataV4(lane.id().openingHash(amount));
    }

    /// @inheritdoc IPaymentChannels
    function voucherDigest(Lane calldata lane, uint128 amount) external view returns (bytes32) {
        return _voucherDigest(lane.id(), amount);
    }

    /// @inheritdoc IPaymentChannels
    function grantDigest(Grant memory grant) public view returns (bytes32) {
        return _hashTypedDataV4(grant.hash());
    }

    /* INTERNAL */

    function _open(Lane calldata lane, uint128 amount, uint256 limit) internal {
        Account storage account = accounts[lane.payer];
        if (lane.epoch != account.epoch) revert PaymentChannels_WrongEpoch(lane.epoch, account.epoch);
        if (account.closesAt != 0) revert PaymentChannels_Closing(account.closesAt);
        if (block.timestamp >= lane.expiry) revert PaymentChannels_LaneExpired(lane.expiry);
        LaneId id = lane.id();
        LaneBooks storage books = lanes[id];
        // Neither part exceeds an amount that was opened or signed: see `lanes`.
        uint128 held = books.reserved + books.redeemed;
        if (amount <= held) revert PaymentChannels_NothingToReserve(amount, held);
        uint128 more = amount - held;
        if (more > account.pool) revert PaymentChannels_InsufficientPool(account.pool, more);
        if (lane.payer != lane.reader) _useGrant(lane, more, limit);

        account.pool -= more;
        account.reserved += more;
        books.reserved += more;

        emit LaneOpened(id, lane.payer, lane.cache, lane, books.reserved);
    }

    function _useGrant(Lane calldata lane, uint256 more, uint256 limit) internal {
        uint256 granted = grantedTo[lane.payer][lane.reader][lane.epoch] + more;
        if (granted > limit) revert PaymentChannels_GrantExceeded(granted, limit);
        grantedTo[lane.payer][lane.reader][lane.epoch] = granted;
    }

    /// @dev Never reverts: a voucher that was good when the cache sent it spoils no others when it is not any more.
    function _redeem(SignedVoucher calldata voucher, LaneId id, address to) internal returns (Refusal, uint256) {
        Lane calldata lane = voucher.lane;
        Account storage account = accounts[lane.payer];
        LaneBooks storage books = lanes[id];
        Refusal why = _refuse(voucher, id, account, books);
        if (why != Refusal.None) return (why, 0);
        (uint128 fromLane, uint128 fromPool) = _sources(lane, account, books, voucher.amount);
        uint128 paid = fromLane + fromPool;
        if (paid == 0) return (Refusal.NothingHeld, 0);

        account.reserved -= fromLane;
        account.pool -= fromPool;
        books.reserved -= fromLane;
        books.redeemed += paid;

        emit Redeemed(id, lane.payer, msg.sender, paid, books.redeemed, to);
        return (Refusal.None, paid);
    }

    function _refuse(SignedVoucher calldata voucher, LaneId id, Account storage account, LaneBooks storage books)
        internal
        view
        returns (Refusal)
    {
        Lane calldata lane = voucher.lane;
        if (lane.cache != msg.sender) return Refusal.NotCache;
        if (lane.epoch != account.epoch) return Refusal.OldEpoch;
        if (block.timestamp >= lane.expiry) return Refusal.Expired;
        if (voucher.amount <= books.redeemed) return Refusal.NothingDue;
        bytes32 digest = _voucherDigest(id, voucher.amount);
        return _signed(lane.reader, digest, voucher.signature) ? Refusal.None : Refusal.BadSignature;
    }

    function _voucherDigest(LaneId id, uint128 amount) internal view returns (bytes32) {
        return _hashTypedDataV4(id.voucherHash(amount));
    }

    /// @dev Where a voucher for `amount`, more than was paid, is paid from. A sponsor's pool is for granted lanes only.
    function _sources(Lane calldata lane, Account storage account, LaneBooks storage books, uint128 amount)
        internal
        view
        returns (uint128 fromLane, uint128 fromPool)
    {
        uint256 due = amount - books.redeemed;
        fromLane = uint128(Math.min(due, books.reserved));
        if (lane.payer == lane.reader) fromPool = uint128(Math.min(due - fromLane, account.pool));
    }

    function _checkOpening(Lane calldata lane, uint128 amount, bytes calldata signature) internal view {
        if (!_signed(lane.reader, openingDigest(lane, amount), signature)) {
            revert PaymentChannels_NotReader(lane.reader);
        }
    }

    function _checkGrant(Lane calldata lane, SignedGrant calldata grant) internal view {
        if (lane.expiry > grant.expiry) revert PaymentChannels_GrantOutlived(lane.expiry, grant.expiry);
        bytes32 digest = grantDigest(Grant(lane.payer, lane.reader, grant.limit, lane.epoch, grant.expiry));
        if (!SignatureChecker.isValidSignatureNow(lane.payer, digest, grant.signature)) {
            revert PaymentChannels_NotSponsor(lane.payer);
        }
    }

    /// @dev By a key: a cache checks vouchers without asking the chain.
    function _signed(address signer, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        (address recovered, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(digest, signature);
        return problem == ECDSA.RecoverError.NoError && recovered == signer;
    }

    /// @dev Sent to this contract or to the token itself, tokens would be nobody's.
    function _checkRecipient(address to) internal view {
        if (to == address(0) || to == address(this) || to == address(token)) revert PaymentChannels_BadRecipient(to);
    }

    /// @dev Refuses tokens that take a fee on the way: deposits would exceed the balance.
    function _receive(uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert PaymentChannels_UnexpectedAmount(amount, received);
    }
}
