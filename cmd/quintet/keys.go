package main

import (
	"fmt"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// key is an API key as the service shows it.
type key struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"createdAt"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
}

func newKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Create, list and revoke API keys",
		Long: `Keys give services access. Scopes: ingest (send events), decide (ask for
decisions), read (reports and definitions), admin (everything).`,
	}
	var scopes []string
	create := &cobra.Command{
		Use: "create NAME", Short: "Create a key and print its secret, which is shown this once", Args: cobra.ExactArgs(1),
		Example: "  quintet keys create shop-backend --scope ingest --scope decide",
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			var out struct {
				Secret string `json:"secret"`
			}
			if err := c.Post(cmd.Context(), "/v1/api-keys", map[string]any{"name": args[0], "scopes": scopes}, &out); err != nil {
				return err
			}
			fmt.Println(out.Secret)
			return nil
		}),
	}
	create.Flags().StringSliceVar(&scopes, "scope", []string{"ingest", "decide"}, "what the key may do: ingest, identity, decide, read, define, approve, flags, admin")
	list := &cobra.Command{
		Use: "list", Short: "List keys", Args: cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			var out struct {
				Items []key `json:"items"`
			}
			if err := c.Get(cmd.Context(), "/v1/api-keys", &out); err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tSCOPES\tCREATED\tREVOKED")
			for _, k := range out.Items {
				revoked := ""
				if k.RevokedAt != nil {
					revoked = k.RevokedAt.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s\n", k.ID, k.Name, k.Scopes, k.CreatedAt.Format(time.RFC3339), revoked)
			}
			return w.Flush()
		}),
	}
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "Revoke a key; it stops working at once", Args: cobra.ExactArgs(1),
		RunE: withSettings(func(cmd *cobra.Command, args []string) (err error) {
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			return c.Delete(cmd.Context(), "/v1/api-keys/"+url.PathEscape(args[0]))
		}),
	}
	cmd.AddCommand(create, list, revoke)
	return cmd
}

// closing ends a connection and keeps its error when there is no other.
func closing(done func() error, err *error) {
	if closeErr := done(); *err == nil {
		*err = closeErr
	}
}
