package format

import (
	"errors"
	"fmt"
)

// payloadSource gives the rows of one table of a segment the bytes that they refer to.
type payloadSource struct {
	info    File
	seg     int
	file    ReadFile
	reader  *payloadReader // nil: none is read
	damaged bool           // bytes that rows refer to cannot be read
	ref     int64          // of the last row
}

// attachPayload returns the bytes of a row that refers to ref, which are valid while b is. Where they are damaged, cut says so,
// and the batch has a warning.
func attachPayload[R any](s *payloadSource, b *rowBatch[R], ref int64, cut *Cut) ([]byte, error) {
	if ref < 0 {
		return nil, nil
	}
	if ref <= s.ref {
		return nil, fmt.Errorf("payload_ref %d follows %d", ref, s.ref)
	}
	s.ref = ref
	if s.reader == nil {
		if s.damaged {
			*cut = CutDamaged
		}
		return nil, nil
	}
	data, buf, err := s.reader.find(ref)
	if err != nil {
		*cut = CutDamaged
		if b.warning == nil {
			b.warning = corruptFile(s.info.Name, s.seg, err)
		}
		s.lose(err)
		return nil, nil
	}
	b.retain(buf)
	return data, nil
}

// lose ends the reading of a file that is damaged.
func (s *payloadSource) lose(err error) {
	if errors.As(err, new(*pageError)) {
		s.reader.close()
		s.reader = nil
		s.damaged = true
	}
}

func (s *payloadSource) close() {
	if s.reader != nil {
		s.reader.close()
	}
	if s.file != nil {
		_ = s.file.Close()
	}
}

// tlsSource reads the tls file of a segment, and the payload file beside it.
type tlsSource struct {
	fileSource[tlsRow]
	payload payloadSource
}

func (s *tlsSource) fill(b *rowBatch[tlsRow]) error {
	if err := s.fileSource.fill(b); err != nil {
		return err
	}
	bytes := 0
	for i := range b.rows[:b.n] {
		r := &b.rows[i]
		data, err := attachPayload(&s.payload, b, r.ref, &r.Cut)
		if err == nil && bytes+len(data) > 2*maxBlockBytes {
			err = fmt.Errorf("%d rows have more than %d bytes of payload", b.n, 2*maxBlockBytes)
		}
		if err != nil {
			return s.corrupt(err)
		}
		bytes += len(data)
		r.Payload = data
	}
	return nil
}

func (s *tlsSource) close() {
	s.payload.close()
	s.fileSource.close()
}
