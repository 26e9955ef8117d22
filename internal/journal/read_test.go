package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadingTakesNoLockAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	j := open(t, path, Options{Sync: SyncNever})
	for i := range 5 {
		commit(t, j, Op{Key: fmt.Sprint(i)}, Op{Key: fmt.Sprint(i - 2), Delete: true})
	}
	before := read(t, path)
	want := content(t, j)

	found, err := Scan(t.Context(), path, nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 5, found.Transactions)
	require.False(t, found.Closed)
	require.Nil(t, found.Tail)
	loaded, _, err := Load(t.Context(), path, nil)
	require.NoError(t, err)
	require.Equal(t, want, content(t, loaded))
	require.NoError(t, loaded.Close())
	err = Backup(t.Context(), path, path+".copy", nil)
	require.NoError(t, err)
	salvaged, err := Salvage(t.Context(), path, path+".saved", nil)
	require.NoError(t, err)
	require.Equal(t, Salvaged{Transactions: 5, Records: int64(len(want))}, salvaged)
	require.Equal(t, before, read(t, path))

	commit(t, j, Op{Key: "later"})
	for _, copied := range []string{".copy", ".saved"} {
		info, err := os.Stat(path + copied)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode())
		found, err := Scan(t.Context(), path+copied, nil, nil)
		require.NoError(t, err)
		require.True(t, found.Closed)
		c := open(t, path+copied, Options{})
		require.Equal(t, want, content(t, c))
		require.Equal(t, Recovery{}, c.Recovery())
		require.Greater(t, commit(t, c), int64(5), "numbers go on")
	}
}

func TestReadingAWriteUnderWay(t *testing.T) {
	s := tell(t, Options{}, 3, false)
	path := filepath.Join(t.TempDir(), "db")
	write(t, path, s.text[:len(s.text)-5])
	found, err := Scan(t.Context(), path, nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, found.Transactions)
	require.Equal(t, &Tail{Offset: s.ends[2], Bytes: int64(len(s.text)-5) - s.ends[2], Reason: found.Tail.Reason}, found.Tail)
	require.Contains(t, found.Tail.Reason, "ends in the middle of a command")
	err = Backup(t.Context(), path, path+".copy", nil)
	require.NoError(t, err)
	require.Equal(t, s.states[2], content(t, open(t, path+".copy", Options{})))
}

func TestTargetsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	j, err := Open(path, Options{})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a"})
	require.NoError(t, j.Close())
	taken := filepath.Join(dir, "taken")
	write(t, taken, []byte("mine"))
	damaged := filepath.Join(dir, "damaged")
	text := read(t, path)
	text[len(text)-200]++
	write(t, damaged, text)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, work := range map[string]func(ctx context.Context, path, target string, progress Progress) error{
		"backup": Backup,
		"salvage": func(ctx context.Context, path, target string, p Progress) error {
			_, err := Salvage(ctx, path, target, p)
			return err
		},
	} {
		require.ErrorIs(t, work(t.Context(), path, taken, nil), fs.ErrExist, name)
		require.ErrorIs(t, work(t.Context(), path, path, nil), fs.ErrExist, name)
		require.ErrorContains(t, work(t.Context(), path, filepath.Join(dir, "none", "db"), nil), "folder that exists", name)
		require.ErrorIs(t, work(cancelled, path, filepath.Join(dir, "new"), nil), context.Canceled, name)
		require.ErrorIs(t, work(t.Context(), taken, filepath.Join(dir, "new"), nil), ErrFormat, name)
		require.ErrorIs(t, work(t.Context(), filepath.Join(dir, "absent"), filepath.Join(dir, "new"), nil), fs.ErrNotExist, name)
	}
	var corrupt *CorruptError
	err = Backup(t.Context(), damaged, filepath.Join(dir, "new"), nil)
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, "mine", string(read(t, taken)))
	_, err = os.Stat(filepath.Join(dir, "new"))
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing is left behind")
}

