package main

import "github.com/spf13/cobra"

func providersFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "providers", "", "path of providers.json; without it ./providers.json, else the shipped one")
}

func dataFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "data-dir", "data", "folder of the ledger")
}
