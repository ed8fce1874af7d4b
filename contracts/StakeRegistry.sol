// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IStakeRegistry, Provider, StakeConfig} from "./interfaces/IStakeRegistry.sol";

/// @title StakeRegistry
/// @notice See IStakeRegistry. Where all the money is.
contract StakeRegistry is IStakeRegistry, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 internal constant MAX_ENDPOINT_BYTES = 256;
    uint256 internal constant MAX_UNBONDING_SECONDS = 10 * 365 days;

    /* IMMUTABLES */

    IERC20 public immutable token;
    uint128 internal immutable MIN_STAKE;
    uint128 internal immutable STAKE_PER_BYTE;
    uint64 internal immutable UNBONDING_SECONDS;
    address internal immutable SINK;

    /* STORAGE */

    /// Invariant: for each provider free, locked and unbonding are disjoint, and
    /// (stakedSince != 0) = (registered and free + locked >= MIN_STAKE).
    mapping(address provider => Provider) internal providers;

    mapping(address account => uint256) public creditOf;

    mapping(address module => uint256) public poolOf;

    mapping(address module => bool) public isModule;

    /// Invariant: liabilities = sum over providers of (free + locked + unbonding) + sum of credits + sum of pools
    ///            <= token.balanceOf(this), with equality unless somebody sends tokens unasked.
    uint256 public liabilities;

    /* CONSTRUCTION */

    /// @param modules The contracts that may lock and slash; fixed for ever, so that nobody can add one later.
    constructor(IERC20 token_, StakeConfig memory config_, address[] memory modules) {
        if (address(token_) == address(0) || config_.sink == address(0)) revert StakeRegistry_ZeroAddress();
        if (modules.length == 0) revert StakeRegistry_NoModules();
        if (config_.unbondingSeconds > MAX_UNBONDING_SECONDS) {
            revert StakeRegistry_UnbondingTooLong(config_.unbondingSeconds, MAX_UNBONDING_SECONDS);
        }
        token = token_;
        MIN_STAKE = config_.minStake;
        STAKE_PER_BYTE = config_.stakePerByte;
        UNBONDING_SECONDS = config_.unbondingSeconds;
        SINK = config_.sink;
        for (uint256 i; i < modules.length; ++i) {
            if (modules[i] == address(0)) revert StakeRegistry_ZeroAddress();
            isModule[modules[i]] = true;
        }
    }

    modifier onlyModule() {
        if (!isModule[msg.sender]) revert StakeRegistry_NotModule(msg.sender);
        _;
    }

    /* PROVIDERS */

    /// @inheritdoc IStakeRegistry
    function register(string calldata endpoint) external {
        Provider storage provider = providers[msg.sender];
        if (provider.registeredBlock != 0) revert StakeRegistry_AlreadyRegistered(msg.sender);
        _checkEndpoint(endpoint);

        // The hash of the block before is known only once this transaction can no longer be chosen: ids cannot be ground.
        bytes32 id = keccak256(abi.encode(msg.sender, blockhash(block.number - 1)));
        provider.id = id;
        provider.registeredBlock = uint64(block.number);
        provider.endpoint = endpoint;
        if (MIN_STAKE == 0) provider.stakedSince = uint64(block.number);

        emit Registered(msg.sender, id, endpoint);
    }

    /// @inheritdoc IStakeRegistry
    function setEndpoint(string calldata endpoint) external {
        _registered(msg.sender);
        _checkEndpoint(endpoint);
        providers[msg.sender].endpoint = endpoint;
        emit EndpointChanged(msg.sender, endpoint);
    }

    /// @inheritdoc IStakeRegistry
    function deposit(uint256 amount) public nonReentrant {
        Provider storage provider = _registered(msg.sender);
        if (amount == 0) revert StakeRegistry_ZeroAmount();

        // All stake of a provider together fits 128 bits: no later move between its parts can overflow.
        uint256 room = type(uint128).max - (uint256(provider.free) + provider.locked + provider.unbonding);
        if (amount > room) revert StakeRegistry_AmountTooLarge(amount, room);

        provider.free += uint128(amount);
        _updateStakedSince(provider);
        liabilities += amount;
        emit Deposited(msg.sender, amount);

        _receive(msg.sender, amount);
    }

    /// @inheritdoc IStakeRegistry
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        _permit(msg.sender, amount, deadline, v, r, s);
        deposit(amount);
    }

    /// @inheritdoc IStakeRegistry
    function unstake(uint256 amount) external {
        Provider storage provider = _registered(msg.sender);
        if (amount == 0) revert StakeRegistry_ZeroAmount();
        if (amount > provider.free) revert StakeRegistry_InsufficientFreeStake(provider.free, amount);
        uint256 left = uint256(provider.free) + provider.locked - amount;
        if (provider.locked != 0 && left < MIN_STAKE) revert StakeRegistry_BelowMinimumWhileLocked(left, MIN_STAKE);

        uint64 releaseAt = uint64(block.timestamp) + UNBONDING_SECONDS;
        provider.free -= uint128(amount);
        provider.unbonding += uint128(amount);
        provider.releaseAt = releaseAt;
        _updateStakedSince(provider);

        emit UnstakeStarted(msg.sender, amount, releaseAt);
    }

    /// @inheritdoc IStakeRegistry
    function collectUnbonded() external {
        Provider storage provider = _registered(msg.sender);
        uint256 amount = provider.unbonding;
        if (amount == 0) revert StakeRegistry_NothingUnbonding();
        if (block.timestamp < provider.releaseAt) revert StakeRegistry_StillUnbonding(provider.releaseAt);

        provider.unbonding = 0;
        creditOf[msg.sender] += amount;

        emit Unbonded(msg.sender, amount);
    }

    /* CREDITS */

    /// @inheritdoc IStakeRegistry
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        // Sent to the vault or to the token itself, tokens would be nobody's.
        if (to == address(0) || to == address(this) || to == address(token)) revert StakeRegistry_BadRecipient(to);
        amount = creditOf[msg.sender];
        if (amount == 0) revert StakeRegistry_NothingToWithdraw();

        creditOf[msg.sender] = 0;
        liabilities -= amount;
        emit Withdrawn(msg.sender, to, amount);

        token.safeTransfer(to, amount);
    }

    /* MODULES */

    /// @inheritdoc IStakeRegistry
    function lock(address account, uint256 amount) external onlyModule {
        Provider storage provider = _registered(account);
        if (amount > provider.free) revert StakeRegistry_InsufficientFreeStake(provider.free, amount);
        uint256 staked = uint256(provider.free) + provider.locked;
        if (staked < MIN_STAKE) revert StakeRegistry_BelowMinimumStake(staked, MIN_STAKE);

        provider.free -= uint128(amount);
        provider.locked += uint128(amount);

        emit Locked(account, amount);
    }

    /// @inheritdoc IStakeRegistry
    function unlock(address account, uint256 amount) external onlyModule {
        Provider storage provider = providers[account];
        if (amount > provider.locked) revert StakeRegistry_InsufficientLockedStake(provider.locked, amount);

        provider.locked -= uint128(amount);
        provider.free += uint128(amount);

        emit Unlocked(account, amount);
    }

    /// @inheritdoc IStakeRegistry
    function slash(address account, uint256 amount) external onlyModule {
        Provider storage provider = providers[account];
        if (amount > provider.locked) revert StakeRegistry_InsufficientLockedStake(provider.locked, amount);

        provider.locked -= uint128(amount);
        // A slash can only take stake below the minimum: above it, stakedSince need not be read.
        if (uint256(provider.free) + provider.locked < MIN_STAKE) provider.stakedSince = 0;
        poolOf[msg.sender] += amount;

        emit Slashed(account, amount);
    }

    /// @inheritdoc IStakeRegistry
    function credit(address account, uint256 amount) external onlyModule {
        uint256 pool = poolOf[msg.sender];
        if (amount > pool) revert StakeRegistry_InsufficientPool(pool, amount);

        poolOf[msg.sender] = pool - amount;
        creditOf[account] += amount;

        emit Credited(account, amount);
    }

    /// @inheritdoc IStakeRegistry
    function pull(address from, uint256 amount) public onlyModule nonReentrant {
        poolOf[msg.sender] += amount;
        liabilities += amount;
        emit Pulled(from, amount);

        _receive(from, amount);
    }

    /// @inheritdoc IStakeRegistry
    function pullWithPermit(address from, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        onlyModule
    {
        _permit(from, amount, deadline, v, r, s);
        pull(from, amount);
    }

    /* VIEWS */

    /// @inheritdoc IStakeRegistry
    function config() external view returns (StakeConfig memory) {
        return StakeConfig(MIN_STAKE, STAKE_PER_BYTE, UNBONDING_SECONDS, SINK);
    }

    /// @inheritdoc IStakeRegistry
    function providerOf(address account) external view returns (Provider memory) {
        return providers[account];
    }

    /// @inheritdoc IStakeRegistry
    function placementOf(address account) external view returns (bytes32 id, uint64 eligibleSince) {
        Provider storage provider = providers[account];
        // stakedSince is never before registeredBlock: deposits need a registration.
        return (provider.id, provider.stakedSince);
    }

    /* INTERNAL */

    function _registered(address account) internal view returns (Provider storage provider) {
        provider = providers[account];
        if (provider.registeredBlock == 0) revert StakeRegistry_NotRegistered(account);
    }

    function _checkEndpoint(string calldata endpoint) internal pure {
        uint256 length = bytes(endpoint).length;
        if (length == 0 || length > MAX_ENDPOINT_BYTES) revert StakeRegistry_BadEndpoint(length);
    }

    function _updateStakedSince(Provider storage provider) internal {
        if (uint256(provider.free) + provider.locked < MIN_STAKE) provider.stakedSince = 0;
        else if (provider.stakedSince == 0) provider.stakedSince = uint64(block.number);
    }

    /// @dev A permit may have been spent by a front-runner: then the allowance is there already, and the transfer decides.
    function _permit(address owner, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal {
        try IERC20Permit(address(token)).permit(owner, address(this), amount, deadline, v, r, s) {} catch {}
    }

    /// @dev Refuses tokens that take a fee on the way: liabilities would exceed the balance.
    function _receive(address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert StakeRegistry_UnexpectedAmount(amount, received);
    }
}
