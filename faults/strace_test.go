package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFaultIsFoundInLog(t *testing.T) {
	const before = `7  write(1<pipe:[1]>, "begin open\n", 11) = 11
7  openat(AT_FDCWD</x>, "/d/a", O_RDWR|O_CREAT, 0600) = 5</d/a>
7  pwrite64(5</d/a>, "x", 1, 0) = 1
7  write(1<pipe:[1]>, "ok \n", 4) = 4
7  write(1<pipe:[1]>, "begin commit 1\n", 15) = 15
`
	for _, c := range []struct {
		name, rest string
		want       trial
	}{
		{"no fault", "7  fsync(5</d/a>) = 0\n7  +++ exited with 0 +++\n", trial{at: 1}},
		{"sync of what was written", "7  fsync(5</d/a>) = -1 EIO (Input/output error) (INJECTED)\n", trial{at: 1, fired: true}},
		{"sync of a directory with a new file", "7  fsync(6</d>) = -1 EIO (Input/output error) (INJECTED)\n", trial{at: 1, fired: true}},
		{"sync of what was synced", "7  fdatasync(5</d/a>) = 0\n7  fsync(8</d/a>) = -1 EIO (Input/output error) (INJECTED)\n", trial{at: 1, fired: true, needless: true}},
		{"sync of what nobody wrote", "7  fsync(9</d/b>) = -1 EIO (Input/output error) (INJECTED)\n", trial{at: 1, fired: true, needless: true}},
		{"sync and a write since", "7  fsync(5</d/a>) = 0\n7  ftruncate(8</d/a>, 3) = 0\n7  fsync(8</d/a>) = -1 EIO (Input/output error) (INJECTED)\n", trial{at: 1, fired: true}},
		{
			"calls of two threads",
			"7  fsync(5</d/a> <unfinished ...>\n8  write(5</d/a>, \"y\", 1) = 1\n7  <... fsync resumed>) = -1 EIO (Input/output error) (INJECTED)\n",
			trial{at: 1, fired: true},
		},
		{
			"a sync that was interrupted",
			"7  fsync(5</d/a> <unfinished ...>\n8  --- SIGURG {si_signo=SIGURG} ---\n7  <... fsync resumed>) = 0\n7  fsync(5</d/a>) = -1 EIO (Input/output error) (INJECTED)\n",
			trial{at: 1, fired: true, needless: true},
		},
		{"a write", "7  write(5</d/a>, \"y\", 1) = -1 ENOSPC (No space left on device) (INJECTED)\n", trial{at: 1, fired: true}},
		{
			"the first of more", "7  write(1<pipe:[1]>, \"begin close\\n\", 12) = 12\n7  fsync(5</d/a>) = -1 EIO (Input/output error) (INJECTED)\n" +
				"7  write(1<pipe:[1]>, \"begin open\\n\", 11) = 11\n7  fsync(5</d/a>) = -1 EIO (Input/output error) (INJECTED)\n",
			trial{at: 2, fired: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := trial{log: before + c.rest}
			got.find()
			c.want.log = got.log
			require.Equal(t, c.want, got)
		})
	}
}

func TestMissingStraceIsNamed(t *testing.T) {
	t.Setenv("PATH", "")
	_, err := failSyncs(flagstageTarget, t.TempDir())
	require.ErrorContains(t, err, "apt-get install strace")
}

func TestPathsOfScriptAreFound(t *testing.T) {
	dir := scratch(t)
	place := filepath.Join(dir, "store")
	require.NoError(t, os.Mkdir(place, 0o700))
	paths, err := pathsIn(dir, flagstageTarget, filepath.Join(place, "a.db"), sweepScript)
	require.NoError(t, err)
	for _, want := range []string{place, filepath.Join(place, "a.db"), filepath.Join(place, "a.db.lock"), filepath.Join(place, "a.db.compact")} {
		require.Contains(t, paths, want)
	}
	require.False(t, slices.Contains(paths, dir))
}
