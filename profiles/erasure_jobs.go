package profiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/oklog/ulid/v2"

	"quintet/internal/problem"
)

// maxErasureReason bounds a reason, in characters.
const maxErasureReason = 500

// checkReason refuses a reason that says whom the erasure is about, as it stays.
func checkReason(sub *ErasureSubject, reason string) error {
	var bad problem.Invalid
	if n := utf8.RuneCountInString(reason); n > maxErasureReason {
		bad.Add("body.reason", fmt.Sprintf("must be at most %d characters", maxErasureReason), n)
	}
	for _, needle := range sub.Needles() {
		if strings.Contains(strings.ToLower(reason), strings.ToLower(needle)) {
			bad.Add("body.reason", "must not name the person: it stays when the person is gone", nil)
			break
		}
	}
	return bad.Err()
}

const erasureColumns = `erasure_id, status, mode, reason, requested_by, requested_at, finished_at, attempts, error, profiles, identifiers,
	coalesce(proof_sha256, ''), subject, removed, checks`

func scanErasure(row pgx.CollectableRow) (*Erasure, error) {
	j := new(Erasure)
	var subject, removed, checks []byte
	if err := row.Scan(&j.ID, &j.Status, &j.Mode, &j.Reason, &j.RequestedBy, &j.RequestedAt, &j.FinishedAt, &j.Attempts, &j.Error, &j.Profiles,
		&j.Identifiers, &j.ProofSHA256, &subject, &removed, &checks); err != nil {
		return nil, err
	}
	j.RequestedAt = j.RequestedAt.UTC()
	if j.FinishedAt != nil {
		at := j.FinishedAt.UTC()
		j.FinishedAt = &at
	}
	if len(subject) > 0 {
		var err error
		if j.subject, err = decodeSubject(subject); err != nil {
			return nil, err
		}
	}
	j.removed = map[string]int64{}
	return j, errors.Join(json.Unmarshal(removed, &j.removed), json.Unmarshal(checks, &j.checks))
}

