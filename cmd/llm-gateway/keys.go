package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gateway"
	"gateway/ledger"
)

// keysOf are what every command about keys is told.
type keysOf struct {
	*program
	dir  string
	json bool
}

func newKeys(p *program) *cobra.Command {
	k := &keysOf{program: p}
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, change and revoke the keys of clients",
		Long: "Make, change and revoke the keys of clients and of teams. A running gateway follows within a second.\n" +
			"A secret is printed once, to standard output, and only its hash is kept.",
		Args: cobra.NoArgs,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&k.dir, "data-dir", "data", "folder of the ledger and the keys")
	f.BoolVar(&k.json, "json", false, "print JSON")
	cmd.AddCommand(k.newCreate(), k.newList(), k.newShow(), k.newSet(), k.newRotate(), k.newRevoke())
	return cmd
}

// with opens the file of keys for one command.
func (k *keysOf) with(do func(*ledger.Keys) error) error {
	kept, err := ledger.OpenKeys(k.dir)
	if err != nil {
		return err
	}
	return errors.Join(do(kept), kept.Close())
}

// existing is with, but makes no file where there is none.
func (k *keysOf) existing(do func(*ledger.Keys) error) error {
	if !ledger.HaveKeys(k.dir) {
		return fmt.Errorf("there are no keys in %s; `llm-gateway keys create` makes the first", k.dir)
	}
	return k.with(do)
}

func (k *keysOf) newCreate() *cobra.Command {
	var w keyWish
	var team bool
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key, or a team that keys can belong to",
		Example: "  llm-gateway keys create --team --alias red --budget 500 --every month --zone Europe/Vienna\n" +
			"  llm-gateway keys create --alias ci --parent red --models 'deepseek/*' --rpm 60 --expires 90d --tag env=test",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := w.change(cmd, time.Now())
			if err != nil {
				return err
			}
			return k.with(func(kept *ledger.Keys) error {
				key, secret, err := kept.Create(cmd.Context(), team, c, time.Now())
				if err != nil {
					return err
				}
				return k.printNew(&key, secret)
			})
		},
	}
	cmd.Flags().BoolVar(&team, "team", false, "make a team: it has limits and a budget that its keys share, and no secret")
	w.flags(cmd)
	return cmd
}

func (k *keysOf) newSet() *cobra.Command {
	var w keyWish
	cmd := &cobra.Command{
		Use:   "set KEY",
		Short: "Change a key, named by id or alias; what is not said stays",
		Example: "  llm-gateway keys set ci --rpm 120 --models all\n" +
			"  llm-gateway keys set ci --budget none",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := w.change(cmd, time.Now())
			if err != nil {
				return err
			}
			return k.existing(func(kept *ledger.Keys) error {
				key, err := kept.Set(cmd.Context(), args[0], c, time.Now())
				return k.printOne(&key, err)
			})
		},
	}
	w.flags(cmd)
	return cmd
}

func (k *keysOf) newList() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys and teams",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return k.list(cmd.Context(), all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "revoked ones too")
	return cmd
}

func (k *keysOf) list(ctx context.Context, all bool) error {
	var keys []gateway.Key
	if ledger.HaveKeys(k.dir) {
		err := k.with(func(kept *ledger.Keys) (err error) {
			keys, err = kept.All(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return k.printList(keys, all)
}

func (k *keysOf) newShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show KEY",
		Short: "Show one key, named by id or alias",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.existing(func(kept *ledger.Keys) error {
				key, err := kept.Find(cmd.Context(), args[0])
				return k.printOne(&key, err)
			})
		},
	}
}

func (k *keysOf) newRotate() *cobra.Command {
	var overlap string
	cmd := &cobra.Command{
		Use:   "rotate KEY",
		Short: "Give a key a new secret; the old one works on for the overlap",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			length, err := days(overlap)
			if err != nil {
				return fmt.Errorf("--overlap: %w", err)
			}
			return k.existing(func(kept *ledger.Keys) error {
				key, secret, err := kept.Rotate(cmd.Context(), args[0], length, time.Now())
				if err != nil {
					return err
				}
				return k.printNew(&key, secret)
			})
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", "24h", "how long the old secret is still taken, such as 0s, 24h or 7d")
	return cmd
}

func (k *keysOf) newRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEY",
		Short: "End a key, or a team with all its keys, for good",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.existing(func(kept *ledger.Keys) error {
				key, err := kept.Revoke(cmd.Context(), args[0], time.Now())
				return k.printOne(&key, err)
			})
		},
	}
}
