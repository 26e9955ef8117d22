package journal

import (
	"bytes"
	"maps"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzScan reads any bytes: what is accepted, the database reads alike.
func FuzzScan(f *testing.F) {
	f.Add([]byte{})
	header := appendHeader(nil, kindBegin, beginNumber, salt{1, 2, 3})
	f.Add(header)
	f.Add(header[:60])
	var t tally
	command := appendSet(nil, "key", "value")
	t.add(command)
	f.Add(appendFrame(append(bytes.Clone(header), command...), t.frame(kindData, 0, -1), salt{1, 2, 3}.seed()))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, state, err := replay(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, found.End, int64(len(text)))
		path := filepath.Join(t.TempDir(), "db")
		write(t, path, text)
		j, err := Open(path, Options{Sync: SyncNever, sys: &faultySystem{lazy: true}})
		require.NoError(t, err)
		require.Equal(t, state, content(t, j))
		require.NoError(t, j.Close())
	})
}

// FuzzDamage damages a file anywhere, in any way: what is not refused is as it
// was after some transaction.
func FuzzDamage(f *testing.F) {
	f.Add(uint16(10), uint16(3), []byte("abc"), uint16(0))
	f.Add(uint16(400), uint16(0), []byte{}, uint16(700))
	f.Add(uint16(400), uint16(50), []byte{0, 0}, uint16(700))
	var s story
	f.Fuzz(func(t *testing.T, at, remove uint16, insert []byte, cut uint16) {
		if s.text == nil {
			s = tell(t, Options{Sync: SyncNever}, 6, false)
		}
		from := min(int(at), len(s.text))
		to := min(from+int(remove), len(s.text))
		text := append(append(bytes.Clone(s.text[:from]), insert...), s.text[to:]...)
		text = text[:len(text)-min(int(cut), len(text))]
		_, state, err := replay(text)
		if err != nil {
			return
		}
		for _, was := range s.states {
			if maps.Equal(was, state) {
				return
			}
		}
		t.Fatalf("the state %q was never", state)
	})
}

// FuzzSalvage salvages any bytes behind a header: what comes of it is a whole
// file.
func FuzzSalvage(f *testing.F) {
	f.Add([]byte("*3\r\n"), []byte{}, uint16(0))
	f.Add([]byte{}, []byte(setBegin), uint16(300))
	var s story
	f.Fuzz(func(t *testing.T, before, between []byte, at uint16) {
		if s.text == nil {
			s = tell(t, Options{Sync: SyncNever}, 4, true)
		}
		dir := t.TempDir()
		path, target := filepath.Join(dir, "db"), filepath.Join(dir, "saved")
		middle := min(headerSize+int(at), len(s.text))
		text := append(bytes.Clone(s.text[:headerSize]), before...)
		text = append(append(append(text, s.text[headerSize:middle]...), between...), s.text[middle:]...)
		write(t, path, text)
		found, err := Salvage(t.Context(), path, target, nil)
		require.NoError(t, err)
		require.LessOrEqual(t, found.Transactions, int64(4))
		again, err := Scan(t.Context(), target, nil, nil)
		require.NoError(t, err)
		require.True(t, again.Closed)
	})
}
