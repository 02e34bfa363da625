// Package bandits is the mathematics of choosing one action for one person and
// of learning from what happened next. It imports no database and keeps no
// state of its own.
//
// The story of one decision:
//
//  1. An [Encoder], declared as data, turns what is known about the person, the
//     context and the action into a sparse [Vector].
//  2. A [Model], one Bayesian linear model per action, scores the vector: the
//     mean and the standard deviation of the expected reward.
//  3. A [Policy] turns the scores of all eligible actions into a distribution.
//     For Gaussian Thompson sampling that is the probability of each action to
//     have the largest draw, computed by quadrature ([Quadrature]) instead of
//     being estimated by counting random draws.
//  4. An exploration floor is mixed in ([Floor]), and one uniform number made of
//     the decision's id ([Uniform]) draws from the result ([Draw]). The draw is
//     from the computed distribution itself, so what is logged is the exact
//     propensity, even where the quadrature approximates the ideal integral.
//
// And of learning: decisions and rewards are summed per action and day into a
// [Tile]; a [Builder] re-weights tiles (forgetting, maturity) and solves for the
// posterior. Tiles add, so their order and grouping do not matter, and a late
// reward is one more addition.
//
// # Replay
//
// Scores, quadrature, floor and draw give the same bits on every architecture:
// they use only additions, multiplications, divisions and square roots, each
// product is rounded by an explicit float64 conversion (the language allows a
// compiler to fuse x*y+z otherwise, as it does on arm64), and the table of the
// normal distribution is computed here instead of by math.Erfc and math.Log,
// whose parts are written in assembly on some machines. Sums whose order the
// caller may change are made in fixed point. The encoder (math.Sin) and the
// builder (BLAS kernels) promise the same bits on one architecture only; the
// vector is stored with the decision and the posterior as a snapshot, so that a
// replay needs neither.
package bandits
