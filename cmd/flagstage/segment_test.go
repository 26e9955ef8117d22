package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

const staff = "../../testdata/staff.segment.json"

// inPlace returns a command about segments of one environment.
func inPlace(db string, words ...string) []string {
	return append(words, "--project", "web-shop", "--environment", "production", "--db", db)
}

func TestSegmentsInAStore(t *testing.T) {
	db := stocked(t)
	done(t, "create", rollout, "--db", db)
	start := []string{"start", "progressive-rollout", "--flag", "new-checkout", "--db", db}
	require.Contains(t, refused(t, exitFailed, start...), `segment "staff"`, "it does not exist yet")
	put := inPlace(db, "segment", "put", staff)
	require.Equal(t, "kept segment staff in environment production of project web-shop\n", done(t, put...))
	require.Equal(t, "segment staff in environment production of project web-shop is like that already\n", done(t, put...))
	require.Contains(t, done(t, start...), "Stage 1  completed  Staff only\n")

	const many = `{"key":"observers","name":"Observers","description":"who looks at the sky","tags":["sky","night"],"version":4,"deleted":true,
		"included":["ada"],"excluded":["bo","cy"],"includedContexts":[{"contextKind":"device","values":["d1","d2"]}],"unbounded":true,
		"rules":[{"clauses":[{"attribute":"city","op":"in","values":["Bergen"]}],"weight":25000}]}`
	doneWith(t, many, inPlace(db, "segment", "put", "-")...)
	require.Regexp(t, `^KEY        NAME       VERSION  REVISION  INCLUDED  EXCLUDED  RULES
observers  Observers  4        [0-9]+ +  3         2         1
staff      Staff      2        [0-9]+ +  2         0         1
$`, done(t, inPlace(db, "segment", "list")...))
	require.Equal(t, "KEY  NAME  VERSION  REVISION  INCLUDED  EXCLUDED  RULES\n",
		done(t, "segment", "list", "--project", "web-shop", "--environment", "test", "--db", db), "another environment has none")
	require.Regexp(t, `^Key          observers
Name         Observers
Description  who looks at the sky
Version      4
Revision     [0-9]+
Tags         sky, night
State        deleted
Lists        are kept elsewhere
Included     1 of kind user
Included     2 of kind device
Excluded     2 of kind user
Rule 1       if city is "Bergen" \(25 % of them\)
$`, done(t, inPlace(db, "segment", "show", "observers")...))

	var listing struct{ Items []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(done(t, inPlace(db, "segment", "list", "--format", "json")...)), &listing))
	require.Len(t, listing.Items, 2)
	shown := done(t, inPlace(db, "segment", "show", "staff", "--format", "json")...)
	require.JSONEq(t, shown, string(listing.Items[1]))
	require.Equal(t, "segment staff in environment production of project web-shop is like that already\n",
		doneWith(t, shown, inPlace(db, "segment", "put", "-")...), "what is shown can be put")
	listed := written(t, "segments.json", done(t, inPlace(db, "segment", "list", "--format", "json")...))
	require.Contains(t, done(t, "flag", "eval", checkout, "--environment", "production", "--context", `{"kind":"user","key":"ada"}`, "--segments", listed),
		"Because    rule 1", "what is listed can be evaluated with")

	require.Contains(t, refused(t, exitFailed, inPlace(db, "segment", "show", "nobody")...),
		`not_found: there is no segment "nobody" in the environment "production" of the project "web-shop"`)
}

