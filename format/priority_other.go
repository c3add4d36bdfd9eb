//go:build !linux

package format

// priority does nothing here: reels are recorded on Linux, and assembled elsewhere.
type priority struct{}

func (*priority) lower() {}

func (*priority) raise() {}
