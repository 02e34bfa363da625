// Package sendtime finds the hour of the week at which a person answers messages.
//
// A message sent at a local hour is opened (or clicked) or not. [Fit] learns the rate of
// every hour of the week ([Slots]) for all, for each group and for each person, every level
// shrunk towards the one above by as many pseudo-observations as the likelihood asks for
// (hierarchical Beta-Binomial); a low-rank model of persons and hours is the alternative,
// and the held-out likelihood decides between them. What machines open is left out before.
//
// [Model.Choose] makes a distribution over the allowed slots, with a floor for
// exploration, from which a decision draws, so that the probability of each slot is
// exact. [Evaluate] judges a way of choosing from messages that were sent at logged
// probabilities, against sending now and at a fixed hour.
package sendtime
