// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice What became of a slot's last 64 periods, in one word.
/// Bit i of `proven` and `missed` speaks of period lastPeriod - i.
struct ProofHistory {
    uint64 lastPeriod;
    uint64 proven;
    uint64 missed;
    uint64 provenAt;
}

using ProofHistories for ProofHistory global;

/// @dev 64 periods are enough: a miss can be marked during at most 32 periods after its own (Marketplace's constructor).
library ProofHistories {
    function wasProven(ProofHistory memory self, uint64 period) internal pure returns (bool) {
        return _bit(self.proven, self.lastPeriod, period);
    }

    function wasMissed(ProofHistory memory self, uint64 period) internal pure returns (bool) {
        return _bit(self.missed, self.lastPeriod, period);
    }

    /// @notice Whether some period after `period` was proven.
    function provenAfter(ProofHistory memory self, uint64 period) internal pure returns (bool) {
        if (period >= self.lastPeriod) return false;
        uint64 age = self.lastPeriod - period;
        return age >= 64 ? self.proven != 0 : self.proven << (64 - age) != 0;
    }

    function addProven(ProofHistory memory self, uint64 period) internal pure {
        _advance(self, period);
        self.proven |= uint64(1) << (self.lastPeriod - period);
    }

    function addMissed(ProofHistory memory self, uint64 period) internal pure {
        _advance(self, period);
        self.missed |= uint64(1) << (self.lastPeriod - period);
    }

    function _bit(uint64 bits, uint64 last, uint64 period) private pure returns (bool) {
        if (period > last || last - period >= 64) return false;
        return bits >> (last - period) & 1 == 1;
    }

    function _advance(ProofHistory memory self, uint64 period) private pure {
        if (period <= self.lastPeriod) return;
        uint64 shift = period - self.lastPeriod;
        self.proven = shift >= 64 ? 0 : self.proven << shift;
        self.missed = shift >= 64 ? 0 : self.missed << shift;
        self.lastPeriod = period;
    }
}