func (e *Eraser) query(ctx context.Context, where string, arguments ...any) ([]*Erasure, error) {
	rows, err := e.postgres.Query(ctx, `SELECT `+erasureColumns+` FROM erasures `+where, arguments...)
	if err != nil {
		return nil, fmt.Errorf("reading erasures: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanErasure)
	if err != nil {
		return nil, fmt.Errorf("reading erasures: %w", err)
	}
	return list, nil
}

// maxOpenErasures is how many erasures one look takes.
const maxOpenErasures = 100

func (e *Eraser) open(ctx context.Context) ([]*Erasure, error) {
	return e.query(ctx, `WHERE status <> 'done' ORDER BY erasure_id LIMIT $1`, maxOpenErasures)
}

func (e *Eraser) insert(ctx context.Context, sub *ErasureSubject, subject []byte, reason, by string) (*Erasure, error) {
	id := ulid.Make().String()
	if _, err := e.postgres.Exec(ctx, `INSERT INTO erasures (erasure_id, status, mode, reason, requested_by, profiles, identifiers, subject)
		VALUES ($1, 'waiting', $2, $3, $4, $5, $6, $7)`, id, sub.Mode, reason, by, len(sub.Profiles), len(sub.Identifiers), subject); err != nil {
		return nil, fmt.Errorf("asking for an erasure: %w", err)
	}
	return e.Get(ctx, id)
}

// Get returns one erasure.
func (e *Eraser) Get(ctx context.Context, id string) (*Erasure, error) {
	if strings.ContainsRune(id, 0) {
		return nil, problem.NotFound("erasure", id)
	}
	list, err := e.query(ctx, `WHERE erasure_id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, problem.NotFound("erasure", id)
	}
	return list[0], nil
}

// List returns erasures, newest first, and the cursor of the next page.
func (e *Eraser) List(ctx context.Context, after string, limit int) ([]*Erasure, string, error) {
	list, err := e.query(ctx, `WHERE $1 = '' OR erasure_id < $1 ORDER BY erasure_id DESC LIMIT $2`, after, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], list[limit-1].ID, nil
}

// Proof returns the bytes of the proof of an erasure that is done.
func (e *Eraser) Proof(ctx context.Context, id string) ([]byte, error) {
	var proof *string
	err := e.postgres.QueryRow(ctx, `SELECT proof FROM erasures WHERE erasure_id = $1`, strings.ReplaceAll(id, "\x00", "")).Scan(&proof)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, problem.NotFound("erasure", id)
	case err != nil:
		return nil, fmt.Errorf("reading the proof of an erasure: %w", err)
	case proof == nil:
		return nil, problem.Conflict("The erasure is still under way; its proof comes with its end.")
	}
	return []byte(*proof), nil
}

// begin notes an attempt.
func (e *Eraser) begin(ctx context.Context, j *Erasure) error {
	j.Attempts++
	j.Status = ErasureRunning
	if _, err := e.postgres.Exec(ctx, `UPDATE erasures SET status = 'running', attempts = attempts + 1 WHERE erasure_id = $1`, j.ID); err != nil {
		return fmt.Errorf("beginning an erasure: %w", err)
	}
	return nil
}

// saveSubject keeps a subject that has grown.
func (e *Eraser) saveSubject(ctx context.Context, j *Erasure) error {
	subject, err := json.Marshal(j.subject)
	if err != nil {
		return fmt.Errorf("encoding whom an erasure is about: %w", err)
	}
	j.Profiles, j.Identifiers = len(j.subject.Profiles), len(j.subject.Identifiers)
	if _, err := e.postgres.Exec(ctx, `UPDATE erasures SET subject = $2, profiles = $3, identifiers = $4 WHERE erasure_id = $1`, j.ID, subject, j.Profiles, j.Identifiers); err != nil {
		return fmt.Errorf("noting whom an erasure is about: %w", err)
	}
	return nil
}

// executor is a pool or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
}

// progress keeps the counts so far: an attempt after a stop finds less.
func progress(ctx context.Context, to executor, j *Erasure) error {
	removed, err := json.Marshal(j.removed)
	if err != nil {
		return fmt.Errorf("encoding the counts of an erasure: %w", err)
	}
	if _, err := to.Exec(ctx, `UPDATE erasures SET removed = $2 WHERE erasure_id = $1`, j.ID, removed); err != nil {
		return fmt.Errorf("noting how far an erasure is: %w", err)
	}
	return nil
}

// failed notes why an attempt failed. The reason may quote what is to be erased, so that
// only its kind stays.
func (e *Eraser) failed(ctx context.Context, j *Erasure, cause error) error {
	text := cause.Error()
	if j.subject != nil {
		for _, needle := range j.subject.Needles() {
			text = strings.ReplaceAll(text, needle, "[erased]")
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := e.postgres.Exec(ctx, `UPDATE erasures SET error = left($2, 2000) WHERE erasure_id = $1`, j.ID, text)
	return errors.Join(fmt.Errorf("erasure %s: %w", j.ID, errors.New(text)), err)
}

// leaveSubject forgets whom the erasure was about: nothing but counts is left.
func (e *Eraser) leaveSubject(ctx context.Context, j *Erasure) error {
	removed, err := json.Marshal(j.removed)
	if err != nil {
		return fmt.Errorf("encoding the counts of an erasure: %w", err)
	}
	checks, err := json.Marshal(j.checks)
	if err != nil {
		return fmt.Errorf("encoding the checks of an erasure: %w", err)
	}
	if _, err := e.postgres.Exec(ctx, `UPDATE erasures SET status = 'rewriting', subject = NULL, removed = $2, checks = $3, error = '' WHERE erasure_id = $1`,
		j.ID, removed, checks); err != nil {
		return fmt.Errorf("noting that a person is erased: %w", err)
	}
	j.Status, j.subject = ErasureRewriting, nil
	return nil
}

// postgresTable is what the name of a table begins with where something was removed.
const postgresTable = "postgres "

// finish has the files written anew, once for all erasures that came so far, and
// writes their proofs.
func (e *Eraser) finish(ctx context.Context, list []*Erasure) error {
	tables := slices.Clone(erasedRows)
	for _, j := range list {
		for what := range j.removed {
			if table, ok := strings.CutPrefix(what, postgresTable); ok && !slices.Contains(tables, table) {
				tables = append(tables, table)
			}
		}
	}
	if e.embedded.clickhouse {
		if err := e.clickhouse.DropOldParts(ctx); err != nil {
			return err
		}
	}
	rewritten, err := e.scrub(ctx, tables)
	if err != nil {
		return err
	}
	for _, j := range list {
		if err := e.prove(ctx, j, rewritten); err != nil {
			return err
		}
		e.log.Info("a person is erased", "erasure", j.ID, "attempts", j.Attempts)
	}
	return nil
}

func (e *Eraser) prove(ctx context.Context, j *Erasure, rewritten bool) error {
	proof := ErasureProof{
		ErasureID: j.ID, Mode: j.Mode, Reason: j.Reason, RequestedBy: j.RequestedBy, RequestedAt: j.RequestedAt, FinishedAt: e.now().UTC().Truncate(time.Millisecond),
		Profiles: j.Profiles, Identifiers: j.Identifiers, Removed: j.removed, Checks: j.checks, Notes: e.notes(j, rewritten),
	}
	text, err := json.Marshal(proof)
	if err != nil {
		return fmt.Errorf("encoding the proof of an erasure: %w", err)
	}
	sum := sha256.Sum256(text)
	j.ProofSHA256 = hex.EncodeToString(sum[:])
	if _, err := e.postgres.Exec(ctx, `UPDATE erasures SET status = 'done', finished_at = $2, proof = $3, proof_sha256 = $4, error = '' WHERE erasure_id = $1`,
		j.ID, proof.FinishedAt, string(text), j.ProofSHA256); err != nil {
		return fmt.Errorf("keeping the proof of an erasure: %w", err)
	}
	j.Status = ErasureDone
	return nil
}

// notes say what the counts cannot.
func (e *Eraser) notes(j *Erasure, rewritten bool) []string {
	notes := []string{"Identifiers are refused from now on; of them only keyed hashes are kept."}
	switch j.Mode {
	case ErasePurging:
		notes = append(notes, "Nothing of the person stays in the log.")
	case EraseAnonymising:
		notes = append(notes, "Decisions, exposures and events stay as numbers under random ids that nobody knows.")
	default:
		notes = append(notes, "Decisions, exposures and the events since the first of them stay as numbers under random ids that nobody knows.")
	}
	if rewritten {
		notes = append(notes, "Postgres: tables, indexes, statistics and the write-ahead log were written anew.")
	} else {
		notes = append(notes, "Postgres runs outside: rows were deleted and vacuumed; its write-ahead log, replicas and backups are for its operator.")
	}
	if e.embedded.clickhouse {
		notes = append(notes, "ClickHouse: the parts that held rows of the person were removed from the disk.")
	} else {
		notes = append(notes, "ClickHouse runs outside: the parts that held rows of the person were removed; its own query log, replicas and backups are for its operator.")
	}
	switch {
	case e.profiles.topic.Sealed():
		notes = append(notes, "Stream: an earlier version made it so that single messages cannot be erased; it was trimmed up to the person's last message, and the bytes go with the file that they are in when that has been trimmed as a whole.")
	case e.embedded.stream:
		notes = append(notes, "Stream: the bytes of the messages were written over.")
	default:
		notes = append(notes, "NATS runs outside: the messages were deleted securely; replicas and backups are for its operator.")
	}
	for _, c := range j.checks {
		if c.Mentions > 0 {
			notes = append(notes, fmt.Sprintf("%s %s: %d rows that are not the person's hold an identifier inside a text; they were left.", c.Store, c.What, c.Mentions))
		}
	}
	return append(notes, "Backups, exports and what was sent to other systems are not reached.")
}
