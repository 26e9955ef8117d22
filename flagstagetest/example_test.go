package flagstagetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flagstagetest"
)

// lint stands for a program of yours: it takes requests to create templates,
// and tells their authors what is wrong, one problem a line.
func lint(request []byte) string {
	_, problems := flagstage.ReadTemplate(request)
	var report strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&report, "%s at %s: %s\n", p.Code, p.Pointer, p.Message)
	}
	return report.String()
}

// A property test of a program that takes requests: it lets every valid one
// pass, however that is spelled, and tells where the mistake is in every other.
func TestLint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		request := flagstagetest.Documents().Draw(t, "request")
		if report := lint(request.JSON); report != "" {
			t.Fatalf("a valid request is refused: %s", report)
		}
		mutation := flagstagetest.Mutations(request.JSON).Draw(t, "mutation")
		want := fmt.Sprintf("%s at %s: ", mutation.Code, mutation.Pointer)
		if lines := strings.Split(lint(mutation.Document), "\n"); !slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, want)
		}) {
			t.Fatalf("%q is not in the report: %q", want, lines)
		}
	})
}

// One sort of mistake in a request of one's own.
func ExampleMutations() {
	request := `{
		"key": "night-shift", "projectKey": "shop", "environmentKey": "production", "flagKey": "banner",
		"stages": [{"conditions": [{"kind": "schedule", "waitDuration": 2, "waitDurationUnit": "hour"}]}]
	}`
	mutation := flagstagetest.Mutations([]byte(request), "both stages and workflow").Example(1)
	fmt.Println(mutation.Pointer, mutation.Code)

	_, problems := flagstage.ReadTemplate(mutation.Document)
	fmt.Println(problems)
	fmt.Println(mutation.ReportedIn(problems))
	// Output:
	// /workflowId exclusive
	// [/workflowId: stages and workflowId exclude each other; give one of them [exclusive]]
	// true
}
