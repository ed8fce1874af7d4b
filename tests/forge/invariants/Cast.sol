// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RequestId, SlotId} from "../../../contracts/libraries/Types.sol";
import {Histories} from "../Histories.sol";
import {Checks} from "./Checks.sol";
import {Seat, Story} from "./Ghosts.sol";

/// @title Cast
/// @notice Who acts, and how: a call that the rules allow must succeed, one that they forbid must be refused.
abstract contract Cast is Checks, Histories {
    /// What is tried.
    enum Kind {
        Post,
        PostWithPermit,
        Extend,
        ExtendWithPermit,
        CloseRequest,
        Reserve,
        Fill,
        Prove,
        ProveBatch,
        Claim,
        Accept,
        Settle,
        CloseReservation,
        Mark,
        MarkBatch,
        Deposit,
        DepositWithPermit,
        Unstake,
        Collect,
        Withdraw,
        SetEndpoint
    }

    error Refused(Kind kind, bytes reason);
    error NotRefused(bytes call);

    address[] internal clients;
    address[] internal funders;
    address[] internal validators;
    mapping(address => uint256) internal keys;

    mapping(Kind => uint256) internal done;
    uint256 internal chaosDone;
    uint256 internal chaosRefused;

    function setUp() public virtual override {
        vm.recordLogs();
        super.setUp();
        rules = config();
        // Some providers can only afford small slots.
        for (uint160 i; i < 4; ++i) {
            address host = address(0x7003000 + i);
            hosts.push(host);
            addProvider(host, MIN_STAKE + i * 3e17);
        }
        for (uint256 i; i < hosts.length; ++i) {
            accounts.push(hosts[i]);
            staked[hosts[i]] = stakeOf(hosts[i]);
        }
        for (uint256 i; i < 3; ++i) {
            _enter(clients, 0xC0 + i);
            _enter(funders, 0xF0 + i);
        }
        validators.push(validator);
        validators.push(address(0x7A11DB));
        accounts.push(validator);
        accounts.push(validators[1]);
        accounts.push(sink);
        accounts.push(stranger);
        advance(1);
        _digest();
    }

    function _enter(address[] storage troupe, uint256 key) private {
        address account = vm.addr(key);
        keys[account] = key;
        fund(account);
        troupe.push(account);
        accounts.push(account);
    }

    // --- steps ---

    modifier acts(uint256 seed) {
        _begin(seed);
        vm.recordLogs();
        _;
        _digest();
    }

    /// @dev A slot of an open request of which `fits` is true, if there is one: all are asked, from a random one on.
    function _find(function(RequestId, uint16) internal view returns (bool) fits)
        internal
        returns (bool found, RequestId id, uint16 index)
    {
        if (open.length == 0) return (false, id, 0);
        (uint256 first, uint256 firstSlot) = (draw(0, open.length - 1), draw(0, 5));
        for (uint256 i; i < open.length; ++i) {
            id = open[(first + i) % open.length];
            uint256 slots = stories[id].slots;
            for (uint256 j; j < slots; ++j) {
                index = uint16((firstSlot + j) % slots);
                if (fits(id, index)) return (true, id, index);
            }
        }
        return (false, id, 0);
    }

    /// @dev The same for requests.
    function _findRequest(function(RequestId) internal view returns (bool) fits)
        internal
        returns (bool found, RequestId id)
    {
        if (open.length == 0) return (false, id);
        uint256 first = draw(0, open.length - 1);
        for (uint256 i; i < open.length; ++i) {
            id = open[(first + i) % open.length];
            if (fits(id)) return (true, id);
        }
        return (false, id);
    }

    function _storyOf(RequestId id, uint16 index) internal view returns (Story storage, Seat storage) {
        return (stories[id], seatOf(id, index));
    }

    // --- calls ---

    function _nothingToDo() internal {
        ++idle;
        advance(1);
    }

    /// @dev A call that the rules allow.
    function _must(Kind kind, address who, address target, bytes memory data) internal returns (bytes memory answer) {
        bool taken;
        vm.prank(who);
        (taken, answer) = target.call(data);
        if (!taken) revert Refused(kind, answer);
        ++done[kind];
        _digest();
    }

    /// @dev A call that they forbid.
    function _mustNot(address who, address target, bytes memory data) internal {
        vm.prank(who);
        (bool taken,) = target.call(data);
        if (taken) revert NotRefused(data);
        _forget();
        ++refused;
    }

    /// @dev A call that may be either: whatever it does must be due, and a refused one does nothing at all.
    function _may(address who, address target, bytes memory data) internal {
        uint256 owed = registry.liabilities();
        vm.prank(who);
        (bool taken,) = target.call(data);
        if (taken) {
            ++chaosDone;
            return _digest();
        }
        _forget();
        ++chaosRefused;
        eq(registry.liabilities(), owed, "liabilities after a refused call");
    }

    /// @dev Forge also records what a refused call would have told.
    function _forget() private {
        vm.getRecordedLogs();
    }

    function _signPermit(address owner, uint256 value, uint256 deadline)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 permit = keccak256(abi.encode(kind, owner, address(registry), value, token.nonces(owner), deadline));
        return vm.sign(keys[owner], keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), permit)));
    }

    function _slotIds(RequestId id, uint16 index) internal pure returns (SlotId[] memory ids) {
        ids = new SlotId[](1);
        ids[0] = id.slotId(index);
    }
}
