package profiles

import "quintet/profiles/segments"

// consentsOf are the consents of a view as rules see them.
func consentsOf(*View) []segments.Consent { return nil }