// TestSalvageTakesAllThatIsWhole damages every byte of a file in turn: all
// transactions but the one that was hit are in the new file.
func TestSalvageTakesAllThatIsWhole(t *testing.T) {
	s := tell(t, Options{}, 6, true)
	dir := t.TempDir()
	path, target := filepath.Join(dir, "db"), filepath.Join(dir, "saved")
	whole, _, err := replay(s.text)
	require.NoError(t, err)
	for at := 0; at < len(s.text); at += 7 {
		text := bytes.Clone(s.text)
		text[at] ^= 0x55
		write(t, path, text)
		found, err := Salvage(t.Context(), path, target, nil)
		require.NoError(t, err, at)

		want := Salvaged{Transactions: 6}
		state := map[string]string{}
		_, err = scan(bytes.NewReader(s.text), int64(len(s.text)), "", nil, func(g *group) error {
			if g.isHeader() {
				return nil
			}
			if g.start <= int64(at) && int64(at) < g.start+int64(g.size) {
				lost := Lost{Offset: g.start, Bytes: int64(g.size), From: max(g.sequence, 1)}
				if g.kind == kindData {
					want.Transactions--
					lost.To = g.sequence
				}
				want.Lost = append(want.Lost, lost)
				return nil
			}
			g.replayOn(state)
			return nil
		})
		require.NoError(t, err)
		if at < headerSize {
			want.Lost = []Lost{{Bytes: int64(headerSize), From: 1}}
		}
		require.Len(t, found.Lost, 1, at)
		require.NotEmpty(t, found.Lost[0].Reason)
		found.Lost[0].Reason, found.Records = "", 0
		if want.Lost[0].To == 0 {
			found.Lost[0].To = 0 // what is missing held no transaction
		}
		require.Equal(t, want, found, at)
		j, err := Open(target, Options{sys: &faultySystem{lazy: true}})
		require.NoError(t, err)
		require.Equal(t, state, content(t, j), at)
		require.Greater(t, commit(t, j), whole.Sequence, "no number is used again")
		require.NoError(t, j.Close())
		require.NoError(t, os.Remove(target))
	}
}

func TestSalvageOfManyDamages(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	j, err := Open(path, Options{Sync: SyncNever})
	require.NoError(t, err)
	var ends []int64
	for i := range 400 {
		commit(t, j, Op{Key: fmt.Sprint(i), Value: strings.Repeat("*3\r\n$3\r\nset\r\n", 20)})
		ends = append(ends, j.end)
	}
	require.NoError(t, j.Close())
	text := read(t, path)
	for i := 0; i < 400; i += 2 {
		text[ends[i]-100] ^= 1
	}
	write(t, path, text)
	found, err := Salvage(t.Context(), path, filepath.Join(dir, "saved"), nil)
	require.NoError(t, err)
	require.EqualValues(t, 200, found.Transactions)
	require.Len(t, found.Lost, 200)

	clear(text[headerSize:])
	write(t, path, text)
	found, err = Salvage(t.Context(), path, filepath.Join(dir, "empty"), nil)
	require.NoError(t, err)
	require.Equal(t, []Lost{{Offset: int64(headerSize), Bytes: int64(len(text) - headerSize), From: 1, Reason: "no command begins here"}}, found.Lost)
}

// TestSalvageWithoutTheBeginning loses the header, and with it the salt.
func TestSalvageWithoutTheBeginning(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "db"), filepath.Join(dir, "saved")
	s := tell(t, Options{}, 10, true)
	for _, lost := range []int{1, headerSize / 2, headerSize, 512} {
		for _, fill := range []byte{0, 'x'} {
			copy(s.text, bytes.Repeat([]byte{fill}, lost))
			write(t, path, s.text)
			_, err := Open(path, Options{})
			require.Error(t, err)
			found, err := Salvage(t.Context(), path, target, nil)
			require.NoError(t, err, "%d bytes lost", lost)
			whole := int64(0)
			for i := range 10 {
				if s.ends[i] >= int64(lost) && (i > 0 || lost <= headerSize) {
					whole++
				}
			}
			require.Equal(t, whole, found.Transactions, "%d bytes lost", lost)
			require.NoError(t, os.Remove(target))
		}
	}
}

