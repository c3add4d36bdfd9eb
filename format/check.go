package format

// CheckState grades one thing that a recorder looks at before it records.
type CheckState string

// The grades.
const (
	CheckOK      CheckState = "ok"
	CheckLimited CheckState = "limited" // a capture lacks what Check.Lost says
	CheckBlocked CheckState = "blocked" // no capture is possible
)

// Check is one finding of reel doctor about the node: what a capture there can see, and what it cannot.
type Check struct {
	Name   string     `json:"name"`             // "kernel", "CAP_SYS_PTRACE", "hook tp_btf/sys_exit"
	State  CheckState `json:"state"`            // another one, from a newer recorder, is to be read as limited
	Found  string     `json:"found"`            // what there is: "6.1.0-50-cloud-amd64"
	Lost   string     `json:"lost,omitempty"`   // what is not captured, or could not be; "" nothing
	Remedy string     `json:"remedy,omitempty"` // what to do about it
}
