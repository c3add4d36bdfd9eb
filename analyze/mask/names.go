package mask

import "bytes"

// secretEndings are how the names of credential fields and parameters end.
var secretEndings = [...]string{
	"authorization", "token", "secret", "password", "passwd", "passphrase", "apikey", "accesskey", "accesskeyid", "privatekey", "secretkey",
	"authkey", "jwt", "jwtassertion", "sessionid", "credential", "credentials", "pass", "pwd",
}

// maxName bounds the names that are looked at; a longer one counts as secret.
const maxName = 64

// folded has for each character of a name what it counts as: lower case, and nothing (0) for what is no letter or digit.
var folded = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case 'A' <= c && c <= 'Z':
			t[c] = byte(c) | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			t[c] = byte(c)
		}
	}
	return t
}()

// fold writes into buf what counts of a name: "X-Api-Key" and "x_api_key" are the same word. A name that is too long for buf is cut.
func fold(buf *[maxName]byte, name []byte) []byte {
	n := 0
	for _, c := range name[:min(len(name), len(buf))] {
		if c = folded[c]; c != 0 {
			buf[n] = c
			n++
		}
	}
	return buf[:n]
}

// unescape decodes %XX of a parameter's name in place.
func unescape(name []byte) []byte {
	n := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) && unhex(name[i+1]) < 16 && unhex(name[i+2]) < 16 {
			c = unhex(name[i+1])<<4 | unhex(name[i+2])
			i += 2
		}
		name[n] = c
		n++
	}
	return name[:n]
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

// endPairs marks the last two letters of secret endings: most names fall here.
var endPairs = func() (t [256][256]bool) {
	for _, e := range secretEndings {
		t[e[len(e)-2]][e[len(e)-1]] = true
	}
	return t
}()

func hasSecretEnding(word []byte) bool {
	n := len(word)
	if n < 3 || !endPairs[word[n-2]][word[n-1]] {
		return false
	}
	for _, e := range secretEndings {
		if at := n - len(e); at >= 0 && string(word[at:]) == e {
			return true
		}
	}
	return false
}

// fieldKind is what a field's value may hold.
type fieldKind uint8

const (
	plainField  fieldKind = iota
	secretField           // masked whole
	schemeField           // masked but for the authentication scheme
	urlField              // masked like a URL
)

func classifyField(name []byte) fieldKind {
	if len(name) > maxName {
		return secretField
	}
	var buf [maxName]byte
	word := fold(&buf, name)
	if hasSecretEnding(word) {
		if bytes.HasSuffix(word, []byte("authorization")) {
			return schemeField
		}
		return secretField
	}
	switch string(word) {
	// Credential fields that the endings do not catch.
	case "cookie", "cookie2", "setcookie", "setcookie2", "xauth", "xauthkey", "xsession", "xtableauauth", "xhoneycombteam",
		"xfunctionskey", "ocpapimsubscriptionkey", "ddapplicationkey", "xamzndata", "xamznoidcdata", "dpop", "authenticationinfo",
		"proxyauthenticationinfo":
		return secretField
	case "location", "contentlocation", "referer", "refresh", "link", "origin", "destination", "xoriginalurl", "xoriginaluri",
		"xrewriteurl", "xforwardeduri", "xenvoyoriginalpath", "xaccelredirect", "xforwardedurl", "hxcurrenturl", "hxredirect",
		"alternates", "uri":
		return urlField
	}
	return plainField
}

// SecretField reports whether the value of an HTTP field of that name is masked.
func SecretField(name string) bool {
	k := classifyField([]byte(name))
	return k == secretField || k == schemeField
}

// SecretParam reports whether the value of a query parameter (or of an option, or of an environment assignment) of that name is
// masked. Case, '-', '_' and brackets do not matter.
func SecretParam(name string) bool { return secretParam([]byte(name)) }

func secretParam(name []byte) bool {
	if len(name) > maxName {
		return true
	}
	var buf [maxName]byte
	word := fold(&buf, name)
	switch string(word) {
	// Secret parameters that the endings do not catch. "code" is the authorization code of OAuth 2 (RFC 6749 §4.1.2), "key" what
	// many public services call an API key.
	case "key", "sig", "signature", "xamzsignature", "xgoogsignature", "code", "codeverifier", "auth", "session", "sid", "otp", "ticket",
		"assertion", "clientassertion", "samlresponse", "samlrequest", "hmac", "bearer", "csrf", "xsrf":
		return true
	}
	return hasSecretEnding(word)
}

// schemes are the authentication schemes (IANA's registry, and what else is seen) that stay readable. Without a known one the
// whole value is masked, since it may be a bare token.
var schemes = [...]string{
	"basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "dpop", "hoba", "mutual", "oauth", "hawk", "vapid", "gnap",
	"aws", "aws4-hmac-sha256", "aws4-ecdsa-p256-sha256", "scram-sha-1", "scram-sha-256", "concealed", "privatetoken", "signature", "sharedkey",
	"sharedaccesssignature", "googlelogin", "gcs", "splunk", "genie-key", "key", "jwt", "kerberos",
}
