package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

const (
	careful = "../../testdata/careful-rollout.json"

	newVariation = "7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21"
	oldVariation = "0c5e3a52-94f1-4b0c-8a86-5d1f8a1f6a10"
)

// done runs a command that must succeed without a word on standard error, and
// returns what it prints.
func done(t *testing.T, arguments ...string) string {
	return doneWith(t, "", arguments...)
}

func doneWith(t *testing.T, stdin string, arguments ...string) string {
	t.Helper()
	r := run(stdin, arguments...)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Empty(t, r.stderr)
	return r.stdout
}

// refused runs a command that must fail, and returns why.
func refused(t *testing.T, status int, arguments ...string) string {
	t.Helper()
	r := run("", arguments...)
	require.Equal(t, status, r.status, r.stdout+r.stderr)
	require.Empty(t, r.stdout)
	require.Contains(t, r.stderr, "\n")
	return r.stderr
}

// stocked makes a store with the flag of testdata, and returns its path.
func stocked(t *testing.T) string {
	db := filepath.Join(t.TempDir(), "releases.db")
	require.Equal(t, "kept flag new-checkout in project web-shop\n", done(t, "flag", "put", checkout, "--project", "web-shop", "--db", db))
	return db
}

// revision returns the revision that is shown.
func revision(t *testing.T, shown string) string {
	t.Helper()
	found := regexp.MustCompile(`\nRevision +([0-9]+)\n`).FindStringSubmatch(shown)
	require.Len(t, found, 2, shown)
	return found[1]
}

// serve is a patch that gives everybody one variation.
func serve(t *testing.T, variation string) string {
	return written(t, "patch.json", `{"environmentKey":"production","instructions":[{"kind":"updateFallthroughVariationOrRollout","variationId":"`+variation+`"}]}`)
}

func TestFlagsInAStore(t *testing.T) {
	db := stocked(t)
	require.Equal(t, "PROJECT   KEY           NAME          KIND     VERSION  REVISION  ENVIRONMENTS\n"+
		"web-shop  new-checkout  New checkout  boolean  1        1         production on\n", done(t, "flag", "list", "--db", db))
	require.Equal(t, done(t, "flag", "list", "--db", db), done(t, "flag", "list", "--db", db, "--project", "web-shop"))
	require.NotContains(t, done(t, "flag", "list", "--db", db, "--project", "other"), "new-checkout")
	var listing struct{ Items []struct{ Key string } }
	require.NoError(t, json.Unmarshal([]byte(done(t, "flag", "list", "--db", db, "--format", "json")), &listing))
	require.Equal(t, "new-checkout", listing.Items[0].Key)

	stored := []string{"flag", "show", "new-checkout", "--project", "web-shop", "--db", db}
	for _, more := range [][]string{{"--format", "json"}, {"--environment", "production", "--format", "json"}} {
		require.Equal(t, done(t, append([]string{"flag", "show", checkout}, more...)...), done(t, append(stored, more...)...))
	}
	inFile := done(t, "flag", "show", checkout)
	require.Equal(t, strings.Replace(inFile, "\nTags ", "\nRevision     1\nTags ", 1), done(t, stored...), "in a store it has a revision")
	require.NotContains(t, inFile, "Revision")

	require.Equal(t, "flag new-checkout in project web-shop is like that already\n", done(t, "flag", "put", checkout, "--project", "web-shop", "--db", db))
	const changes = "- tags added: released\n- production: default rule: New 5 % → 25 %\n- production: user tester-1 no longer always gets New\n"
	require.Equal(t, "changed flag new-checkout in project web-shop\n"+changes, done(t, "flag", "put", checkoutQuarter, "--project", "web-shop", "--db", db))
	require.Equal(t, "kept flag new-checkout in project other\n", done(t, "flag", "put", checkout, "--project", "other", "--db", db))

	require.Equal(t, "changed flag new-checkout in project other\n"+changes,
		done(t, "flag", "patch", "new-checkout", quarter, "--project", "other", "--db", db, "--now", "2026-10-24T09:00:00+02:00"))
	patched := done(t, "flag", "show", "new-checkout", "--project", "other", "--db", db, "--format", "json")
	require.Contains(t, patched, `"lastModified": 1792825200000`)
	require.Equal(t, "flag new-checkout in project other is like that already\n",
		doneWith(t, `[{"kind":"turnFlagOn"}]`, "flag", "patch", "new-checkout", "-", "--environment", "production", "--project", "other", "--db", db))

	done(t, "flag", "put", checkout, "--project", "web-shop", "--db", db)
	require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "other", "--db", db), "25 % New", "the flag of another project stays")
}

