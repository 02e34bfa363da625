// Package ofrep serves flags by the OpenFeature remote evaluation protocol, version
// 0.3: one flag, all flags with an ETag, and a stream of changes, so that every
// provider of OpenFeature that speaks it works without a library of ours.
//
// The protocol has no call for what a client has shown. Exposures are recorded when a
// flag is evaluated here, once per unit and version for a while, or by /ofrep/v1/track
// where the flag says so.
package ofrep
