package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newLoginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Print a new link that signs in to the console of the running server once",
		Args:  cobra.NoArgs,
		RunE: withSettings(func(cmd *cobra.Command, _ []string) (err error) {
			set := cmd.Context().Value(settingsKey{}).(settings)
			if _, ok := findRunning(cmd.Context(), set.cfg); !ok {
				return fmt.Errorf("no server runs on %s: start it with \"quintet serve\"", set.cfg.DataDir)
			}
			c, done, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(done, &err)
			var out struct {
				URL string `json:"url"`
			}
			if err := c.Post(cmd.Context(), "/v1/login-links", map[string]any{}, &out); err != nil {
				return err
			}
			link := out.URL // of the address that this command spoke to, which a proxy may hide
			if public := set.cfg.PublicURL; public != "" {
				if _, path, found := strings.Cut(link, "/auth/"); found {
					link = strings.TrimRight(public, "/") + "/auth/" + path
				}
			}
			fmt.Println(link)
			return nil
		}),
	}
}