func TestAFlagIsReadBesideAProgramThatUsesTheStore(t *testing.T) {
	db := stocked(t)
	held, err := flagstage.OpenStore(db, flagstage.DurabilityAlways)
	require.NoError(t, err)
	defer held.Close()
	done(t, "flag", "list", "--db", db)
	done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db)
	require.Contains(t, refused(t, exitFailed, "flag", "patch", "new-checkout", quarter, "--project", "web-shop", "--db", db), "in use by process")
}

// TestFlagsAreWrittenAtTheRevisionThatIsGiven and left alone at any other one.
func TestFlagsAreWrittenAtTheRevisionThatIsGiven(t *testing.T) {
	db := stocked(t)
	write := func(words ...string) []string { return append(words, "--project", "web-shop", "--db", db) }
	show := write("flag", "show", "new-checkout")
	first := revision(t, done(t, show...))
	done(t, write("flag", "patch", "new-checkout", quarter, "--revision", first)...)
	before := done(t, show...)
	second := revision(t, before)
	require.Contains(t, done(t, "flag", "list", "--db", db), "  "+second+"  ")
	for _, words := range [][]string{{"flag", "patch", "new-checkout", serve(t, oldVariation), "--revision", first}, {"flag", "put", checkout, "--revision", first}} {
		require.Equal(t, "flagstage: "+words[0]+" "+words[1]+`: optimistic_locking_error: the flag "new-checkout" has revision `+second+" by now, not "+first+"; read it again\n",
			refused(t, exitFailed, write(words...)...))
	}
	require.Equal(t, before, done(t, show...))
	require.Contains(t, done(t, write("flag", "put", checkout, "--revision", second)...), "changed flag new-checkout")
	require.NotEqual(t, second, revision(t, done(t, show...)))
	require.Contains(t, refused(t, exitFailed, "flag", "put", checkout, "--project", "other", "--db", db, "--revision", "3"),
		`there is no flag "new-checkout", and so none of revision 3; leave out the revision to keep a new one`)
	require.Contains(t, refused(t, exitFailed, "flag", "patch", "new-checkout", quarter, "--project", "other", "--db", db, "--revision", "3"), "not_found: ")
}

func TestPatchesOfStoredFlagsThatCannotBe(t *testing.T) {
	db := stocked(t)
	before := done(t, "flag", "list", "--db", db, "--format", "json")
	patch := func(stdin string, arguments ...string) result {
		return run(stdin, append([]string{"flag", "patch", "new-checkout", "-", "--project", "web-shop", "--db", db}, arguments...)...)
	}
	for stdin, want := range map[string]string{
		`[{"kind":"turnFlagOff"},{"kind":"updateOffVariation","variationId":"x"}]`: `-:/1/variationId: the flag has no variation "x"; there are`,
		` {"instructions":[{"kind":"updateOffVariation","variationId":"x"}]}`:      `-:/instructions/0/variationId: the flag has no variation "x"; there are`,
		`{"instructions":[{"kind":"turnFlagsOff"}]}`:                               `-:/instructions/0/kind: "turnFlagsOff" is no kind of instruction`,
		`[{"kind":"addPrerequisite","key":"lamp","variationId":"x"}]`:              `-:/0/key: there is no flag "lamp" [not_found]`,
	} {
		r := patch(stdin, "--environment", "production")
		require.Equal(t, exitFailed, r.status, stdin)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, want)
	}
	r := patch(`[{"kind":"turnFlagOff"}]`)
	require.Contains(t, r.stderr, `-:/0: concerns one environment; say which, there is "production" [required]`)
	r = patch(`{"environmentKey":"test","instructions":[]}`, "--environment", "production")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.stderr, `--environment is "production", but the patch is for "test"`)

	for _, arguments := range [][]string{
		{"flag", "patch", "old-checkout", quarter, "--project", "web-shop", "--db", db},
		{"flag", "patch", "new-checkout", quarter, "--project", "other", "--db", db},
		{"flag", "show", "old-checkout", "--project", "web-shop", "--db", db},
	} {
		require.Contains(t, refused(t, exitFailed, arguments...), "not_found: there is no flag")
	}
	require.Equal(t, before, done(t, "flag", "list", "--db", db, "--format", "json"))
}

