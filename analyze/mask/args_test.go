package mask

import (
	"strings"
	"testing"
)

// Arguments are written with U+00A6 between them, so that they may hold spaces.
func TestArgs(t *testing.T) {
	for in, want := range map[string]string{
		"nginx -g daemon off;":                         "",
		"mysqld --port=3306 --user=mysql":              "",
		"app¦--password¦hunter22¦--port¦80":            "app¦--password¦********¦--port¦80",
		"app¦--password=hunter22":                      "app¦--password=********",
		"app¦--password¦--verbose":                     "",
		"app¦--db-password¦hunter22":                   "app¦--db-password¦********",
		"app¦-token¦abc":                               "app¦-token¦***",
		"app¦--token=a=b=c":                            "app¦--token=*****",
		"app¦--tokenizer=bert":                         "",
		"env¦DB_PASSWORD=a b&c¦app":                    "env¦DB_PASSWORD=*****¦app",
		"env¦AWS_SECRET_ACCESS_KEY=abc":                "env¦AWS_SECRET_ACCESS_KEY=***",
		"env¦PATH=/bin":                                "",
		"curl¦-u¦joe:pw¦http://x/":                     "curl¦-u¦joe:**¦http://x/",
		"curl¦-ujoe:pw":                                "curl¦-ujoe:**",
		"curl¦--user=joe:pw":                           "curl¦--user=joe:**",
		"sudo¦-u¦joe¦ls":                               "",
		"curl¦-H¦Authorization: Bearer abc":            "curl¦-H¦Authorization: Bearer ***",
		"curl¦-HX-Api-Key: abc":                        "curl¦-HX-Api-Key: ***",
		"curl¦--header=Cookie: a=b":                    "curl¦--header=Cookie: ***",
		"curl¦-H¦Accept: text/html":                    "",
		"curl¦-b¦sid=1":                                "curl¦-b¦*****",
		"curl¦https://joe:pw@h/x?token=abc&y=1":        "curl¦https://******@h/x?token=***&y=1",
		"curl¦-d¦user=joe&password=abc&x=1":            "curl¦-d¦user=joe&password=***&x=1",
		"psql¦postgres://joe:pw@db:5432/shop":          "psql¦postgres://******@db:5432/shop",
		"app¦--url=redis://:pw@h":                      "app¦--url=redis://***@h",
		"git¦clone¦https://ghp_abc@github.test/a/b":    "git¦clone¦https://*******@github.test/a/b",
		"/usr/bin/mysql¦-uroot¦-phunter2":              "/usr/bin/mysql¦-uroot¦-p*******",
		"ssh¦-p2222¦h":                                 "",
		"sshpass¦-p¦hunter2¦ssh¦h":                     "sshpass¦-p¦*******¦ssh¦h",
		"redis-cli¦-a¦hunter2¦ping":                    "redis-cli¦-a¦*******¦ping",
		"openssl¦rsa¦-passin¦pass:abc":                 "openssl¦rsa¦-passin¦********",
		"sh¦-c¦curl -H 'Authorization: Basic abc' h":   "sh¦-c¦curl -H 'Authorization: Basic ***' h",
		"sh¦-c¦curl -H\"X-Token: abc\" -u joe:pw h; x": "sh¦-c¦curl -H\"X-Token: ***\" -u joe:** h; x",
		"sh¦-c¦TOKEN=abc app --password 'd e' f":       "sh¦-c¦TOKEN=*** app --password '***' f",
		"":                 "",
		"app¦":             "",
		"app¦--password":   "",
		"mysql¦-p":         "",
		"app¦=¦-¦--¦=x¦-=": "",
	} {
		if want == "" {
			want = in
		}
		args := strings.Split(in, "¦")
		got := Args(args)
		if s := strings.Join(got, "¦"); s != want {
			t.Errorf("%s\n got %s\nwant %s", in, s, want)
		}
		if strings.Join(args, "¦") != in {
			t.Errorf("%q: the arguments given were changed", in)
		}
		again := strings.Join(Args(got), "¦")
		if again != want {
			t.Errorf("masked twice, %q becomes %q", want, again)
		}
	}
	if Args(nil) != nil {
		t.Error("nil became something")
	}
}

