package strictjson_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

func TestTellUntil(t *testing.T) {
	var told []string
	d := strictjson.NewDecoder([]byte(`[{"a":1,"a":2},1e999,"x",7]`), func(pointer, code, _ string) {
		told = append(told, code+" "+pointer)
	})
	asked := 0
	d.TellUntil(func() bool { asked++; return asked == 3 })
	require.True(t, d.BeginArray())
	require.True(t, d.NextElement())
	_, _, ok := d.ReadValue()
	require.False(t, ok)
	require.True(t, d.NextElement())
	d.Skip()
	require.Equal(t, 2, d.Reports())
	require.Zero(t, d.Untold())

	require.True(t, d.NextElement())
	_, ok = d.ReadInt()
	require.False(t, ok)
	d.ReportMember("m", strictjson.CodeMalformed, "is counted")
	d.ReportFunc(strictjson.CodeMalformed, func() string { panic("a message that nobody reads") })
	in := d.Inside(`[{"b":1,"b":2}]`, false)
	_, _, ok = in.ReadValue()
	require.False(t, ok, "what is only counted is a defect all the same")
	require.Equal(t, 4, in.Untold(), "documents in strings count too")
	require.True(t, d.NextElement())
	d.UnknownMember("x", "y")
	require.False(t, d.NextElement())
	d.End()
	require.Nil(t, d.Err())

	require.Equal(t, []string{"duplicate /0/a", "out_of_range /1"}, told)
	require.Equal(t, 3, asked, "enough is enough")
	require.Equal(t, 7, d.Reports())
	require.Equal(t, 5, d.Untold())
}

func TestReportMember(t *testing.T) {
	var told []string
	d := strictjson.NewDecoder([]byte(`{"a":{}} x`), func(pointer, code, message string) {
		told = append(told, fmt.Sprint(pointer, " ", code, " ", message))
	})
	d.BeginObject()
	d.NextMember()
	d.BeginObject()
	d.ReportMember("b/c", strictjson.CodeMalformed, "is missing")
	d.ReportFunc(strictjson.CodeMalformed, func() string { return "is empty" })
	require.Equal(t, []string{"/a/b~1c malformed is missing", "/a malformed is empty"}, told)
	d.NextMember()
	d.NextMember()
	d.End()
	require.NotNil(t, d.Err())
	d.ReportMember("b", strictjson.CodeMalformed, "x")
	d.ReportFunc(strictjson.CodeMalformed, func() string { return "x" })
	require.Equal(t, 2, d.Reports())
	require.Len(t, told, 2)
}

// TestCountingAllocatesNothing holds that defects of which nobody is told cost
// no memory.
func TestCountingAllocatesNothing(t *testing.T) {
	document := []byte(`[{"a":1` + strings.Repeat(`,"a":2`, 100) + `},` + strings.Repeat("7,", 100) + `7]`)
	require.EqualValues(t, 2, testing.AllocsPerRun(10, func() {
		d := strictjson.NewDecoder(document, nil)
		d.TellUntil(func() bool { return true })
		d.BeginArray()
		d.NextElement()
		d.BeginObject()
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			d.UnknownMember(name, "b")
			d.ReportMember(name, strictjson.CodeMalformed, "x")
		}
		for d.NextElement() {
			d.ReadString()
		}
		if d.Untold() != 100+2+101 {
			t.Error(d.Untold())
		}
	}), "the decoder and its copy of the document")
}