func TestWhatWouldMakeAStageFailIsRefused(t *testing.T) {
	db := released(t)
	before := done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db)
	patch := []string{"flag", "patch", "new-checkout", serve(t, oldVariation), "--project", "web-shop", "--db", db, "--member", "mallory"}
	why := refused(t, exitFailed, patch...)
	require.Contains(t, why, "flagstage: stage 2 of workflow checkout would fail: instruction 0 would change /environments/production/fallthrough from ")
	require.Contains(t, why, "but mallory has changed it")
	require.Contains(t, why, "flagstage: flag patch: the flag is not changed; cancel the workflow first, or see --ignore-conflicts\n")
	require.Contains(t, refused(t, exitFailed, "flag", "put", checkout, "--project", "web-shop", "--db", db), "flagstage: flag put: the flag is not changed")
	require.Equal(t, before, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db))

	require.Equal(t, "changed flag new-checkout in project web-shop\n- production: default rule: 25 % New and 75 % Old → Old\n",
		done(t, append(patch, "--ignore-conflicts")...))
	require.Contains(t, done(t, "status", "checkout", "--db", db), "\nConflict  stage 2    instruction 0 would change /environments/production/fallthrough from ")
}

func TestListNamesFlagsThatCannotBeRead(t *testing.T) {
	db := stocked(t)
	store, err := flagstage.OpenStore(db, flagstage.DurabilityNever)
	require.NoError(t, err)
	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{{Key: "flag/web-shop/broken", Value: []byte("\x63")}}})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	for _, format := range []string{"text", "json"} {
		r := run("", "flag", "list", "--db", db, "--format", format)
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.stdout, "new-checkout")
		require.Regexp(t, `^flagstage: flag list: .*broken.*\n$`, r.stderr)
	}
}

func TestHostileFlagsSteerNoTerminal(t *testing.T) {
	db := filepath.Join(t.TempDir(), "db")
	hostile := `{"key":"k","name":"\u001b[2J\u202e","kind":"boolean","variations":[{"_id":"on","value":true,"name":"\u001b[31m"},{"_id":"off","value":false}],"environments":{"e":{"on":false,"fallthrough":{"variation":1},"offVariation":1}}}`
	doneWith(t, hostile, "flag", "put", "-", "--project", "p", "--db", db)
	change := `{"environmentKey":"e","instructions":[{"kind":"updateOffVariation","variationId":"on"}]}`
	for _, text := range []string{
		done(t, "flag", "list", "--db", db), done(t, "flag", "list", "--db", db, "--format", "json"),
		done(t, "flag", "show", "k", "--project", "p", "--db", db),
		doneWith(t, change, "flag", "patch", "k", "-", "--project", "p", "--db", db),
	} {
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\u202e")
	}
}

func TestWrongUsageOfStoredFlags(t *testing.T) {
	db := filepath.Join(t.TempDir(), "none")
	for _, arguments := range [][]string{
		{"flag", "put"}, {"flag", "put", checkout}, {"flag", "put", checkout, "--project", "web-shop"}, {"flag", "put", checkout, "--db", db},
		{"flag", "put", checkout, "--project", "web shop", "--db", db}, {"flag", "put", checkout, checkout, "--project", "web-shop", "--db", db},
		{"flag", "put", checkout, "--project", "web-shop", "--db", db, "--member", "workflow:x"}, {"flag", "put", checkout, "--project", "web-shop", "--db", db, "--now", "now"},
		{"flag", "patch", "k"}, {"flag", "patch", "k", quarter, "--db", db}, {"flag", "patch", "k", quarter, "--project", "p"},
		{"flag", "patch", "k", quarter, "--project", "p", "--db", db, "--environment", "test"},
		{"flag", "list"}, {"flag", "list", "x", "--db", db}, {"flag", "list", "--db", db, "--project", "a b"}, {"flag", "list", "--db", db, "--format", "xml"},
		{"flag", "show", "k", "--db", db}, {"flag", "show", "k", "--project", "p", "--db", ""}, {"flag", "show", "k", "--project", "p"}, {"flag", "show", "--project", "p", "--db", db},
		{"flag", "put", checkout, "--project", "p", "--db", db, "--revision", "0"}, {"flag", "patch", "k", quarter, "--project", "p", "--db", db, "--revision", "latest"},
	} {
		require.Contains(t, refused(t, exitUsage, arguments...), "--help", arguments)
	}
	for _, arguments := range [][]string{
		{"flag", "put", filepath.Join(t.TempDir(), "none"), "--project", "p", "--db", db}, {"flag", "put", staff, "--project", "p", "--db", db},
		{"flag", "put", checkout, "--project", "p", "--db", db, "--revision", "1"},
		{"flag", "list", "--db", db}, {"flag", "show", "k", "--project", "p", "--db", db}, {"flag", "patch", "k", quarter, "--project", "p", "--db", db},
	} {
		refused(t, exitFailed, arguments...)
	}
	entries, err := os.ReadDir(filepath.Dir(db))
	require.NoError(t, err)
	require.Empty(t, entries, "what is refused makes no store")
}
