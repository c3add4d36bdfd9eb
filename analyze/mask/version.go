package mask

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/format"
)

// Strictest are the options that leave the least of what an unknown recorder may have kept: masked heads.
var Strictest = Options{Payload: Heads}

// Of returns the options of the filter that a recorder says it had: its Version, and the payload policy of its command line. A
// filter with them masks no less than the recorder's. What neither says is taken as Strictest does. An error means rules that
// are newer than this package's, which may mask more.
func Of(filter, payload string) (Options, error) {
	opts := Strictest
	if p, err := ParsePolicy(payload); err == nil {
		opts.Payload = p
	}
	if filter == (format.NoFilter{}).Version() {
		opts.KeepSecrets = true
		if payload == "" {
			opts.Payload = Full
		}
		return opts, nil
	}
	rules, policy, _ := strings.Cut(filter, " ")
	if p, err := ParsePolicy(policy); err == nil && (payload == "" || p < opts.Payload) {
		opts.Payload = p // the stricter of two that differ
	}
	switch number, ok := strings.CutPrefix(rules, "mask/"); {
	case rules == "keep-secrets":
		opts.KeepSecrets = true
	case ok:
		if v, err := strconv.Atoi(number); err != nil || v > version {
			return opts, fmt.Errorf("the reel was recorded with masking rules %q, this reel knows those up to mask/%d: use the reel that recorded it, or a newer one", filter, version)
		}
	case filter != "":
		return opts, fmt.Errorf("the reel was recorded with masking rules %q that this reel does not know: use the reel that recorded it", filter)
	}
	return opts, nil
}
