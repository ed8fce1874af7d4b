pragma circom 2.1.6;

include "./poseidon2.circom";

// The crown of a tree: its highest levels, where the paths of several leaves meet. Each of its nodes is hashed once, however many
// paths go through it.
//   levels   of the crown, at least 1
//   paths    how many paths come up from below
//   key      of the compressions of each height, height 0 being the root's
//   turn     of each path and height: 0 where it comes from a left child, else 1 (boolean)
//   node     of each path: the node at the crown's foot
//   sibling  of each path and height; read while the witness is made, never constrained
// Constrains each node to be where its path's turns say, under the root: some siblings compress to it. Where no path goes, what
// the children of a node are is left open.
//
// Nodes are numbered from the root, 1; the children of h are 2h and 2h + 1.
template Crown(levels, paths) {
    signal input key[levels];
    signal input turn[paths][levels];
    signal input node[paths];
    signal input sibling[paths][levels];
    signal output root;

    var foot = 1 << levels;
    signal value[2 * foot];
    signal known[foot];        // where 1, the node's children are the true ones, and so are those of all nodes above it
    component parent[foot];
    for (var height = levels - 1; height >= 0; height--) {
        for (var h = 1 << height; h < 2 << height; h++) {
            // What the children are: what comes up from below, or what a path says its node's sibling is.
            var left = 0;
            var right = 0;
            var leftMet = 0;
            var rightMet = 0;
            for (var path = 0; path < paths; path++) {
                var at = 1;
                for (var i = 0; i < height; i++) at = 2 * at + turn[path][i];
                if (at == h && turn[path][height] == 0) {
                    left = height + 1 == levels ? node[path] : parent[2 * h].out;
                    leftMet = 1;
                    if (rightMet == 0) right = sibling[path][height];
                }
                if (at == h && turn[path][height] == 1) {
                    right = height + 1 == levels ? node[path] : parent[2 * h + 1].out;
                    rightMet = 1;
                    if (leftMet == 0) left = sibling[path][height];
                }
            }
            value[2 * h] <-- left;
            value[2 * h + 1] <-- right;
            if (h == 1) {
                known[h] <== 1;
            } else {
                known[h] <-- leftMet + rightMet > 0 ? 1 : 0;
            }
            if (height + 1 < levels) {
                for (var child = 2 * h; child < 2 * h + 2; child++) {
                    known[child] * (parent[child].out - value[child]) === 0;
                    known[child] * (1 - known[h]) === 0;
                }
            }
            parent[h] = Compression();
            parent[h].left <== value[2 * h];
            parent[h].right <== value[2 * h + 1];
            parent[h].key <== key[height];
        }
    }
    root <== parent[1].out;

    signal chosen[paths][foot];
    signal chosenKnown[paths][foot];
    for (var path = 0; path < paths; path++) {
        for (var height = levels - 1; height >= 0; height--) {
            for (var h = 1 << height; h < 2 << height; h++) {
                var left = height + 1 == levels ? value[2 * h] : chosen[path][2 * h];
                var right = height + 1 == levels ? value[2 * h + 1] : chosen[path][2 * h + 1];
                chosen[path][h] <== left + turn[path][height] * (right - left);
            }
        }
        chosen[path][1] === node[path];
        for (var height = levels - 2; height >= 0; height--) {
            for (var h = 1 << height; h < 2 << height; h++) {
                var left = height + 2 == levels ? known[2 * h] : chosenKnown[path][2 * h];
                var right = height + 2 == levels ? known[2 * h + 1] : chosenKnown[path][2 * h + 1];
                chosenKnown[path][h] <== left + turn[path][height] * (right - left);
            }
        }
        if (levels > 1) chosenKnown[path][1] === 1;
    }
}
