package ledger

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// migrations bring a file from one version to the next; PRAGMA user_version holds how
// many were applied. One that has shipped is never changed.
//
//go:embed schema.sql
var first string

//go:embed schema_2.sql
var second string

//go:embed schema_3.sql
var third string

//go:embed schema_4.sql
var fourth string

//go:embed schema_5.sql
var fifth string

//go:embed schema_6.sql
var sixth string

var migrations = []migration{{sql: first}, {sql: second}, {sql: third}, {sql: fourth}, {sql: fifth, then: packAll}, {sql: sixth}}

// migration is one step; then, if any, does in the same transaction what SQL cannot.
type migration struct {
	sql  string
	then func(context.Context, *sql.Tx) error
}

// Options of a Store. The zero value is durable against a killed process.
type Options struct {
	// Full makes every commit survive a power loss too, at the cost of a disk flush.
	Full bool
	// ReadOnly opens an existing file for reading while another process writes it.
	ReadOnly bool
}

// Store is the SQLite file. It is safe for concurrent use; one process writes it.
type Store struct {
	write *sql.DB // one connection
	row   *sql.Stmt
	rows  *sql.Stmt // rowsAtOnce
	alike *sql.Stmt // as many that are alike
	roll  *sql.Stmt
	read  *sql.DB
	lock  *os.File

	before func(context.Context) error // waits for rows that are durable and not in the file yet; nil: there are none
}

// ReadAfter has every reading wait for f first: the Flush of the Committer that writes
// this store. Call it before the first reading.
func (s *Store) ReadAfter(f func(context.Context) error) { s.before = f }

func (s *Store) upToDate(ctx context.Context) error {
	if s.before == nil {
		return nil
	}
	return s.before(ctx)
}

// Open opens, or makes, the books under a directory. The directory and its files can
// be read by their owner only.
func Open(dir string, opts Options) (*Store, error) {
	path := filepath.Join(dir, "ledger.db")
	if opts.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("opening the ledger: %w", err)
		}
		if err := bookLeftOver(dir, opts.Full); err != nil {
			return nil, err
		}
		return openToRead(dir, path, opts)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the ledger's directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock}
	if err := s.open(path, opts); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openToRead opens books that this program wrote, or brings those of an older one forward
// if no gateway has them open.
func openToRead(dir, path string, opts Options) (*Store, error) {
	for tried := false; ; tried = true {
		db, err := connect(path, "mode=ro", opts)
		if err != nil {
			return nil, err
		}
		version, err := versionOf(db)
		if err == nil && version == len(migrations) {
			return &Store{read: db}, nil
		}
		db.Close()
		if err != nil {
			return nil, err
		}
		if version > len(migrations) || tried {
			return nil, unknownVersion(version)
		}
		s, err := Open(dir, Options{Full: opts.Full})
		if err != nil {
			return nil, fmt.Errorf("the ledger is of version %d, and cannot be brought to %d now: %w", version, len(migrations), err)
		}
		if err := s.Close(); err != nil {
			return nil, fmt.Errorf("migrating the ledger: %w", err)
		}
	}
}

func versionOf(db *sql.DB) (version int, err error) {
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("reading the ledger's version: %w", err)
	}
	return version, nil
}

func unknownVersion(version int) error {
	return fmt.Errorf("the ledger is of version %d, this program knows up to %d", version, len(migrations))
}

func (s *Store) open(path string, opts Options) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	f.Close()
	if s.write, err = connect(path, "mode=rw", opts); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err = s.migrate(); err != nil {
		return err
	}
	for stmt, text := range map[**sql.Stmt]string{&s.row: insertRows(1, false), &s.rows: insertRows(rowsAtOnce, false),
		&s.alike: insertRows(rowsAtOnce, true), &s.roll: addCell} {
		if *stmt, err = s.write.Prepare(text); err != nil {
			return fmt.Errorf("opening the ledger: %w", err)
		}
	}
	s.read, err = connect(path, "mode=ro", opts)
	return err
}

func connect(path, mode string, opts Options) (*sql.DB, error) {
	sync := "NORMAL"
	if opts.Full {
		sync = "FULL"
	}
	// Rows are added at the end of a file, and change cells of the hour. 1 MB of pages is enough
	// for that; each lies in 8 KB, since SQLite's pages with their heads are a little more than 4,
	// and so the usual 2 MB grow to 4 in the first half hour.
	q := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(" + sync + ")", "cache_size(-1024)"}}
	if mode == "mode=ro" {
		// Reports visit cells all over a large file: 16 MB of pages spare them most of the way.
		q = url.Values{"_pragma": {"busy_timeout(5000)", "cache_size(-16384)"}}
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+mode+"&"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	return db, nil
}

func (s *Store) migrate() error {
	version, err := versionOf(s.write)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return unknownVersion(version)
	}
	for ; version < len(migrations); version++ {
		tx, err := s.write.Begin()
		if err != nil {
			return fmt.Errorf("migrating the ledger: %w", err)
		}
		_, err = tx.Exec(migrations[version].sql + fmt.Sprintf(";PRAGMA user_version = %d;", version+1))
		if then := migrations[version].then; err == nil && then != nil {
			err = then(context.Background(), tx)
		}
		if err := errors.Join(err, end(tx, err)); err != nil {
			return fmt.Errorf("migrating the ledger to version %d: %w", version+1, err)
		}
	}
	return nil
}

func end(tx *sql.Tx, err error) error {
	if err != nil {
		return tx.Rollback()
	}
	return tx.Commit()
}

// Close closes the file.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
