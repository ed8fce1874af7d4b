// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice What became of the periods of a slot's tenure, in one word.
/// Bit i of `proven` and `missed` speaks of period lastPeriod - i.
struct ProofRecord {
    /// The period the slot was filled in: duty begins with the next one.
    uint40 fillPeriod;
    uint40 lastPeriod;
    uint56 proven;
    uint56 missed;
    /// When the last proof was accepted; the fill's proof is the first.
    uint40 provenAt;
    uint8 misses;
    /// Misses of periods that ended before the last accepted proof: those its running pay is cut by.
    uint8 missesBeforeProof;
}

using ProofRecords for ProofRecord global;

/// @dev 56 periods are enough: a miss can be marked during at most 32 periods after its own (Marketplace's constructor).
library ProofRecords {
    uint256 internal constant REMEMBERED = 56;

    /// @notice The record of a tenure that begins now, in `period`.
    function begun(uint256 period) internal view returns (ProofRecord memory record) {
        (record.fillPeriod, record.lastPeriod) = (uint40(period), uint40(period));
        record.provenAt = uint40(block.timestamp);
    }

    function wasProven(ProofRecord memory self, uint256 period) internal pure returns (bool) {
        return _bit(self.proven, self.lastPeriod, period);
    }

    function wasMissed(ProofRecord memory self, uint256 period) internal pure returns (bool) {
        return _bit(self.missed, self.lastPeriod, period);
    }

    /// @notice Note the proof of `period`, the current one: every miss marked so far is of a period that ended before.
    function addProven(ProofRecord memory self, uint256 period) internal view {
        _advance(self, period);
        self.proven |= uint56(1 << (self.lastPeriod - period));
        self.provenAt = uint40(block.timestamp);
        self.missesBeforeProof = self.misses;
    }

    /// @notice Note that `period` was missed. The misses are fewer than 256 (Marketplace's constructor).
    function addMissed(ProofRecord memory self, uint256 period) internal pure {
        if (_provenAfter(self, period)) ++self.missesBeforeProof;
        _advance(self, period);
        self.missed |= uint56(1 << (self.lastPeriod - period));
        ++self.misses;
    }

    /// @dev Whether some period after `period` was proven.
    function _provenAfter(ProofRecord memory self, uint256 period) private pure returns (bool) {
        if (period >= self.lastPeriod) return false;
        uint256 age = self.lastPeriod - period;
        return age >= REMEMBERED ? self.proven != 0 : self.proven << uint56(REMEMBERED - age) != 0;
    }

    function _bit(uint56 bits, uint256 last, uint256 period) private pure returns (bool) {
        if (period > last || last - period >= REMEMBERED) return false;
        return bits >> (last - period) & 1 == 1;
    }

    function _advance(ProofRecord memory self, uint256 period) private pure {
        if (period <= self.lastPeriod) return;
        uint256 shift = period - self.lastPeriod;
        self.proven = shift >= REMEMBERED ? 0 : self.proven << uint56(shift);
        self.missed = shift >= REMEMBERED ? 0 : self.missed << uint56(shift);
        self.lastPeriod = uint40(period);
    }
}
