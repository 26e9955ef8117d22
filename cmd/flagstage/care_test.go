package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

// filled makes a store with one template, and returns its path.
func filled(t *testing.T) string {
	db := filepath.Join(t.TempDir(), "releases.db")
	r := run("", "create", rollout, "--db", db)
	require.Equal(t, exitDone, r.status, r.stderr)
	return db
}

func TestStoreIsLookedAfter(t *testing.T) {
	db := filled(t)
	text, err := os.ReadFile(db)
	require.NoError(t, err)

	r := run("", "store", "verify", "--db", db)
	require.Equal(t, result{exitDone, db + ": whole, " + inBytes(int64(len(text))) + ", records: 1\n", ""}, r)
	r = run("", "store", "stats", "--db", db)
	require.Equal(t, exitDone, r.status)
	require.Contains(t, r.stdout, "Records    1\nWaking     0\nRevision   1\n")
	r = run("", "store", "stats", "--db", db, "--format", "json")
	var stats map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &stats))
	require.EqualValues(t, len(text), stats["fileBytes"])

	copied := db + ".copy"
	require.Equal(t, result{exitDone, "copied " + db + " to " + copied + "\n", ""}, run("", "store", "backup", copied, "--db", db))
	r = run("", "store", "backup", copied, "--db", db)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "exists; name a file that does not")
	require.Equal(t, run("", "list", "--db", db), run("", "list", "--db", copied))

	for range 20 {
		require.Equal(t, exitDone, run("", "delete", "progressive-rollout", "--db", db).status)
		require.Equal(t, exitDone, run("", "create", rollout, "--db", db).status)
	}
	r = run("", "store", "compact", "--db", db)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Regexp(t, `: 5\.\d KiB|\d+ bytes, was \d+\.\d KiB`, r.stdout)
	require.Equal(t, exitDone, run("", "show", "progressive-rollout", "--db", db).status)
}

func TestDamagedStore(t *testing.T) {
	db := filled(t)
	text, err := os.ReadFile(db)
	require.NoError(t, err)
	text[len(text)/2] ^= 1
	require.NoError(t, os.WriteFile(db, text, 0o600))
	for _, command := range []string{"store verify", "store stats", "store compact", "store backup " + db + ".new", "list", "show k", "delete k", "create " + rollout} {
		r := run("", append(strings.Fields(command), "--db", db)...)
		require.Equal(t, exitFailed, r.status, command)
		require.Contains(t, r.stderr, "is damaged from byte", command)
		require.Contains(t, r.stderr, "salvage", command)
		after, err := os.ReadFile(db)
		require.NoError(t, err)
		require.Equal(t, text, after, "it is left alone")
	}
	r := run("", "store", "salvage", db+".saved", "--db", db)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stdout, "records: 0\nlost: ")
	require.Contains(t, r.stdout, ", transaction 1: ")
	r = run("", "store", "salvage", db+".again", "--db", db, "--format", "json")
	require.Contains(t, r.stdout, `"transactions": 0`)
	require.Equal(t, exitDone, run("", "create", rollout, "--db", db+".saved").status)
}

func TestUnfinishedWriteIsToldAndCutOff(t *testing.T) {
	db := filled(t)
	text, err := os.ReadFile(db)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(db, append(text, "*3\r\n$3\r\nset"...), 0o600))
	r := run("", "store", "verify", "--db", db)
	require.Equal(t, exitDone, r.status)
	require.Contains(t, r.stdout, "; at its end an unfinished write of 11 bytes at byte")
	require.Contains(t, run("", "store", "stats", "--db", db, "--format", "json").stdout, `"unfinished"`)
	require.Empty(t, run("", "list", "--db", db).stderr, "reading cuts nothing off")
	r = run("", "delete", "progressive-rollout", "--db", db)
	require.Equal(t, exitDone, r.status)
	require.Contains(t, r.stderr, "an unfinished write of 11 bytes at byte")
	require.Contains(t, r.stderr, "was cut off")
	require.Empty(t, run("", "create", rollout, "--db", db).stderr)
}

// TestStoreInUse holds a store open: what reads works beside it, what writes
// waits five seconds and names the holder.
func TestStoreInUse(t *testing.T) {
	db := filled(t)
	held, err := flagstage.OpenStore(db, flagstage.DurabilityAlways)
	require.NoError(t, err)
	for _, command := range []string{"list", "show progressive-rollout", "store verify", "store stats", "store backup " + db + ".copy"} {
		r := run("", append(strings.Fields(command), "--db", db)...)
		require.Equal(t, exitDone, r.status, command)
	}
	var waited time.Duration
	p := program{
		ctx: t.Context(), stdin: strings.NewReader(""), stdout: &strings.Builder{}, stderr: &strings.Builder{}, clock: flagstage.SystemClock(),
		wait: func(_ context.Context, d time.Duration) error { waited += d; return nil },
	}
	require.Equal(t, exitFailed, p.run([]string{"delete", "progressive-rollout", "--db", db}))
	require.Equal(t, 5*time.Second, waited)
	require.Contains(t, p.stderr.(*strings.Builder).String(), "in use by process")

	p.wait = func(context.Context, time.Duration) error { return held.Close() }
	require.Equal(t, exitDone, p.run([]string{"delete", "progressive-rollout", "--db", db}), "it goes on when the holder is done")
}

func TestReadingMakesNoStore(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.Equal(t, exitDone, run("", "list", "--db", empty).status, "an empty file is an empty store")
	require.Equal(t, exitFailed, run("", "list", "--db", filepath.Join(dir, "none")).status)
	require.Equal(t, exitFailed, run("", "delete", "k", "--db", filepath.Join(dir, "none")).status)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	info, err := entries[0].Info()
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

func TestProgressIsToldOnceASecond(t *testing.T) {
	clock := flagstage.NewVirtualClock(time.UnixMilli(0))
	var errs strings.Builder
	p := program{stderr: &errs, clock: clock}
	progress := p.progress("read")
	for i := range 50 {
		clock.Advance(100 * time.Millisecond)
		progress(int64(i), 50)
	}
	require.Equal(t, 5, strings.Count(errs.String(), "\n"))
	require.Contains(t, errs.String(), "flagstage: read: 98 % of 50 bytes\n")
}