// TestSegmentsAreWrittenAtTheRevisionThatIsGiven and left alone at any other one.
func TestSegmentsAreWrittenAtTheRevisionThatIsGiven(t *testing.T) {
	db := stocked(t)
	put := func(document string, more ...string) result {
		return run(document, append(inPlace(db, "segment", "put", "-"), more...)...)
	}
	require.Contains(t, put(`{"key":"s"}`, "--revision", "1").stderr, `there is no segment "s", and so none of revision 1`)
	require.Equal(t, exitDone, put(`{"key":"s"}`).status)
	show := inPlace(db, "segment", "show", "s")
	first := revision(t, done(t, show...))
	require.Equal(t, result{exitDone, "changed segment s in environment production of project web-shop\n", ""}, put(`{"key":"s","name":"first"}`, "--revision", first))
	before := done(t, show...)
	require.Contains(t, before, "Name      first\n")
	require.Equal(t, result{exitFailed, "", `flagstage: segment put: optimistic_locking_error: the segment "s" has revision ` + revision(t, before) + " by now, not " + first + "; read it again\n"},
		put(`{"key":"s","name":"second"}`, "--revision", first))
	require.Equal(t, before, done(t, show...))
}

func TestASegmentThatCannotBeReadHidesNoOther(t *testing.T) {
	db := stocked(t)
	done(t, inPlace(db, "segment", "put", staff)...)
	store, err := flagstage.OpenStore(db, flagstage.DurabilityNever)
	require.NoError(t, err)
	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{{Key: "segment/web-shop/production/broken", Value: []byte("\x63")}}})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	for _, format := range []string{"text", "json"} {
		r := run("", inPlace(db, "segment", "list", "--format", format)...)
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.stdout, "staff")
		require.Regexp(t, `^flagstage: segment list: .*broken.*\n$`, r.stderr)
	}
	require.Contains(t, refused(t, exitFailed, inPlace(db, "segment", "show", "broken")...), "cannot be read")
	require.Equal(t, "changed segment broken in environment production of project web-shop\n",
		doneWith(t, `{"key":"broken"}`, inPlace(db, "segment", "put", "-")...), "another one is put in its place")
}

func TestHostileSegmentsSteerNoTerminal(t *testing.T) {
	db := filepath.Join(t.TempDir(), "db")
	doneWith(t, `{"key":"k","name":"\u001b[2J","description":"\u202e","tags":["\u001b[31m"],"rules":[{"clauses":[{"attribute":"\u001b[2J","op":"in","values":["\u202e"]}]}]}`,
		inPlace(db, "segment", "put", "-")...)
	for _, words := range [][]string{{"segment", "list"}, {"segment", "list", "--format", "json"}, {"segment", "show", "k"}, {"segment", "show", "k", "--format", "json"}} {
		text := done(t, inPlace(db, words...)...)
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\u202e")
	}
}

func TestWrongUsageOfSegments(t *testing.T) {
	db := filepath.Join(t.TempDir(), "none")
	for _, arguments := range [][]string{
		{"segment"}, {"segment", "get"},
		{"segment", "put"}, {"segment", "put", staff}, {"segment", "put", staff, "--db", db}, {"segment", "put", staff, "--project", "p", "--db", db},
		{"segment", "put", staff, "--project", "p", "--environment", "a b", "--db", db}, {"segment", "put", staff, "--project", "p", "--environment", "e"},
		inPlace(db, "segment", "put", staff, "--member", ""), inPlace(db, "segment", "put", staff, "--revision", "-1"),
		{"segment", "list"}, {"segment", "list", "--db", db}, {"segment", "list", "--project", "p", "--db", db}, inPlace(db, "segment", "list", "x"),
		inPlace(db, "segment", "list", "--format", "xml"), {"segment", "list", "--project", "p", "--environment", "e"},
		inPlace(db, "segment", "show"), inPlace(db, "segment", "show", "a", "b"), {"segment", "show", "k", "--db", db}, {"segment", "show", "k", "--project", "p", "--environment", "e"},
	} {
		require.Contains(t, refused(t, exitUsage, arguments...), "--help", arguments)
	}
	for _, arguments := range [][]string{
		inPlace(db, "segment", "put", staff+"x"), inPlace(db, "segment", "put", quarter), inPlace(db, "segment", "put", staff, "--revision", "1"),
		inPlace(db, "segment", "list"), inPlace(db, "segment", "show", "k"),
	} {
		refused(t, exitFailed, arguments...)
	}
	entries, err := os.ReadDir(filepath.Dir(db))
	require.NoError(t, err)
	require.Empty(t, entries, "what is refused makes no store")
}
