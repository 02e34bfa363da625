// Package learners fits predictive models to tables: regularised logistic and linear
// regression, histogram gradient-boosted trees, and the trees and nearest neighbours of
// golearn as candidates beside them. It judges them (area under the curve, log-loss,
// lift, calibration, permutation importance), says why a row has its score, and writes
// a fitted model as bytes that load in milliseconds.
//
// A [Table] holds columns as people know them, numbers and categories. A [Schema] is
// learnt from a table and turns tables with the same columns into a [Matrix] of numbers,
// in training and in serving alike; what is missing, or a category that was never seen,
// is NaN there, and every model gives it its neutral value. A [Learner] makes a [Model]
// of a matrix and labels; a [Predictor] is schema, model and calibration together.
//
// The package is pure: it knows no database and no clock.
package learners
