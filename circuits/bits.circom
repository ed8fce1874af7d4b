pragma circom 2.1.6;

// in as n bits, least significant first.
//   n       at most 253, so that the bits name one field element only
// Constrains in < 2^n.
template Bits(n) {
    assert(n <= 253);
    signal input in;
    signal output out[n];

    var total = 0;
    for (var i = 0; i < n; i++) {
        out[i] <-- (in >> i) & 1;
        out[i] * (out[i] - 1) === 0;
        total += out[i] * (1 << i);
    }
    total === in;
}

// The canonical 254 bits of a field element, least significant first.
// A number and the number plus the field's order have the same residue; only the smaller one is below the order. From the top,
// `tight` says that all bits so far equal those of the largest element, order - 1; where that one has a 0, a bit may be 1 only
// if some bit before it was smaller, which also makes the bit boolean.
template CanonicalBits() {
    signal input in;
    signal output out[254];

    var largest = -1; // order - 1
    var total = 0;
    signal tight[255];
    tight[254] <== 1;
    for (var i = 253; i >= 0; i--) {
        out[i] <-- (in >> i) & 1;
        if ((largest >> i) & 1 == 1) {
            out[i] * (out[i] - 1) === 0;
            tight[i] <== tight[i + 1] * out[i];
        } else {
            out[i] * (1 - tight[i + 1] - out[i]) === 0;
            tight[i] <== tight[i + 1];
        }
        total += out[i] * (1 << i);
    }
    total === in;
}

// For a power of two in = 2^d, the mask of the d levels of a tree with as many leaves: mask[i] = 1 for i < d.
//   minimum  d is at least this
//   maximum  d is at most this
template PowerOfTwoMask(minimum, maximum) {
    signal input in;
    signal output mask[maximum + 1];

    for (var i = 0; i <= maximum; i++) {
        if (i < minimum) {
            mask[i] <== 1;
        } else if (i == maximum) {
            mask[i] <== 0;
        } else {
            mask[i] <-- in > (1 << i) ? 1 : 0;
            mask[i] * (1 - mask[i]) === 0;
            if (i > 0) mask[i] * (1 - mask[i - 1]) === 0; // ones, then zeros
        }
    }
    var power = 1;
    for (var i = 0; i < maximum; i++) power += mask[i] * (1 << i);
    power === in;
}

// The canonical 254 bits of a hash, least significant first.
//   top    at most 254; the more, the rarer the element that has no bits here
// As CanonicalBits, but decided by the `top` highest bits: they must be below the order's own, which leaves everything below
// them free. Elements whose highest bits are the order's have none; a hash is one of them once in about 2^top.
template BitsOfHash(top) {
    signal input in;
    signal output out[254];

    var largest = -1; // order - 1
    var total = 0;
    signal tight[top + 1];
    tight[0] <== 1;
    for (var i = 253; i >= 0; i--) {
        var at = 253 - i;
        out[i] <-- (in >> i) & 1;
        if (at >= top) {
            out[i] * (out[i] - 1) === 0;
        } else if ((largest >> i) & 1 == 1) {
            out[i] * (out[i] - 1) === 0;
            tight[at + 1] <== tight[at] * out[i];
        } else {
            out[i] * (1 - tight[at] - out[i]) === 0;
            tight[at + 1] <== tight[at];
        }
        total += out[i] * (1 << i);
    }
    tight[top] === 0;
    total === in;
}
