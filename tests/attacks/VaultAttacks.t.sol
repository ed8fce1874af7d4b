// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {StakeRegistry} from "../../contracts/StakeRegistry.sol";
import {IStakeRegistry, StakeConfig} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Request, RequestId, RequestState} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";
import {BlocklistToken, HookToken} from "./Tokens.sol";

/// @notice Takes its credit, and tries to take it again while it is being paid.
contract Glutton {
    StakeRegistry internal immutable vault;
    address internal immutable accomplice;

    constructor(StakeRegistry vault_, address accomplice_) {
        (vault, accomplice) = (vault_, accomplice_);
    }

    function eat() external {
        vault.withdraw(address(this));
    }

    function tokensReceived() external {
        vault.withdraw(accomplice);
    }
}

/// @notice The money itself: the vault's doors, and who may block whom.
contract VaultAttacks is AttackTest {
    uint256 internal constant KEY = 0xA11CE;

    // --- blocking others ---

    function test_a_blocked_recipient_blocks_nobody() external {
        BlocklistToken dollars = new BlocklistToken(1e30);
        StakeRegistry vault = _vaultOf(dollars);
        dollars.approve(address(vault), 1e30);
        vault.pull(address(this), 300);
        dollars.block_(hosts[0]);
        // What a settlement does: it credits the blocked host among others, and goes through.
        vault.credit(hosts[0], 100);
        vault.credit(hosts[1], 100);
        vault.credit(client, 100);
        vm.expectRevert(abi.encodeWithSelector(BlocklistToken.Blocked.selector, hosts[0]));
        vm.prank(hosts[0]);
        vault.withdraw(hosts[0]);
        vm.prank(hosts[1]);
        vault.withdraw(hosts[1]);
        vm.prank(client);
        vault.withdraw(client);
        // Nor is its own money lost: it goes wherever it may go.
        vm.prank(hosts[0]);
        vault.withdraw(stranger);
        eq(dollars.balanceOf(stranger) + dollars.balanceOf(client) + dollars.balanceOf(hosts[1]), 300, "all paid");
        eq(vault.liabilities(), 0, "nothing left");
    }

    function test_nobody_withdraws_to_where_tokens_are_lost() external {
        RequestId id = start(exampleRequest());
        nextPeriod();
        prove(id, 0);
        market.claim(id.slotId(0));
        address[3] memory nowhere = [address(0), address(registry), address(token)];
        for (uint256 i; i < nowhere.length; ++i) {
            refused(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BadRecipient.selector, nowhere[i]));
            vm.prank(hosts[0]);
            registry.withdraw(nowhere[i]);
        }
        uint256 credit = registry.creditOf(hosts[0]);
        vm.prank(hosts[0]);
        registry.withdraw(stranger);
        eq(token.balanceOf(stranger), credit, "withdrawn");
    }

    // --- taking more than one's own ---

    function test_nobody_withdraws_twice_from_inside_a_withdrawal() external {
        HookToken hooks = new HookToken(1e30);
        StakeRegistry vault = _vaultOf(hooks);
        hooks.approve(address(vault), 1e30);
        vault.pull(address(this), 300);
        Glutton glutton = new Glutton(vault, stranger);
        vault.credit(address(glutton), 100);
        vault.credit(hosts[1], 200);
        glutton.eat();
        eq(hooks.balanceOf(address(glutton)) + hooks.balanceOf(stranger), 100, "its own, once");
        eq(hooks.balanceOf(address(vault)), vault.liabilities(), "the vault holds what it owes");
    }

    function test_nobody_makes_itself_a_module() external {
        address[4] memory outsiders = [address(0xBAD), client, hosts[0], address(token)];
        for (uint256 i; i < outsiders.length; ++i) {
            isTrue(!registry.isModule(outsiders[i]), "no module");
            bytes memory reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotModule.selector, outsiders[i]);
            bytes[6] memory calls = [
                abi.encodeCall(registry.credit, (outsiders[i], 1)),
                abi.encodeCall(registry.slash, (hosts[0], 1)),
                abi.encodeCall(registry.unlock, (hosts[0], 1)),
                abi.encodeCall(registry.lock, (hosts[0], 1)),
                abi.encodeCall(registry.pull, (hosts[0], 1)),
                abi.encodeCall(registry.pullWithPermit, (hosts[0], 1, 1, 27, 0, 0))
            ];
            for (uint256 j; j < calls.length; ++j) {
                vm.prank(outsiders[i]);
                (bool done, bytes memory answer) = address(registry).call(calls[j]);
                isTrue(!done && keccak256(answer) == keccak256(reason), "refused by its name");
            }
        }
    }

    function test_a_module_spends_no_other_modules_pool() external {
        // This test is a module besides the market.
        RequestId id = post(exampleRequest());
        uint256 pool = registry.poolOf(address(market));
        refused(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_InsufficientPool.selector, 0, 1));
        registry.credit(stranger, 1);
        eq(registry.poolOf(address(market)), pool, "the market's");
        advanceSeconds(1 hours);
        market.closeRequest(id);
    }

    function test_tokens_sent_unasked_are_nobodys() external {
        uint256 owed = registry.liabilities();
        token.transfer(address(registry), 1e18);
        eq(registry.liabilities(), owed, "liabilities");
        refused(IStakeRegistry.StakeRegistry_NothingToWithdraw.selector);
        vm.prank(stranger);
        registry.withdraw(stranger);
        // And they confuse no deposit.
        vm.prank(hosts[0]);
        registry.deposit(5);
        eq(registry.liabilities(), owed + 5, "the deposit alone");
    }

    function test_locked_stake_does_not_leave() external {
        Request memory request = exampleRequest();
        RequestId id = postAndOpen(request);
        reserve(id, 0, hosts[0]);
        uint256 free = HOST_STAKE - collateralOf(request);
        refused(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_InsufficientFreeStake.selector, free, free + 1));
        vm.prank(hosts[0]);
        registry.unstake(free + 1);
        vm.prank(hosts[0]);
        registry.unstake(free);
        refused(IStakeRegistry.StakeRegistry_StillUnbonding.selector);
        vm.prank(hosts[0]);
        registry.collectUnbonded();
        eq(registry.providerOf(hosts[0]).locked, collateralOf(request), "locked");
    }

    // --- permits ---

    function test_a_front_runner_who_spends_a_permit_stops_nothing() external {
        address signer = vm.addr(KEY);
        token.transfer(signer, 1e30);
        Request memory request = exampleRequest();
        request.client = signer;
        uint256 price = rateOf(request) * 3 days;
        (uint8 v, bytes32 r, bytes32 s) = _permit(price, 0);
        // Anybody may send what is in the open.
        vm.prank(stranger);
        token.permit(signer, address(registry), price, WHENEVER, v, r, s);
        vm.prank(signer);
        RequestId id = market.requestStorageWithPermit(request, WHENEVER, v, r, s);
        isTrue(market.requestOf(id).state == RequestState.New, "posted all the same");

        fundStart(id, request);
        uint256 more = rateOf(request) * 3 * 6 hours;
        (v, r, s) = _permit(more, 1);
        vm.prank(stranger);
        token.permit(signer, address(registry), more, WHENEVER, v, r, s);
        vm.prank(signer);
        market.extendRequestWithPermit(id, 6 hours, WHENEVER, v, r, s);
        eq(market.requestOf(id).endsAt, market.requestOf(id).createdAt + 30 hours, "extended all the same");
    }

    // --- what these tests are made of ---

    function fundStart(RequestId id, Request memory request) internal {
        advanceSeconds(request.expiry / 2);
        for (uint16 i; i < 3; ++i) {
            fill(id, i, hosts[i]);
        }
    }

    /// @dev A vault with this test as its module.
    function _vaultOf(IERC20 money) internal returns (StakeRegistry) {
        address[] memory modules = new address[](1);
        modules[0] = address(this);
        return new StakeRegistry(money, StakeConfig(0, 1, 1 days, sink), modules);
    }

    function _permit(uint256 value, uint256 nonce) internal view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 statement =
            keccak256(abi.encode(kind, vm.addr(KEY), address(registry), value, nonce, uint256(WHENEVER)));
        bytes32 domain = IERC20Permit(address(token)).DOMAIN_SEPARATOR();
        return vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", domain, statement)));
    }
}
