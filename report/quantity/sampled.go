package quantity

import "time"

// Sampled says of how much of a whole a number was measured: "sampled 2.00 s of 60.0 s"; "" when that is all of it, but for a
// twentieth.
func Sampled(measured, whole time.Duration) string {
	if measured >= whole-whole/20 {
		return ""
	}
	return "sampled " + Duration(measured) + " of " + Duration(whole)
}
