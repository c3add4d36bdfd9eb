package visible

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"/api/products?page=7":    "/api/products?page=7",
		"Grüße, 世界 🎬":             "Grüße, 世界 🎬",
		"a\x00b\x1b[31m\x7f":      "a⟨NUL⟩b⟨ESC⟩[31m⟨DEL⟩",
		"one\r\ntwo\tthree":       "one⟨CR⟩⟨LF⟩two⟨TAB⟩three",
		"rtl-\u202egnp.exe":       "rtl-⟨U+202E⟩gnp.exe",
		"zero\u200bwidth\ufeff":   "zero⟨U+200B⟩width⟨U+FEFF⟩",
		"no\u00a0break\u2028line": "no⟨U+00A0⟩break⟨U+2028⟩line",
		"\u0085\u009b":            "⟨U+0085⟩⟨U+009B⟩",
		"\xff\xc3(":               "⟨xFF⟩⟨xC3⟩(",
		"\ufffd":                  "⟨U+FFFD⟩",
		"tag\U000e0041\ue000":     "tag⟨U+E0041⟩⟨U+E000⟩",
		"\u3164hangul filler":     "⟨U+3164⟩hangul filler",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for name, seed := range map[string]string{
		"plain": "GET /", "controls": "\x00\x1b[2J\x7f", "bidi": "\u202e\u2066x\u2069", "broken utf-8": "\xff\xfe\xc3", "cut rune": "ü"[:1],
		"surrogate": "\xed\xa0\x80", "replacement": "\ufffd", "markup": "<script>alert(1)</script>",
	} {
		_ = name
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Text(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Bidi_Control) {
				t.Fatalf("Text(%q) = %q holds %U", s, got, r)
			}
		}
		if again := Text(got); again != got {
			t.Fatalf("Text is not stable: %q, then %q", got, again)
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"short", 10, "short"}, {"exactly ten", 11, "exactly ten"}, {"0123456789", 5, "0123…"}, {"ééééé", 5, "ééééé"}, {"éééééé", 5, "éééé…"},
		{strings.Repeat("x", 10_000), 3, "xx…"},
	} {
		if got := Cut(c.in, c.n); got != c.want {
			t.Errorf("Cut(%.20q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
