package keysearch

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// sealed makes records of texts under a key, as a peer whose next sequence number is seq.
func sealed(t testing.TB, v Version, key []byte, iv [nonceLen]byte, seq uint64, texts ...string) (all []Record) {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		n := seq + uint64(i)
		r := Record{Header: [5]byte{23, 3, 3}}
		nonce := iv
		if v == TLS13 {
			xorSeq(&nonce, n)
			inner := append([]byte(text), 23)
			binary.BigEndian.PutUint16(r.Header[3:], uint16(len(inner)+tagLen))
			r.Body = aead.Seal(nil, nonce[:], inner, r.Header[:])
		} else {
			binary.BigEndian.PutUint64(nonce[saltLen:], n+1000) // not the sequence number, as in OpenSSL
			extra := binary.BigEndian.AppendUint64(nil, n)
			extra = append(extra, 23, 3, 3)
			extra = binary.BigEndian.AppendUint16(extra, uint16(len(text)))
			r.Body = aead.Seal(nonce[saltLen:], nonce[:], []byte(text), extra)
			binary.BigEndian.PutUint16(r.Header[3:], uint16(len(r.Body)))
		}
		all = append(all, r)
	}
	return all
}

func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// A request without any text that is known is found by trying what lies in memory.
func TestWindows(t *testing.T) {
	for _, v := range []Version{TLS12, TLS13} {
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, uint64(v)))
			keys := [2][]byte{random(rng, 16<<(seed&1)), random(rng, 16<<(seed&1))}
			ivs := [2][nonceLen]byte{[nonceLen]byte(random(rng, nonceLen)), [nonceLen]byte(random(rng, nonceLen))}
			seq := rng.Uint64N(30)
			client := sealed(t, v, keys[0], ivs[0], seq, "PUT /a HTTP/1.1\r\nhost:e\r\n\r\n", "GET /b HTTP/1.1\r\nhost:e\r\n\r\n")
			server := sealed(t, v, keys[1], ivs[1], seq+2, "HTTP/1.1 200 OK\r\nlength:1\r\n\r\n", "x", "HTTP/1.1 404 Not Found\r\n\r\n")
			mem := make([]byte, 64<<10)
			copy(mem[1000:], expand(keys[0]))
			copy(mem[3000:], swapWords(expand(keys[1])))
			for i, at := range []int{40_000, 50_004} {
				copy(mem[at:], ivs[i][:])
				if v == TLS12 {
					binary.BigEndian.PutUint64(mem[at+saltLen:], seq+1000+uint64(rng.IntN(10)))
				}
			}
			s := New(1 << 24)
			index := s.Add(Direction{Records: client, MaxSeq: 10_000}, Direction{Records: server, MaxSeq: 10_000})
			s.Scan(0x7000, mem)
			s.Match()
			if n := s.Unknown(); n != 1 {
				t.Fatalf("%x, seed %d: %d unknown by text", v, seed, n)
			}
			s.Windows(mem)
			if n := s.Unknown(); n > 0 {
				t.Fatalf("%x, seed %d: %d unknown", v, seed, n)
			}
			for d := range 2 {
				f, ok := s.Found(index + d)
				want := ivs[d]
				if v == TLS12 {
					clear(want[saltLen:])
				}
				first := seq + uint64(2*d+f.Record)
				if v == TLS13 {
					if f.SeqMod == 0 || first%f.SeqMod != f.Seq%f.SeqMod {
						t.Fatalf("%x, seed %d, direction %d: %+v, the number is %d", v, seed, d, f, first)
					}
					xorSeq(&f.IV, f.Seq)
					f.Seq = first
					xorSeq(&f.IV, f.Seq)
				}
				if !ok || string(f.Key.Bytes()) != string(keys[d]) || f.IV != want || f.Seq != first || f.Version != v {
					t.Fatalf("%x, seed %d, direction %d: %+v", v, seed, d, f)
				}
			}
		}
	}
}

// Schedules that belong to no connection, and connections whose keys are not there: nothing is found.
func TestDecoys(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var mem []byte
	for i := range 2_000 {
		mem = append(mem, expand(random(rng, 16<<(i&1)))...)
	}
	iv := [nonceLen]byte(random(rng, nonceLen))
	s := New(0)
	lost := s.Add(
		Direction{Records: sealed(t, TLS13, random(rng, 32), iv, 7, "GET / HTTP/1.1\r\nHost: e\r\n\r\n"), MaxSeq: 100},
		Direction{Records: sealed(t, TLS12, random(rng, 32), iv, 7, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), MaxSeq: 100})
	key := random(rng, 32)
	there := s.Add(Direction{Records: sealed(t, TLS13, key, iv, 7, "GET / HTTP/1.1\r\nHost: e\r\n\r\n"), MaxSeq: 100}, Direction{})
	mem = append(mem, expand(key)...)
	s.Scan(0, mem)
	if s.Keys() != 2_001 {
		t.Errorf("%d keys", s.Keys())
	}
	s.Match()
	for i := lost; i < there; i++ {
		if f, ok := s.Found(i); ok {
			t.Errorf("direction %d: %+v", i, f)
		}
	}
	if f, ok := s.Found(there); !ok || string(f.Key.Bytes()) != string(key) {
		t.Errorf("the key among the decoys: %+v, %v", f, ok)
	}
}

// What records hold is the peer's to choose, and what memory holds the target's.
func FuzzSearch(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	key := random(rng, 16)
	iv := [nonceLen]byte(random(rng, nonceLen))
	mem := append(expand(key), iv[:]...)
	for _, v := range []Version{TLS12, TLS13} {
		var stream []byte
		for _, r := range sealed(f, v, key, iv, 3, "GET / HTTP/1.1\r\nHost: e\r\n\r\n", "GET / HTTP/1.1\r\nHost: e\r\n\r\n") {
			stream = append(append(stream, r.Header[:]...), r.Body...)
		}
		f.Add(mem, stream, uint64(100), uint16(0))
	}
	f.Fuzz(func(t *testing.T, mem, stream []byte, most uint64, cut uint16) {
		var d Direction
		d.MaxSeq = most
		for len(stream) >= 5 && len(d.Records) < 100 {
			r := Record{Header: [5]byte(stream)}
			stream = stream[5:]
			n := min(r.length(), len(stream))
			r.Body = stream[:n:n]
			stream = stream[n:]
			if len(d.Records)%2 == 1 {
				r.Body = r.Body[:min(n, int(cut))]
			}
			d.Records = append(d.Records, r)
		}
		s := New(1 << 14)
		i := s.Add(d, d)
		s.Scan(0, mem)
		s.Match()
		s.Windows(mem)
		s.Near(64)
		if found, ok := s.Found(i); ok && found.SeqMod == 0 && found.Seq > most+uint64(len(d.Records)) {
			t.Errorf("%+v is beyond %d", found, most)
		}
	})
}
