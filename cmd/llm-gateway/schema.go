package main

import (
	"github.com/spf13/cobra"

	"gateway/providers"
)

func newSchema(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of providers.json",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := providers.Schema()
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(append(schema, '\n'))
			return err
		},
	}
}
