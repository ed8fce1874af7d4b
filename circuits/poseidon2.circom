pragma circom 2.1.6;

include "./poseidon2_constants.circom";

// Poseidon2 over the BN254 scalar field: t = 3, x^5, 4 + 56 + 4 rounds.

// out = in^5. Three constraints.
template FifthPower() {
    signal input in;
    signal output out;

    signal square <== in * in;
    signal fourth <== square * square;
    out <== fourth * in;
}

// A round that powers the whole state, then multiplies by circ(2, 1, 1).
template FullRound(constants) {
    signal input in[3];
    signal output out[3];

    component power[3];
    for (var i = 0; i < 3; i++) {
        power[i] = FifthPower();
        power[i].in <== in[i] + constants[i];
    }
    var total = power[0].out + power[1].out + power[2].out;
    for (var i = 0; i < 3; i++) out[i] <== power[i].out + total;
}

// A round that powers the first element, then multiplies by [[2, 1, 1], [1, 2, 1], [1, 1, 3]].
template PartialRound(constant) {
    signal input in[3];
    signal output out[3];

    component power = FifthPower();
    power.in <== in[0] + constant;
    var total = power.out + in[1] + in[2];
    out[0] <== total + power.out;
    out[1] <== total + in[1];
    out[2] <== total + 2 * in[2];
}

// The permutation. 240 constraints.
template Permutation() {
    signal input in[3];
    signal output out[3];

    signal state[65][3];
    // Rounds are told their own constants: one that looks them up copies all of them each time a witness is made.
    var external[8][3] = external_constants();
    var internal[56] = internal_constants();
    component full[8];
    component partial[56];
    var total = in[0] + in[1] + in[2];
    for (var i = 0; i < 3; i++) state[0][i] <== in[i] + total;
    for (var round = 0; round < 4; round++) {
        full[round] = FullRound(external[round]);
        full[round].in <== state[round];
        state[round + 1] <== full[round].out;
    }
    for (var round = 0; round < 56; round++) {
        partial[round] = PartialRound(internal[round]);
        partial[round].in <== state[round + 4];
        state[round + 5] <== partial[round].out;
    }
    for (var round = 4; round < 8; round++) {
        full[round] = FullRound(external[round]);
        full[round].in <== state[round + 56];
        state[round + 57] <== full[round].out;
    }
    out <== state[64];
}

// Hash of n field elements: the sponge of rate 2, padded with 1 and, where needed, 0.
//   n       how many elements, at least 1
//   in      any field elements (nothing is range-checked)
template Sponge(n) {
    signal input in[n];
    signal output out;

    var pairs = n \ 2 + 1;
    var iv = 0x10000000000000302; // 2^64 + 256 t + rate
    component permute[pairs];
    for (var pair = 0; pair < pairs; pair++) {
        permute[pair] = Permutation();
        for (var half = 0; half < 2; half++) {
            var index = 2 * pair + half;
            var before = pair == 0 ? 0 : permute[pair - 1].out[half];
            var absorbed = index < n ? in[index] : (index == n ? 1 : 0);
            permute[pair].in[half] <== before + absorbed;
        }
        permute[pair].in[2] <== pair == 0 ? iv : permute[pair - 1].out[2];
    }
    out <== permute[pairs - 1].out[0];
}

// A tree's inner node under a key (bit 0: bottom layer, bit 1: odd node).
template Compression() {
    signal input left;
    signal input right;
    signal input key;
    signal output out;

    component permute = Permutation();
    permute.in <== [left, right, key];
    out <== permute.out[0];
}
