// Package lifetime says what customers without a contract will buy: whether they are
// still there, how many purchases they make in a time to come, and what one is worth.
//
// [BGNBD] is the model of Fader, Hardie and Lee (2005), [ParetoNBD] that of Schmittlein,
// Morrison and Colombo (1987), [GammaGamma] the spend model of Fader and Hardie (2013).
// Each is fitted by maximum likelihood on counts of equal customers ([Group]), in the
// logarithm of its parameters, from several starts; the inverse of the negative Hessian
// there is the covariance of the log-parameters, from which every prediction gets its
// interval ([Fitted]).
//
// Time has any unit, the same in fit and prediction. The package is pure.
package lifetime
