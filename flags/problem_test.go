package flags_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

func TestProblemsErr(t *testing.T) {
	var none flags.Problems
	require.NoError(t, none.Err())
	require.True(t, none.Err() == nil, "an untyped nil")

	var warned flags.Problems
	warned.Warnf("/a", flags.CodeExclusive, "is ignored")
	require.NoError(t, warned.Err())

	warned.Errorf("/b", flags.CodeNotFound, "there is no %s", "flag")
	err := warned.Err()
	require.ErrorIs(t, err, flags.ErrNotFound)
	require.NotErrorIs(t, err, flags.ErrInvalidRequest)
	require.EqualError(t, err, "/b: there is no flag [not_found]")
	var typed *flags.ProblemsError
	require.True(t, errors.As(err, &typed))
	require.Equal(t, warned, typed.Problems)

	warned.Errorf("", flags.CodeSyntax, "bad")
	require.ErrorIs(t, warned.Err(), flags.ErrInvalidRequest)
	require.NotErrorIs(t, warned.Err(), flags.ErrNotFound)
}

func TestProblemsAreToldInOneLine(t *testing.T) {
	p := flags.Problem{Pointer: "/a\n/b: \x1b[2J", Code: flags.CodeMalformed, Severity: flags.SeverityError, Message: "\u202ebad\r"}
	require.Equal(t, `/a\n/b: \x1b[2J: \u202ebad\r [malformed]`, p.String())
	require.EqualError(t, flags.Problems{p}.Err(), p.String())
	_, problems := flags.DecodeInstruction([]byte(`{"kind":"turnFlagOn","x [required]\n/kind: forged":1}`))
	require.Equal(t, "/x [required]\n~1kind: forged", problems[0].Pointer)
	require.NotContains(t, problems.Err().Error(), "\n")
}

func TestFull(t *testing.T) {
	var problems flags.Problems
	for range flags.MaxProblems - 1 {
		require.False(t, problems.Full())
		problems.Errorf("/e", flags.CodeRequired, "is missing")
	}
	problems.Warnf("/w", flags.CodeExclusive, "is ignored")
	problems.Warnf("/w", flags.CodeExclusive, "is ignored")
	require.False(t, problems.Full(), "a warning can give way")
	problems.Errorf("/e", flags.CodeRequired, "is missing")
	require.True(t, problems.Full())
	exactly := slices.Clone(problems[:flags.MaxProblems])
	require.True(t, exactly.Full())
	before := problems[flags.MaxProblems].Omitted
	problems.Errorf("/f", flags.CodeRequired, "is missing")
	require.True(t, problems.Full())
	require.Equal(t, before+1, problems[flags.MaxProblems].Omitted)
	require.Equal(t, "/e", problems[flags.MaxProblems-1].Pointer)
}

func TestInOrder(t *testing.T) {
	document := []byte(`{"b":[1,{"c":2}],"a":3}`)
	var problems flags.Problems
	for _, pointer := range []string{"/missing", "/a", "/b/1/c", "/b/1/none", "/b", "", "/b/0"} {
		problems.Errorf(pointer, flags.CodeRequired, "first")
	}
	problems.Warnf("/a", flags.CodeExclusive, "second")
	problems.Add(flags.Problem{Omitted: 7, Severity: flags.SeverityWarning})
	var got []string
	for _, p := range problems.InOrder(document) {
		got = append(got, p.Pointer+" "+p.Message)
	}
	require.Equal(t, []string{
		" first", "/b first", "/b/0 first", "/b/1/c first", "/b/1/none first", "/a first", "/a second", "/missing first",
		" 7 more problems are not listed; mend these and look again",
	}, got)
	require.Equal(t, "/missing", problems[0].Pointer, "the list itself stays")

	long := slices.Concat(problems, problems)
	for range 100 {
		long.Errorf("/b", flags.CodeRequired, "third")
	}
	long = append(slices.Clone(long[:100]), long[:50]...)
	require.Len(t, long.InOrder(document), flags.MaxProblems+1)
	require.Nil(t, flags.Problems(nil).InOrder(document))
	require.Equal(t, problems[:1], problems[:1].InOrder(nil))
}

func TestProblemsErrorNamesThree(t *testing.T) {
	var problems flags.Problems
	for i := range 5 {
		problems.Errorf(fmt.Sprintf("/%d", i), flags.CodeRequired, "is missing")
	}
	require.EqualError(t, problems.Err(), "/0: is missing [required]; /1: is missing [required]; /2: is missing [required]; and 2 more")
}

func TestProblemsBeyondTheLimitAreCounted(t *testing.T) {
	var problems flags.Problems
	for range flags.MaxProblems {
		problems.Warnf("/w", flags.CodeExclusive, "is ignored")
	}
	require.Len(t, problems, 100)
	problems.Warnf("/w", flags.CodeExclusive, "is ignored")
	require.Len(t, problems, 101)
	require.NoError(t, problems.Err(), "warnings only")
	problems.Errorf("/e", flags.CodeRequired, "is missing")
	require.Len(t, problems, 101)
	require.Equal(t, "/e", problems[99].Pointer, "warnings give way to errors")
	last := problems[100]
	require.Equal(t, 2, last.Omitted)
	require.Equal(t, flags.SeverityWarning, last.Severity)
	require.Contains(t, last.Message, "2 more problems")
	require.EqualError(t, problems.Err(), "/e: is missing [required]")

	for range flags.MaxProblems {
		problems.Errorf("/f", flags.CodeRequired, "is missing")
	}
	require.Equal(t, "/e", problems[0].Pointer, "the order stays")
	require.Equal(t, 102, problems[100].Omitted)
	require.Equal(t, flags.SeverityError, problems[100].Severity)
	require.ErrorContains(t, problems.Err(), "and 199 more")

	var left flags.Problems
	left.Add(last)
	left.Errorf("/e", flags.CodeRequired, "is missing")
	require.Equal(t, "/e", left[0].Pointer)
	require.Equal(t, last, left[1], "what was left out stays last")

	problems = problems[:0]
	for range flags.MaxProblems + 2 {
		problems.Warnf("/w", flags.CodeExclusive, "is ignored")
	}
	var all flags.Problems
	all.Errorf("", flags.CodeRequired, "is missing")
	all.AddAll("/part", problems)
	require.Len(t, all, 101)
	require.Equal(t, "/part/w", all[1].Pointer)
	require.Equal(t, 3, all[100].Omitted, "one pushed out, two that were left out before")
	require.Empty(t, all[100].Pointer)
	require.Error(t, all.Err())
}
