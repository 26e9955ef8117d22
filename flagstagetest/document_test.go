package flagstagetest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flagstagetest"
)

func TestEveryDocumentMeansItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		document := flagstagetest.Documents().Draw(t, "document")
		require.True(t, json.Valid(document.JSON))
		input, problems := flagstage.ReadTemplate(document.JSON)
		require.Empty(t, problems)
		require.Equal(t, document.Input, input)
		_, problems = flagstage.NewTemplate(input, flagstage.Creation{
			Now: flagstagetest.Instants().Draw(t, "now"), IDs: flagstage.SeededIDs(1), Actor: flagstage.Actor{MemberID: "a"},
		})
		require.Empty(t, problems)
	})
}

func TestDocumentsAreSpelledInManyWays(t *testing.T) {
	missing := []string{
		"\n", "\t", "\r\n", ": ", `\u006b\u0065\u0079`, `{"stages"`, `null`, `"name":""`, `"action":{}`, `"instructions":[]`, `"conditions":[]`,
		`"instructions":"[`, `"instructions":"{`, `"kind":"patch"`, `"scheduleKind":""`, `"executeNow":false`, `"integrationConfig":{}`,
		`"_execution"`, `"allReviews"`, `"_links"`, `"id":`, `"OnVariationValue"`, `"OffVariationValue"`,
	}
	for document := range examples(flagstagetest.Documents(), 1000) {
		input, problems := flagstage.ReadTemplate(document.JSON)
		require.Empty(t, problems)
		require.Equal(t, document.Input, input)
		missing = slices.DeleteFunc(missing, func(spelling string) bool {
			return strings.Contains(string(document.JSON), spelling)
		})
	}
	require.Empty(t, missing, "never drawn")
}
