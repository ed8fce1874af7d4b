// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

struct StakeConfig {
    /// Base units a provider must have staked (free + locked) to reserve a slot.
    uint128 minStake;
    /// Base units of stake that must back one byte offered.
    uint128 stakePerByte;
    /// Seconds between `unstake` and `collectUnbonded`.
    uint64 unbondingSeconds;
    /// Account credited with forfeited bonds.
    address sink;
}

struct Provider {
    /// Fixed at registration: keccak256(address, blockhash(registeredBlock - 1)).
    bytes32 id;
    uint64 registeredBlock;
    /// Block in which free + locked last rose to minStake; 0 while it is below.
    uint64 stakedSince;
    uint64 releaseAt;
    uint128 free;
    uint128 locked;
    uint128 unbonding;
    string endpoint;
}

/// @title StakeRegistry
/// @notice The one vault: it holds every token of the market, tells stakes, credits and the modules' pools apart, and
/// pays only by `withdraw`.
interface IStakeRegistry {
    event Registered(address indexed provider, bytes32 id, string endpoint);
    event EndpointChanged(address indexed provider, string endpoint);
    event Deposited(address indexed provider, uint256 amount);
    event UnstakeStarted(address indexed provider, uint256 amount, uint256 releaseAt);
    event Unbonded(address indexed provider, uint256 amount);
    event Locked(address indexed provider, uint256 amount);
    event Unlocked(address indexed provider, uint256 amount);
    event Slashed(address indexed provider, uint256 amount);
    event Credited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, address to, uint256 amount);
    event Pulled(address indexed from, uint256 amount);

    error StakeRegistry_ZeroAddress();
    error StakeRegistry_NoModules();
    error StakeRegistry_ZeroAmount();
    error StakeRegistry_UnbondingTooLong(uint256 unbondingSeconds, uint256 limit);
    error StakeRegistry_NotModule(address caller);
    error StakeRegistry_AlreadyRegistered(address provider);
    error StakeRegistry_NotRegistered(address provider);
    error StakeRegistry_BadEndpoint(uint256 length);
    error StakeRegistry_AmountTooLarge(uint256 amount, uint256 room);
    error StakeRegistry_BelowMinimumStake(uint256 staked, uint256 minimum);
    error StakeRegistry_InsufficientFreeStake(uint256 free, uint256 wanted);
    error StakeRegistry_InsufficientLockedStake(uint256 locked, uint256 wanted);
    error StakeRegistry_BelowMinimumWhileLocked(uint256 left, uint256 minimum);
    error StakeRegistry_StillUnbonding(uint256 releaseAt);
    error StakeRegistry_NothingUnbonding();
    error StakeRegistry_NothingToWithdraw();
    error StakeRegistry_BadRecipient(address to);
    error StakeRegistry_InsufficientPool(uint256 pool, uint256 wanted);
    error StakeRegistry_UnexpectedAmount(uint256 expected, uint256 received);

    /// @notice Register the caller, once and for ever, reachable at `endpoint` (1 .. 256 bytes).
    function register(string calldata endpoint) external;

    function setEndpoint(string calldata endpoint) external;

    /// @notice Add `amount` to the caller's free stake; the caller must be registered.
    function deposit(uint256 amount) external;

    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Take `amount` out of free stake; it is paid after the unbonding delay, which starts anew for all of it.
    function unstake(uint256 amount) external;

    /// @notice Credit the caller with what has finished unbonding.
    function collectUnbonded() external;

    /// @notice Send all of the caller's credit to `to`, which is neither this vault, nor the token, nor zero.
    function withdraw(address to) external returns (uint256 amount);

    // --- modules only ---

    function lock(address provider, uint256 amount) external;

    function unlock(address provider, uint256 amount) external;

    /// @notice Move `amount` of `provider`'s locked stake into the calling module's pool.
    function slash(address provider, uint256 amount) external;

    /// @notice Move `amount` of the calling module's pool to `account`'s credit.
    function credit(address account, uint256 amount) external;

    /// @notice Pull `amount` of tokens from `from`, who allowed this vault to, into the calling module's pool.
    function pull(address from, uint256 amount) external;

    /// @notice `pull` after spending `from`'s EIP-2612 permit for this vault.
    function pullWithPermit(address from, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    // --- views ---

    function token() external view returns (IERC20);

    function config() external view returns (StakeConfig memory);

    function isModule(address account) external view returns (bool);

    function providerOf(address provider) external view returns (Provider memory);

    /// @notice What placement needs: the id, and the later of registration and of the stake that counts (0: none).
    function placementOf(address provider) external view returns (bytes32 id, uint64 eligibleSince);

    function creditOf(address account) external view returns (uint256);

    function poolOf(address module) external view returns (uint256);

    /// @notice Stakes + credits + pools: what this vault owes, and at least what it holds.
    function liabilities() external view returns (uint256);
}
