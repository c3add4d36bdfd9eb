package mask

import "testing"

// Whatever a recorder says, the filter that stands in for its own masks no less.
func TestOf(t *testing.T) {
	for _, tt := range []struct {
		filter, payload string
		want            Options
		fails           bool
	}{
		{"mask/1 snap", "snap", Options{Payload: Snap}, false},
		{"mask/1 heads", "heads", Options{Payload: Heads}, false},
		{"mask/1 none", "", Options{Payload: None}, false},
		{"mask/1 heads", "full", Options{Payload: Heads}, false},
		{"mask/1 full", "none", Options{Payload: None}, false},
		{"keep-secrets full", "full", Options{KeepSecrets: true, Payload: Full}, false},
		{"none", "", Options{KeepSecrets: true, Payload: Full}, false},
		{"none", "snap", Options{KeepSecrets: true, Payload: Snap}, false},
		{"", "", Options{Payload: Heads}, false},
		{"", "snap", Options{Payload: Snap}, false},
		{"", "a newer policy", Options{Payload: Heads}, false},
		{"mask/99 snap", "snap", Options{}, true},
		{"mask/x snap", "snap", Options{}, true},
		{"other rules", "snap", Options{}, true},
	} {
		got, err := Of(tt.filter, tt.payload)
		if (err != nil) != tt.fails || err == nil && got != tt.want {
			t.Errorf("filter %q, payload %q: %+v, %v", tt.filter, tt.payload, got, err)
		}
		if err != nil {
			continue
		}
		// Of its own version it makes itself again.
		if again, err := Of(New(got).Version(), ""); err != nil || again != got {
			t.Errorf("%q gives %+v, %v", New(got).Version(), again, err)
		}
	}
}
