package profiles

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"

	"quintet/profiles/identity"
)

// erasedRows are the tables of this package that are erased from, and always written
// anew afterwards: updates of earlier days have left copies in their files.
var erasedRows = []string{"profiles", "profile_identifiers", "profile_consents", "profile_suppressions", "identity_edges", "identity_moves", "erasures"}

// eraseState removes the person from memory and from Postgres, at one moment: nothing
// that a save could bring back is left.
func (e *Eraser) eraseState(ctx context.Context, j *Erasure) error {
	s := e.profiles
	// The map of people is copied from Postgres: not while its rows change.
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	s.projector.writing.Lock()
	defer s.projector.writing.Unlock()
	e.note(j, "memory", "profiles", int64(s.projector.forget(j.subject.IDs())))
	return pgx.BeginFunc(ctx, e.postgres, func(tx pgx.Tx) error { return e.eraseRows(ctx, tx, j) })
}

func (e *Eraser) eraseRows(ctx context.Context, tx pgx.Tx, j *Erasure) error {
	sub := j.subject
	ids := sub.Texts()
	replacements := make([]string, len(ids))
	for i := range sub.Profiles {
		replacements[i] = sub.Profiles[i].Replacement
	}
	// An entry about a device that several people use has the hash of its identifier.
	named := slices.Clone(ids)
	for _, i := range sub.Identifiers {
		named = append(named, identity.NewID(i).String())
	}
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return fmt.Errorf("erasing from Postgres: %w", err)
	}
	for _, one := range []struct {
		table, sql string
		arguments  []any
	}{
		{"profiles", `DELETE FROM profiles WHERE profile_id = ANY($1)`, []any{ids}},
		{"profile_identifiers", `DELETE FROM profile_identifiers WHERE profile_id = ANY($1)`, []any{ids}},
		{"profile_consents", `DELETE FROM profile_consents WHERE profile_id = ANY($1)`, []any{ids}},
		{"identity_edges", `DELETE FROM identity_edges WHERE a = ANY($1) OR b = ANY($1)`, []any{named}},
		{"identity_moves", `WITH gone AS (SELECT * FROM unnest($1::text[], $2::text[]) AS g (id, replacement))
			UPDATE identity_moves m SET
			  profile_id = coalesce((SELECT replacement FROM gone WHERE id = m.profile_id), m.profile_id),
			  person_id = coalesce((SELECT replacement FROM gone WHERE id = m.person_id), m.person_id)
			WHERE m.profile_id = ANY($1) OR m.person_id = ANY($1)`, []any{ids, replacements}},
		// Records that nobody could read may hold anything.
		{"rejected_records", `DELETE FROM rejected_records WHERE EXISTS (SELECT FROM unnest($1::bytea[]) n WHERE position(n IN payload) > 0)`, []any{rawNeedles(sub)}},
		{"import_jobs", `UPDATE import_jobs SET error = '' WHERE EXISTS (SELECT FROM unnest($1::text[]) n WHERE position(n IN error) > 0)`, []any{sub.Needles()}},
	} {
		tag, err := tx.Exec(ctx, one.sql, one.arguments...)
		if err != nil {
			return fmt.Errorf("erasing from the table %s: %w", one.table, err)
		}
		e.note(j, "postgres", one.table, tag.RowsAffected())
	}
	if err := e.eraseAudit(ctx, tx, j); err != nil {
		return err
	}
	// With the rows: what was deleted says which tables are to be written anew.
	return progress(ctx, tx, j)
}

// eraseAudit takes the person out of the paths of the audit log. That somebody looked
// at a person, or changed one, stays.
func (e *Eraser) eraseAudit(ctx context.Context, tx pgx.Tx, j *Erasure) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('audit_log') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	names := j.subject.Texts()
	for _, i := range j.subject.Identifiers {
		names = append(names, i.String(), i.Namespace+":"+url.PathEscape(i.Value), url.PathEscape(i.String()), i.Namespace+"%3A"+url.PathEscape(i.Value))
	}
	slices.Sort(names)
	var n int64
	for _, name := range slices.Compact(names) {
		tag, err := tx.Exec(ctx, `UPDATE audit_log SET path = regexp_replace(path, $2, '\1[erased]') WHERE position($1 IN path) > 0 AND path ~ $2`,
			name, "(^|/)"+regexp.QuoteMeta(name)+"(?=/|$)")
		if err != nil {
			return fmt.Errorf("erasing from the audit log: %w", err)
		}
		n += tag.RowsAffected()
	}
	e.note(j, "postgres", "audit_log", n)
	return nil
}

// rawNeedles are what a record of the stream has of the person.
func rawNeedles(sub *ErasureSubject) [][]byte {
	var list [][]byte
	for i := range sub.Profiles {
		list = append(list, sub.Profiles[i].ID[:])
	}
	for _, text := range sub.Needles() {
		list = append(list, []byte(text))
	}
	return list
}

// uncheckedTables are not searched: the erasure itself says whom it is about until it
// ends. Definitions and the accounts of those who work here are searched, though not
// changed.
var uncheckedTables = []string{"erasures"}

// checkRows looks for the person in every table of Postgres.
func (e *Eraser) checkRows(ctx context.Context, sub *ErasureSubject) ([]ErasureCheck, error) {
	rows, err := e.postgres.Query(ctx, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname <> ALL($1) AND c.relname NOT LIKE 'goose%' ORDER BY 1`, uncheckedTables)
	if err != nil {
		return nil, fmt.Errorf("listing tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing tables: %w", err)
	}
	needles := sub.Needles()
	for _, raw := range rawNeedles(sub) {
		needles = append(needles, hex.EncodeToString(raw)) // as columns of bytes are shown
	}
	var checks []ErasureCheck
	for _, table := range tables {
		check := ErasureCheck{Store: "postgres", What: table}
		if check.Mentions, err = e.search(ctx, table, needles); err != nil {
			return nil, err
		}
		if slices.Contains(erasedRows, table) && check.Mentions > 0 {
			// Of these tables a row is the person's that has one of the ids.
			if check.Rows, err = e.search(ctx, table, sub.Texts()); err != nil {
				return nil, err
			}
			check.Mentions -= check.Rows
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// search counts the rows of a table that hold one of the texts.
func (e *Eraser) search(ctx context.Context, table string, texts []string) (n int64, err error) {
	err = pgx.BeginFunc(ctx, e.postgres, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT count(*) FROM `+pgx.Identifier{table}.Sanitize()+` AS t
			WHERE EXISTS (SELECT FROM unnest($1::text[]) n WHERE position(n IN t::text) > 0)`, texts).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("searching the table %s: %w", table, err)
	}
	return n, nil
}
