package keysearch

// Match looks for known text in all records of the directions that are not found yet. It may be called again when there are more keys.
func (s *Search) Match() {
	for _, p := range passes {
		s.pass(p, func() []candidate { return s.keys })
	}
	for _, p := range passes {
		s.pass(p, func() []candidate { return s.tied })
	}
}

func (s *Search) pass(p pass, keys func() []candidate) {
	for _, d := range s.dirs {
		if d.found == nil && !s.Exhausted() {
			s.match(d, p, keys())
		}
	}
}

// pass is a part of the search for known text. The cheapest comes first, since a key that it ties to a direction is tried no more.
type pass struct {
	records int // of a direction that are looked at
	blocks  int // of a record
	texts   [][blockLen]byte
}

var passes = []pass{
	{records: 8, blocks: 1, texts: texts.first},
	{records: 4, blocks: 24, texts: texts.inside},
	{records: 64, blocks: 1, texts: texts.first},
	{records: 32, blocks: 32, texts: texts.inside},
}

func (s *Search) match(d *direction, p pass, keys []candidate) {
	for i := range min(len(d.Records), p.records) {
		for _, v := range []Version{TLS13, TLS12} {
			text := d.Records[i].ciphertext(v)
			for n := range min(len(text)/blockLen, p.blocks) {
				if s.matchBlock(d, keys, i, v, [blockLen]byte(text[n*blockLen:]), uint32(n), p.texts) || s.Exhausted() {
					return
				}
			}
		}
	}
}

func (s *Search) matchBlock(d *direction, keys []candidate, i int, v Version, ciphertext [blockLen]byte, index uint32, texts [][blockLen]byte) bool {
	for k := range keys {
		c := &keys[k]
		s.tries += uint64(len(texts))
		for t := range texts {
			nonce, ok := c.nonceOf(&ciphertext, &texts[t], index)
			if ok && s.prove(d, c, i, v, nonce) {
				return true
			}
		}
	}
	return false
}

// prove settles a direction if a record proves the key and the nonce of record i.
func (s *Search) prove(d *direction, c *candidate, i int, v Version, nonce [nonceLen]byte) bool {
	var f Found
	var ok bool
	if v == TLS13 {
		f, ok = s.prove13(c, d, i, nonce)
	} else if explicit := d.Records[i].Body; [explicitLen]byte(nonce[saltLen:]) == [explicitLen]byte(explicit) {
		f, ok = s.prove12(c, d, [saltLen]byte(nonce[:]))
	}
	if ok {
		s.settle(d, c, f)
	}
	return ok
}
