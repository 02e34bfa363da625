package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"quintet/internal/api"
	"quintet/internal/problem"
)

const maxUsers = 10_000

// User is somebody who may sign in to the console.
type User struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"createdAt"`
}

// SchemaName is the type's name in the OpenAPI document.
func (User) SchemaName() string { return "ConsoleUser" }

// NewUser is a user to be added.
type NewUser struct {
	Email string `json:"email" minLength:"1" maxLength:"256" doc:"What the user signs in with"`
	Name  string `json:"name" minLength:"1" maxLength:"100"`
	Role  string `json:"role" minLength:"1" maxLength:"64" doc:"admin, manager, support, analyst, viewer or a role of your own"`
}

// ChangedUser is what changes of a user.
type ChangedUser struct {
	Name string `json:"name,omitempty" maxLength:"100"`
	Role string `json:"role,omitempty" maxLength:"64"`
}

func (s *Service) userRoutes(a huma.API) {
	const tag = "Users"
	operation := func(id, method, path, summary string, errors ...int) huma.Operation {
		op := huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary,
			Errors: append([]int{401, 403}, errors...), MaxBodyBytes: 8 << 10,
		}
		api.Require(api.ScopeAdmin)(&op)
		return op
	}
	type listOutput struct {
		Body struct {
			Items []User `json:"items" nullable:"false"`
			Next  string `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	huma.Register(a, operation("list-users", http.MethodGet, "/v1/users", "List users by e-mail address", 422), func(ctx context.Context, in *struct {
		After string `query:"after" maxLength:"256" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"100" minimum:"1" maximum:"200"`
	}) (*listOutput, error) {
		users, err := s.listUsers(ctx, strings.ReplaceAll(in.After, "\x00", ""), in.Limit+1)
		if err != nil {
			return nil, err
		}
		out := new(listOutput)
		if out.Body.Items = users; len(users) > in.Limit {
			out.Body.Items, out.Body.Next = users[:in.Limit], users[in.Limit-1].Email
		}
		return out, nil
	})
	type userOutput struct{ Body *User }
	create := operation("create-user", http.MethodPost, "/v1/users", "Add a user", 400, 409, 422)
	create.DefaultStatus = http.StatusCreated
	create.Description = "The user signs in by a link that POST /v1/users/{id}/login-links makes, and may then set a password."
	huma.Register(a, create, func(ctx context.Context, in *struct{ Body NewUser }) (*userOutput, error) {
		u, err := s.createUser(ctx, in.Body)
		return &userOutput{u}, err
	})
	type idInput struct {
		ID string `path:"id" maxLength:"64"`
	}
	huma.Register(a, operation("update-user", http.MethodPatch, "/v1/users/{id}", "Change a user's name or role", 400, 404, 409, 422), func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"64"`
		Body ChangedUser
	}) (*userOutput, error) {
		u, err := s.updateUser(ctx, in.ID, in.Body)
		return &userOutput{u}, err
	})
	remove := operation("delete-user", http.MethodDelete, "/v1/users/{id}", "Remove a user and end the user's sessions", 404, 409)
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(a, remove, func(ctx context.Context, in *idInput) (*struct{}, error) { return nil, s.deleteUser(ctx, in.ID) })
	link := operation("create-user-login-link", http.MethodPost, "/v1/users/{id}/login-links", "Make a login link for a user", 404)
	link.DefaultStatus = http.StatusCreated
	link.Description = "It works once within 15 minutes."
	huma.Register(a, link, func(ctx context.Context, in *idInput) (*struct{ Body LoginLinkBody }, error) {
		if _, err := s.userByID(ctx, in.ID); err != nil {
			return nil, err
		}
		url, expires, err := s.loginLink(ctx, baseURL(api.HTTPRequest(ctx)), in.ID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body LoginLinkBody }{LoginLinkBody{URL: url, ExpiresAt: expires}}, nil
	})
}

// baseURL is the address that the caller uses for this server.
func baseURL(r *http.Request) string {
	if overTLS(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (s *Service) checkUser(name, role string) error {
	var bad problem.Invalid
	for field, value := range map[string]string{"name": name, "role": role} {
		if strings.ContainsRune(value, 0) {
			bad.Add(field, "must not contain the character 0", nil)
		}
	}
	if _, ok := s.role(role); !ok {
		bad.Add("role", "must be a role: admin, manager, support, analyst, viewer or one of your own", role)
	}
	return bad.Err()
}

const userColumns = "id, email, name, role, created_at"

func (s *Service) listUsers(ctx context.Context, after string, limit int) ([]User, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+userColumns+` FROM users WHERE email COLLATE "C" > $1 ORDER BY email COLLATE "C" LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowToStructByPos[User])
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return users, nil
}

