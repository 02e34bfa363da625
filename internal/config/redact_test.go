package config

import "testing"

func TestRedact(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                                     "",
		"postgres://db/app":                    "postgres://db/app",
		"postgres://u:p@h1:1,h2:2/app":         "postgres://hidden@h1:1,h2:2/app",
		"postgres://u:p/w?@x@h/app":            "postgres://hidden@h/app",
		"postgres://h/app?sslpassword=p&a=b":   "postgres://h/app?sslpassword=hidden&a=b",
		"nats://token@a:1,nats://u:p@b:2":      "nats://hidden@a:1,nats://hidden@b:2",
		"nats://u:p,w@a:1":                     "nats://hidden@a:1",
		"clickhouse://h:9000/db?PassWord=p%26": "clickhouse://h:9000/db?PassWord=hidden",
	} {
		if got := redact(value); got != want {
			t.Errorf("redact(%q) = %q, want %q", value, got, want)
		}
	}
}
