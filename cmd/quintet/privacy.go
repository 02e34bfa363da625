package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"quintet/internal/client"
	"quintet/profiles"
)

func newExportCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: "Export all that is known of a person as JSON",
		Long: `Writes all that is known of a person as one JSON document: identifiers, traits with
their lineage, consents, attributes, identity, segments, sources, exposures,
decisions and events. ID is a profile id or namespace:value. The export is in the
audit log.`,
		Example: "  quintet export email:anna@example.org --out anna.json",
		Args:    cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			if file == "" || file == "-" {
				return export(cmd.Context(), c, args[0], os.Stdout)
			}
			out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return fmt.Errorf("opening the file: %w", err)
			}
			return errors.Join(export(cmd.Context(), c, args[0], out), out.Close())
		}),
	}
	cmd.Flags().StringVar(&file, "out", "", "file to write; standard output when absent")
	return cmd
}

// tail keeps the last bytes of what is written through it.
type tail struct {
	to   io.Writer
	last []byte
}

// Write writes a part.
func (t *tail) Write(b []byte) (int, error) {
	t.last = append(t.last, b[max(0, len(b)-64):]...)
	t.last = t.last[max(0, len(t.last)-64):]
	return t.to.Write(b)
}

func export(ctx context.Context, c *client.Client, id string, to io.Writer) error {
	t := &tail{to: to}
	if err := c.Download(ctx, http.MethodPost, "/v1/profiles/"+url.PathEscape(id)+"/export", t); err != nil {
		return err
	}
	if !bytes.HasSuffix(bytes.TrimSpace(t.last), []byte(`"complete":true}`)) {
		return errors.New("the export broke off; the server's log has the reason")
	}
	return nil
}

func newEraseCommand() *cobra.Command {
	var reason, mode string
	cmd := &cobra.Command{
		Use:   "erase ID",
		Short: "Erase a person from every store and print the proof",
		Long: `Erases a person from memory, Postgres, ClickHouse, the streams and the rejects of
imports, and prints the proof when it is done. ID is a profile id or
namespace:value. Modes: erase keeps decisions, exposures and later events as
numbers under random ids, anonymise keeps all events in that form, purge nothing.`,
		Example: `  quintet erase email:anna@example.org --reason "request of 3 May"`,
		Args:    cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			var j profiles.Erasure
			if err := c.Post(cmd.Context(), "/v1/profiles/"+url.PathEscape(args[0])+"/erase", profiles.ErasureRequest{Reason: reason, Mode: profiles.ErasureMode(mode)}, &j); err != nil {
				return err
			}
			for j.Status != profiles.ErasureDone {
				select {
				case <-time.After(200 * time.Millisecond):
				case <-cmd.Context().Done():
					return fmt.Errorf("erasure %s goes on in the server: %w", j.ID, cmd.Context().Err())
				}
				if err := c.Get(cmd.Context(), "/v1/erasures/"+j.ID, &j); err != nil {
					return err
				}
			}
			return c.Download(cmd.Context(), http.MethodGet, "/v1/erasures/"+j.ID+"/proof", os.Stdout)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, without naming the person: it stays")
	cmd.Flags().StringVar(&mode, "mode", "erase", "erase, anonymise or purge")
	return cmd
}
