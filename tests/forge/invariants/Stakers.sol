// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Provider} from "../../../contracts/interfaces/IStakeRegistry.sol";
import {Cast} from "./Cast.sol";

/// @title Stakers
/// @notice Providers move their stake, and everybody withdraws credits.
abstract contract Stakers is Cast {
    function stakerActs(uint256 seed) external acts(seed) {
        address host = oneOf(hosts);
        Provider memory provider = registry.providerOf(host);
        uint256 kind = draw(0, 5);
        if (kind == 0) _deposit(host);
        else if (kind == 1) _unstake(host, provider);
        else if (kind == 2) _collect(host, provider);
        else _withdraw(oneOf(accounts));
    }

    function _deposit(address host) private {
        if (oneIn(2)) {
            _must(Kind.SetEndpoint, host, address(registry), abi.encodeCall(registry.setEndpoint, ("http://elsewhere")));
        }
        uint256 amount = draw(1, 1e18);
        staked[host] += amount;
        if (oneIn(2)) {
            _must(Kind.Deposit, host, address(registry), abi.encodeCall(registry.deposit, (amount)));
            return;
        }
        // A permit that is none is no obstacle where there is an allowance.
        _must(
            Kind.DepositWithPermit,
            host,
            address(registry),
            abi.encodeCall(registry.depositWithPermit, (amount, now_(), 27, 0, 0))
        );
    }

    function _unstake(address host, Provider memory provider) private {
        uint256 most = provider.free;
        uint256 sum = uint256(provider.free) + provider.locked;
        _mustNot(host, address(registry), abi.encodeCall(registry.unstake, (most + 1)));
        if (provider.locked != 0) {
            if (sum <= MIN_STAKE) return _nothingToDo();
            if (sum - MIN_STAKE < most) most = sum - MIN_STAKE;
        }
        if (most == 0) return _nothingToDo();
        // All but the richest come down to little, so that some slashes leave less than the minimum.
        uint256 amount = oneIn(4) ? most : draw(1, most / 4 + 1);
        _must(Kind.Unstake, host, address(registry), abi.encodeCall(registry.unstake, (amount > most ? most : amount)));
    }

    function _collect(address host, Provider memory provider) private {
        bytes memory data = abi.encodeCall(registry.collectUnbonded, ());
        if (provider.unbonding != 0 && now_() < provider.releaseAt && oneIn(8)) {
            advanceSeconds(provider.releaseAt - now_());
        }
        if (provider.unbonding == 0 || now_() < provider.releaseAt) return _mustNot(host, address(registry), data);
        staked[host] -= provider.unbonding;
        credited[host] += provider.unbonding;
        _must(Kind.Collect, host, address(registry), data);
    }

    function _withdraw(address account) internal {
        uint256 due = credited[account];
        uint256 before = token.balanceOf(account);
        bytes memory data = abi.encodeCall(registry.withdraw, (account));
        if (due == 0) return _mustNot(account, address(registry), data);
        credited[account] = 0;
        _must(Kind.Withdraw, account, address(registry), data);
        eq(token.balanceOf(account) - before, due, "withdrawn");
        _mustNot(account, address(registry), data);
    }
}