func (s *Service) userByID(ctx context.Context, id string) (*User, error) {
	if strings.ContainsRune(id, 0) {
		return nil, problem.NotFound("user", id)
	}
	rows, err := s.pool.Query(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1", id)
	if err != nil {
		return nil, fmt.Errorf("reading a user: %w", err)
	}
	return oneUser(rows, id)
}

func oneUser(rows pgx.Rows, id string) (*User, error) {
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[User])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("user", id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a user: %w", err)
	}
	return u, nil
}

func (s *Service) createUser(ctx context.Context, in NewUser) (*User, error) {
	email := strings.ToLower(strings.TrimSpace(in.Email))
	if err := s.checkUser(in.Name, in.Role); err != nil {
		return nil, err
	}
	if email == "" || strings.ContainsAny(email, "\x00 \t\r\n") {
		return nil, problem.Invalid{{Field: "email", Rule: "must be a name or e-mail address without spaces", Value: problem.Clip(in.Email)}}
	}
	rows, err := s.pool.Query(ctx, `INSERT INTO users (id, email, name, role, created_at)
		SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM users) < $6 RETURNING `+userColumns,
		strings.ToLower(rand.Text()), email, strings.TrimSpace(in.Name), in.Role, s.now().UTC().Truncate(time.Microsecond), maxUsers)
	if err != nil {
		return nil, fmt.Errorf("adding a user: %w", err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[User])
	var broken *pgconn.PgError
	switch {
	case errors.As(err, &broken) && broken.Code == "23505":
		return nil, problem.Conflict("There is a user with this e-mail address already.")
	case errors.Is(err, pgx.ErrNoRows):
		return nil, problem.Conflict(fmt.Sprintf("There are %d users, the most there may be.", maxUsers))
	case err != nil:
		return nil, fmt.Errorf("adding a user: %w", err)
	}
	return u, nil
}

// notLastAdmin holds for a user without whom somebody can still manage users.
const notLastAdmin = ` (role <> 'admin' OR EXISTS (SELECT FROM users o WHERE o.role = 'admin' AND o.id <> $1))`

func lastAdmin() error { return problem.Conflict("This is the last administrator.") }

func (s *Service) updateUser(ctx context.Context, id string, in ChangedUser) (*User, error) {
	old, err := s.userByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = old.Name
	}
	if in.Role == "" {
		in.Role = old.Role
	}
	if err := s.checkUser(in.Name, in.Role); err != nil {
		return nil, err
	}
	var u *User
	err = s.changingUsers(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `UPDATE users SET name = $2, role = $3 WHERE id = $1 AND ($3 = 'admin' OR`+notLastAdmin+`) RETURNING `+userColumns,
			id, strings.TrimSpace(in.Name), in.Role)
		if err != nil {
			return err
		}
		u, err = pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[User])
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, lastAdmin()
	}
	if err != nil {
		return nil, fmt.Errorf("changing a user: %w", err)
	}
	return u, nil
}

// changingUsers runs change alone: of two administrators who remove each other at
// the same time one has to stay.
func (s *Service) changingUsers(ctx context.Context, change func(pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		return change(tx)
	})
}

func (s *Service) deleteUser(ctx context.Context, id string) error {
	if _, err := s.userByID(ctx, id); err != nil {
		return err
	}
	removed := int64(0)
	err := s.changingUsers(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM users WHERE id = $1 AND`+notLastAdmin, id)
		removed = tag.RowsAffected()
		return err
	})
	if err != nil {
		return fmt.Errorf("removing a user: %w", err)
	}
	if removed == 0 {
		return lastAdmin()
	}
	return nil
}
