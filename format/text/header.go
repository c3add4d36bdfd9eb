package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ebpf-reel/reel/format"
)

// infoColumns are what the header says about a reel: its manifest, but for the segments, which are no content. The
// canonical form has one info line for each.
var infoColumns = []column{
	quoted("uuid", func(m *format.Manifest) *string { return &m.UUID }),
	uncleanColumn(),
	quoted("unsealed", func(m *format.Manifest) *string { return &m.Unsealed }),
	quoted("tool", func(m *format.Manifest) *string { return &m.Capture.Tool }),
	quoted("host", func(m *format.Manifest) *string { return &m.Capture.Host }),
	quoted("kernel", func(m *format.Manifest) *string { return &m.Capture.Kernel }),
	quoted("arch", func(m *format.Manifest) *string { return &m.Capture.Arch }),
	quoted("boot_id", func(m *format.Manifest) *string { return &m.Capture.BootID }),
	integer("cpus", func(m *format.Manifest) *int { return &m.Capture.CPUs }),
	list("command", func(m *format.Manifest) *[]string { return &m.Capture.Command }),
	list("targets", func(m *format.Manifest) *[]string { return &m.Capture.Targets }),
	list("on", func(m *format.Manifest) *[]string { return &m.Capture.On }),
	snaplenColumn(),
	portsColumn(),
	quoted("payload", func(m *format.Manifest) *string { return &m.Capture.Payload }),
	quoted("filter", func(m *format.Manifest) *string { return &m.Capture.Filter }),
	mark("keep_keys", func(m *format.Manifest) *bool { return &m.Capture.KeepKeys }),
	member("recovered", func(m *format.Manifest) **format.Recovered { return &m.Recovered }),
	member("flight", func(m *format.Manifest) **format.Flight { return &m.Flight }),
	member("snap", func(m *format.Manifest) **format.Snap { return &m.Snap }),
	wall("start", func(m *format.Manifest) *format.WallTime { return &m.Capture.StartWall }),
	checksColumn(),
}

// member is a member of the manifest that few reels have: its JSON.
func member[T any](key string, at func(*format.Manifest) **T) column {
	return column{
		key: key, form: "JSON",
		omit: func(row any) bool { return *at(row.(*format.Manifest)) == nil },
		write: func(dst []byte, row any) []byte {
			data, _ := json.Marshal(*at(row.(*format.Manifest))) // numbers, strings and lists: it does not fail
			return strconv.AppendQuote(appendKey(dst, key), string(data))
		},
		set: func(row any, v *token) error {
			if v.kind == tokenList {
				return fmt.Errorf("%s takes one string", key)
			}
			value := new(T)
			if err := json.Unmarshal(v.text, value); err != nil {
				return fmt.Errorf("%s takes JSON as it stands in a manifest: %w", key, err)
			}
			*at(row.(*format.Manifest)) = value
			return nil
		},
	}
}

// problemColumns are what a reader found wrong with a reel. Texts of scenarios give them; dump does not write them, since
// they are about files, and a reel that is made of the text has other files.
var problemColumns = []column{
	required(quoted("kind", func(p *format.Problem) *string { return (*string)(&p.Kind) })),
	quoted("file", func(p *format.Problem) *string { return &p.File }),
	integer("segment", func(p *format.Problem) *int { return &p.Segment }),
	withDefault(integer("offset", problemOffset), problemOffset, "-1, none", func(*format.Problem) int64 { return -1 }),
	integer("bytes", func(p *format.Problem) *int64 { return &p.Bytes }),
	integer("rows", func(p *format.Problem) *int64 { return &p.Rows }),
	mark("loss", func(p *format.Problem) *bool { return &p.Loss }),
	quoted("message", func(p *format.Problem) *string { return &p.Message }),
}

func problemOffset(p *format.Problem) *int64 { return &p.Offset }

// uncleanColumn says that the recorder did not end the reel. A text that says nothing is of a clean one.
func uncleanColumn() column {
	c := mark("unclean", func(m *format.Manifest) *bool { return nil })
	c.omit = func(row any) bool { return row.(*format.Manifest).Clean }
	c.set = func(row any, _ *token) error {
		row.(*format.Manifest).Clean = false
		return nil
	}
	c.fill = func(row any) error {
		row.(*format.Manifest).Clean = true
		return nil
	}
	c.deflt = "clean"
	return c
}

func snaplenColumn() column {
	put := func(dst []byte, n uint32) []byte {
		if n == format.FullSnaplen {
			return append(dst, "full"...)
		}
		return strconv.AppendUint(dst, uint64(n), 10)
	}
	return field("snaplen", "number or full", func(m *format.Manifest) *uint32 { return &m.Capture.Snaplen }, put,
		func(s []byte) (uint32, error) {
			if string(s) == "full" {
				return format.FullSnaplen, nil
			}
			return parseUnsigned[uint32](s)
		})
}

// checkFields is how many strings of the list are one format.Check.
const checkFields = 5

func checksColumn() column {
	return column{
		key: "checks", form: "list: name, state, found, lost, remedy of each",
		omit: func(row any) bool { return len(row.(*format.Manifest).Capture.Checks) == 0 },
		write: func(dst []byte, row any) []byte {
			var flat []string
			for _, c := range row.(*format.Manifest).Capture.Checks {
				flat = append(flat, c.Name, string(c.State), c.Found, c.Lost, c.Remedy)
			}
			return appendList(appendKey(dst, "checks"), flat)
		},
		set: func(row any, v *token) error {
			if v.kind != tokenList || len(v.list)%checkFields != 0 {
				return fmt.Errorf("checks takes a list of strings, %d for each", checkFields)
			}
			m := row.(*format.Manifest)
			for c := range slices.Chunk(v.list, checkFields) {
				m.Capture.Checks = append(m.Capture.Checks, format.Check{Name: c[0], State: format.CheckState(c[1]), Found: c[2], Lost: c[3], Remedy: c[4]})
			}
			return nil
		},
	}
}

func portsColumn() column {
	return column{
		key: "ports", form: "numbers with commas between",
		omit: func(row any) bool { return len(row.(*format.Manifest).Capture.Ports) == 0 },
		write: func(dst []byte, row any) []byte {
			dst = appendKey(dst, "ports")
			for i, port := range row.(*format.Manifest).Capture.Ports {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = strconv.AppendUint(dst, uint64(port), 10)
			}
			return dst
		},
		set: func(row any, v *token) error {
			m := row.(*format.Manifest)
			for s := range strings.SplitSeq(string(v.text), ",") {
				port, err := strconv.ParseUint(s, 10, 16)
				if err != nil {
					return fmt.Errorf("%.40q is not a port", s)
				}
				m.Capture.Ports = append(m.Capture.Ports, uint16(port))
			}
			m.Capture.Ports = slices.Clip(m.Capture.Ports)
			return nil
		},
	}
}
