package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"net/url"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/tidwall/buntdb"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// store is a database as it is compared: keys and values, and transactions of
// several of them.
type store interface {
	// commit does all writes in one transaction. When it returns nil they are
	// acknowledged: they must outlive a power cut.
	commit(writes []write) error
	// read returns all entries, ordered by key.
	read() ([]entry, error)
	close() error
}

// compacter is a store whose file can be made as small as its content.
type compacter interface {
	compact() error
}

// write sets a key, or deletes it.
type write struct {
	key, value string
	deletes    bool
}

// entry is what stands at a key. extra is what the store keeps beside the
// value.
type entry struct{ key, value, extra string }

// target is a kind of store.
type target struct {
	name string
	open func(path string) (store, error)
	// appends says that a commit only makes the file longer, so that its
	// length tells how many transactions are whole.
	appends bool
}

// targets are the stores that are compared, each as its own documentation
// opens it, and with full durability.
var targets = []target{
	{name: "flagstage", open: openFlagstage, appends: true},
	{name: "buntdb", open: openBuntdb, appends: true},
	{name: "bbolt", open: openBbolt},
	{name: "SQLite", open: openSQLite},
}

func targetNamed(name string) (target, error) {
	for _, t := range targets {
		if t.name == name {
			return t, nil
		}
	}
	return target{}, fmt.Errorf("there is no store %q", name)
}

// fingerprint tells two contents of a store from each other.
func fingerprint(entries []entry) uint64 {
	h := fnv.New64a()
	for _, e := range entries {
		fmt.Fprintf(h, "%q %q %q\n", e.key, e.value, e.extra)
	}
	return h.Sum64()
}

type flagstageStore struct{ *flagstage.FileStore }

func openFlagstage(path string) (store, error) {
	s, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	if err != nil {
		return nil, err
	}
	return flagstageStore{s}, nil
}

func (s flagstageStore) commit(writes []write) error {
	var txn flagstage.Txn
	for _, w := range writes {
		if w.deletes {
			txn.Delete = append(txn.Delete, w.key)
			continue
		}
		value := []byte(w.value)
		txn.Put = append(txn.Put, flagstage.Record{
			Key: w.key, Value: value, Wake: time.UnixMilli(int64(crc32.ChecksumIEEE(value))),
		})
	}
	_, err := s.Commit(context.Background(), txn)
	return err
}

func (s flagstageStore) read() (entries []entry, err error) {
	for r, err := range s.Scan(context.Background(), "") {
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{r.Key, string(r.Value), fmt.Sprint(r.Revision, r.Wake.UnixMilli())})
	}
	return entries, nil
}

func (s flagstageStore) compact() error { return s.Compact(context.Background(), nil) }
func (s flagstageStore) close() error   { return s.Close() }

type buntdbStore struct{ *buntdb.DB }

func openBuntdb(path string) (store, error) {
	db, err := buntdb.Open(path)
	if err != nil {
		return nil, err
	}
	var config buntdb.Config
	if err := db.ReadConfig(&config); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	config.SyncPolicy = buntdb.Always
	if err := db.SetConfig(config); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return buntdbStore{db}, nil
}

func (s buntdbStore) commit(writes []write) error {
	return s.Update(func(tx *buntdb.Tx) error {
		for _, w := range writes {
			var err error
			if w.deletes {
				_, err = tx.Delete(w.key)
			} else {
				_, _, err = tx.Set(w.key, w.value, nil)
			}
			if err != nil && !errors.Is(err, buntdb.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

func (s buntdbStore) read() (entries []entry, err error) {
	err = s.View(func(tx *buntdb.Tx) error {
		return tx.Ascend("", func(key, value string) bool {
			entries = append(entries, entry{key: key, value: value})
			return true
		})
	})
	return entries, err
}

func (s buntdbStore) compact() error { return s.Shrink() }
func (s buntdbStore) close() error   { return s.Close() }

type bboltStore struct{ *bbolt.DB }

var bboltBucket = []byte("pairs")

func openBbolt(path string) (store, error) {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bboltBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return bboltStore{db}, nil
}

func (s bboltStore) commit(writes []write) error {
	return s.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bboltBucket)
		for _, w := range writes {
			var err error
			if w.deletes {
				err = bucket.Delete([]byte(w.key))
			} else {
				err = bucket.Put([]byte(w.key), []byte(w.value))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (s bboltStore) read() (entries []entry, err error) {
	err = s.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bboltBucket).ForEach(func(key, value []byte) error {
			entries = append(entries, entry{key: string(key), value: string(value)})
			return nil
		})
	})
	return entries, err
}

func (s bboltStore) close() error { return s.Close() }

type sqliteStore struct{ *sql.DB }

func openSQLite(path string) (store, error) {
	source := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=journal_mode(delete)&_pragma=synchronous(full)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return sqliteStore{db}, nil
}

func (s sqliteStore) commit(writes []write) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	for _, w := range writes {
		if w.deletes {
			_, err = tx.Exec("DELETE FROM pairs WHERE key = ?", w.key)
		} else {
			_, err = tx.Exec("INSERT INTO pairs VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", w.key, w.value)
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (s sqliteStore) read() (entries []entry, err error) {
	rows, err := s.Query("SELECT key, value FROM pairs ORDER BY key")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.key, &e.value); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

func (s sqliteStore) close() error { return s.Close() }
