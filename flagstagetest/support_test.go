package flagstagetest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

// failing is a test that is expected to fail.
type failing struct {
	rapid.TB
	log    strings.Builder
	failed bool
}

func (f *failing) Helper()                           {}
func (f *failing) Name() string                      { return "failing" }
func (f *failing) Log(args ...any)                   { fmt.Fprintln(&f.log, args...) }
func (f *failing) Logf(format string, args ...any)   { fmt.Fprintf(&f.log, format+"\n", args...) }
func (f *failing) Errorf(format string, args ...any) { f.Logf(format, args...); f.failed = true }
func (f *failing) Error(args ...any)                 { f.Log(args...); f.failed = true }
func (f *failing) Fatal(args ...any)                 { f.Error(args...); runtime.Goexit() }
func (f *failing) FailNow()                          { f.failed = true; runtime.Goexit() }
func (f *failing) Fail()                             { f.failed = true }
func (f *failing) Failed() bool                      { return f.failed }

// shrunk returns the value with which a property that does not hold ends up,
// and what rapid prints then.
func shrunk[T any](t *testing.T, draw func(*rapid.T) T, holds func(T) bool) (last T, log string) {
	t.Helper()
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "3s"} {
		before := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		defer func() { require.NoError(t, flag.Set(name, before)) }()
	}
	f := &failing{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		rapid.Check(f, func(t *rapid.T) {
			value := draw(t)
			if !holds(value) {
				last = value
				t.Fatal("does not hold")
			}
		})
	}()
	<-done
	require.True(t, f.failed, "the property holds")
	return last, f.log.String()
}

// examples yields n values of a generator, the same ones in every run.
func examples[T any](g *rapid.Generator[T], n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		for seed := range n {
			if !yield(g.Example(seed + 1)) { // 0 is no seed
				return
			}
		}
	}
}

// numbered yields the values with numbers from 0.
func numbered[T any](values iter.Seq[T]) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		i := 0
		for v := range values {
			if !yield(i, v) {
				return
			}
			i++
		}
	}
}

// namesIn returns the names that an instruction gives, and those it refers to.
func namesIn(t require.TestingT, in flags.Instruction) (given, referred []string) {
	var tree any
	require.NoError(t, json.Unmarshal(in.AppendJSON(nil), &tree))
	var walk func(name string, value any)
	walk = func(name string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for n, v := range value {
				walk("", n)
				walk(n, v)
			}
		case []any:
			for _, v := range value {
				walk("", v)
			}
		case string:
			if after, ok := strings.CutPrefix(value, "ref:"); ok {
				referred = append(referred, after)
			}
			if name == "ref" {
				given = append(given, value)
			}
		}
	}
	walk("", tree)
	return given, referred
}
