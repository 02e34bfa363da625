package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"quintet/internal/engines"
)

//go:embed simulate_audit.sql
var auditSQL string

// violation is a rule that a message broke.
type violation struct {
	Rule    string    `json:"rule"` // cap:KEY, quiet-hours:KEY, consent, suppression, budget:KEY, code, holdout, once or log
	Profile string    `json:"profile"`
	At      time.Time `json:"at"`
	Detail  string    `json:"detail"`
}

// section is a query of the audit: "-- kind: text" and what follows.
type section struct{ kind, text, sql string }

func auditSections() (out []section) {
	for line := range strings.Lines(auditSQL) {
		comment, is := strings.CutPrefix(line, "-- ")
		kind, text, titled := strings.Cut(strings.TrimSpace(comment), ": ")
		if is && titled && (kind == "postgres" || kind == "with" || kind == "audit") {
			out = append(out, section{kind: kind, text: text})
			continue
		}
		if n := len(out); n > 0 && !is {
			out[n-1].sql += line
		}
	}
	for i := range out {
		out[i].sql = strings.TrimSuffix(strings.TrimSpace(out[i].sql), ";")
	}
	return out
}

// auditLog looks in the log for messages that broke a rule, by plain SQL. checked are the
// texts of what was looked for.
func auditLog(ctx context.Context, e *engines.Engines) (found []violation, checked []string, err error) {
	values := []string{}
	with := ""
	for _, s := range auditSections() {
		switch s.kind {
		case "postgres":
			var text string
			if err := e.Postgres.QueryRow(ctx, s.sql).Scan(&text); err != nil {
				return nil, nil, fmt.Errorf("reading %s for the audit: %w", s.text, err)
			}
			values = append(values, "${"+s.text+"}", "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text)+"'")
		case "with":
			with = s.sql
		case "audit":
			list, err := violations(ctx, e, strings.NewReplacer(values...).Replace(with+"\n"+s.sql))
			if err != nil {
				return nil, nil, fmt.Errorf("auditing %s: %w", s.text, err)
			}
			found, checked = append(found, list...), append(checked, s.text)
		}
	}
	return found, checked, nil
}

func violations(ctx context.Context, e *engines.Engines, query string) (out []violation, err error) {
	rows, err := e.ClickHouse.Read.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v violation
		if err := rows.Scan(&v.Rule, &v.Profile, &v.At, &v.Detail); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
