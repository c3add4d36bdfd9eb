// Package keyring turns the secrets that a recorder saw in processes into those that a connection may have: by its client random or
// its transcript where the library said them, else by process and time. What only may belong is for the caller to prove.
package keyring

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/ebpf-reel/reel/analyze/keylog"
	"github.com/ebpf-reel/reel/format"
)

// Key is one secret.
type Key struct {
	Time    format.KTime
	PID     format.PID
	TID     format.TID
	Label   format.TLSLabel
	Context []byte // as format.TLSKey.Context
	Secret  []byte
	Used    bool // it was proved to belong to a connection
}

// Ring is the secrets of a reel.
type Ring struct {
	byRandom  map[keylog.Random]*keylog.Secrets
	byContext map[string][]*Key
	blocks    map[keylog.Random][]*Key // key blocks that may be those of a connection: the recorder has derived them
	processes map[format.PID][]*Key    // without random; in order of time once they are sorted
	sorted    bool
	keys      int
	left      uint64
}

// maxKeys bounds the memory: some 200 bytes each.
const maxKeys = 1 << 20

// New returns an empty ring.
func New() *Ring {
	return &Ring{byRandom: map[keylog.Random]*keylog.Secrets{}, byContext: map[string][]*Key{}, blocks: map[keylog.Random][]*Key{}, processes: map[format.PID][]*Key{}}
}

// logLabels are the labels whose secrets a connection is looked up for by its random.
var logLabels = map[format.TLSLabel]keylog.Label{
	format.TLSClientEarly: keylog.ClientEarly, format.TLSClientHandshake: keylog.ClientHandshake, format.TLSServerHandshake: keylog.ServerHandshake,
	format.TLSClientTraffic: keylog.ClientTraffic, format.TLSServerTraffic: keylog.ServerTraffic, format.TLSKeyBlock: keylog.KeyBlock,
}

// Add takes a row. It keeps none of its bytes.
func (r *Ring) Add(row *format.TLSKey) {
	if len(row.Secret) == 0 {
		return
	}
	if r.keys == maxKeys {
		r.left++
		return
	}
	r.keys++
	if row.Label == format.TLSKeyBlock && row.Source == format.TLSSourceKeyLog && len(row.Random) == len(keylog.Random{}) {
		random := keylog.Random(row.Random)
		r.blocks[random] = append(r.blocks[random], &Key{Time: row.Time, PID: row.PID, TID: row.TID, Label: row.Label, Secret: bytes.Clone(row.Secret)})
		return
	}
	if label, ok := logLabels[row.Label]; ok && len(row.Random) == len(keylog.Random{}) {
		r.Resolve(keylog.Random(row.Random), label, bytes.Clone(row.Secret))
		return
	}
	k := &Key{Time: row.Time, PID: row.PID, TID: row.TID, Label: row.Label, Context: bytes.Clone(row.Context), Secret: bytes.Clone(row.Secret)}
	r.processes[k.PID] = append(r.processes[k.PID], k)
	r.sorted = false
	if len(k.Context) > 0 {
		r.byContext[string(k.Context)] = append(r.byContext[string(k.Context)], k)
	}
}

// Resolve says which connection a secret belongs to.
func (r *Ring) Resolve(random keylog.Random, label keylog.Label, secret []byte) {
	s := r.byRandom[random]
	if s == nil {
		s = new(keylog.Secrets)
		r.byRandom[random] = s
	}
	s[label] = secret
}

// Left returns how many secrets found no room.
func (r *Ring) Left() uint64 { return r.left }

// Empty reports whether there is no secret that is not found by its random. A nil Ring has none.
func (r *Ring) Empty() bool { return r == nil || len(r.processes)+len(r.blocks) == 0 }

// Find returns the secrets of the connection whose ClientHello has the random; nil if there are none. A nil Ring has none.
func (r *Ring) Find(random *keylog.Random) *keylog.Secrets {
	if r == nil {
		return nil
	}
	return r.byRandom[*random]
}

// Resolved returns the connections whose secrets are known, in the order of their randoms. A nil Ring has none.
func (r *Ring) Resolved() []keylog.Connection {
	if r == nil {
		return nil
	}
	all := make([]keylog.Connection, 0, len(r.byRandom))
	for random, secrets := range r.byRandom {
		all = append(all, keylog.Connection{Random: random, Secrets: secrets})
	}
	slices.SortFunc(all, func(a, b keylog.Connection) int { return bytes.Compare(a.Random[:], b.Random[:]) })
	return all
}

// Blocks returns the key blocks that the connection whose ClientHello has the random may have.
func (r *Ring) Blocks(random *keylog.Random) []*Key { return r.blocks[*random] }

// ByContext returns a secret of one of the labels that was derived with the transcript hash; nil if there is none.
func (r *Ring) ByContext(context []byte, label format.TLSLabel) *Key {
	for _, k := range r.byContext[string(context)] {
		if k.Label == label {
			return k
		}
	}
	return nil
}

// Bounds of what lies near.
const (
	nearTime = 30 * time.Second
	nearKeys = 4096
)

// Near yields the unused secrets of a process with one of the labels, those closest in time first.
func (r *Ring) Near(pid format.PID, at format.KTime, labels ...format.TLSLabel) iter.Seq[*Key] {
	return func(yield func(*Key) bool) {
		r.sort()
		keys := r.processes[pid]
		after, _ := slices.BinarySearchFunc(keys, at, func(k *Key, t format.KTime) int { return cmp.Compare(k.Time, t) })
		before := after - 1
		for range nearKeys {
			var k *Key
			switch toAfter, toBefore := distance(keys, after, at), distance(keys, before, at); {
			case min(toAfter, toBefore) > nearTime:
				return
			case toAfter <= toBefore:
				k, after = keys[after], after+1
			default:
				k, before = keys[before], before-1
			}
			if !k.Used && slices.Contains(labels, k.Label) && !yield(k) {
				return
			}
		}
	}
}

// distance is how far in time keys[i] is; more than nearTime if there is none.
func distance(keys []*Key, i int, at format.KTime) time.Duration {
	if i < 0 || i >= len(keys) {
		return nearTime + 1
	}
	return keys[i].Time.Sub(at).Abs()
}

func (r *Ring) sort() {
	if r.sorted {
		return
	}
	for _, keys := range r.processes {
		slices.SortStableFunc(keys, func(a, b *Key) int { return cmp.Compare(a.Time, b.Time) })
	}
	r.sorted = true
}