func TestTarget(t *testing.T) {
	for in, want := range map[string]string{
		"/":                                      "/",
		"/a/b?x=1&y=token":                       "/a/b?x=1&y=token",
		"/a?access_token=abc":                    "/a?access_token=***",
		"/a?X=1&Api-Key=abc#code=d":              "/a?X=1&Api-Key=***#code=*",
		"/a?X-Amz-Signature=abc&X-Amz-Date=1":    "/a?X-Amz-Signature=***&X-Amz-Date=1",
		"/a?user[password]=abc":                  "/a?user[password]=***",
		"/a?%70assword=abc":                      "/a?%70assword=***",
		"/a?token":                               "/a?token",
		"/a?token=":                              "/a?token=",
		"http://u:p@h/a":                         "http://***@h/a",
		"http://u:p@h":                           "http://***@h",
		"http://h/a@b":                           "http://h/a@b",
		"http://u:p@q@h/?u=http://a@b/&sid=abc":  "http://*****@h/?u=http://*@b/&sid=***",
		"/r?u=https%3A%2F%2Fx%3Ftoken%3Dabc%26y": "/r?u=https%3A%2F%2Fx%3Ftoken%3D*******",
		"/r?u=http://x&token=abc":                "/r?u=http://x&token=***",
		"*":                                      "*",
		"h:443":                                  "h:443",
		"/a?" + strings.Repeat("x", 100) + "=abc": "/a?" + strings.Repeat("x", 100) + "=***",
	} {
		if got := Target(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, n := range []string{"Authorization", "proxy-authorization", "COOKIE", "Set-Cookie", "X-API-Key", "apikey", "X-Auth-Token",
		"X-Amz-Security-Token", "X-CSRF-Token", "X-Vault-Token", "PRIVATE-TOKEN", "x-goog-iap-jwt-assertion", "X-Session-Id", "DPoP"} {
		if !SecretField(n) {
			t.Errorf("%s is not masked", n)
		}
	}
	for _, n := range []string{"", "Host", "Accept", "Content-Type", "ETag", "X-B3-TraceId", "traceparent", "sw8", "X-Request-Id", "WWW-Authenticate",
		"Sec-WebSocket-Key", "Idempotency-Key", "Location", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade"} {
		if SecretField(n) {
			t.Errorf("%s is masked", n)
		}
	}
	for _, n := range []string{"password", "passwd", "pwd", "secret", "client_secret", "token", "api_key", "key", "sig", "code", "X-Amz-Credential"} {
		if !SecretParam(n) {
			t.Errorf("%s is not masked", n)
		}
	}
	for _, n := range []string{"", "q", "page", "id", "encode", "monkey", "path", "user", "keyboard"} {
		if SecretParam(n) {
			t.Errorf("%s is masked", n)
		}
	}
}

// FuzzArgs: no panic, the same number and lengths, and only stars are new.
func FuzzArgs(f *testing.F) {
	f.Add("curl¦-H¦Authorization: Bearer abc¦https://u:p@h/?token=x")
	f.Add("sh¦-c¦A=b \"c d\" 'e' --password x;y")
	f.Add("mysql¦-p¦-u¦-¦=¦")
	f.Fuzz(func(t *testing.T, joined string) {
		in := strings.Split(joined, "¦")
		out := Args(in)
		if len(out) != len(in) {
			t.Fatalf("%d arguments became %d", len(in), len(out))
		}
		for i := range in {
			if len(out[i]) != len(in[i]) {
				t.Fatalf("%q became %q", in[i], out[i])
			}
			for j := range len(in[i]) {
				if out[i][j] != in[i][j] && out[i][j] != '*' {
					t.Fatalf("%q became %q", in[i], out[i])
				}
			}
		}
	})
}
