// Package predict keeps predictive models of people: it builds training sets from the log
// as of a moment, trains, judges and registers versions, and scores everybody with the
// champion.
//
// A [Spec] says what is predicted. [Service.Train] makes a version of it: features come
// from before a moment, labels from after it, and the model is tested on a later moment
// than it was trained on. The version is a challenger until it is promoted, by a person
// or by itself where the spec asks for it and the held-out figures are better
// ([Service.Promote], [Service.RollBack]). [Service.Score] writes what the champion says
// of everybody into the table person_scores, from which computed attributes take it
// ([Service.Attributes]); decisions and segments read it there, in memory.
//
// The mathematics is in internal/learners, models/lifetime, models/uplift and
// models/sendtime.
package predict