// TestSalvageOfValuesThatHoldGroups damages a group whose value is what the
// file was before it: nothing is taken from the value.
func TestSalvageOfValuesThatHoldGroups(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "db"), filepath.Join(dir, "saved")
	j, err := Open(path, Options{})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a", Value: "1"})
	commit(t, j, Op{Key: "a", Value: "2"})
	begin := int(j.end)
	commit(t, j, Op{Key: "copy", Value: string(read(t, path))})
	end := int(j.end)
	commit(t, j, Op{Key: "b", Value: "3"})
	require.NoError(t, j.Close())
	text := read(t, path)
	for at := begin; at < end; at += 5 {
		damaged := bytes.Clone(text)
		damaged[at] ^= 1
		write(t, path, damaged)
		found, err := Salvage(t.Context(), path, target, nil)
		require.NoError(t, err)
		require.EqualValues(t, 3, found.Transactions, at)
		require.Equal(t, map[string]string{"a": "2", "b": "3"}, content(t, open(t, target, Options{sys: &faultySystem{lazy: true}})), at)
		target += "x"
	}
}

func TestSalvageOfWhatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	write(t, path, appendHeader(nil, kindBegin, beginNumber, newSalt()))
	require.NoError(t, os.Truncate(path, 1<<42))
	_, err := Salvage(t.Context(), path, path+".saved", nil)
	require.ErrorIs(t, err, ErrTooLarge)
	write(t, path, nil)
	require.NoError(t, os.Truncate(path, 1<<42))
	_, err = Salvage(t.Context(), path, path+".saved", nil)
	require.ErrorIs(t, err, ErrFormat)
	_, err = Open(path, Options{})
	require.ErrorIs(t, err, ErrFormat)
}

// TestNumbersOfCopiesAreTheirOwn looks that a copy of a file never gives a
// number that the file gives too.
func TestNumbersOfCopiesAreTheirOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j := open(t, path, Options{})
	last := commit(t, j, Op{Key: "a"})
	require.NoError(t, Backup(t.Context(), path, path+".copy", nil))
	_, err := Salvage(t.Context(), path, path+".saved", nil)
	require.NoError(t, err)
	copied := commit(t, open(t, path+".copy", Options{}))
	saved := commit(t, open(t, path+".saved", Options{}))
	require.Greater(t, copied, last+leftOut)
	require.Greater(t, saved, last+leftOutBySalvage)
	require.Less(t, commit(t, j), copied)
}

func TestSalvageOfAnEarlyVersion(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "db"), filepath.Join(dir, "saved")
	text := bytes.Clone(frameless)
	text = appendSet(text, "a", "1")
	text = appendSet(text, "\x00revision", string(binary.BigEndian.AppendUint64(nil, 7)))
	text = append(text, "nonsense"...)
	text = appendSet(text, "b", "2")
	text = appendDel(text, "a")
	write(t, path, text)
	found, err := Salvage(t.Context(), path, target, nil)
	require.NoError(t, err)
	require.True(t, found.Unproven)
	require.Len(t, found.Lost, 1)
	require.EqualValues(t, 8, found.Lost[0].Bytes)
	j := open(t, target, Options{})
	require.Equal(t, map[string]string{"b": "2"}, content(t, j))
	require.Greater(t, commit(t, j), int64(7))
}

// TestHostileFilesTakeLittleMemory reads files that promise much.
func TestHostileFilesTakeLittleMemory(t *testing.T) {
	s := tell(t, Options{}, 20, false)
	hostile := [][]byte{}
	for _, tail := range []string{
		"*3\r\n$3\r\nset\r\n$1\r\na\r\n$99999999999999999999\r\n",
		"*3\r\n$3\r\nset\r\n$1\r\na\r\n$8388608\r\n",
		"*3\r\n$3\r\nset\r\n$4096\r\n",
		strings.Repeat("*2\r\n$3\r\ndel\r\n$1\r\na\r\n", 500),
		strings.Repeat(string(sharedBegin), 200),
		strings.Repeat("\x00", 5000),
	} {
		hostile = append(hostile, append(bytes.Clone(s.text), tail...))
	}
	for i, text := range hostile {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := scan(bytes.NewReader(text), int64(len(text)), "db", nil, nil)
		runtime.ReadMemStats(&after)
		t.Logf("file %d of %d bytes: %v, %d bytes allocated", i, len(text), err, after.TotalAlloc-before.TotalAlloc)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(2*len(text)+8<<10), i)
	}
}
