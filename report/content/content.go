// Package content turns the bytes of a message's body into text that people read: content codings undone, characters decoded.
//
// Bodies are hostile: what a coding expands to is bounded, and a body that is cut, as recorded ones are, gives what there is of it.
package content

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// Content is a body, decoded as far as that is possible.
type Content struct {
	Text  string // "" if it is not text
	Bytes []byte // content codings undone, at most the limit; of the body as it came if they cannot be
	// Cut: there is more of it than is here: the body was longer than what is in the reel, or what it expands to than the limit.
	Cut     bool
	Type    string   // media type, lower case; "" none was sent
	Charset string   // by which Text was decoded; "" none
	Codings []string // that were undone, in the order in which they were applied
	Problem string   // why a coding or the characters could not be undone; "" they could
}

// DefaultLimit is how many bytes a body may expand to.
const DefaultLimit = 1 << 20

// maxCodings bounds the content codings of one body: nobody uses more than two.
const maxCodings = 8

// Decode decodes the body of m, framing of which is removed already. limit bounds the bytes it may expand to; 0: DefaultLimit.
func Decode(m *facts.Message, limit int) Content {
	if limit <= 0 {
		limit = DefaultLimit
	}
	c := Content{Bytes: m.Body, Cut: uint64(len(m.Body)) < m.BodyBytes}
	contentType := header(m, "Content-Type")
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil && media == "" {
		media, _, _ = strings.Cut(contentType, ";")
	}
	c.Type = strings.ToLower(strings.TrimSpace(media))
	if len(m.Body) == 0 {
		return c
	}
	c.undo(strings.Split(header(m, "Content-Encoding"), ","), limit)
	if c.Problem == "" && len(c.Bytes) > limit {
		c.Bytes, c.Cut = c.Bytes[:limit], true
	}
	c.characters(params["charset"])
	return c
}

func header(m *facts.Message, name string) string {
	var values []string
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return strings.Join(values, ", ")
}

// undo undoes codings, the last one applied first (RFC 9110 §8.4).
func (c *Content) undo(codings []string, limit int) {
	var names []string
	for _, name := range codings {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
			names = append(names, name)
		}
	}
	if len(names) > maxCodings {
		c.Problem = fmt.Sprintf("%d content codings", len(names))
		return
	}
	data, cut := c.Bytes, c.Cut
	for i := len(names) - 1; i >= 0; i-- {
		out, more, err := expand(names[i], data, limit)
		if err != nil && !(cut && len(out) > 0 || truncated(err) && len(out) > 0) {
			c.Problem = names[i] + ": " + err.Error()
			return
		}
		data, cut = out, cut || more || err != nil
	}
	c.Bytes, c.Cut, c.Codings = data, cut, names
}

// expand undoes one coding. It gives what it got before an error, too; more: there is more than limit.
func expand(name string, data []byte, limit int) (out []byte, more bool, err error) {
	r, err := reader(name, data)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	var buf bytes.Buffer
	_, err = io.Copy(&buf, io.LimitReader(r, int64(limit)+1))
	out = buf.Bytes()
	if len(out) > limit {
		return out[:limit], true, nil
	}
	return out, false, err
}

func reader(name string, data []byte) (io.ReadCloser, error) {
	in := bytes.NewReader(data)
	switch name {
	case "gzip", "x-gzip":
		return gzip.NewReader(in)
	case "deflate": // zlib by RFC 9110 §8.4.1.2; some send the bare stream
		if z, err := zlib.NewReader(in); err == nil {
			return z, nil
		}
		return flate.NewReader(bytes.NewReader(data)), nil
	case "br":
		return io.NopCloser(brotli.NewReader(in)), nil
	case "zstd":
		// A window above 8 MiB is not to be used here (RFC 9659 §3).
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, errors.New("no content coding that is known here")
}

func truncated(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// characters decodes text: by the charset that was sent, else a byte order mark, else UTF-8, else what browsers take.
func (c *Content) characters(sent string) {
	b := c.Bytes
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		sent, b = "utf-8", b[3:]
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		sent = "utf-16"
		if b[0] == 0xfe {
			sent = "utf-16be"
		}
		b = b[2:]
	}
	if sent == "" {
		whole := b
		if c.Cut {
			whole = wholeRunes(b)
		}
		switch {
		case utf8.Valid(whole) && !binary(whole):
			c.Text, c.Charset = string(whole), "utf-8"
			return
		case !textual(c.Type) || binary(b):
			return
		}
		sent = "windows-1252"
	}
	encoding, err := htmlindex.Get(sent)
	if err != nil {
		c.Problem = strings.TrimPrefix(c.Problem+"; ", "; ") + fmt.Sprintf("charset %.40q is not known", sent)
		if whole := wholeRunes(b); utf8.Valid(whole) && !binary(whole) {
			c.Text = string(whole)
		}
		return
	}
	text, err := encoding.NewDecoder().Bytes(b)
	if err != nil || binary(text) {
		return
	}
	if name, err := htmlindex.Name(encoding); err == nil {
		sent = name
	}
	c.Text, c.Charset = strings.ToValidUTF8(string(text), "\uFFFD"), sent
}

// wholeRunes cuts off a last character of which only the beginning is there.
func wholeRunes(b []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return b[:len(b)-n]
			}
			break
		}
	}
	return b
}

// binary reports whether b has control characters that no text has.
func binary(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b && c != '\b' {
			return true
		}
	}
	return false
}

// textual reports whether a media type is one of text.
func textual(media string) bool {
	if strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml") {
		return true
	}
	switch media {
	case "", "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded", "application/graphql",
		"application/yaml", "application/x-yaml", "application/x-ndjson", "application/problem+json", "application/sql":
		return true
	}
	return false
}
