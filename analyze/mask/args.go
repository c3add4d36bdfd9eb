package mask

import (
	"bytes"
	"path"
	"strings"
)

// Args returns the arguments of a process with credentials masked: args itself when there are none. Lengths stay.
//
// Masked are the value of an option or assignment whose name is secret (--password x, --token=x, API_KEY=x), passwords behind
// "user:" (-u, --user, --proxy-user), fields as curl's -H takes them, URLs with userinfo or secret parameters, form data, the
// password options of programs that have no better name for them (mysql -p, redis-cli -a, ...), and all of it inside a shell
// command that is one argument (sh -c '...').
func Args(args []string) []string {
	words := make([][]byte, len(args))
	for i, a := range args {
		words[i] = []byte(a)
	}
	if !maskWords(words, 2) {
		return args
	}
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

// userOptions take user:password.
var userOptions = map[string]bool{"-u": true, "--user": true, "-U": true, "--proxy-user": true}

// secretOptions take a credential that their name does not show.
var secretOptions = map[string]bool{
	"--oauth2-bearer": true, "--cookie": true, "--passin": true, "--passout": true, "-passin": true, "-passout": true,
}

// passwordOptions are those of single programs, by the base of argv[0] without version. attached: -pSECRET, else -p SECRET.
var passwordOptions = map[string]struct {
	option           string
	attached, behind bool
}{
	"mysql": {"-p", true, false}, "mysqldump": {"-p", true, false}, "mysqladmin": {"-p", true, false},
	"mariadb": {"-p", true, false}, "mariadb-dump": {"-p", true, false}, "mariadb-admin": {"-p", true, false},
	"sshpass": {"-p", true, true}, "redis-cli": {"-a", true, true}, "valkey-cli": {"-a", true, true},
	"mongo": {"-p", false, true}, "mongosh": {"-p", false, true}, "mongodump": {"-p", false, true},
	"ldapsearch": {"-w", true, true}, "ldapmodify": {"-w", true, true}, "curl": {"-b", true, true},
	"ipmitool": {"-P", true, true}, "snmpwalk": {"-A", true, true},
}

// shells take a command behind -c.
var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "ash": true, "zsh": true, "ksh": true, "su": true}

// maskWords masks in place; depth is how often a word is taken for a command of its own.
func maskWords(words [][]byte, depth int) bool {
	masked := false
	program := ""
	if len(words) > 0 {
		program = path.Base(string(words[0]))
	}
	own, hasOwn := passwordOptions[program]
	for i := 0; i < len(words); i++ {
		w := words[i]
		next := []byte(nil)
		if i+1 < len(words) {
			next = words[i+1]
		}
		option := len(w) > 1 && w[0] == '-'
		switch name := string(w[:min(len(w), maxName)]); {
		case depth > 0 && shells[program] && option && w[1] != '-' && w[len(w)-1] == 'c':
			masked = maskWords(shellWords(next), depth-1) || masked
			i++
		case hasOwn && own.behind && name == own.option:
			masked = stars(next) || masked
			i++
		case hasOwn && own.attached && len(w) > 2 && w[1] != '-' && strings.HasPrefix(name, own.option):
			masked = stars(w[2:]) || masked
		case userOptions[name]:
			masked = maskPassword(next) || masked
			i++
		case option && w[1] != '-' && len(w) > 2 && userOptions[name[:2]] && bytes.IndexByte(w, ':') > 0:
			masked = maskPassword(w[2:]) || masked
		case option && (secretOptions[name] || len(w) > 2 && bytes.IndexByte(w, '=') < 0 && isName(w) && secretParam(w)):
			if !bytes.HasPrefix(next, []byte("--")) {
				masked = stars(next) || masked
				i++
			}
		default:
			masked = maskWord(w, depth) || masked
		}
	}
	return masked
}

// isName reports whether w can be an option's name.
func isName(w []byte) bool {
	for _, c := range w {
		if !tokenByte[c] {
			return false
		}
	}
	return true
}

// maskPassword masks what stands behind the first colon of user:password.
func maskPassword(w []byte) bool {
	i := bytes.IndexByte(w, ':')
	return i >= 0 && stars(w[i+1:])
}

// maskWord masks inside one argument.
func maskWord(w []byte, depth int) bool {
	w = unquote(w)
	if eq := bytes.IndexByte(w, '='); eq > 0 && isName(w[:eq]) {
		switch value := w[eq+1:]; {
		case secretParam(w[:eq]), secretOptions[string(w[:eq])]:
			return stars(value)
		case userOptions[string(w[:eq])]:
			return maskPassword(value)
		case w[0] == '-':
			return maskWord(value, depth)
		}
	}
	// A field, as an argument or attached to -H.
	text := w
	if len(w) > 2 && w[0] == '-' && w[1] != '-' {
		text = unquote(w[2:])
	}
	masked := maskText(text, lexer{})
	// URLs and form data.
	masked = maskText(w, lexer{mode: inURL, url: urlLexer{state: urlParam}}) || masked
	if depth > 0 && bytes.ContainsAny(w, " \t\n") {
		masked = maskWords(shellWords(w), depth-1) || masked
	}
	return masked
}

// maskText runs x over w as one or more lines.
func maskText(w []byte, x lexer) bool {
	start := x
	masked := false
	for len(w) > 0 {
		end, whole := lineEnd(w, 0)
		x = start
		// With a line end behind it, the lexer knows that the last word is whole.
		line := append(make([]byte, 0, end+1), w[:end]...)
		line = append(line, '\n')
		if x.mask(line) {
			masked = true
			copy(w[:end], line)
		}
		if !whole {
			break
		}
		w = w[end+1:]
	}
	return masked
}

// shellWords splits a command roughly as a shell does: at white space and operators outside quotes, quotes taken off. The words are
// parts of w.
func shellWords(w []byte) [][]byte {
	var words [][]byte
	for i := 0; i < len(w); {
		if bytes.IndexByte([]byte(" \t\n;|&()"), w[i]) >= 0 {
			i++
			continue
		}
		from := i
		quote := byte(0)
		for i < len(w) {
			c := w[i]
			if quote == 0 && bytes.IndexByte([]byte(" \t\n;|()"), c) >= 0 {
				break
			}
			if c == '\'' || c == '"' {
				switch quote {
				case 0:
					quote = c
				case c:
					quote = 0
				}
			}
			i++
		}
		words = append(words, unquote(w[from:i]))
	}
	return words
}

// unquote takes off quotes around a whole word.
func unquote(w []byte) []byte {
	if n := len(w); n >= 2 && (w[0] == '\'' || w[0] == '"') && w[n-1] == w[0] {
		return w[1 : n-1]
	}
	return w
}
